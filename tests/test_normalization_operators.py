"""Batch normalization in training, layer normalization with its statistics, and what both refuse."""

import math

import numpy as np
import pytest

from operator_graphs import graph_of_arrays
from paring.graph.checking import infer_shapes
from paring.graph.evaluation import evaluate, record
from paring.graph.operators import Run

BATCHES = [(4, 3, 5, 2), (6, 3), (4, 3, 7), (2, 3, 1, 1)]
LAYOUTS = ["images outside", "channels outside"]


def batch(rng, shape, layout="images outside", dtype=np.float64):
    """Return x, scale, b, mean and var."""
    x = rng.standard_normal(shape) * 3 + 5
    if layout == "channels outside":
        x = np.ascontiguousarray(x.swapaxes(0, 1)).swapaxes(0, 1)
    others = [rng.standard_normal(3) for _ in range(3)]
    return [array.astype(dtype) for array in (x, *others, rng.uniform(0.5, 2, 3))]


def values_of(arrays):
    return {f"x{i}": array for i, array in enumerate(arrays)}


def batch_norm_graph(arrays, outputs=1, **attributes):
    return graph_of_arrays("BatchNormalization", arrays, {"training_mode": 1, **attributes}, outputs)


def training():
    return Run(training=True)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", BATCHES, ids=str)
def test_batch_norm_in_training_is_what_its_formula_says(shape, layout, rng):
    arrays = batch(rng, shape, layout)
    x, scale, b, mean, var = arrays
    attributes = {"epsilon": 0.25, "momentum": 0.75}
    y, new_mean, new_var = evaluate(
        batch_norm_graph(arrays, 3, **attributes), values_of(arrays), training()
    ).values()
    for c in range(3):
        values = x[:, c]
        normal = (values - values.mean()) / math.sqrt(values.var() + 0.25)
        np.testing.assert_allclose(y[:, c], normal * scale[c] + b[c], rtol=1e-13, atol=1e-13)
        assert new_mean[c] == pytest.approx(0.75 * mean[c] + 0.25 * values.mean(), rel=1e-14)
        assert new_var[c] == pytest.approx(0.75 * var[c] + 0.25 * values.var(), rel=1e-13)


@pytest.mark.parametrize("shape", BATCHES, ids=str)
def test_gradient_of_batch_norm_in_training(shape, rng):
    """Against central differences along random directions."""
    arrays = batch(rng, shape)
    graph = batch_norm_graph(arrays, epsilon=0.01)
    tape = record(graph, values_of(arrays), ["x0", "x1", "x2"], training())
    dy = rng.standard_normal(shape)
    gradients = tape.backward({"y0": dy})
    directions = [rng.standard_normal(array.shape) for array in arrays[:3]]

    def moved(step):
        there = [a + step * d for a, d in zip(arrays, directions, strict=False)] + arrays[3:]
        return evaluate(graph, values_of(there), training())["y0"]

    slope = (dy * (moved(1e-6) - moved(-1e-6))).sum() / 2e-6
    terms = [(gradients[f"x{i}"] * directions[i]).sum() for i in range(3)]
    assert slope == pytest.approx(sum(terms), rel=1e-6, abs=1e-7 * sum(map(abs, terms)))


@pytest.mark.parametrize("wanted", ["x0", "x1", "x2"])
def test_each_gradient_of_batch_norm_alone(wanted, rng):
    arrays = batch(rng, (4, 3, 5, 2))
    graph = batch_norm_graph(arrays)
    dy = rng.standard_normal((4, 3, 5, 2))
    every = record(graph, values_of(arrays), ["x0", "x1", "x2"], training()).backward({"y0": dy})
    alone = record(graph, values_of(arrays), [wanted], training()).backward({"y0": dy})
    assert list(alone) == [wanted]
    assert alone[wanted].tobytes() == every[wanted].tobytes()


