"""Shape rules of every operator: the real shapes, and as much of them as is known before a run."""

import numpy as np
import pytest

from operator_cases import CASES
from operator_graphs import graph_of, run_case
from paring.graph.checking import infer_shapes
from paring.graph.nodes import Graph, Input, Node

every_case = pytest.mark.parametrize("case", CASES, ids=str)


@every_case
def test_inferred_shapes_are_the_real_ones(case):
    arrays = case.arrays()
    graph = graph_of(case, arrays)
    shapes = infer_shapes(graph)
    assert [shapes[name] for name in graph.outputs] == [y.shape for y in run_case(case, arrays)]


@every_case
def test_unknown_sizes_stay_unknown(case):
    """A size is the real one or None, whichever size of an input is not known."""
    arrays = case.arrays()
    real = [y.shape for y in run_case(case, arrays)]
    graph = graph_of(case, arrays)
    for value in graph.inputs:
        for axis in range(len(value.shape)):
            shape = (*value.shape[:axis], None, *value.shape[axis + 1 :])
            inputs = [Input(other.name, shape if other is value else other.shape) for other in graph.inputs]
            less = Graph(graph.nodes, graph.initializers, inputs, graph.outputs)
            if case.needs_sizes:
                with pytest.raises(ValueError, match="expected axes beside sizes that are not known"):
                    infer_shapes(less)
                continue
            shapes = infer_shapes(less)
            for name, wanted in zip(graph.outputs, real, strict=True):
                assert_fits(shapes[name], wanted)


def assert_fits(shape, real):
    assert len(shape) == len(real)
    assert [size for size in shape if size is not None] == [
        size for given, size in zip(shape, real, strict=True) if given is not None
    ]


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in CASES
        if case.op not in ("Constant",)
        and any(a is not None and a.dtype.kind == "i" and i for i, a in enumerate(case.arrays()))
    ],
    ids=str,
)
def test_values_that_only_a_run_knows_leave_sizes_unknown(case):
    """Axes, shapes, indices as inputs of the graph instead of initializers: the number of axes is still known."""
    arrays = case.arrays()
    graph = graph_of(case, arrays, given=[i for i, array in enumerate(arrays) if array is not None])
    shapes = infer_shapes(graph)
    for name, y in zip(graph.outputs, run_case(case, arrays), strict=True):
        assert_fits(shapes[name], y.shape)


def test_a_batch_goes_through_unknown():
    """The rules do not answer None for everything."""

    def shape_of(op, *shapes, constants=(), **attributes):
        names = [f"x{i}" for i in range(len(shapes))]
        fixed = {f"c{i}": np.asarray(value) for i, value in enumerate(constants)}
        node = Node(op, (*names, *fixed), ("y",), attributes)
        return infer_shapes(Graph((node,), fixed, map(Input, names, shapes), ("y",)))["y"]

    assert shape_of("Add", (None, 3), (3,)) == (None, 3)
    assert shape_of("Softmax", (None, 3)) == (None, 3)
    assert shape_of("Gemm", (None, 3), (4, 3), (4,), transB=1) == (None, 4)
    assert shape_of("MatMul", (None, 5, 3), (3, 4)) == (None, 5, 4)
    assert shape_of("Flatten", (None, 3, 4)) == (None, 12)
    assert shape_of("Reshape", (None, 3, 4), constants=[[0, -1]]) == (None, 12)
    assert shape_of("Reshape", (None, 12), constants=[[-1, 3, 4]]) == (None, 3, 4)
    assert shape_of("Transpose", (None, 3, 4), perm=(0, 2, 1)) == (None, 4, 3)
    assert shape_of("Squeeze", (None, 1, 4), constants=[[1]]) == (None, 4)
    assert shape_of("Unsqueeze", (None, 4), constants=[[1]]) == (None, 1, 4)
    assert shape_of("Concat", (None, 3), (None, 4), axis=1) == (None, 7)
    assert shape_of("Slice", (None, 9), constants=[[1], [4], [1]]) == (None, 3)
    assert shape_of("Gather", (7, 3), (None, 5)) == (None, 5, 3)
    assert shape_of("Expand", (None, 1), constants=[[1, 4]]) == (None, 4)
    assert shape_of("Pad", (None, 3), constants=[[0, 1, 0, 1]]) == (None, 5)
    assert shape_of("ReduceMean", (None, 3), constants=[[1]]) == (None, 1)
    assert shape_of("ReduceMean", (None, 3), constants=[[1]], keepdims=0) == (None,)
    assert shape_of("ArgMax", (None, 3), axis=1, keepdims=0) == (None,)
    assert shape_of("Shape", (None, 3)) == (2,)
