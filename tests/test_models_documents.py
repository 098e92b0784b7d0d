"""Graphs as documents: there and back, and everything that is no document."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_documents import WEIGHTS, document, make_graph
from paring.graph.documents import MAX_CONSTANT_SIZE, from_document, to_document
from paring.graph.evaluation import evaluate
from paring.graph.nodes import Graph, Input, Node


def test_there_and_back():
    graph = make_graph()
    again = from_document(document(), WEIGHTS, "here")
    assert (again.nodes, again.inputs, again.outputs) == (graph.nodes, graph.inputs, graph.outputs)
    assert set(again.initializers) == set(graph.initializers)
    for name, array in graph.initializers.items():
        found = again.initializers[name]
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        assert found.tobytes() == array.tobytes()
    x = np.ones((2, 3), np.float32)
    for name, array in evaluate(graph, {"x": x}).items():
        assert evaluate(again, {"x": x})[name].tobytes() == array.tobytes()


@settings(deadline=None)
@given(st.lists(st.floats(width=32), max_size=8), st.sampled_from(["float32", "float64"]))
def test_constants_keep_their_bits(values, dtype):
    array = np.array(values, dtype)
    graph = Graph((Node("Identity", ("c",), ("y",), {}, "n"),), {"c": array}, (), ("y",))
    again = from_document(json.loads(json.dumps(to_document(graph, ["c"]), allow_nan=False)), {}, "here")
    # All NaN are one.
    np.testing.assert_array_equal(again.initializers["c"], array)
    np.testing.assert_array_equal(
        np.signbit(again.initializers["c"][array == 0]), np.signbit(array[array == 0])
    )


@pytest.mark.parametrize("dtype", ["int32", "int64", "bool"])
def test_constants_of_integers(dtype):
    array = np.array([[0, 1], [1, 0]], dtype)
    if dtype != "bool":
        array[0, 0] = np.iinfo(dtype).min
    graph = Graph((Node("Identity", ("c",), ("y",), {}, "n"),), {"c": array}, (), ("y",))
    again = from_document(json.loads(json.dumps(to_document(graph, ["c"]))), {}, "here")
    assert again.initializers["c"].dtype == dtype
    np.testing.assert_array_equal(again.initializers["c"], array)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones(3, np.float16), "constant 'c': expected an array of float32, .* got float16"),
        (np.ones(MAX_CONSTANT_SIZE + 1), "constant 'c': expected at most 1024 elements, got 1025"),
    ],
)
def test_constants_that_have_no_form(array, message):
    graph = Graph((Node("Identity", ("c",), ("y",), {}, "n"),), {"c": array}, (), ("y",))
    with pytest.raises(ValueError, match=message):
        to_document(graph, ["c"])


@pytest.mark.parametrize("value", [math.inf, math.nan, (1.0, math.nan)])
def test_attributes_that_are_not_finite(value):
    node = Node("Identity", ("x",), ("y",), {"a": value}, "n")
    with pytest.raises(ValueError, match="Identity node 'n': attribute 'a': expected finite numbers"):
        to_document(Graph((node,), {}, (Input("x", ()),), ("y",)))


@pytest.mark.parametrize("value", [True, None, (None,)])
def test_attributes_of_another_kind(value):
    node = Node("Identity", ("x",), ("y",), {"a": value}, "n")
    with pytest.raises(ValueError, match="attribute 'a': expected int, float or str, got"):
        to_document(Graph((node,), {}, (Input("x", ()),), ("y",)))
