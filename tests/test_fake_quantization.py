"""Training with rounded weights: what is trained is what `compress` gives and what a session runs, to the byte."""

import numpy as np
import pytest

import paring
from paring import nn
from paring.graph.passes.pairs import find_pairs
from paring.training import (
    SGD,
    Adam,
    CrossEntropy,
    GradualPruning,
    MeanSquaredError,
    accuracy,
    fake_quantize,
    fit,
    measure,
)

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((96, 2, 9, 9)).astype(np.float32)
LABELS = (IMAGES[:, 0, :4].mean((1, 2)) > IMAGES[:, 1, 4:].mean((1, 2))).astype(np.int64)
FORMS = [
    (granularity, symmetric, ranges)
    for granularity in ("tensor", "channel", "group")
    for symmetric, ranges in ((True, "observed"), (False, "observed"), (True, "learned"))
]


def network(seed=0, width=40):
    layers = nn.Sequential(
        nn.Conv2d(2, 6, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(54, width),
        nn.ReLU(),
        nn.Linear(width, 2),
    )
    return nn.Model(layers, (None, 2, 9, 9), seed=seed)


def recipe(bits=4, granularity="channel", symmetric=True, **more):
    step = paring.QuantizeStep(bits, granularity, 16, symmetric, **more)
    return paring.Recipe([step], min_size=0)


def train(model, epochs=3, **options):
    options = {"loss": CrossEntropy(), "optimizer": Adam(0.01), "batch_size": 16, **options}
    return fit(model, (IMAGES, LABELS), epochs=epochs, **options)


def integers(model):
    return {name: weight for name, weight in model.state_dict().items() if not isinstance(weight, np.ndarray)}


class TestWhatIsTrainedIsWhatRuns:
    @pytest.mark.parametrize("bits", range(2, 9))
    @pytest.mark.parametrize(("granularity", "symmetric", "ranges"), FORMS)
    def test_integers_scales_and_outputs(self, bits, granularity, symmetric, ranges):
        form = recipe(bits, granularity, symmetric)
        model = fake_quantize(network(), form, ranges=ranges)
        before = model.quantized_weights()
        train(model, epochs=1)
        small = model.compress(form)
        assert set(integers(small)) == {"0.weight", "4.weight", "6.weight"}
        assert integers(small) == model.quantized_weights()
        assert integers(small) != before
        by_name = paring.compress(model)
        assert all(by_name[name] == weight for name, weight in integers(small).items())
        assert list(by_name) == list(small.state_dict()) == list(network().state_dict())
        if ranges == "observed":
            plain = paring.compress(model.without_rounding(), form)
            forced = {
                name: paring.quantize(w, bits, granularity, 16, symmetric)
                for name, w in model.without_rounding().state_dict().items()
                if w.ndim > 1
            }
            assert forced == integers(small)
            assert set(plain) == set(by_name)
        session = paring.Session(small)
        assert set(session.packed_layers) == set(paring.Session(model).packed_layers) == {"0", "4", "6"}
        assert session(IMAGES).tobytes() == model(IMAGES).tobytes()
        assert session(IMAGES[:1]).tobytes() == model(IMAGES)[:1].tobytes()

    @pytest.mark.parametrize("convention", ["paring", "compressed-tensors"])
    def test_conventions(self, convention):
        form = recipe(4, convention=convention)
        model = fake_quantize(network(), form)
        train(model, epochs=1)
        plain = model.without_rounding().state_dict()
        for name, weight in integers(model.compress()).items():
            assert weight == paring.quantize(plain[name], 4, convention=convention)

    @pytest.mark.parametrize("bias", [True, False])
    def test_dense_layers_over_sequences(self, bias):
        layers = nn.Sequential(nn.Linear(12, 32, bias=bias), nn.ReLU(), nn.Linear(32, 12, bias=bias))
        plain = nn.Model(layers, (None, 5, 12))
        model = fake_quantize(plain, recipe(4), ranges="learned")
        assert [node.op for node in model.graph.nodes].count("paring.IntegerDense") == 2
        x = RNG.standard_normal((20, 5, 12)).astype(np.float32)
        fit(model, (x, x), loss=MeanSquaredError(), optimizer=Adam(0.01), epochs=2)
        session = paring.Session(model.compress())
        assert len(session.packed_layers) == 2
        assert session(x).tobytes() == model(x).tobytes()
        back = model.without_rounding()
        changed = plain.copy(back.state_dict())
        np.testing.assert_array_equal(back(x), changed(x))

    @pytest.mark.parametrize(("granularity", "symmetric", "ranges"), FORMS)
    def test_deep_convolutions(self, granularity, symmetric, ranges):
        layers = nn.Sequential(
            nn.Conv2d(2, 120, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(120, 8, 3, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(128, 2),
        )
        plain = nn.Model(layers, (None, 2, 9, 9))
        model = fake_quantize(plain, recipe(4, granularity, symmetric), ranges=ranges)
        assert [node.op for node in model.graph.nodes].count("paring.IntegerConv") == 1
        train(model, epochs=1)
        session = paring.Session(model.compress())
        assert set(session.packed_layers) == {"0", "2", "5"}
        assert session(IMAGES).tobytes() == model(IMAGES).tobytes()
        back = model.without_rounding()
        np.testing.assert_array_equal(back(IMAGES), plain.copy(back.state_dict())(IMAGES))

    def test_other_layers_agree_closely(self):
        """GELU is computed twice, here and inside the kernel: a code may go the other way."""
        layers = nn.Sequential(nn.Linear(16, 64), nn.GELU(), nn.Linear(64, 4))
        model = fake_quantize(nn.Model(layers, (None, 16)), recipe(8))
        x = RNG.standard_normal((200, 16)).astype(np.float32)
        ours, theirs = model(x), paring.Session(model.compress())(x)
        error = np.abs(ours - theirs).max(1) / np.abs(ours).max(1)
        assert np.median(error) < 1e-6
        assert error.max() < 2 / 127

    def test_a_weight_used_twice_is_rounded_once(self):
        table = nn.Embedding(50, 16)
        words = nn.Input((None, 3), "int64", name="words")
        states = table(words, name="table")
        model = nn.Model([words], {"states": nn.Linear(16, 16)(states, name="fc")})
        rounded = fake_quantize(model, recipe(4))
        x = np.array([[1, 2, 49]])
        session = paring.Session(rounded.compress())
        np.testing.assert_array_equal(session(x), rounded(x))
        assert set(rounded.quantized_weights()) == {"table.weight", "fc.weight"}

    def test_without_activations_dense_layers_stay_float(self):
        model = fake_quantize(network(), recipe(8), activations=False)
        assert all(node.op != "paring.IntegerDense" for node in model.graph.nodes)
        exact = {name: weight.dense() for name, weight in model.quantized_weights().items()}
        np.testing.assert_allclose(model(IMAGES), network().copy(exact)(IMAGES), rtol=1e-5, atol=1e-6)

    def test_every_thread_count_trains_the_same_bytes(self):
        found = []
        for threads in (1, 2, 3):
            before = paring._core.get_num_threads()
            paring.set_num_threads(threads)
            try:
                model = fake_quantize(network(), recipe(3), ranges="learned")
                train(model, epochs=1)
            finally:
                paring.set_num_threads(before)
            found.append(b"".join(value.tobytes() for value in model.state_dict().values()))
        assert len(set(found)) == 1


class TestTraining:
    def test_wins_back_what_rounding_costs(self):
        model = network()
        train(model, epochs=30)
        start = measure(model, (IMAGES, LABELS), loss=CrossEntropy())["loss"]
        rounded = {
            ranges: fake_quantize(model, recipe(2), ranges=ranges) for ranges in ("observed", "learned")
        }
        for ranges, one in rounded.items():
            before = measure(one, (IMAGES, LABELS), loss=CrossEntropy())["loss"]
            train(one, epochs=30)
            after = measure(one, (IMAGES, LABELS), loss=CrossEntropy(), metrics=[accuracy])
            assert before > 2 * start
            assert after["loss"] < 0.5 * before, ranges
            assert after["accuracy"] > 0.95

    def test_learned_scales_move_and_stay_above_zero(self):
        model = fake_quantize(network(), recipe(4), ranges="learned")
        assert "4.weight_scale_step" in model.trainable
        before = {name: weight.scale for name, weight in model.quantized_weights().items()}
        train(model, epochs=2, optimizer=Adam(0.5))
        for name, weight in model.quantized_weights().items():
            assert (weight.scale > 0).all()
            assert (weight.scale != before[name]).all()

    def test_starts_of_learned_scales(self):
        model = fake_quantize(network(), recipe(4), ranges="learned")
        weight = network().state_dict()["4.weight"].astype(np.float64)
        wanted = 2 * np.abs(weight).mean(axis=1, keepdims=True) / np.sqrt(7)
        np.testing.assert_allclose(model.quantized_weights()["4.weight"].scale, wanted, rtol=1e-6)

    @pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
    @pytest.mark.parametrize("ranges", ["observed", "learned"])
    def test_masks_hold_and_become_csr(self, granularity, ranges):
        model = network(width=300)
        for name in ("4.weight", "6.weight"):
            weight = model.state_dict()[name]
            weight[...] = paring.prune(weight, sparsity=0.9)
        rounded = fake_quantize(model, recipe(8, granularity), ranges=ranges)
        train(rounded, masks="zeros", optimizer=SGD(0.05, 0.9, "pytorch"))
        before = model.state_dict()["4.weight"] == 0
        assert ((rounded.state_dict()["4.weight"] == 0) >= before).all()
        small = rounded.compress()
        assert ((small.state_dict()["4.weight"].codes() == 0) >= before).all()
        if granularity == "group":
            return
        sparse = rounded.compress(paring.Recipe([paring.SparsifyStep(match="4.weight")], min_size=0))
        stored = sparse.state_dict()["4.weight"]
        assert isinstance(stored, paring.SparseWeight)
        np.testing.assert_array_equal(stored.dense(), small.state_dict()["4.weight"].dense())
        assert paring.Session(sparse)(IMAGES).tobytes() == rounded(IMAGES).tobytes()

    def test_gradual_pruning_takes_no_scales(self):
        model = fake_quantize(network(), recipe(4, "group"), ranges="learned")
        train(model, epochs=4, callbacks=[GradualPruning(0.8, end=12, every=4)])
        zeros = {name: np.mean(value == 0) for name, value in model.state_dict().items() if value.ndim > 1}
        assert set(zeros) == {"0.weight", "4.weight", "6.weight"}
        assert all(share == pytest.approx(0.8, abs=0.02) for share in zeros.values())

    def test_frozen_scales_stay(self):
        model = fake_quantize(network(), recipe(4), ranges="learned")
        model.freeze("*_scale_step")
        train(model, epochs=1)
        assert not np.any(model.state_dict()["4.weight_scale_step"])

    def test_a_file_and_a_resumed_run(self, tmp_path):
        path = tmp_path / "model.safetensors"
        whole = fake_quantize(network(), recipe(3, "group"), ranges="learned")
        train(whole, epochs=4)
        half = fake_quantize(network(), recipe(3, "group"), ranges="learned")
        train(half, epochs=2, checkpoint=tmp_path / "run.safetensors", resume=False)
        again = fake_quantize(network(), recipe(3, "group"), ranges="learned")
        train(again, epochs=4, checkpoint=tmp_path / "run.safetensors", resume=True, allow_change=True)
        assert again(IMAGES).tobytes() == whole(IMAGES).tobytes()
        whole.save(path)
        loaded = nn.load(path)
        assert loaded(IMAGES).tobytes() == whole(IMAGES).tobytes()
        assert integers(loaded.compress()) == integers(whole.compress())
        assert loaded.weights == whole.weights

    def test_the_model_given_is_not_touched(self):
        model = network()
        before = {name: value.tobytes() for name, value in model.state_dict().items()}
        rounded = fake_quantize(model, recipe(4))
        train(rounded, epochs=1)
        assert {name: value.tobytes() for name, value in model.state_dict().items()} == before
        assert not find_pairs(model.graph)
        assert model.without_rounding() is model


class TestRecipes:
    def test_default_is_int8_of_what_compress_takes(self):
        model = fake_quantize(network())
        assert set(model.quantized_weights()) == {"4.weight"}  # the others have fewer than 1,024 elements
        small = model.compress()
        assert small.report["4.weight"].form == "int8 channel"
        assert small.report["6.weight"].kept

    def test_a_recipe_may_do_more_with_other_weights(self):
        model = fake_quantize(
            network(), paring.Recipe([paring.QuantizeStep(bits=4, match="4.*")], min_size=0)
        )
        more = paring.Recipe([paring.QuantizeStep(bits=8, match="6.*")], min_size=0)
        small = model.compress(more)
        assert (small.report["4.weight"].form, small.report["6.weight"].form) == ("int4 channel", "float32")
        more = paring.Recipe([paring.QuantizeStep(bits=8, match="0.*")], min_size=0)
        assert (
            model.compress(more).report["0.weight"].form == "float32"
        )  # its scales would take more than they save

    @pytest.mark.parametrize(
        ("step", "message"),
        [
            (paring.QuantizeStep(bits=8), "'0.weight': expected bits 4, with which it was trained, got 8"),
            (
                paring.QuantizeStep(bits=4, granularity="tensor"),
                "'0.weight': expected granularity 'channel', with which it was trained, got 'tensor'",
            ),
            (
                paring.QuantizeStep(bits=4, symmetric=False),
                "'0.weight': expected symmetric True, with which it was trained, got False",
            ),
            (
                paring.PruneStep(sparsity=0.5),
                "'0.weight': expected no PruneStep for a weight that was trained quantized",
            ),
        ],
    )
    def test_another_recipe_than_it_was_trained_for(self, step, message):
        model = fake_quantize(network(), recipe(4))
        with pytest.raises(ValueError, match=message):
            model.compress(paring.Recipe([step], min_size=0))

    def test_weights_that_are_not_finite(self):
        model = fake_quantize(network(), recipe(4))
        model.state_dict()["4.weight"][0, 0] = np.nan
        with pytest.raises(ValueError, match=r"'4\.weight': expected finite weights, got NaN or infinity"):
            model.compress()

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"model": {}}, TypeError, "model: expected a paring.nn.Model, got dict"),
            ({"ranges": "seen"}, ValueError, "ranges: expected 'observed' or 'learned', got 'seen'"),
            ({"activations": 1}, TypeError, "activations: expected True or False, got int"),
            (
                {"recipe": "sparse"},
                ValueError,
                "recipe: expected a QuantizeStep for at least one weight, got none",
            ),
            (
                {"recipe": "sparse-90-int8"},
                ValueError,
                "recipe: expected no PruneStep: prune the model first",
            ),
            (
                {"recipe": "Q8_0"},
                ValueError,
                "'4.weight': expected convention 'paring', or 'compressed-tensors' if",
            ),
            ({"recipe": "W4A16_ASYM"}, ValueError, "rounding by 'compressed-tensors' cannot be trained"),
            (
                {"recipe": recipe(4, symmetric=False), "ranges": "learned"},
                ValueError,
                "'0.weight': expected a symmetric QuantizeStep for learned ranges",
            ),
            (
                {"recipe": recipe(4, axis=1)},
                ValueError,
                "'0.weight': expected output channels on axis 0, got axis 1",
            ),
            ({"recipe": "int5"}, ValueError, "recipe: expected a path that ends in .toml, or one of"),
        ],
    )
    def test_refusals(self, arguments, error, message):
        arguments = {"model": network(), **arguments}
        with pytest.raises(error, match=message):
            fake_quantize(**arguments)

    def test_models_that_cannot_be_rounded(self):
        with pytest.raises(ValueError, match="model: expected one of float32, got float64"):
            fake_quantize(nn.Model(nn.Linear(40, 40), (None, 40), dtype="float64"))
        with pytest.raises(ValueError, match="expected one whose weights are not rounded already"):
            fake_quantize(fake_quantize(network()))
        graph = network().graph
        taken = nn.Model(
            paring.graph.nodes.Graph(
                graph.nodes,
                {**graph.initializers, "4.weight_scale_step": np.ones(40, np.float32)},
                graph.inputs,
                (*graph.outputs, "4.weight_scale_step"),
            )
        )
        with pytest.raises(
            ValueError, match=r"expected no weight named '4\.weight_scale_step', which a scale needs"
        ):
            fake_quantize(taken, ranges="learned")
