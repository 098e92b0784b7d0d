"""What is no document of a graph: each refused with its place, and nothing else than a FormatError for any change."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_documents import WEIGHTS, document
from paring.errors import FormatError
from paring.graph.documents import from_document
from paring.graph.nodes import Graph


def change(*path, to):
    def apply(table):
        for key in path[:-1]:
            table = table[key]
        table[path[-1]] = to

    return apply


def drop(*path):
    def apply(table):
        for key in path[:-1]:
            table = table[key]
        del table[path[-1]]

    return apply


BAD = [
    (drop("version"), r"here: expected an object of version, opset, .* got \['constants', 'inputs'"),
    (change("more", to=1), "here: expected an object of version, opset"),
    (change("version", to=2), "here: version: expected 1, got 2"),
    (change("version", to=True), "here: version: expected 1, got True"),
    (change("opset", to=13), "here: opset: expected 21, got 13"),
    (change("inputs", to={}), "here: inputs: expected a list, got {}"),
    (change("inputs", 0, to="x"), r"here: inputs\[0\]: expected an object of name, shape, dtype, got 'x'"),
    (
        drop("inputs", 0, "dtype"),
        r"here: inputs\[0\]: expected an object of name, shape, dtype, got \['name'",
    ),
    (change("inputs", 0, "name", to=3), r"here: inputs\[0\]\.name: expected Unicode text, got 3"),
    (change("inputs", 0, "name", to=""), r"here: inputs\[0\]\.name: expected a name, got ''"),
    (change("inputs", 0, "shape", to=3), r"here: inputs\[0\]\.shape: expected a list of sizes, got 3"),
    (
        change("inputs", 0, "shape", to=[-1]),
        r"here: inputs\[0\]\.shape: shape: expected non-negative integers",
    ),
    (
        change("inputs", 0, "shape", to=[True]),
        r"here: inputs\[0\]\.shape: shape: expected non-negative integers",
    ),
    (change("inputs", 0, "shape", to=[2**62, 4]), r"here: inputs\[0\]\.shape: shape: expected at most"),
    (change("inputs", 0, "shape", to=[1] * 40), r"here: inputs\[0\]\.shape: shape: expected at most 32 axes"),
    (
        change("inputs", 0, "dtype", to="object"),
        r"here: inputs\[0\]\.dtype: expected 'float32' or .* got 'object'",
    ),
    (change("outputs", to="y"), "here: outputs: expected a list of text, got 'y'"),
    (change("outputs", to=[3]), "here: outputs: expected Unicode text, got 3"),
    (change("outputs", to=["\ud800"]), "here: outputs: expected Unicode text, got "),
    (
        change("outputs", to=["nowhere"]),
        "here: expected weights for what its nodes use, got none called 'nowhere'",
    ),
    (change("nodes", to=None), "here: nodes: expected a list, got None"),
    (change("nodes", 0, to=[]), r"here: nodes\[0\]: expected an object of op, inputs, .* got \[\]"),
    (
        drop("nodes", 0, "name"),
        r"here: nodes\[0\]: expected an object of op, inputs, outputs, attributes, name",
    ),
    (change("nodes", 0, "op", to="Evil"), "here: Evil node 'dense': there is no operator 'Evil' here"),
    (change("nodes", 0, "op", to=7), r"here: nodes\[0\]\.op: expected Unicode text, got 7"),
    (change("nodes", 0, "inputs", to=["x", 3]), r"here: nodes\[0\]\.inputs: expected Unicode text, got 3"),
    (change("nodes", 0, "inputs", to=["x"]), "here: expected weights for .* got unused 'w'"),
    (change("nodes", 0, "inputs", 1, to="v"), "got none called 'v' and unused 'w'"),
    (change("nodes", 0, "outputs", to=["y"]), "here: expected weights for .* got none called 'h'"),
    (
        change("nodes", 0, "outputs", to=["h", "y"]),
        "here: Reshape node .* its output 'y' is given by another node",
    ),
    (change("nodes", 0, "attributes", to=[]), r"here: nodes\[0\]\.attributes: expected an object, got \[\]"),
    (
        change("nodes", 0, "attributes", "transB", to=None),
        r"attributes\['transB'\]: expected a number, text, or a list",
    ),
    (
        change("nodes", 0, "attributes", "transB", to=[1, "a"]),
        r"attributes\['transB'\]: expected a number, text",
    ),
    (change("nodes", 0, "attributes", "transB", to=True), r"attributes\['transB'\]: expected a number, text"),
    (
        change("nodes", 0, "attributes", "transB", to=2**64),
        r"attributes\['transB'\]: expected a number, text",
    ),
    (change("nodes", 0, "attributes", "transB", to={}), r"attributes\['transB'\]: expected a number, text"),
    (
        change("nodes", 0, "attributes", "transB", to="\ud800"),
        r"attributes\['transB'\]: expected Unicode text",
    ),
    (
        change("nodes", 0, "attributes", "other", to=1),
        "here: Gemm node 'dense': expected attributes of .* got 'other'",
    ),
    (
        change("nodes", 0, "attributes", "transB", to="x"),
        "here: Gemm node 'dense': attribute 'transB': expected an int",
    ),
    (change("nodes", 6, "attributes", "perm", to=[0, 5]), "here: Transpose node 'turned'"),
    (
        change("nodes", 1, "name", to="dense"),
        "here: graph: expected a name of its own for each node, got 'dense'",
    ),
    (change("nodes", 0, "inputs", 0, to="t"), "here: .*the graph has a circle of"),
    (change("constants", to=[]), r"here: constants: expected an object, got \[\]"),
    (
        change("constants", "w", to={"dtype": "int64", "shape": [], "values": [1]}),
        "'w' is both a constant and a weight",
    ),
    (change("constants", "more", to={"dtype": "int64", "shape": [], "values": [1]}), "got unused 'more'"),
    (
        change("constants", "shape", to=3),
        r"here: constants\['shape'\]: expected an object of dtype, shape, values",
    ),
    (change("constants", "shape", "dtype", to="int8"), r"constants\['shape'\]\.dtype: expected 'float32' or"),
    (
        change("constants", "shape", "shape", to=[None]),
        r"constants\['shape'\]\.shape: shape: expected non-negative",
    ),
    (
        change("constants", "shape", "shape", to=[3]),
        r"constants\['shape'\]\.values: expected a list of 3 numbers",
    ),
    (change("constants", "shape", "shape", to=[2**40]), r"constants\['shape'\]\.values: expected a list of"),
    (
        change("constants", "shape", "values", to=[1.5, 3]),
        r"constants\['shape'\]\.values: expected numbers of int64",
    ),
    (
        change("constants", "shape", "values", to=[True, 3]),
        r"constants\['shape'\]\.values: expected numbers of int64",
    ),
    (
        change("constants", "shape", "values", to=[2**63, 3]),
        r"constants\['shape'\]\.values: expected numbers of int64",
    ),
    (
        change("constants", "shape", "values", to="ab"),
        r"constants\['shape'\]\.values: expected a list of 2 numbers",
    ),
    (
        change("constants", "factor", "values", 0, to="infinity"),
        r"constants\['factor'\]\.values: expected numbers of",
    ),
    (
        change("constants", "factor", "values", 0, to=1),
        r"constants\['factor'\]\.values: expected numbers of float32",
    ),
    (
        change("constants", "flag", "values", 0, to=1),
        r"constants\['flag'\]\.values: expected numbers of bool",
    ),
]


@pytest.mark.parametrize(("spoil", "message"), BAD)
def test_what_is_no_document(spoil, message):
    table = document()
    spoil(table)
    with pytest.raises(FormatError, match=message):
        from_document(table, WEIGHTS, "here")


@pytest.mark.parametrize("value", [None, [], "graph", 3])
def test_no_object(value):
    with pytest.raises(FormatError, match="here: expected an object of version"):
        from_document(value, {}, "here")


def test_weights_of_another_shape():
    with pytest.raises(FormatError, match="here: Gemm node 'dense': expected an inner size that fits"):
        from_document(document(), {"w": np.ones((3, 4), np.float32)}, "here")


def test_long_values_are_cut_in_messages():
    table = document()
    table["outputs"] = "y" * 100_000
    with pytest.raises(FormatError) as caught:
        from_document(table, WEIGHTS, "here")
    assert len(str(caught.value)) < 200


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.lists(st.integers(-3, 2**40), max_size=4),
    st.sampled_from(
        ["x", "w", "h", "y", "shape", "Conv", "Reshape", "Split", "Gather", "Expand", "Pad", "Slice"]
    ),
)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


PLACES = [path for path in places(document()) if path]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), LEAVES), min_size=1, max_size=3))
def test_any_change_gives_a_graph_or_a_format_error(changes):
    table = document()
    for path, value in changes:
        try:
            change(*path, to=copy.deepcopy(value))(table)
        except (KeyError, IndexError, TypeError):
            continue
    try:
        graph = from_document(table, WEIGHTS, "here")
    except FormatError as error:
        assert str(error).startswith("here: ")
    else:
        assert isinstance(graph, Graph)