@pytest.mark.peers
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", BATCHES, ids=str)
def test_batch_norm_in_training_is_that_of_pytorch(shape, layout, dtype, rng):
    """PyTorch's momentum is the weight of the new value, and it stores the variance divided by n - 1."""
    torch = pytest.importorskip("torch")
    arrays = batch(rng, shape, layout, dtype)
    tape = record(batch_norm_graph(arrays, 3), values_of(arrays), ["x0", "x1", "x2"], training())
    dy = rng.standard_normal(shape).astype(dtype)
    gradients = tape.backward({"y0": dy})
    tensors = [torch.tensor(np.ascontiguousarray(array)) for array in arrays]
    for tensor in tensors[:3]:
        tensor.requires_grad_(True)
    x, scale, b, mean, var = tensors
    wanted = torch.nn.functional.batch_norm(x, mean, var, scale, b, True, 0.1)
    wanted.backward(torch.from_numpy(dy))
    count = x.numel() / 3
    close = {"rtol": 1e-12, "atol": 1e-12} if dtype == np.float64 else {"rtol": 1e-5, "atol": 2e-5}
    y, new_mean, new_var = tape.outputs.values()
    np.testing.assert_allclose(y, wanted.detach().numpy(), **close)
    np.testing.assert_allclose(new_mean, mean.numpy(), **close)
    of_batch = (var.numpy() - 0.9 * arrays[4]) * (count - 1) / count
    np.testing.assert_allclose(new_var, 0.9 * arrays[4] + of_batch, **close)
    for i, tensor in enumerate((x, scale, b)):
        np.testing.assert_allclose(gradients[f"x{i}"], tensor.grad.numpy(), **close)


def test_statistics_of_float32_are_as_exact_as_their_dtype(rng):
    """Values far from zero, and many of them: what one running sum of float32 squares would lose."""
    x = (rng.standard_normal((64, 2, 40, 40)) + 1000).astype(np.float32)
    old = np.zeros(2, np.float32)
    arrays = [x, np.ones(2, np.float32), old, old, old]
    y, mean, var = evaluate(batch_norm_graph(arrays, 3, momentum=0.0), values_of(arrays), training()).values()
    exact = x.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(axis=(0, 2, 3)), rtol=1e-7)
    np.testing.assert_allclose(var, exact.var(axis=(0, 2, 3)), rtol=1e-6)
    normal = (exact - exact.mean(axis=(0, 2, 3), keepdims=True)) / exact.std(axis=(0, 2, 3), keepdims=True)
    # float32 holds values near 1000 to 6e-5, and the mean as well.
    np.testing.assert_allclose(y, normal, atol=7e-5)


@pytest.mark.parametrize(("mode", "in_training"), [(1, False), (0, True), (0, False)])
def test_statistics_are_the_inputs_unless_node_and_run_are_of_training(mode, in_training, rng):
    arrays = batch(rng, (4, 3, 5))
    x, scale, b, mean, var = arrays
    graph = batch_norm_graph(arrays, 3, training_mode=mode)
    y, new_mean, new_var = evaluate(graph, values_of(arrays), Run(training=in_training)).values()
    stretched = [a[:, None] for a in (scale, b, mean, var)]
    wanted = stretched[0] * (x - stretched[2]) / np.sqrt(stretched[3] + 1e-5) + stretched[1]
    np.testing.assert_allclose(y, wanted, rtol=1e-13, atol=1e-13)
    assert new_mean.tobytes() == mean.tobytes()
    assert new_var.tobytes() == var.tobytes()


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1, 1), (0, 3, 4)], ids=str)
def test_a_batch_of_one_is_refused_in_training(shape, rng):
    arrays = batch(rng, shape)
    graph = batch_norm_graph(arrays)
    with pytest.raises(
        ValueError, match="'here': expected more than one value for each channel in training, got"
    ):
        evaluate(graph, values_of(arrays), training())
    assert evaluate(graph, values_of(arrays))["y0"].shape == shape


def test_a_constant_channel_is_all_bias(rng):
    arrays = batch(rng, (4, 3, 5), dtype=np.float32)
    arrays[0][...] = 0.1
    y = evaluate(batch_norm_graph(arrays), values_of(arrays), training())["y0"]
    np.testing.assert_allclose(y, np.broadcast_to(arrays[2][:, None], y.shape), atol=1e-4)


def f(*shape):
    return np.ones(shape, np.float32)


