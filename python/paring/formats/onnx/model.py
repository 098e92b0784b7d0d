"""Going through an ONNX model: its tensors, wherever they are, and what it says about itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import FormatError
from .tensors import ElementType, OnnxTensor, read_pair, read_tensor
from .wire import Message, Wire

__all__ = ["NamedWeight", "model_metadata", "model_weights"]

MODEL = Message("model", {7: "graph", 25: "functions"}, repeated=frozenset({"functions"}))
ABOUT = Message(
    "model",
    {
        1: "ir_version",
        2: "producer_name",
        3: "producer_version",
        4: "domain",
        5: "model_version",
        8: "opset_import",
        14: "metadata_props",
    },
    repeated=frozenset({"opset_import", "metadata_props"}),
    integers=frozenset({"ir_version", "model_version"}),
)
OPSET = Message("opset_import", {1: "domain", 2: "version"}, integers=frozenset({"version"}))
INITIALIZERS = Message(
    "graph",
    {5: "initializer", 15: "sparse_initializer"},
    repeated=frozenset({"initializer", "sparse_initializer"}),
)
NODES = Message("graph", {1: "node"}, repeated=frozenset({"node"}))
FUNCTION = Message("function", {1: "name", 10: "domain"})
FUNCTION_NODES = Message("function", {7: "node"}, repeated=frozenset({"node"}))
OPERATOR = Message("node", {4: "op_type", 7: "domain"})
NODE_NAMES = Message("node", {2: "output", 3: "name"}, repeated=frozenset({"output"}))
ATTRIBUTES = Message("node", {5: "attribute"}, repeated=frozenset({"attribute"}))
ATTRIBUTE = Message("attribute", {1: "name"})
ATTRIBUTE_VALUES = Message(
    "attribute",
    {5: "tensor", 6: "graph", 11: "graphs", 22: "sparse_tensor"},
    repeated=frozenset({"graphs"}),
)
SPARSE = Message(
    "sparse tensor", {1: "values", 3: "dims"}, repeated=frozenset({"dims"}), integers=frozenset({"dims"})
)

MAX_DEPTH = 32  # about what the parsers of protocol buffers admit: three messages a graph, a hundred in all
STANDARD_DOMAINS = ("", "ai.onnx")

Scope = tuple[str, ...]


@dataclass(frozen=True)
class NamedWeight:
    """A tensor of a model with its name, and the nodes and attributes around the graph it is in."""

    scope: Scope
    name: str
    tensor: OnnxTensor


def model_metadata(wire: Wire) -> dict[str, str]:
    """Return what the model says about itself, as text: its own ``metadata_props``, and its fields as ``onnx.*``."""
    fields: dict[str, str] = {}
    opsets: list[str] = []
    own: dict[str, str] = {}
    for field, _, value, stop in wire.fields(ABOUT, 0, len(wire.data), counted=False):
        if field == "opset_import":
            opsets.append(_opset(wire, value, stop))
        elif field == "metadata_props":
            key, text = read_pair(wire, value, stop)
            if key in own:
                raise FormatError(f"{wire.path}: metadata_props: expected every key once, got {key!r} twice")
            own[key] = text
        elif field in ABOUT.integers:
            fields[f"onnx.{field}"] = str(value)
        elif stop > value:
            fields[f"onnx.{field}"] = wire.text(value, stop, f"{wire.path}: {field}")
    if opsets:
        fields["onnx.opset_import"] = ", ".join(opsets)
    return {**own, **fields}


def _opset(wire: Wire, begin: int, end: int) -> str:
    domain, version = "", 0
    for field, _, value, stop in wire.fields(OPSET, begin, end):
        if field == "domain":
            domain = wire.text(value, stop, wire.where("domain", value))
        else:
            version = value
    return f"{domain or 'ai.onnx'} {version}"


def model_weights(wire: Wire) -> Iterator[NamedWeight]:
    """Yield the weights of the graph, then those of the functions.

    Of a graph and every graph inside it: the initializers, then node by node the tensors of ``Constant`` nodes
    that look like weights: of floating-point or 8- or 4-bit type, with at least one axis. Other constants are
    shapes, axes and the like.
    """
    end, found = len(wire.data), False
    for field, _, value, stop in wire.fields(MODEL, 0, end):
        if field == "graph":
            found = True
            yield from _graph(wire, value, stop, ())
    if not found:
        raise FormatError(f"{wire.path}: expected a model with a graph, got none")
    for field, _, value, stop in wire.fields(MODEL, 0, end, counted=False):
        if field == "functions":
            about = {"name": "", "domain": ""}
            for name, _, begin, until in wire.fields(FUNCTION, value, stop):
                about[name] = wire.text(begin, until, wire.where(name, begin))
            label = ".".join(filter(None, (about["domain"], about["name"])))
            names: set[str] = set()
            for _, _, begin, until in wire.fields(FUNCTION_NODES, value, stop, counted=False):
                yield from _node(wire, begin, until, (label,), names)


def _graph(wire: Wire, begin: int, end: int, scope: Scope) -> Iterator[NamedWeight]:
    if len(scope) > 2 * MAX_DEPTH:
        raise FormatError(f"{wire.where('graph', begin)}: expected at most {MAX_DEPTH} graphs in each other")
    names: set[str] = set()
    for field, _, value, stop in wire.fields(INITIALIZERS, begin, end):
        sparse = field == "sparse_initializer"
        name, tensor = _sparse(wire, value, stop) if sparse else read_tensor(wire, value, stop)
        if not name:
            raise FormatError(f"{wire.where(field, value)}: expected a name, got none")
        _claim(wire, names, name, value)
        yield NamedWeight(scope, name, tensor)
    for _, _, value, stop in wire.fields(NODES, begin, end, counted=False):
        yield from _node(wire, value, stop, scope, names)


def _claim(wire: Wire, names: set[str], name: str, position: int) -> None:
    if name in names:
        raise FormatError(
            f"{wire.where('tensor', position)}: expected every name of a graph once, got {name!r} twice"
        )
    names.add(name)


def _node(wire: Wire, begin: int, end: int, scope: Scope, names: set[str]) -> Iterator[NamedWeight]:
    operator = {"op_type": "", "domain": ""}
    for field, _, value, stop in wire.fields(OPERATOR, begin, end):
        operator[field] = wire.text(value, stop, wire.where(field, value))
    constant = operator["op_type"] == "Constant" and operator["domain"] in STANDARD_DOMAINS
    output: str | None = None  # read when wanted, as is the name of an attribute: most nodes hold no tensors
    label = ""
    for _, _, value, stop in wire.fields(ATTRIBUTES, begin, end, counted=False):
        attribute: str | None = None
        for field, _, start, until in wire.fields(ATTRIBUTE_VALUES, value, stop):
            if output is None:
                output, name = _node_names(wire, begin, end)
                label = name or output or operator["op_type"]
            if field in ("graph", "graphs"):
                if attribute is None:
                    attribute = _attribute_name(wire, value, stop)
                yield from _graph(wire, start, until, (*scope, label, attribute))
            elif constant:
                sparse = field == "sparse_tensor"
                _, tensor = _sparse(wire, start, until) if sparse else read_tensor(wire, start, until)
                if sparse or _looks_like_a_weight(tensor):
                    if not output:
                        raise FormatError(
                            f"{wire.where('node', begin)}: expected a Constant with an output, got none"
                        )
                    _claim(wire, names, output, start)
                    yield NamedWeight(scope, output, tensor)


def _node_names(wire: Wire, begin: int, end: int) -> tuple[str, str]:
    """Return the first output of a node, and its name."""
    output, name = None, ""
    for field, _, value, stop in wire.fields(NODE_NAMES, begin, end, counted=False):
        if field == "name":
            name = wire.text(value, stop, wire.where(field, value))
        elif output is None:
            output = wire.text(value, stop, wire.where(field, value))
    return output or "", name


def _attribute_name(wire: Wire, begin: int, end: int) -> str:
    name = ""
    for field, _, value, stop in wire.fields(ATTRIBUTE, begin, end, counted=False):
        name = wire.text(value, stop, wire.where(field, value))
    return name


def _looks_like_a_weight(tensor: OnnxTensor) -> bool:
    element = tensor.element
    number = element.name.startswith(("float", "bfloat", "complex")) or element.name.endswith(
        ("int8", "int4", "int2")
    )
    return number and bool(tensor.shape)


def _sparse(wire: Wire, begin: int, end: int) -> tuple[str, OnnxTensor]:
    """Return a sparse tensor as one that cannot be read: it names a shape of any size whatever."""
    name, values = "", None
    for field, _, value, stop in wire.fields(SPARSE, begin, end):
        if field == "values":
            name, values = read_tensor(wire, value, stop)
    if values is None:
        raise FormatError(f"{wire.where('sparse tensor', begin)}: expected values, got none")
    element = ElementType(f"sparse {values.element.name}")
    problem = "expected a dense tensor, got a sparse one, which paring does not read"
    return name, OnnxTensor(element, values.shape, values.stored, "", 0, 0, None, problem)
