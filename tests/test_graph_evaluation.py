"""Running graphs forward and back: values, gradients, and what a run leaves behind."""

import numpy as np
import pytest

import paring
from paring.graph.evaluation import evaluate, record
from paring.graph.nodes import Graph, Input, Node
from paring.graph.operators import Operator, Run
from paring.graph.ops import OPERATORS
from paring.graph.products import matrix_product

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 3)).astype(np.float32)


def floats(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def network():
    """Return two layers with a shortcut that both use: h = relu(x W1); y = h W2 + h."""
    nodes = [
        Node("MatMul", ("x", "w1"), ("a",), name="first"),
        Node("Relu", ("a",), ("h",), name="relu"),
        Node("MatMul", ("h", "w2"), ("b",), name="second"),
        Node("Add", ("b", "h"), ("y",), name="shortcut"),
    ]
    return Graph(nodes, {"w1": floats(3, 3), "w2": floats(3, 3)}, (Input("x", (None, 3)),), ("y",))


def ones(tape):
    return {name: np.ones_like(y) for name, y in tape.outputs.items()}


def test_values():
    graph = network()
    h = np.maximum(X @ graph.initializers["w1"], 0)
    (y,) = evaluate(graph, {"x": X}).values()
    np.testing.assert_array_equal(y, h @ graph.initializers["w2"] + h)


def test_recording_changes_no_value():
    graph = network()
    tape = record(graph, {"x": X}, ["w1"])
    assert tape.outputs["y"].tobytes() == evaluate(graph, {"x": X})["y"].tobytes()


def test_gradients_of_shared_values_add():
    graph = network()
    w1, w2 = graph.initializers.values()
    tape = record(graph, {"x": X}, ["w1", "w2", "x"])
    dy = floats(4, 3)
    found = tape.backward({"y": dy})
    a = X @ w1
    da = (dy @ w2.T + dy) * (a > 0)
    for name, wanted in {"w2": np.maximum(a, 0).T @ dy, "w1": X.T @ da, "x": da @ w1.T}.items():
        np.testing.assert_allclose(found[name], wanted, rtol=1e-5, atol=1e-6)


def test_a_value_used_three_times_by_one_node():
    graph = Graph([Node("Max", ("x", "x", "x"), ("y",), name="n")], {}, (Input("x", (2,)),), ("y",))
    tape = record(graph, {"x": np.array([1.0, 2.0])}, ["x"])
    np.testing.assert_allclose(tape.backward(ones(tape))["x"], [1, 1])


def test_gradients_of_a_subset():
    graph = network()
    found = record(graph, {"x": X}, ["w1", "w2", "x"]).backward({"y": np.ones((4, 3), np.float32)})
    for chosen in (["w1"], ["w2"], ["x"], ["w2", "x"]):
        some = record(graph, {"x": X}, chosen).backward({"y": np.ones((4, 3), np.float32)})
        assert set(some) == set(chosen)
        assert all(some[name].tobytes() == found[name].tobytes() for name in chosen)


def test_nothing_watched_is_nothing_kept():
    tape = record(network(), {"x": X}, [])
    assert set(tape.values) == {"y"}
    assert tape.backward(ones(tape)) == {}


def test_frozen_layers_are_not_gone_through(monkeypatch):
    """The gradient of the first layer is not needed when only the second is trained."""
    called = []
    right = OPERATORS["MatMul"]

    def watched_gradient(node, inputs, outputs, gradients, needed, kept):
        called.append((node.name, tuple(needed)))
        return right.gradient(node, inputs, outputs, gradients, needed, kept)

    monkeypatch.setitem(OPERATORS, "MatMul", Operator("MatMul", right.infer, right.meaning, watched_gradient))
    tape = record(network(), {"x": X}, ["w2"])
    assert set(tape.values) == {"h", "w2", "b", "y"}
    tape.backward(ones(tape))
    assert called == [("second", (False, True))]


def test_two_outputs_and_one_that_does_not_count():
    nodes = [Node("Exp", ("x",), ("a",), name="a"), Node("Mul", ("a", "x"), ("b",), name="b")]
    graph = Graph(nodes, {}, (Input("x", (2,)),), ("a", "b"))
    x = np.array([0.5, -1.0])
    found = record(graph, {"x": x}, ["x"]).backward({"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0])})
    np.testing.assert_allclose(found["x"], np.exp(x) * ([1, 2] + np.array([3, 4]) * (1 + x)))
    found = record(graph, {"x": x}, ["x"]).backward({"a": np.array([1.0, 2.0])})
    np.testing.assert_allclose(found["x"], np.exp(x) * [1, 2])


def test_an_output_that_is_an_input_or_a_weight():
    graph = Graph([], {"w": np.ones(2)}, (Input("x", (2,)),), ("x", "w"))
    given = np.array([3.0, 4.0])
    tape = record(graph, {"x": np.zeros(2)}, ["x", "w"])
    found = tape.backward({"x": given, "w": given})
    assert found["x"].tolist() == found["w"].tolist() == [3, 4]
    found["x"][:] = 0
    found["w"][:] = 1
    assert given.tolist() == [3, 4]


def test_gradients_belong_to_the_caller():
    """Add hands the same array to both inputs, a sum one that is stretched: all become arrays of their own."""
    nodes = [Node("Add", ("a", "b"), ("c",), name="add"), Node("ReduceSum", ("c",), ("y",), name="sum")]
    graph = Graph(nodes, {"a": np.ones((2, 3)), "b": np.ones((2, 3))}, (), ("y",))
    tape = record(graph, {}, ["a", "b"])
    found = tape.backward({"y": np.full((1, 1), 2.0)})
    found["a"] *= 10
    assert found["b"].tolist() == [[2, 2, 2], [2, 2, 2]]
    assert all(gradient.flags.c_contiguous and gradient.flags.writeable for gradient in found.values())


def test_what_no_output_depends_on_is_missing():
    nodes = [Node("Neg", ("x",), ("y",), name="n"), Node("Neg", ("w",), ("unused",), name="m")]
    graph = Graph(nodes, {"w": np.ones(2)}, (Input("x", (2,)),), ("y",))
    tape = record(graph, {"x": np.ones(2)}, ["w", "x"])
    assert list(tape.backward(ones(tape))) == ["x"]


def test_compressed_weights_run():
    """They become arrays when they are first needed."""
    w = floats(8, 16)
    compressed = paring.quantize(w)
    graph = Graph(
        [Node("MatMul", ("x", "w"), ("y",), name="n")], {"w": compressed}, (Input("x", (1, 8)),), ("y",)
    )
    x = floats(1, 8)
    np.testing.assert_array_equal(evaluate(graph, {"x": x})["y"], matrix_product(x, compressed.dense()))
    tape = record(graph, {"x": x}, ["x"])
    wanted = matrix_product(np.ones((1, 16), np.float32), compressed.dense().T)
    np.testing.assert_array_equal(tape.backward(ones(tape))["x"], wanted)


def test_a_run_is_handed_back_clean():
    run = Run(training=True)
    record(network(), {"x": X}, ["w1"], run)
    assert run.kept is None
    graph = network()
    graph.initializers["w2"] = floats(4, 4)
    with pytest.raises(ValueError, match="MatMul node 'second'"):
        record(graph, {"x": X}, ["w1"], run)
    assert run.kept is None
