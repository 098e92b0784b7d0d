"""`prune` and `quantize` of models and of anything that gives its weights, and back."""

import numpy as np
import pytest

import paring
from paring import nn
from paring.training import prune_to_accuracy

RNG = np.random.default_rng(0)


def arrays():
    return {
        "fc.weight": RNG.standard_normal((6, 40)).astype(np.float32),
        "fc.bias": np.full(6, 0.001, np.float32),
        "norm": np.full(6, 0.001, np.float16),
        "count": np.array(3),
    }


class Module:
    """What has the two methods of a PyTorch module."""

    def __init__(self):
        self.state = arrays()

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = dict(state)


class Keras:
    """What has the two methods of a Keras model: weights (in, out)."""

    def __init__(self):
        self.weights = [
            RNG.standard_normal((40, 6)),
            np.full(6, 0.001, np.float32),
            RNG.standard_normal((6, 3)) * 100,
        ]

    def get_weights(self):
        return [weight.copy() for weight in self.weights]

    def set_weights(self, weights):
        assert [w.shape for w in weights] == [w.shape for w in self.weights]
        self.weights = list(weights)


def model():
    layers = nn.Sequential(nn.Linear(40, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))
    made = nn.Model(layers, (None, 40))
    made.state_dict()["1.running_mean"][...] = 0.001
    return made


class TestPrune:
    def test_a_model_gives_a_model(self):
        one = model()
        pruned = paring.prune(one, threshold=0.1)
        assert isinstance(pruned, nn.Model)
        for name, weight in one.state_dict().items():
            wanted = paring.prune(weight, threshold=0.1) if weight.ndim > 1 else weight
            np.testing.assert_array_equal(pruned.state_dict()[name], wanted)
        assert (one.state_dict()["0.weight"] != 0).all()

    def test_all_matrices_together(self):
        pruned = paring.prune(model(), sparsity=0.5, scope="global").state_dict()
        zeros = [int((pruned[name] == 0).sum()) for name in ("0.weight", "3.weight")]
        assert sum(zeros) == round(0.5 * 258)
        assert zeros[0] != 120

    def test_a_state_dict_gives_a_dict(self):
        module = Module()
        before = {name: value.copy() for name, value in module.state.items()}
        pruned = paring.prune(module, threshold=0.5)
        assert list(pruned) == list(before)
        np.testing.assert_array_equal(pruned["fc.weight"], paring.prune(before["fc.weight"], threshold=0.5))
        np.testing.assert_array_equal(pruned["fc.bias"], before["fc.bias"])
        assert pruned["norm"].dtype == np.float16
        assert not np.shares_memory(pruned["fc.bias"], module.state["fc.bias"])
        np.testing.assert_array_equal(module.state["fc.weight"], before["fc.weight"])

    def test_get_weights_gives_a_list_for_set_weights(self):
        keras = Keras()
        before = keras.get_weights()
        keras.set_weights(paring.prune(keras, sparsity=0.75))
        for old, new in zip(before, keras.weights, strict=True):
            np.testing.assert_array_equal(new, paring.prune(old, sparsity=0.75) if old.ndim > 1 else old)
            assert new.dtype == old.dtype

    def test_n_of_m_of_weights_that_lie_the_other_way(self):
        with pytest.raises(
            ValueError, match=r"structure: expected weights \(out, in\), got a model that holds \(in, out\)"
        ):
            paring.prune(Keras(), structure="2:4")

    def test_refusals(self):
        with pytest.raises(
            TypeError, match="out: expected none for a Module, whose weights come back as they do"
        ):
            paring.prune(Module(), sparsity=0.5, out=arrays())
        module = Module()
        del module.state["fc.weight"]
        with pytest.raises(
            ValueError, match="expected floating-point weights of two axes or more in Module, got none of 3"
        ):
            paring.prune(module, sparsity=0.5)
        module = Module()
        module.state["fc.weight"][2, 3] = np.nan
        with pytest.raises(ValueError, match=r"'fc\.weight'.*NaN"):
            paring.prune(module, sparsity=0.5)

    @pytest.mark.peers
    def test_a_module_of_pytorch(self):
        torch = pytest.importorskip("torch")
        module = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.BatchNorm1d(4))
        pruned = paring.prune(module, sparsity=0.5)
        module.load_state_dict({name: torch.from_numpy(value) for name, value in pruned.items()})
        assert int((module[0].weight == 0).sum()) == 16
        curve = prune_to_accuracy(module, lambda m: -float((m[0].weight == 0).float().mean()), max_drop=0.3)
        assert curve.best.sparsity == pytest.approx(0.8, abs=0.05)
        assert curve.model is module


class TestQuantize:
    @pytest.mark.parametrize("bits", [2, 4, 8])
    def test_a_mapping(self, bits):
        weights = arrays()
        small = paring.quantize(weights, bits=bits)
        assert small["fc.weight"] == paring.quantize(weights["fc.weight"], bits=bits)
        np.testing.assert_array_equal(small["fc.bias"], weights["fc.bias"])
        assert list(small) == list(weights)

    def test_a_model_runs(self):
        one = model()
        small = paring.quantize(one, bits=4, granularity="group", group_size=8)
        assert isinstance(small, nn.Model)
        kinds = {
            name: type(weight).__name__ for name, weight in small.state_dict().items() if weight.shape[1:]
        }
        assert kinds == {"0.weight": "QuantizedWeight", "3.weight": "QuantizedWeight"}
        x = RNG.standard_normal((5, 40)).astype(np.float32)
        assert paring.Session(small)(x).shape == (5, 3)

    def test_a_state_dict(self):
        small = paring.quantize(Module())
        assert isinstance(small["fc.weight"], paring.QuantizedWeight)
        assert isinstance(small["norm"], np.ndarray)

    def test_a_list_is_rounded_along_its_own_axis(self):
        keras = Keras()
        before = keras.get_weights()
        keras.set_weights(paring.quantize(keras, bits=4))
        np.testing.assert_array_equal(keras.weights[0], paring.quantize(before[0], 4, axis=-1).dense())
        assert keras.weights[0].dtype == np.float64
        np.testing.assert_array_equal(keras.weights[1], before[1])

    def test_refusals(self):
        with pytest.raises(TypeError, match="out: expected none for a dict"):
            paring.quantize(arrays(), out=paring.quantize(np.ones((2, 2), np.float32)))
        with pytest.raises(ValueError, match="bits: expected one of 2, 3, 4, 5, 6, 7, 8, got 9"):
            paring.quantize(model(), bits=9)
        with pytest.raises(
            ValueError, match="expected floating-point weights of two axes or more in dict, got none of 0"
        ):
            paring.quantize({})


def test_prune_to_accuracy_of_what_has_a_state_dict():
    module = Module()
    start = {name: value.copy() for name, value in module.state.items()}

    def left(given):
        assert given is module
        return float(np.abs(given.state["fc.weight"]).sum() / np.abs(start["fc.weight"]).sum())

    curve = prune_to_accuracy(module, left, max_drop=0.2)
    assert curve.model is module
    assert left(module) == pytest.approx(curve.best.score)
    assert curve.best.score >= 0.8
    assert curve.best.sparsity > 0.3
    np.testing.assert_array_equal(module.state["fc.bias"], start["fc.bias"])
