"""What operators refuse, and in which words."""

import re

import numpy as np
import pytest

from operator_graphs import graph_of_arrays, run
from paring.graph.checking import check_graph, infer_shapes
from paring.graph.evaluation import evaluate
from paring.graph.nodes import Graph, Input, Node

FLOAT, BOOL, LONG = np.zeros((2, 3), np.float32), np.zeros((2, 3), bool), np.zeros((2, 3), np.int64)


def f(*shape):
    return np.zeros(shape, np.float32)


def i(*numbers):
    return np.array(numbers, np.int64)


# What is refused when it runs: operator, inputs, attributes, words.
REFUSED = [
    ("Add", [f(2, 3), f(4)], {}, "operands could not be broadcast together"),
    ("Add", [FLOAT, FLOAT.astype(np.float64)], {}, "expected values of one dtype, got float32 and float64"),
    ("Max", [FLOAT, LONG], {}, "expected values of one dtype, got float32 and int64"),
    ("Less", [FLOAT, LONG], {}, "expected values of one dtype, got float32 and int64"),
    ("Clip", [FLOAT, np.array(0.0)], {}, "expected values of one dtype, got float32 and float64"),
    ("Concat", [FLOAT, LONG], {"axis": 0}, "expected values of one dtype, got float32 and int64"),
    ("MatMul", [FLOAT, f(3, 2).astype(np.float64)], {}, "expected values of one dtype"),
    ("Gemm", [f(2, 3), f(3, 4), np.zeros(4)], {}, "expected values of one dtype, got float32 and float64"),
    ("Where", [FLOAT, FLOAT, FLOAT], {}, "expected a condition of bool, got float32"),
    ("Where", [BOOL, FLOAT, LONG], {}, "expected values of one dtype, got float32 and int64"),
    ("Not", [FLOAT], {}, "expected bool, got float32"),
    ("Exp", [LONG], {}, "expected floating-point values, got int64"),
    ("Gelu", [LONG], {}, "expected floating-point values, got int64"),
    ("Softmax", [LONG], {}, "expected floating-point values, got int64"),
    ("LogSoftmax", [BOOL], {}, "expected floating-point values, got bool"),
    ("ReduceMean", [LONG], {}, "expected floating-point values, got int64"),
    ("Div", [i(1), i(0)], {}, "expected integers other than 0 to divide by"),
    ("Pow", [i(2), i(-1)], {}, "[Ii]ntegers to negative integer powers"),
    ("Cast", [FLOAT], {"to": 8}, r"attribute 'to': expected one of 1 \(float32\), .* 16 \(bfloat16\), got 8"),
    ("Cast", [FLOAT], {}, "attribute 'to': expected one of .*, got 0"),
    ("Gather", [FLOAT, FLOAT], {}, "expected indices of integers, got float32"),
    ("Gather", [FLOAT, i(2)], {}, "index 2 is out of bounds for axis 0 with size 2"),
    ("Slice", [FLOAT, i(0), i(1), i(0), i(0)], {}, "steps: expected other numbers than 0"),
    ("Slice", [FLOAT, None, i(1)], {}, "expected inputs 'starts' and 'ends'"),
    ("Pad", [FLOAT, i(0, 0, 0, 0), np.array(0.0)], {}, "expected values of one dtype"),
    ("Pad", [FLOAT, i(0, 0, 0, 0), f(2)], {}, r"expected one constant, got shape \(2,\)"),
    ("ReduceSum", [FLOAT, f(1)], {}, r"axes: expected a list of integers, got float32 of shape \(1,\)"),
    ("CumSum", [FLOAT, i(0, 1)], {}, "axis: expected one number, got 2"),
    ("Split", [FLOAT], {}, "expected either an input 'split' or an attribute 'num_outputs'"),
    ("Split", [FLOAT, i(2)], {"num_outputs": 1}, "expected either an input 'split' or an attribute"),
]

