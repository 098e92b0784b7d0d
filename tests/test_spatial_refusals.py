"""What convolution and pooling refuse, and in which words."""

import numpy as np
import pytest

from operator_graphs import graph_of_arrays, run
from paring.graph.checking import infer_shapes
from paring.graph.evaluation import evaluate


def zeros(*shape):
    return np.zeros(shape, np.float32)


X, W = zeros(2, 4, 7, 9), zeros(6, 4, 3, 2)

REFUSED = [
    (
        "Conv",
        [zeros(2, 4, 5, 5, 5), zeros(6, 4, 3, 3, 3)],
        {},
        r"1 or 2 spatial axes.*got shape \(2, 4, 5, 5, 5\)",
    ),
    ("Conv", [zeros(2, 4), zeros(6, 4)], {}, "1 or 2 spatial axes"),
    ("Conv", [X, zeros(6, 4, 3)], {}, r"expected filters of 4 axes like the input.*\(6, 4, 3\)"),
    ("Conv", [X, zeros(0, 4, 3, 3)], {}, "without zeros, got shape"),
    ("Conv", [X, zeros(6, 3, 3, 2)], {}, r"filters over 4 channels / group 1, got shape \(6, 3, 3, 2\)"),
    ("Conv", [X, W], {"group": 2}, r"filters over 4 channels / group 2"),
    ("Conv", [X, W], {"group": 5}, "group: expected one that divides the 6 filters, got 5"),
    ("Conv", [X, W], {"group": 0}, "group: expected one that divides the 6 filters, got 0"),
    ("Conv", [X, W, zeros(5)], {}, r"expected a bias of shape \(6,\), got \(5,\)"),
    ("Conv", [X, W, zeros(6, 1)], {}, r"expected a bias of shape \(6,\), got \(6, 1\)"),
    (
        "Conv",
        [X, W],
        {"kernel_shape": (3, 3)},
        r"kernel_shape: expected \(3, 2\) as the filters have, got \(3, 3\)",
    ),
    ("Conv", [X, W], {"kernel_shape": (3,)}, r"kernel_shape: expected \(3, 2\)"),
    ("Conv", [X, W], {"strides": (0, 1)}, r"strides: expected 2 numbers of at least 1, got \(0, 1\)"),
    ("Conv", [X, W], {"strides": (1,)}, r"strides: expected 2 numbers"),
    ("Conv", [X, W], {"dilations": (1, 0)}, r"dilations: expected 2 numbers of at least 1, got \(1, 0\)"),
    ("Conv", [X, W], {"pads": (1, 1)}, r"pads: expected 4 numbers of at least 0, got \(1, 1\)"),
    ("Conv", [X, W], {"pads": (1, -1, 1, 1)}, r"pads: expected 4 numbers of at least 0"),
    ("Conv", [X, W], {"auto_pad": "SAME"}, "auto_pad: expected NOTSET, .* got 'SAME'"),
    (
        "Conv",
        [X, W],
        {"auto_pad": "VALID", "pads": (1, 0, 0, 0)},
        "pads: expected none beside auto_pad VALID",
    ),
    ("Conv", [X, W], {"dilations": (4, 1)}, "at least one window to fit, got size 7, kernel 3, dilation 4"),
    ("MaxPool", [X], {}, "kernel_shape: expected one, got none"),
    ("MaxPool", [X], {"kernel_shape": (2,)}, r"kernel_shape: expected 2 numbers, got \(2,\)"),
    ("MaxPool", [X], {"kernel_shape": (2, 0)}, r"kernel_shape: expected numbers of at least 1, got \(2, 0\)"),
    ("MaxPool", [X], {"kernel_shape": (8, 2)}, "at least one window to fit, got size 7, kernel 8"),
    ("MaxPool", [X], {"kernel_shape": (2, 2), "storage_order": 1}, "storage_order: expected 0"),
    ("MaxPool", [zeros(2, 4, 5, 5, 5)], {"kernel_shape": (2, 2, 2)}, "1 or 2 spatial axes.*got 3"),
    ("AveragePool", [X], {}, "kernel_shape: expected one, got none"),
    ("AveragePool", [X], {"kernel_shape": (2, 2), "strides": (1, 0)}, "strides: expected 2 numbers"),
    ("GlobalAveragePool", [zeros(2, 3)], {}, r"with a spatial axis, got shape \(2, 3\)"),
    ("GlobalAveragePool", [zeros(2, 3, 0)], {}, r"something to average, got shape \(2, 3, 0\)"),
]


@pytest.mark.parametrize(("op", "arrays", "attributes", "message"), REFUSED)
def test_bad_shapes_are_refused_before_and_in_a_run(op, arrays, attributes, message):
    graph = graph_of_arrays(op, arrays, attributes)
    with pytest.raises(ValueError, match=f"{op} node 'here': .*{message}"):
        infer_shapes(graph)
    with pytest.raises(ValueError, match=f"{op} node 'here': .*{message}"):
        evaluate(graph, {f"x{i}": array for i, array in enumerate(arrays)})


@pytest.mark.parametrize(("op", "more"), [("MaxPool", {}), ("AveragePool", {})])
def test_a_window_of_padding_only_is_refused(op, more):
    message = "got one of padding only: size 2, kernel 2, stride 1, dilation 1, pads 2 and 0"
    with pytest.raises(ValueError, match=message):
        run(op, zeros(1, 1, 2, 2), kernel_shape=(2, 2), pads=(2, 0, 0, 0), **more)


def test_a_window_of_padding_only_has_a_mean_of_zero_if_padding_counts():
    y = run("AveragePool", zeros(1, 1, 2, 2) + 4, kernel_shape=(2, 2), pads=(2, 0, 0, 0), count_include_pad=1)
    np.testing.assert_array_equal(y, [[[[0], [2], [4]]]])


@pytest.mark.parametrize("op", ["Conv", "MaxPool", "AveragePool", "GlobalAveragePool"])
@pytest.mark.parametrize("dtype", [np.float16, np.int32])
def test_other_dtypes_are_refused(op, dtype):
    arrays = [X.astype(dtype), W.astype(dtype)][: 2 if op == "Conv" else 1]
    attributes = {} if op in ("Conv", "GlobalAveragePool") else {"kernel_shape": (2, 2)}
    with pytest.raises(
        ValueError, match=f"expected float32, or float64, in all inputs, got x {np.dtype(dtype)}"
    ):
        run(op, *arrays, **attributes)


def test_mixed_dtypes_are_refused():
    with pytest.raises(ValueError, match="in all inputs, got x float32, w float64"):
        run("Conv", X, W.astype(np.float64))
