"""Structured pruning: what is left computes what the whole computes without the units that are gone."""

import numpy as np
import pytest

import paring
from paring import nn
from paring.graph.nodes import Graph
from paring.graph.unit_search import find_units
from paring.training import Adam, CrossEntropy, fit, remove_units
from paring.training.pruning.units import _importance

RNG = np.random.default_rng(0)


def lenet():
    layers = nn.Sequential(
        nn.Conv2d(1, 6, 5),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 60),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(60, 10),
    )
    return nn.Model(layers, (None, 1, 28, 28))


def residual():
    """Blocks added to each other, batch norms, a depthwise convolution, average pooling."""
    x = nn.Input((None, 3, 16, 16))

    def block(v):
        h = nn.ReLU()(nn.BatchNorm2d(8)(nn.Conv2d(8, 8, 3, padding=1, bias=False)(v)))
        return nn.ReLU()(nn.BatchNorm2d(8)(nn.Conv2d(8, 8, 3, padding=1)(h)) + v)

    v = nn.ReLU()(nn.BatchNorm2d(8)(nn.Conv2d(3, 8, 3, padding=1)(x)))
    v = nn.MaxPool2d(2)(block(v))
    v = nn.Conv2d(8, 8, 3, padding=1, groups=8)(block(v))
    v = nn.Flatten()(nn.AvgPool2d(4)(v))
    v = nn.Linear(16, 5)(nn.Tanh()(nn.Linear(32, 16)(v)))
    model = nn.Model(x, v)
    for value in model.state_dict().values():
        if value.ndim == 1:
            value[...] = RNG.uniform(0.5, 1.5, value.shape)
    return model


def transformer():
    """The wide layer of a feed-forward block can go; what the sum with the input goes through cannot."""
    x = nn.Input((None, 7, 12))
    v = nn.Linear(48, 12)(nn.GELU()(nn.Linear(12, 48)(x)))
    return nn.Model(x, nn.Linear(12, 3)(nn.LayerNorm(12)(v + x)))


def sequence():
    """Units in the middle of a value of three axes."""
    x = nn.Input((None, 4, 10))
    v = nn.ReLU()(nn.BatchNorm1d(6)(nn.Conv1d(4, 6, 3)(x)))
    return nn.Model(x, nn.Linear(48, 2)(nn.Flatten()(v)))


MODELS = {"lenet": lenet, "residual": residual, "transformer": transformer, "sequence": sequence}
GROUPS = {"lenet": [6, 16, 60], "residual": [8, 8, 8, 16], "transformer": [48], "sequence": [6]}


def inputs_of(model):
    (value,) = model.graph.inputs
    return RNG.standard_normal((5, *value.shape[1:])).astype(np.float32)


def without(model, share):
    """Return the model with zeros in the columns of the units that matter least."""
    changed = model.copy()
    for group in find_units(model.graph):
        order = np.argsort(-_importance(model.graph, group), kind="stable")
        gone = order[max(group.size - round(share * group.size), 1) :]
        for part in group.used:
            columns = (gone[:, None] * part.repeat + np.arange(part.repeat)).ravel()
            np.moveaxis(changed.graph.initializers[part.weight], part.axis, 0)[columns] = 0
    return changed


@pytest.mark.parametrize("name", MODELS)
class TestRemoval:
    def test_finds_the_units(self, name):
        assert [group.size for group in find_units(MODELS[name]().graph)] == GROUPS[name]

    @pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.99])
    def test_is_the_model_without_them(self, name, share):
        model = MODELS[name]()
        x = inputs_of(model)
        before = {key: value.tobytes() for key, value in model.state_dict().items()}
        small = remove_units(model, share)
        np.testing.assert_allclose(small(x), without(model, share)(x), rtol=1e-4, atol=1e-5)
        assert {key: value.tobytes() for key, value in model.state_dict().items()} == before
        sizes = [group.size for group in find_units(small.graph)]
        if (name, share) == ("residual", 0.99):
            assert sizes.pop(2) == 1  # depthwise over one channel is an ordinary convolution
        assert sizes == [max(size - round(share * size), 1) for size in GROUPS[name]]
        assert list(small.state_dict()) == list(model.state_dict())

    def test_is_an_ordinary_model(self, name, tmp_path):
        model = MODELS[name]()
        x = inputs_of(model)
        small = remove_units(model, 0.5)
        assert small.num_parameters < 0.8 * model.num_parameters
        assert ", cut" in str(small)
        np.testing.assert_allclose(paring.Session(small)(x), small(x), rtol=1e-3, atol=1e-4)
        small.save(tmp_path / "small.safetensors")
        loaded = nn.load(tmp_path / "small.safetensors")
        assert loaded(x).tobytes() == small(x).tobytes()
        smaller = remove_units(loaded, 0.5)
        assert str(smaller).count(", cut") == str(small).count(", cut")
        paring.Session(small.compress(paring.Recipe([paring.QuantizeStep()], min_size=0)))(x)