# What shapes alone show: refused by infer_shapes with these words, and when it runs.
MISSHAPED = [
    (
        "Gemm",
        [f(2, 3), f(4, 3)],
        {},
        r"an inner size that fits, got 3 of shape \(2, 3\) and 4 of shape \(4, 3\)",
    ),
    ("Gemm", [f(3), f(3, 4)], {}, r"expected two matrices, got shapes \(3,\) and \(3, 4\)"),
    ("Gemm", [f(2, 3), f(3, 4), f(3, 4)], {}, "expected shapes that fit together"),
    (
        "Gemm",
        [f(1, 3), f(3, 4), f(2, 4)],
        {},
        r"a third input that stretches to shape \(1, 4\), got shape \(2, 4\)",
    ),
    ("MatMul", [f(2, 3), f(2, 3)], {}, r"an inner size that fits, got 3 of shape \(2, 3\) and 2 of"),
    ("MatMul", [f(), f(2, 3)], {}, r"expected vectors, matrices or stacks of matrices, got shapes \(\) and"),
    ("MatMul", [f(2, 1, 3), f(3, 3, 1)], {}, "expected shapes that fit together"),
    ("Softmax", [f(2, 3)], {"axis": 2}, "axis: expected -2 to 1 for 2 axes, got 2"),
    ("LogSoftmax", [f(2, 3)], {"axis": -3}, "axis: expected -2 to 1 for 2 axes, got -3"),
    ("Flatten", [f(2, 3)], {"axis": 3}, "axis: expected -2 to 2 for 2 axes, got 3"),
    ("Reshape", [f(2, 3), i(4)], {}, r"expected a shape for 6 values of shape \(2, 3\), got \(4,\)"),
    ("Reshape", [f(2, 3), i(4, -1)], {}, "expected a shape for 6 values"),
    ("Reshape", [f(2, 3), i(-1, -1)], {}, "expected a shape for 6 values"),
    ("Reshape", [f(2, 3), i(-2, 3)], {}, "expected a shape for 6 values"),
    ("Reshape", [f(2, 3), i(2, 3, 0)], {}, "expected a shape for 6 values"),
    ("Reshape", [f(0, 3), i(0, -1)], {"allowzero": 1}, "expected a shape for 0 values"),
    ("Transpose", [f(2, 3)], {"perm": (0, 0)}, r"perm: expected the numbers 0 to 1, each once, got \(0, 0\)"),
    ("Squeeze", [f(2, 3), i(0)], {}, r"axes: expected axes of size 1, got axis 0 of shape \(2, 3\)"),
    ("Squeeze", [f(1, 3), i(0, -2)], {}, r"axes: expected each axis once, got \[0, -2\]"),
    ("Unsqueeze", [f(2), i(0, 3)], {}, "axes: expected -3 to 2 for 3 axes, got 3"),
    (
        "Concat",
        [f(2, 3), f(2)],
        {"axis": 0},
        r"expected inputs with as many axes, got shapes \(2, 3\) and \(2,\)",
    ),
    ("Concat", [f(2, 3), f(2, 4)], {"axis": 0}, "expected inputs that differ along axis 0 only, got shapes"),
    ("Concat", [f(2, 3)], {}, "expected an attribute 'axis'"),
    ("Split", [f(4, 3), i(1, 2)], {}, r"split: expected sizes that sum to 4, got \[1, 2\]"),
    ("Split", [f(4, 3), i(5, -1)], {}, r"split: expected sizes that sum to 4, got \[5, -1\]"),
    (
        "Split",
        [f(5, 3)],
        {"num_outputs": 4},
        "num_outputs: expected a number of parts that a size of 5 has, got 4",
    ),
    (
        "Slice",
        [f(4), i(0, 1), i(2)],
        {},
        "expected as many ends, axes and steps as starts, got 2 starts, 1 ends",
    ),
    ("Slice", [f(4), i(0), i(2), i(1)], {}, "axes: expected -1 to 0 for 1 axes, got 1"),
    ("Gather", [f(4), i(0)], {"axis": 1}, "axis: expected -1 to 0 for 1 axes, got 1"),
    ("Expand", [f(2, 3), i(-1, 3)], {}, r"shape: expected sizes of 0 and more, got \[-1, 3\]"),
    ("Pad", [f(2, 3), i(1, 1)], {}, "pads: expected 4 numbers, two an axis, got 2"),
    ("Pad", [f(2, 3), i(-3, 0, 0, 0)], {}, r"pads: expected to leave something of shape \(2, 3\)"),
    (
        "Pad",
        [f(2, 3), i(1, 1, 1, 1)],
        {"mode": "reflect"},
        "attribute 'mode': expected 'constant', got 'reflect'",
    ),
    ("ReduceMax", [f(2, 3), i(2)], {}, "axes: expected -2 to 1 for 2 axes, got 2"),
    ("ReduceMax", [f(2, 3), i(1, -1)], {}, "axes: expected each axis once"),
    ("ArgMax", [f(2, 3)], {"axis": 2}, "axis: expected -2 to 1 for 2 axes, got 2"),
    ("CumSum", [f(2, 3), i(2)], {}, "axis: expected -2 to 1 for 2 axes, got 2"),
    ("Constant", [], {}, "expected one attribute of value_float, .*, got none"),
    (
        "Constant",
        [],
        {"value_int": 1, "value_float": 1.0},
        "expected one attribute .*, got value_float, value_int",
    ),
]

