"""State dicts: what a model takes, and what it says of what it does not."""

import numpy as np
import pytest

import paring
from paring import nn

RNG = np.random.default_rng(0)


def small():
    return nn.Model(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2)), (None, 4))


NAMES = [
    "0.weight",
    "0.bias",
    "1.weight",
    "1.bias",
    "1.running_mean",
    "1.running_var",
    "3.weight",
    "3.bias",
]


class TestState:
    def test_names_in_order(self):
        assert list(small().state_dict()) == NAMES
        assert small().weights == tuple(name for name in NAMES if "running" not in name)

    def test_the_graph_holds_the_same_arrays(self):
        model = small()
        for name, array in model.state_dict().items():
            assert model.graph.initializers[name] is array
            assert array.flags.writeable
            assert array.flags.c_contiguous

    def test_a_state_is_taken_and_copied(self):
        model, other = small(), nn.Model(small().graph)
        state = {name: RNG.random(array.shape, np.float32) for name, array in model.state_dict().items()}
        assert model.load_state_dict(state) == ((), ())
        for name, array in model.state_dict().items():
            np.testing.assert_array_equal(array, state[name])
            assert not np.shares_memory(array, state[name])
        assert not np.array_equal(other.state_dict()["0.weight"], model.state_dict()["0.weight"])

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
    def test_floats_of_any_size_are_converted(self, dtype):
        import ml_dtypes

        kind = getattr(ml_dtypes, dtype, None) or np.dtype(dtype)
        model = small()
        state = {name: np.full(array.shape, 0.5).astype(kind) for name, array in model.state_dict().items()}
        model.load_state_dict(state)
        assert all(
            array.dtype == np.float32 and (array == 0.5).all() for array in model.state_dict().values()
        )

    def test_a_too_large_number_becomes_infinite_without_a_warning(self):
        model = nn.Model(nn.Linear(1, 1, bias=False), (1, 1))
        model.load_state_dict({"weight": np.array([[1e300]])})
        assert np.isinf(model.state_dict()["weight"]).all()

    def test_counters_of_pytorch_are_passed_over(self):
        model = small()
        state = {**model.state_dict(), "1.num_batches_tracked": np.array(3)}
        assert model.load_state_dict(state) == ((), ())

    def test_other_counters_are_not(self):
        model = small()
        state = {**model.state_dict(), "0.num_batches_tracked": np.array(3)}
        with pytest.raises(ValueError, match=r"^state dict: unexpected '0\.num_batches_tracked'$"):
            model.load_state_dict(state)

    def test_one_message_for_all_that_does_not_fit(self):
        model = small()
        before = {name: array.copy() for name, array in model.state_dict().items()}
        state = {name: array + 1 for name, array in model.state_dict().items()}
        state["layer0.weight"] = state.pop("0.weight")
        state["1.weight"] = np.ones((3, 1), np.float32)
        state["1.bias"] = np.ones(3, np.int64)
        with pytest.raises(ValueError) as caught:
            model.load_state_dict(state)
        assert str(caught.value) == (
            "state dict: missing '0.weight' (3, 4), did you mean 'layer0.weight'?; unexpected 'layer0.weight'; "
            "'1.weight': expected shape (3,), got (3, 1); '1.bias': expected floating-point numbers, got int64"
        )
        for name, array in model.state_dict().items():
            np.testing.assert_array_equal(array, before[name])

    def test_a_long_list_is_cut(self):
        layers = nn.Sequential(*[nn.Linear(1, 1) for _ in range(30)])
        model = nn.Model(layers, (1, 1))
        with pytest.raises(
            ValueError, match=r"missing '0\.weight' .* and 50 more; unexpected 'x0', .* and 20 more$"
        ):
            model.load_state_dict({f"x{i}": np.ones(1) for i in range(30)})
        wrong = {name: np.ones((2, 2)) for name in model.state_dict()}
        with pytest.raises(ValueError, match=r"and 50 more that do not fit$"):
            model.load_state_dict(wrong)

    def test_without_strict_names_may_differ_and_shapes_may_not(self):
        model = small()
        found = model.load_state_dict({"0.bias": np.full(3, 7.0), "other": np.ones(2)}, strict=False)
        assert found.missing == tuple(name for name in NAMES if name != "0.bias")
        assert found.unexpected == ("other",)
        np.testing.assert_array_equal(model.state_dict()["0.bias"], [7, 7, 7])
        with pytest.raises(ValueError, match=r"^state dict: '0\.bias': expected shape \(3,\), got \(2,\)$"):
            model.load_state_dict({"0.bias": np.ones(2)}, strict=False)

    @pytest.mark.parametrize("state", [None, [("a", 1)], np.ones(3)])
    def test_no_mapping(self, state):
        with pytest.raises(TypeError, match="state dict: expected a mapping of names to arrays, got"):
            small().load_state_dict(state)

    def test_names_that_are_no_text(self):
        with pytest.raises(TypeError, match="state dict: expected names of str, got int 0"):
            small().load_state_dict({0: np.ones(3)})

    def test_values_that_are_no_arrays(self):
        state = {**small().state_dict(), "0.bias": "x"}
        with pytest.raises(TypeError, match=r"state dict: '0\.bias': expected an array, a tensor"):
            small().load_state_dict(state)

    def test_compressed_weights_stay_compressed(self):
        model = nn.Model(nn.Linear(64, 64), (None, 64))
        quantized = paring.quantize(model.state_dict()["weight"], bits=8)
        model.load_state_dict({**model.state_dict(), "weight": quantized})
        assert model.state_dict()["weight"] is quantized
        x = RNG.standard_normal((2, 64), np.float32)
        np.testing.assert_allclose(
            model(x), x @ quantized.dense().T + model.state_dict()["bias"], rtol=1e-4, atol=1e-5
        )
        assert model.trainable == ("bias",)
        model.load_state_dict({"weight": np.ones((64, 64)), "bias": np.zeros(64)})
        assert model.state_dict()["weight"].dtype == np.float32

    def test_compressed_weights_are_no_float64(self):
        model = nn.Model(nn.Linear(64, 64), (None, 64), dtype="float64")
        state = {**model.state_dict(), "weight": paring.quantize(np.eye(64, dtype=np.float32))}
        with pytest.raises(
            ValueError, match="expected an array for a model of float64, got a compressed weight"
        ):
            model.load_state_dict(state)
