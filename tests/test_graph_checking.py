"""Order, names and shapes of graphs."""

import pickle
import random
import re

import numpy as np
import pytest

from paring.graph.checking import check_graph, infer_shapes, sort_nodes
from paring.graph.nodes import Graph, Input, Node

CHAIN = [
    Node("Neg", ("x",), ("a",), name="first"),
    Node("Exp", ("a",), ("b",), name="second"),
    Node("Add", ("a", "b"), ("c",), name="third"),
    Node("Mul", ("c", "x"), ("y",), name="fourth"),
]
X = (Input("x", (None, 3)),)


def names(nodes):
    return [node.name for node in nodes]


def test_sorted_nodes_stay_as_they_are():
    assert sort_nodes(CHAIN, ["x"]) == tuple(CHAIN)


def test_any_order_is_sorted():
    for seed in range(20):
        mixed = CHAIN.copy()
        random.Random(seed).shuffle(mixed)
        assert sort_nodes(mixed, ["x"]) == tuple(CHAIN)


def test_order_changes_no_more_than_it_must():
    nodes = [
        Node("Exp", ("late",), ("a",), name="waits"),
        Node("Neg", ("x",), ("b",), name="free"),
        Node("Abs", ("x",), ("late",), name="maker"),
        Node("Neg", ("x",), ("c",), name="also free"),
    ]
    assert names(sort_nodes(nodes, ["x"])) == ["free", "maker", "waits", "also free"]


def test_many_nodes_are_sorted_quickly():
    """Ten thousand, backwards: what takes a time that grows with the square would be noticed."""
    nodes = [Node("Neg", (f"v{i}",), (f"v{i + 1}",), name=str(i)) for i in range(10_000)]
    assert sort_nodes(nodes[::-1], ["v0"]) == tuple(nodes)


def test_a_left_out_input_or_output_is_no_value():
    nodes = [
        Node("Clip", ("x", "", "high"), ("y", ""), name="a"),
        Node("Clip", ("y", ""), ("z", ""), name="b"),
    ]
    assert sort_nodes(nodes, ["x", "high"]) == tuple(nodes)


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        (
            [Node("Neg", ("no",), ("y",), name="n")],
            "Neg node 'n': its input 'no' is no input, initializer or output",
        ),
        (
            [Node("Neg", ("x",), ("y",), name="n"), Node("Abs", ("x",), ("y",), name="m")],
            "Abs node 'm': its output 'y' is given by another node or input as well",
        ),
        (
            [Node("Neg", ("x",), ("x",), name="n")],
            "Neg node 'n': its output 'x' is given by another node or input",
        ),
        (
            [Node("Split", ("x",), ("y", "y"), name="n")],
            "Split node 'n': its output 'y' is given by another node",
        ),
        (
            [Node("Add", ("x", "y"), ("y",), name="n")],
            "Add node 'n': waits for itself: the graph has a circle of 'n'",
        ),
        (
            [
                Node("Abs", ("c",), ("z",), name="behind"),
                Node("Add", ("x", "c"), ("a",), name="one"),
                Node("Neg", ("a",), ("b",), name="two"),
                Node("Exp", ("b",), ("c",), name="three"),
                Node("Neg", ("x",), ("f",), name="free"),
            ],
            "waits for itself: the graph has a circle of 'one', 'two', 'three'$",
        ),
        (
            [Node("Neg", (f"v{(i - 1) % 12}",), (f"v{i}",), name=str(i)) for i in range(12)],
            "the graph has a circle of '1', '2', .*'10' and others$",
        ),
    ],
)
def test_what_cannot_be_sorted_is_named(nodes, words):
    with pytest.raises(ValueError, match=words):
        sort_nodes(nodes, ["x"])