# Attributes of another kind.
ODD_ATTRIBUTES = [
    ("Softmax", [f(2)], {"axis": 1.0}, "attribute 'axis': expected an integer, got 1.0"),
    ("Softmax", [f(2)], {"axis": True}, "attribute 'axis': expected an integer, got True"),
    ("LeakyRelu", [f(2)], {"alpha": "big"}, "attribute 'alpha': expected a number, got 'big'"),
    ("LeakyRelu", [f(2)], {"alpha": True}, "attribute 'alpha': expected a number, got True"),
    ("Gelu", [f(2)], {"approximate": "erf"}, "attribute 'approximate': expected 'none' or 'tanh', got 'erf'"),
    ("Transpose", [f(2)], {"perm": 0}, "attribute 'perm': expected integers, got 0"),
    ("Constant", [], {"value_floats": ("a",)}, r"attribute 'value_floats': expected numbers, got \('a',\)"),
    ("Constant", [], {"value_ints": (1.0,)}, r"attribute 'value_ints': expected integers, got \(1.0,\)"),
]


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "words"), REFUSED + MISSHAPED + ODD_ATTRIBUTES, ids=str
)
def test_what_does_not_fit_is_named(op, inputs, attributes, words):
    with pytest.raises(ValueError, match=f"^{op} node 'here': .*{words}"):
        run(op, *inputs, **attributes)


@pytest.mark.parametrize(("op", "inputs", "attributes", "words"), MISSHAPED, ids=str)
def test_shapes_that_do_not_fit_are_found_without_a_run(op, inputs, attributes, words):
    names = [f"x{n}" for n in range(len(inputs))]
    fixed = {name: array for name, array in zip(names, inputs, strict=True) if array.dtype.kind == "i"}
    given = [Input(name, array.shape) for name, array in zip(names, inputs, strict=True) if name not in fixed]
    graph = Graph((Node(op, names, ("y",), attributes, "here"),), fixed, given, ("y",))
    with pytest.raises(ValueError, match=rf"^{op} node 'here': .*{words}"):
        infer_shapes(graph)


@pytest.mark.parametrize(
    ("op", "shapes", "words"),
    [
        ("Add", [(2, 3), (4,)], r"expected shapes that fit together, got \(2, 3\) and \(4,\)"),
        ("Clip", [(2, 3), (3,)], r"expected single numbers for min and max, got shape \(3,\)"),
        ("Reshape", [(2, 3), (None,)], "expected a shape with a known number of axes"),
        ("Expand", [(2, 3), (None,)], "expected a shape with a known number of axes"),
        ("Squeeze", [(2, 3), (None,)], "expected a known number of axes"),
        ("Unsqueeze", [(2, 3), (None,)], "expected a known number of axes"),
        ("Reshape", [(2, 3), (1, 1)], r"shape: expected a list of integers, got shape \(1, 1\)"),
    ],
)
def test_unknown_values_that_shapes_need(op, shapes, words):
    names = [f"x{n}" for n in range(len(shapes))]
    graph = Graph((Node(op, names, ("y",), {}, "here"),), {}, map(Input, names, shapes), ("y",))
    with pytest.raises(ValueError, match=f"^{op} node 'here': {words}"):
        infer_shapes(graph)


def test_reduced_axes_that_nobody_knows():
    nodes = (Node("ReduceSum", ("x", "axes"), ("y",), {"keepdims": 0}, "here"),)
    graph = Graph(nodes, {}, (Input("x", (2, 3)), Input("axes", (None,), "int64")), ("y",))
    with pytest.raises(ValueError, match="ReduceSum node 'here': expected a known number of axes"):
        infer_shapes(graph)


@pytest.mark.parametrize(
    ("op", "count", "words"),
    [
        ("Relu", 2, "expected 1 inputs, got 2"),
        ("Add", 1, "expected 2 inputs, got 1"),
        ("Clip", 4, "expected 1 to 3 inputs, got 4"),
        ("Concat", 0, "expected 1 or more inputs, got 0"),
    ],
)
def test_numbers_of_inputs_are_checked(op, count, words):
    names = [f"x{n}" for n in range(count)]
    graph = Graph((Node(op, names, ("y",), {}, "here"),), {}, [Input(name, (2,)) for name in names], ("y",))
    with pytest.raises(ValueError, match=re.escape(f"{op} node 'here': {words}")):
        check_graph(graph)


def test_an_input_that_must_not_be_left_out():
    graph = Graph((Node("Add", ("x", ""), ("y",), {}, "here"),), {}, (Input("x", (2,)),), ("y",))
    with pytest.raises(ValueError, match="Add node 'here': expected 2 inputs, got one left out"):
        check_graph(graph)


@pytest.mark.parametrize(
    ("op", "words"),
    [("Relu", "of none, got 'slope'"), ("Softmax", "of 'axis', got 'slope'")],
)
def test_unknown_attributes_are_named(op, words):
    graph = Graph((Node(op, ("x",), ("y",), {"slope": 1.0}, "here"),), {}, (Input("x", (2,)),), ("y",))
    with pytest.raises(ValueError, match=f"{op} node 'here': expected attributes {words}"):
        check_graph(graph)


def test_more_outputs_than_there_are():
    graph = graph_of_arrays("Relu", [f(2)], outputs=2)
    with pytest.raises(ValueError, match="Relu node 'here': expected at most 1 outputs, got 2"):
        evaluate(graph, {"x0": f(2)})
    with pytest.raises(ValueError, match="Relu node 'here': expected at most 1 outputs, got 2"):
        infer_shapes(graph)