class TestWhichGo:
    def test_a_unit_without_weights_goes_first(self):
        model = lenet()
        state = model.state_dict()
        state["5.weight"][7] = 0
        state["8.weight"][:, 11] = 0
        small = remove_units(model, 2 / 60, match="5.weight")
        kept = [place for place in range(60) if place not in (7, 11)]
        np.testing.assert_array_equal(small.state_dict()["5.weight"], state["5.weight"][kept])
        np.testing.assert_array_equal(small.state_dict()["5.bias"], state["5.bias"][kept])
        np.testing.assert_array_equal(small.state_dict()["8.weight"], state["8.weight"][:, kept])
        assert small.state_dict()["0.weight"].shape == (6, 1, 5, 5)

    def test_scaling_one_side_against_the_other_changes_nothing(self):
        model = lenet()
        state = {name: value.copy() for name, value in model.state_dict().items()}
        factors = RNG.uniform(0.01, 100, 60).astype(np.float32)
        state["5.weight"] *= factors[:, None]
        state["5.bias"] *= factors
        state["8.weight"] /= factors
        x = inputs_of(model)
        np.testing.assert_allclose(
            remove_units(model.copy(state), 0.5, match="5.*")(x),
            remove_units(model, 0.5, match="5.*")(x),
            rtol=1e-3,
            atol=1e-5,
        )

    def test_behind_a_batch_norm_its_factor_counts(self):
        layers = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2))
        model = nn.Model(layers, (None, 4))
        state = model.state_dict()
        state["0.weight"][...] *= np.arange(1, 7)[::-1, None] * 100
        state["1.weight"][...] = np.arange(1, 7)
        state["3.weight"][...] = 1
        small = remove_units(model, 0.5)
        assert small.state_dict()["1.weight"].tolist() == [4, 5, 6]

    def test_flattened_maps_go_with_all_their_places(self):
        model = lenet()
        small = remove_units(model, 0.5, match="2.weight")
        assert small.state_dict()["5.weight"].shape == (60, 8 * 16)

    def test_trains_on(self):
        model = remove_units(lenet(), 0.5)
        x = RNG.standard_normal((64, 1, 28, 28)).astype(np.float32)
        y = (x[:, 0, :14].mean((1, 2)) > x[:, 0, 14:].mean((1, 2))).astype(np.int64)
        history = fit(model, (x, y), loss=CrossEntropy(), optimizer=Adam(0.003), epochs=15, batch_size=16)
        assert history["loss"][-1] < 0.5 * history["loss"][0]


class TestWhatStays:
    def test_units_that_the_caller_sees(self):
        model = lenet()
        graph = Graph(
            model.graph.nodes,
            model.graph.initializers,
            model.graph.inputs,
            (*model.graph.outputs, model.layer_output("6")),
        )
        assert [group.size for group in find_units(graph)] == [6, 16]

    def test_weights_that_two_layers_share(self):
        model = nn.Model(nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 5)), (None, 5))
        nodes = [
            type(node)(
                node.op,
                [{"2.weight": "0.weight"}.get(n, n) for n in node.inputs],
                node.outputs,
                node.attributes,
                node.name,
            )
            for node in model.graph.nodes
        ]
        initializers = {k: v for k, v in model.graph.initializers.items() if k != "2.weight"}
        assert find_units(Graph(nodes, initializers, model.graph.inputs, model.graph.outputs)) == []

    def test_units_that_something_else_looks_at(self):
        x = nn.Input((None, 6))
        h = nn.Linear(6, 8)(x)
        v = nn.Linear(8, 2)(nn.softmax(h))
        with pytest.raises(
            ValueError, match=r"expected layers whose units can go, got none for '\*'; those of no layer"
        ):
            remove_units(nn.Model(x, v), 0.5)

    def test_compressed_weights(self):
        small = lenet().compress("int8")
        names = {part.weight for group in find_units(small.graph) for part in group.made}
        assert "5.weight" not in names

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"model": {}}, TypeError, "model: expected a paring.nn.Model, got dict"),
            ({"share": 0}, ValueError, "share: expected a finite number above 0 and below 1, got 0"),
            ({"share": 1.0}, ValueError, "share: expected a finite number above 0 and below 1, got 1"),
            ({"share": "half"}, TypeError, "share: expected a number"),
            ({"match": 3}, TypeError, "match: expected a glob, got int"),
            ({"match": "8.*"}, ValueError, r"none for '8.\*'; those of 0.weight, 2.weight, 5.weight can"),
        ],
    )
    def test_refusals(self, arguments, error, message):
        with pytest.raises(error, match=message):
            remove_units(**{"model": lenet(), "share": 0.5, **arguments})