def test_a_good_graph_passes():
    check_graph(Graph(CHAIN, {}, X, ("y", "a", "x")))


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (
            Graph(CHAIN, {"x": np.ones(3)}, X, ("y",)),
            "graph: 'x' is both an input and an initializer, or an input",
        ),
        (
            Graph(CHAIN, {}, X + X, ("y",)),
            "graph: 'x' is both an input and an initializer, or an input",
        ),
        (Graph(CHAIN, {}, X, ("z",)), "graph: its output 'z' is no input, initializer or output of any node"),
        (Graph(CHAIN, {}, X, ("",)), "graph: its output '' is no input"),
        (
            Graph(CHAIN[::-1], {}, X, ("y",)),
            "graph: expected nodes in an order in which values are there before",
        ),
        (
            Graph([*CHAIN, Node("Neg", ("y",), ("z",), name="first")], {}, X, ("y",)),
            "graph: expected a name of its own for each node, got 'first' twice",
        ),
        (
            Graph([Node("Conv5d", ("x",), ("y",), name="n")], {}, X, ("y",)),
            "Conv5d node 'n': there is no operator 'Conv5d' here; known are .*Add, .*Relu",
        ),
        (
            Graph([Node("Neg", ("no",), ("y",), name="n")], {}, X, ("y",)),
            "Neg node 'n': its input 'no' is no input",
        ),
    ],
)
def test_what_makes_no_sense_is_named(graph, words):
    with pytest.raises(ValueError, match=words):
        check_graph(graph)


def test_shapes_of_all_values():
    shapes = infer_shapes(Graph(CHAIN, {"w": np.ones((2, 2))}, X, ("y",)))
    assert shapes == dict.fromkeys("xabcy", (None, 3)) | {"w": (2, 2)}
    assert all(type(shape) is tuple for shape in shapes.values())


def test_shapes_that_nodes_compute_are_known():
    """As exporters write a flattening: the sizes of one value, cut, joined with a constant."""
    nodes = [
        Node("Shape", ("w",), ("sizes",), name="shape"),
        Node("Constant", (), ("zero",), {"value_ints": (0,)}, "constant"),
        Node("Gather", ("sizes", "zero"), ("first",), name="gather"),
        Node("Concat", ("minus", "first"), ("wanted",), {"axis": 0}, "concat"),
        Node("Reshape", ("x", "wanted"), ("y",), name="reshape"),
    ]
    initializers = {"w": np.ones((6, 5), np.float32), "minus": np.array([-1])}
    graph = Graph(nodes, initializers, (Input("x", (4, 3, 2)),), ("y",))
    assert infer_shapes(graph)["y"] == (4, 6)
    graph = Graph(nodes, initializers, (Input("x", (None, 3, 2)),), ("y",))
    assert infer_shapes(graph)["y"] == (None, 6)


def test_large_constants_are_not_computed():
    """What a node would need memory for is left to the run."""
    nodes = [Node("Pad", ("one", "pads"), ("y",), name="pad"), Node("Identity", ("y",), ("z",), name="copy")]
    graph = Graph(nodes, {"one": np.array([1]), "pads": np.array([0, 2**40])}, (), ("z",))
    assert infer_shapes(graph)["z"] == (2**40 + 1,)


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([Node("MatMul", ("x", "x"), ("y",), name="n")], "MatMul node 'n': expected an inner size that fits"),
        ([Node("Neg", ("later",), ("y",), name="n")], "Neg node 'n': its input 'later' is not there"),
        ([Node("Gather", ("axes", "axes"), ("y",), name="n")], "Gather node 'n': index 5 is out of bounds"),
    ],
)
def test_shapes_that_do_not_fit(nodes, words):
    with pytest.raises(ValueError, match=words):
        infer_shapes(Graph(nodes, {"axes": np.array([5])}, (Input("x", (2, 3)),), ("y",)))


def test_nodes_are_plain_values():
    """Equal by what they say, frozen, good for a pickle."""
    node = Node("Transpose", ["x"], ["y"], {"perm": [1, 0]}, "n")
    assert node == Node("Transpose", ("x",), ("y",), {"perm": (1, 0)}, "n")
    assert pickle.loads(pickle.dumps(node)) == node
    assert str(node) == "Transpose node 'n'"
    with pytest.raises(TypeError, match=re.escape("does not support item assignment")):
        node.attributes["perm"] = (0, 1)
