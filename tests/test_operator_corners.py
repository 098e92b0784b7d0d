"""What operators do at kinks, at infinities and NaN, and with nothing."""

import numpy as np
import pytest

from operator_graphs import gradients, run

inf, nan = np.inf, np.nan


KINKS = [
    ("Abs", {}, [-1.0, 0.0, 2.0], [-1, 0, 1]),
    ("Sign", {}, [-1.0, 0.0, 2.0], [0, 0, 0]),
    ("Sqrt", {}, [0.0, 4.0], [inf, 0.25]),
    ("Relu", {}, [-1.0, 0.0, -0.0, 1.0], [0, 0, 0, 1]),
    ("LeakyRelu", {"alpha": 0.25}, [-1.0, 0.0, 1.0], [0.25, 0.25, 1]),
    ("Elu", {"alpha": 0.5}, [0.0, 1.0], [0.5, 1]),
    ("HardSigmoid", {"alpha": 0.25, "beta": 0.5}, [-2.0, -1.0, 2.0, 3.0], [0, 0.25, 0, 0]),
    ("HardSwish", {}, [-4.0, -3.0, 0.0, 3.0, 4.0], [0, 0, 0.5, 1, 1]),
    ("ReduceL2", {}, [0.0, 0.0], [0, 0]),
    ("ReduceL2", {}, [3.0, 4.0], [0.6, 0.8]),
    ("ReduceMax", {}, [1.0, 3.0, 3.0, 2.0], [0, 0.5, 0.5, 0]),
    ("ReduceMin", {}, [1.0, 1.0, 1.0, 1.0], [0.25] * 4),
    ("ReduceMax", {}, [1.0, nan, 3.0], [0, 1, 0]),
    ("ReduceProd", {}, [2.0, 0.0, 3.0], [0, 6, 0]),
    ("ReduceProd", {}, [0.0, 0.0, 3.0], [0, 0, 0]),
]


@pytest.mark.parametrize(("op", "attributes", "x", "wanted"), KINKS, ids=lambda value: str(value))
def test_gradients_at_kinks(op, attributes, x, wanted):
    (got,) = gradients(op, np.array(x), **attributes)
    np.testing.assert_allclose(got, wanted, rtol=1e-15)


@pytest.mark.peers
@pytest.mark.parametrize(
    ("op", "function"),
    {
        "Abs": "abs",
        "Sign": "sign",
        "Sqrt": "sqrt",
        "Relu": "relu",
        "HardSwish": "nn.functional.hardswish",
        "Elu": "nn.functional.elu",
        "Clip": "nn.functional.relu6",
    }.items(),
)
def test_gradients_at_kinks_are_those_of_pytorch(op, function):
    torch = pytest.importorskip("torch")
    x = np.array([-3.0, 0.0, 3.0, 6.0])[int(op == "Sqrt") :]
    tensor = torch.from_numpy(x).requires_grad_(True)
    called = torch
    for part in function.split("."):
        called = getattr(called, part)
    called(tensor).sum().backward()
    bounds = (np.array(0.0), np.array(6.0)) if op == "Clip" else ()
    np.testing.assert_allclose(gradients(op, x, *bounds)[0], tensor.grad.numpy(), rtol=1e-15)


def test_clip_passes_nothing_at_its_bounds():
    """As relu6; what x does not get, the bound does."""
    x, low, high = gradients("Clip", np.array([-1.0, 0.0, 3.0, 6.0, 7.0]), np.array(0.0), np.array(6.0))
    assert x.tolist() == [0, 0, 1, 0, 0]
    assert (low, high) == (2, 2)
    x, low, high = gradients("Clip", np.array([-1.0, 5.0]), np.array(3.0), np.array(2.0))
    assert x.tolist() == [0, 0]
    assert (low, high) == (0, 2)
    assert gradients("Clip", np.array([inf, -inf, 1.0]))[0].tolist() == [1, 1, 1]
    assert gradients("Clip", np.array([inf, -1.0]), np.array(0.0))[0].tolist() == [1, 0]


def test_ties_of_max_and_min_are_shared():
    a, b, c = gradients(
        "Max", np.array([1.0, 5.0, 2.0]), np.array([1.0, 5.0, 3.0]), np.array([1.0, 0.0, 3.0])
    )
    np.testing.assert_allclose(
        np.stack([a, b, c]), [[1 / 3, 1 / 2, 0], [1 / 3, 1 / 2, 1 / 2], [1 / 3, 0, 1 / 2]]
    )
    a, b = gradients("Min", np.array([nan, 1.0]), np.array([0.0, nan]))
    assert a.tolist() == [1, 0]
    assert b.tolist() == [0, 1]


def test_pow_at_zero():
    base, exponent = gradients("Pow", np.array([0.0, 0.0, 0.0, -2.0]), np.array([0.0, 1.0, 2.0, 2.0]))
    assert base.tolist() == [0, 1, 0, -4]
    assert exponent[:3].tolist() == [0, 0, 0]
    assert np.isnan(exponent[3])
    assert gradients("Pow", np.array([-2.0, 3.0]), np.array(3))[0].tolist() == [12, 27]


def test_where_keeps_nan_of_the_other_side_out():
    a, b = gradients("Where", np.array([True, False]), np.array([1.0, nan]), np.array([nan, 2.0]))
    assert a.tolist() == [1, 0]
    assert b.tolist() == [0, 1]