@pytest.mark.parametrize(
    ("op", "arrays", "attributes", "message"),
    [
        (
            "BatchNormalization",
            [f(2, 3), f(3), f(3), f(3)],
            {},
            r"expected x \(N, C, ...\), scale, b, mean and var",
        ),
        ("BatchNormalization", [f(3), f(3), f(3), f(3), f(3)], {}, "expected x"),
        ("BatchNormalization", [f(2, 3), f(4), f(3), f(3), f(3)], {}, r"scale of shape \(3,\), got \(4,\)"),
        ("BatchNormalization", [f(2, 3), f(3), f(3, 1), f(3), f(3)], {}, r"b of shape \(3,\), got \(3, 1\)"),
        ("BatchNormalization", [f(2, 3), f(3), f(3), f(2), f(3)], {}, r"mean of shape \(3,\), got \(2,\)"),
        ("BatchNormalization", [f(2, 3), f(3), f(3), f(3), f(2)], {}, r"var of shape \(3,\), got \(2,\)"),
        ("LayerNormalization", [f(2, 3), f(3)], {"axis": 2}, "axis: expected one of 2 axes, got 2"),
        ("LayerNormalization", [f(2, 3), f(3)], {"axis": -3}, "axis: expected one of 2 axes, got -3"),
        (
            "LayerNormalization",
            [f(2, 3), f(2)],
            {},
            r"scale of shape \(3,\) or one that stretches to it, got \(2,\)",
        ),
        ("LayerNormalization", [f(2, 3), f(3), f(1, 2, 3)], {}, r"b of shape \(3,\) or one that stretches"),
        ("Dropout", [f(2, 3), f(2)], {}, r"expected ratio to be one number, got shape \(2,\)"),
        ("Dropout", [f(2, 3), f(), f(2)], {}, r"expected training_mode to be one number, got shape \(2,\)"),
    ],
)
def test_bad_shapes_are_refused_before_and_in_a_run(op, arrays, attributes, message):
    graph = graph_of_arrays(op, arrays, attributes)
    with pytest.raises(ValueError, match=f"{op} node 'here': .*{message}"):
        infer_shapes(graph)
    with pytest.raises(ValueError, match=f"{op} node 'here': .*{message}"):
        evaluate(graph, values_of(arrays))


@pytest.mark.parametrize(
    ("op", "count"), [("BatchNormalization", 5), ("LayerNormalization", 2), ("Dropout", 1)]
)
def test_other_dtypes_are_refused(op, count):
    arrays = [f(2, 3).astype(np.float16), *[f(3).astype(np.float16)] * 4][:count]
    with pytest.raises(ValueError, match="expected float32, or float64, in all inputs, got x float16"):
        evaluate(graph_of_arrays(op, arrays), values_of(arrays))


@pytest.mark.parametrize(
    ("op", "arrays", "message"),
    [
        ("BatchNormalization", [f(2, 3), f(3), f(3), f(3), f(3)], "no gradient through the statistics"),
        ("LayerNormalization", [f(2, 3), f(3)], "no gradient through Mean and InvStdDev"),
    ],
)
def test_gradients_through_statistics_are_refused(op, arrays, message):
    graph = graph_of_arrays(op, arrays, {}, 3)
    tape = record(graph, values_of(arrays), ["x0"])
    with pytest.raises(ValueError, match=f"{op} node 'here': .*{message}"):
        tape.backward({"y0": tape.outputs["y0"], "y1": tape.outputs["y1"]})


@pytest.mark.parametrize("axis", [-1, 0, 1, 2])
def test_layer_norm_gives_its_statistics(axis, rng):
    x = rng.standard_normal((4, 5, 6))
    axes = tuple(range(axis % 3, 3))
    arrays = [x, np.ones(x.shape[axis % 3 :])]
    y, mean, inverse = evaluate(
        graph_of_arrays("LayerNormalization", arrays, {"axis": axis, "epsilon": 0.5}, 3), values_of(arrays)
    ).values()
    np.testing.assert_allclose(mean, x.mean(axis=axes, keepdims=True), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(inverse, 1 / np.sqrt(x.var(axis=axes, keepdims=True) + 0.5), rtol=1e-13)
    np.testing.assert_allclose(y, (x - mean) * inverse, rtol=1e-13, atol=1e-15)


def test_layer_norm_of_nothing():
    y = evaluate(graph_of_arrays("LayerNormalization", [f(0, 3), f(3)]), values_of([f(0, 3), f(3)]))["y0"]
    assert y.shape == (0, 3)
    with pytest.raises(ValueError, match=r"axes from 1 on with something to normalize, got shape \(2, 0\)"):
        evaluate(graph_of_arrays("LayerNormalization", [f(2, 0), f(0)]), values_of([f(2, 0), f(0)]))
