"""Graphs as documents: the plain dicts, lists, text and numbers that JSON holds, read back strictly.

    {"version": 1, "opset": 21,
     "inputs": [{"name": "input", "shape": [null, 784], "dtype": "float32"}], "outputs": ["output"],
     "nodes": [{"op": "Gemm", "inputs": [...], "outputs": [...], "attributes": {"transB": 1}, "name": "fc"}],
     "constants": {"fc:shape": {"dtype": "int64", "shape": [2], "values": [-1, 10]}}}

Small initializers may be in the document as constants; the others lie elsewhere, under their names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import FormatError
from ..formats.arrays import nbytes
from ..formats.strict_json import is_unicode
from ..weights import Weight
from .checking import check_graph, infer_shapes
from .nodes import Attribute, Graph, Input, Node
from .operators import Array

__all__ = ["MAX_CONSTANT_SIZE", "OPSET", "from_document", "is_constant_dtype", "to_document"]

VERSION = 1
OPSET = 21
MAX_CONSTANT_SIZE = 1024
"""Elements of a constant inside a document at most; larger ones are better off in a file of weights."""

MAX_INTEGER = 2**63
DTYPES = ("float32", "float64", "int32", "int64", "bool")
INPUT_DTYPES = (*DTYPES, "float16", "bfloat16", "int8", "int16", "uint8", "uint16", "uint32", "uint64")
NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def is_constant_dtype(dtype: np.dtype[Any]) -> bool:
    """Whether a document can hold constants of this dtype."""
    return dtype.name in DTYPES


def to_document(graph: Graph, constants: Iterable[str] = ()) -> dict[str, Any]:
    """Return a document of a graph, with some of its initializers inside.

    Parameters
    ----------
    graph : Graph
    constants : iterable of str
        Names of initializers: arrays of at most `MAX_CONSTANT_SIZE` elements of float32, float64, int32, int64 or bool.

    Raises
    ------
    ValueError
        If a constant is none, or a number has no form in JSON.

    Examples
    --------
    >>> graph = Graph((Node("Relu", ("x",), ("y",), {}, "a"),), {}, (Input("x", (None, 2)),), ("y",))
    >>> from_document(to_document(graph), {}, "document") == graph
    True
    """
    return {
        "version": VERSION,
        "opset": OPSET,
        "inputs": [
            {"name": value.name, "shape": list(value.shape), "dtype": value.dtype} for value in graph.inputs
        ],
        "outputs": list(graph.outputs),
        "nodes": [
            {
                "op": node.op,
                "inputs": list(node.inputs),
                "outputs": list(node.outputs),
                "attributes": {key: _plain(node, key, value) for key, value in node.attributes.items()},
                "name": node.name,
            }
            for node in graph.nodes
        ],
        "constants": {name: _constant_table(name, graph.initializers[name]) for name in constants},
    }


def _plain(node: Node, key: str, value: Attribute) -> Any:
    items = list(value) if isinstance(value, tuple) else [value]
    for item in items:
        if isinstance(item, bool) or not isinstance(item, (int, float, str)):
            raise ValueError(f"{node}: attribute {key!r}: expected int, float or str, got {item!r}")
        if isinstance(item, float) and not math.isfinite(item):
            raise ValueError(f"{node}: attribute {key!r}: expected finite numbers, got {item}")
    return items if isinstance(value, tuple) else value


def _constant_table(name: str, array: Weight) -> dict[str, Any]:
    if not isinstance(array, np.ndarray) or not is_constant_dtype(array.dtype):
        kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise ValueError(f"constant {name!r}: expected an array of {', '.join(DTYPES)}, got {kind}")
    if array.size > MAX_CONSTANT_SIZE:
        raise ValueError(
            f"constant {name!r}: expected at most {MAX_CONSTANT_SIZE} elements, got {array.size}"
        )
    values = [
        value if not isinstance(value, float) or math.isfinite(value) else str(value)
        for value in array.reshape(-1).tolist()
    ]
    return {"dtype": array.dtype.name, "shape": list(array.shape), "values": values}


def from_document(document: Mapping[str, Any], weights: Mapping[str, Weight], where: str) -> Graph:
    """Return the graph of a document, checked by `check_graph` and `infer_shapes`.

    Parameters
    ----------
    document : mapping
        Of JSON, which is not believed.
    weights : mapping of str to Weight
        The initializers that are not in the document: exactly those.
    where : str
        For messages.

    Raises
    ------
    FormatError
        If it is no document of a graph, the weights are others, or it is a graph that cannot be run. The message
        starts with `where`.
    """
    reader = _Reader(where)
    table = reader.table(document, "", ("version", "opset", "inputs", "outputs", "nodes", "constants"))
    for key, known in (("version", VERSION), ("opset", OPSET)):
        if type(table[key]) is not int or table[key] != known:
            reader.fail(key, f"{known}", table[key])
    inputs = tuple(reader.input(item, f"inputs[{i}]") for i, item in enumerate(reader.list(table, "inputs")))
    nodes = tuple(reader.node(item, f"nodes[{i}]") for i, item in enumerate(reader.list(table, "nodes")))
    outputs = reader.texts(table["outputs"], "outputs")
    if type(table["constants"]) is not dict:
        reader.fail("constants", "an object", table["constants"])
    constants = {
        reader.text(name, "constants"): reader.constant(item, f"constants[{name!r}]")
        for name, item in table["constants"].items()
    }
    twice = sorted(set(constants) & set(weights))
    if twice:
        raise FormatError(f"{where}: {twice[0]!r} is both a constant and a weight")
    used = {name for node in nodes for name in node.inputs if name} | set(outputs)
    made = {name for node in nodes for name in node.outputs} | {value.name for value in inputs}
    missing = sorted(used - made - set(constants) - set(weights))
    unused = sorted({*constants, *weights} - used)
    if missing or unused:
        raise FormatError(
            f"{where}: expected weights for what its nodes use, got "
            + " and ".join(
                f"{word} {', '.join(map(repr, names[:10]))}{' and others' if len(names) > 10 else ''}"
                for word, names in (("none called", missing), ("unused", unused))
                if names
            )
        )
    graph = Graph(nodes, {**weights, **constants}, inputs, outputs)
    try:
        check_graph(graph)
        infer_shapes(graph)
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
        # The rules of operators meet numbers here that nobody has looked at before.
        raise FormatError(f"{where}: {error}") from error
    return graph


class _Reader:
    """Takes a document apart and says where it is not what it should be."""

    def __init__(self, where: str) -> None:
        self.where = where

    def fail(self, place: str, expected: str, got: object) -> Any:
        shown = repr(got)
        raise FormatError(
            f"{self.where}: {place + ': ' if place else ''}expected {expected}, "
            f"got {shown if len(shown) <= 80 else shown[:80] + '...'}"
        )

    def table(self, value: object, place: str, keys: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(value, dict) or set(value) != set(keys):
            self.fail(
                place,
                f"an object of {', '.join(keys)}",
                sorted(map(str, value)) if isinstance(value, dict) else value,
            )
        assert isinstance(value, dict)
        return value

    def list(self, table: Mapping[str, Any], key: str) -> list[Any]:
        if type(table[key]) is not list:
            self.fail(key, "a list", table[key])
        result: list[Any] = table[key]
        return result

    def text(self, value: object, place: str, allowed: tuple[str, ...] = ()) -> str:
        if not isinstance(value, str) or not is_unicode(value) or (allowed and value not in allowed):
            self.fail(place, " or ".join(map(repr, allowed)) or "Unicode text", value)
        return str(value)

    def texts(self, value: object, place: str) -> tuple[str, ...]:
        if not isinstance(value, list):
            self.fail(place, "a list of text", value)
            return ()
        return tuple(self.text(item, place) for item in value)

    def input(self, item: object, place: str) -> Input:
        table = self.table(item, place, ("name", "shape", "dtype"))
        name = self.text(table["name"], f"{place}.name")
        if not name:
            self.fail(f"{place}.name", "a name", name)
        shape = self.shape(table["shape"], f"{place}.shape", with_unknown=True)
        return Input(name, shape, self.text(table["dtype"], f"{place}.dtype", INPUT_DTYPES))

    def shape(self, value: object, place: str, with_unknown: bool) -> tuple[Any, ...]:
        if not isinstance(value, list):
            return self.fail(place, "a list of sizes", value)  # type: ignore[no-any-return]
        try:
            nbytes([size for size in value if not (with_unknown and size is None)], np.dtype(np.float64))
        except ValueError as error:
            raise FormatError(f"{self.where}: {place}: {error}") from None
        return tuple(value)

    def node(self, item: object, place: str) -> Node:
        table = self.table(item, place, ("op", "inputs", "outputs", "attributes", "name"))
        attributes = table["attributes"]
        if type(attributes) is not dict:
            self.fail(f"{place}.attributes", "an object", attributes)
        return Node(
            self.text(table["op"], f"{place}.op"),
            self.texts(table["inputs"], f"{place}.inputs"),
            self.texts(table["outputs"], f"{place}.outputs"),
            {
                self.text(key, f"{place}.attributes"): self.attribute(value, f"{place}.attributes[{key!r}]")
                for key, value in attributes.items()
            },
            self.text(table["name"], f"{place}.name"),
        )

    def attribute(self, value: object, place: str) -> Any:
        items = value if isinstance(value, list) else [value]
        kinds: tuple[Callable[[object], bool], ...] = (_is_number, lambda item: isinstance(item, str))
        if not any(all(kind(item) for item in items) for kind in kinds):
            self.fail(place, "a number, text, or a list of one of these", value)
        for item in items:
            if isinstance(item, str):
                self.text(item, place)
        return tuple(items) if isinstance(value, list) else value

    def constant(self, item: object, place: str) -> Array:
        table = self.table(item, place, ("dtype", "shape", "values"))
        dtype = np.dtype(self.text(table["dtype"], f"{place}.dtype", DTYPES))
        shape = self.shape(table["shape"], f"{place}.shape", with_unknown=False)
        values = table["values"]
        count = math.prod(shape)
        if not isinstance(values, list) or len(values) != count or count > MAX_CONSTANT_SIZE:
            self.fail(f"{place}.values", f"a list of {count} numbers, at most {MAX_CONSTANT_SIZE}", values)
        for value in values:
            if not _fits(value, dtype):
                self.fail(f"{place}.values", f"numbers of {dtype}", value)
        numbers = [NOT_FINITE[value] if isinstance(value, str) else value for value in values]
        with np.errstate(over="ignore"):
            return np.array(numbers, dtype).reshape(shape)


def _is_number(value: object) -> bool:
    return type(value) is float or (type(value) is int and abs(value) < MAX_INTEGER)


def _fits(value: object, dtype: np.dtype[Any]) -> bool:
    if dtype.kind == "b":
        return isinstance(value, bool)
    if dtype.kind == "i":
        limits = np.iinfo(dtype)
        return type(value) is int and limits.min <= value <= limits.max
    return type(value) is float or (isinstance(value, str) and value in NOT_FINITE)