NOT_FINITE = [
    ("Relu", {}, [nan, inf, -inf], [nan, inf, 0]),
    ("LeakyRelu", {}, [nan, inf, -inf], [nan, inf, -inf]),
    ("Elu", {}, [nan, inf, -inf], [nan, inf, -1]),
    ("Gelu", {}, [nan, inf], [nan, inf]),
    ("Gelu", {"approximate": "tanh"}, [nan, inf], [nan, inf]),
    ("Sigmoid", {}, [nan, inf, -inf, 1e4, -1e4], [nan, 1, 0, 1, 0]),
    ("Tanh", {}, [nan, inf, -inf], [nan, 1, -1]),
    ("Softplus", {}, [nan, inf, -inf, 1e4], [nan, inf, 0, 1e4]),
    ("Swish", {}, [nan, inf], [nan, inf]),
    ("HardSigmoid", {}, [nan, inf, -inf], [nan, 1, 0]),
    ("HardSwish", {}, [nan, inf], [nan, inf]),
    ("Erf", {}, [nan, inf, -inf], [nan, 1, -1]),
    ("Exp", {}, [nan, inf, -inf, 1e4], [nan, inf, 0, inf]),
    ("Log", {}, [nan, inf, 0.0, -1.0], [nan, inf, -inf, nan]),
    ("Sqrt", {}, [nan, inf, -1.0], [nan, inf, nan]),
    ("Reciprocal", {}, [nan, inf, 0.0, -0.0], [nan, 0, inf, -inf]),
    ("Clip", {}, [nan, inf, -inf], [nan, inf, -inf]),
    ("Softmax", {}, [1e5, -1e5, -inf], [1, 0, 0]),
    ("Softmax", {}, [-inf, -inf], [nan, nan]),
    ("Softmax", {}, [nan, 1.0], [nan, nan]),
    ("LogSoftmax", {}, [1e5, 0.0, -inf], [0, -1e5, -inf]),
    ("LogSoftmax", {}, [-inf, -inf], [nan, nan]),
    ("ReduceMax", {}, [1.0, nan], [nan]),
    ("ReduceMin", {}, [1.0, nan], [nan]),
    ("ReduceSum", {}, [inf, -inf], [nan]),
    ("ReduceMean", {}, [inf, 1.0], [inf]),
    ("ReduceL2", {}, [-inf, 1.0], [inf]),
]


@pytest.mark.parametrize(("op", "attributes", "x", "wanted"), NOT_FINITE, ids=lambda value: str(value))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinities_and_nan_go_through(op, attributes, x, wanted, dtype):
    """Without a warning, which would be an error here; also on the way back."""
    x = np.array(x, dtype)
    assert np.array_equal(run(op, x, **attributes), np.array(wanted, dtype), equal_nan=True)
    gradients(op, x, **attributes)


def test_division_by_zero_goes_through():
    assert np.array_equal(run("Div", [1.0, -1.0, 0.0], [0.0]), [inf, -inf, nan], equal_nan=True)
    assert np.array_equal(run("Mul", [inf], [0.0]), [nan], equal_nan=True)
    assert np.array_equal(run("MatMul", [[inf, 1.0]], [[0.0], [1.0]]), [[nan]], equal_nan=True)


@pytest.mark.parametrize(
    ("op", "wanted", "empty"),
    [
        ("ReduceSum", 0, np.zeros((2, 0))),
        ("ReduceProd", 1, np.zeros((2, 0))),
        ("ReduceMean", nan, np.zeros((2, 0))),
        ("ReduceMax", -inf, np.zeros((2, 0))),
        ("ReduceMin", inf, np.zeros((2, 0))),
        ("ReduceL2", 0, np.zeros((2, 0))),
        ("ReduceMax", np.iinfo(np.int64).min, np.zeros((2, 0), np.int64)),
        ("ReduceMin", np.iinfo(np.int32).max, np.zeros((2, 0), np.int32)),
    ],
)
def test_reductions_of_nothing(op, wanted, empty):
    assert np.array_equal(run(op, empty, [1]), np.array([[wanted], [wanted]]), equal_nan=True)
    if empty.dtype.kind == "f":
        assert gradients(op, empty, [1])[0].shape == (2, 0)


def test_swish_and_sigmoid_are_exact_far_out():
    """float32 all the way down to its smallest normal number."""
    x = np.linspace(-87, 0, 1000, dtype=np.float32)
    exact = 1 / (1 + np.exp(-x.astype(np.float64)))
    np.testing.assert_allclose(run("Sigmoid", x), exact, rtol=3e-7)
    np.testing.assert_allclose(run("Swish", x), x * exact, rtol=3e-7)


def test_gelu_is_exact_far_out():
    """Where 1 + erf would have nothing left."""
    scipy_special = pytest.importorskip("scipy.special")
    x = np.linspace(-12, 0, 1000, dtype=np.float32)
    exact = x.astype(np.float64) * scipy_special.ndtr(x.astype(np.float64))
    np.testing.assert_allclose(run("Gelu", x), exact, rtol=3e-5)
    x = x.astype(np.float64)
    np.testing.assert_allclose(run("Gelu", x), x * scipy_special.ndtr(x), rtol=1e-13)


def test_embedding_gradient_does_not_depend_on_other_entries():
    rng = np.random.default_rng(0)
    weight, indices = np.zeros((7, 3), np.float32), rng.integers(-7, 7, (50, 4))
    dy = rng.standard_normal((50, 4, 3)).astype(np.float32)
    (got,) = gradients("Gather", weight, indices, dy=dy)
    exact = np.zeros((7, 3))
    np.add.at(exact, indices, dy)
    np.testing.assert_allclose(got, exact, rtol=1e-5)
    for entry in range(7):
        here = indices % 7 == entry
        (alone,) = gradients("Gather", weight, indices[here], dy=dy[here])
        assert alone[entry].tobytes() == got[entry].tobytes()
