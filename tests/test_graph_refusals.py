"""What running a graph refuses, forward and back, and in which words."""

import numpy as np
import pytest

from paring.graph.evaluation import evaluate, record
from paring.graph.nodes import Graph, Input, Node
from paring.graph.operators import Operator
from paring.graph.ops import OPERATORS
from test_graph_evaluation import X, floats, network, ones


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "inputs: expected 'x', got no 'x'"),
        ({"x": X, "z": X}, "inputs: expected 'x', got also 'z'"),
        ({"z": X}, "inputs: expected 'x', got no 'x' and also 'z'"),
        ({"x": X[0]}, r"input 'x': expected shape \(None, 3\), got \(3,\)"),
        ({"x": X[:, :2]}, r"input 'x': expected shape \(None, 3\), got \(4, 2\)"),
    ],
)
def test_inputs_that_do_not_fit(inputs, words):
    for call in (lambda: evaluate(network(), inputs), lambda: record(network(), inputs, [])):
        with pytest.raises(ValueError, match=words):
            call()


def test_no_inputs_wanted():
    with pytest.raises(ValueError, match="inputs: expected none, got also 'x'"):
        evaluate(Graph([], {"w": X}, (), ("w",)), {"x": X})


def test_a_value_that_does_not_fit_names_the_node():
    graph = network()
    graph.initializers["w2"] = floats(4, 4)
    with pytest.raises(ValueError, match="MatMul node 'second': expected an inner size that fits, got 3 of"):
        evaluate(graph, {"x": X})


def test_an_input_of_another_dtype_names_the_node():
    with pytest.raises(
        ValueError, match="MatMul node 'first': expected values of one dtype, got float64 and float32"
    ):
        evaluate(network(), {"x": X.astype(np.float64)})


def test_an_unsorted_graph_names_what_is_not_there():
    graph = network()
    with pytest.raises(ValueError, match="Add node 'shortcut': its input 'b' is not there"):
        evaluate(Graph(graph.nodes[::-1], graph.initializers, graph.inputs, graph.outputs), {"x": X})


@pytest.mark.parametrize(
    ("watch", "words"),
    [
        (["a"], "watch: expected inputs and initializers of the graph, got 'a'"),
        (["nothing"], "watch: expected inputs and initializers of the graph, got 'nothing'"),
        (["ids"], "watch: expected floating-point values, but 'ids' holds int64"),
    ],
)
def test_what_cannot_be_watched(watch, words):
    nodes = [Node("Gather", ("w", "ids"), ("a",), name="n")]
    graph = Graph(nodes, {"w": np.ones((2, 2)), "ids": np.array([1])}, (), ("a",))
    with pytest.raises(ValueError, match=words):
        record(graph, {}, watch)


@pytest.mark.parametrize(
    ("gradients", "words"),
    [
        ({"h": X}, "gradients: expected names of outputs, got 'h'"),
        ({"y": X[:2]}, r"gradient of 'y': expected float32 of shape \(4, 3\), got float32 of shape \(2, 3\)"),
        ({"y": 1.0}, r"gradient of 'y': expected float32 of shape \(4, 3\), got float64 of shape \(\)"),
        ({"y": X.astype(np.float64)}, "gradient of 'y': expected float32 of .*, got float64 of shape"),
    ],
)
def test_gradients_that_do_not_fit(gradients, words):
    tape = record(network(), {"x": X}, ["w1"])
    with pytest.raises(ValueError, match=words):
        tape.backward(gradients)
    # Nothing was used up: the right one works.
    assert set(tape.backward(ones(tape))) == {"w1"}


def test_backward_works_once():
    tape = record(network(), {"x": X}, ["w1"])
    tape.backward(ones(tape))
    with pytest.raises(
        ValueError, match="backward: expected to be called once for a tape: record the run again"
    ):
        tape.backward(ones(tape))


def floor():
    """Return an operator without a gradient."""

    def infer(node, shapes):
        return shapes

    def meaning(node, inputs, run):
        return [np.floor(x) for x in inputs]

    return Operator("Floor", infer, meaning)


def test_an_operator_without_gradient_is_named(monkeypatch):
    monkeypatch.setitem(OPERATORS, "Floor", floor())
    nodes = [Node("Mul", ("x", "w"), ("a",), name="mul"), Node("Floor", ("a",), ("y",), name="round down")]
    graph = Graph(nodes, {"w": np.ones(2)}, (Input("x", (2,)),), ("y",))
    tape = record(graph, {"x": np.ones(2)}, ["w"])
    with pytest.raises(ValueError, match="Floor node 'round down': Floor has no gradient, which 'a' needs"):
        tape.backward(ones(tape))
    with pytest.raises(ValueError, match="expected to be called once"):
        tape.backward(ones(tape))


def test_an_operator_without_gradient_off_the_path_does_no_harm(monkeypatch):
    monkeypatch.setitem(OPERATORS, "Floor", floor())
    nodes = [Node("Floor", ("x",), ("a",), name="frozen"), Node("Mul", ("a", "w"), ("y",), name="mul")]
    graph = Graph(nodes, {"w": np.ones(2)}, (Input("x", (2,)),), ("y",))
    tape = record(graph, {"x": np.array([1.5, 2.5])}, ["w"])
    assert tape.backward(ones(tape))["w"].tolist() == [1, 2]


def test_integers_and_booleans_have_no_gradient():
    """A mask from a comparison: gradients stop there, without an error."""
    nodes = [
        Node("Greater", ("x", "zero"), ("positive",), name="greater"),
        Node("Cast", ("positive",), ("mask",), {"to": 11}, "cast"),
        Node("Mul", ("x", "mask"), ("y",), name="mul"),
    ]
    graph = Graph(nodes, {"zero": np.array(0.0)}, (Input("x", (3,)),), ("y",))
    tape = record(graph, {"x": np.array([-1.0, 2.0, 3.0])}, ["x", "zero"])
    found = tape.backward(ones(tape))
    assert found["x"].tolist() == [0, 1, 1]
    assert "zero" not in found


def test_names_that_two_nodes_share_do_not_mix_what_they_keep():
    nodes = [Node("Gelu", ("x",), ("a",), name="n"), Node("Gelu", ("a",), ("y",), name="n")]
    graph = Graph(nodes, {}, (Input("x", (2,)),), ("y",))
    with pytest.raises(ValueError, match="Gelu node 'n': another node has this name"):
        record(graph, {"x": np.ones(2)}, ["x"])
    # Without gradients, names do not matter.
    assert evaluate(graph, {"x": np.ones(2)})["y"].shape == (2,)
