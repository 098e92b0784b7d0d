"""From layers or values to a graph without weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..graph.checking import check_graph
from ..graph.nodes import Graph, Input, Node
from ..graph.uses import prune_initializers
from .arguments import check_name
from .building import Builder, Symbol, WeightSpec
from .layer import Layer
from .state import is_weight
from .summary import Row, rows_of_nodes
from .values import Call, Value, calls_before, check_shape

__all__ = ["Assembly", "adopt_graph", "assemble_layer", "assemble_values", "check_dtype"]

Named = Value | Sequence[Value] | Mapping[str, Value]


@dataclass(frozen=True)
class Assembly:
    """A graph whose weights are still to be made.

    Attributes
    ----------
    nodes, inputs, outputs : tuple
        As of a `Graph`.
    specs : dict of str to WeightSpec
        The weights, in the order of a state dict.
    constants : dict of str to ndarray
    rows : tuple of Row
    dtype : numpy.dtype
        Of weights.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    specs: dict[str, WeightSpec]
    constants: dict[str, npt.NDArray[Any]]
    rows: tuple[Row, ...]
    dtype: np.dtype[Any]


def check_dtype(dtype: object) -> np.dtype[Any] | None:
    """Return the dtype of weights; ValueError unless it is float32 or float64 (or None)."""
    if dtype is None:
        return None
    try:
        found = np.dtype(dtype)  # type: ignore[call-overload]
    except TypeError:
        found = None
    if found not in (np.float32, np.float64):
        raise ValueError(f"dtype: expected 'float32' or 'float64', got {dtype!r}")
    return found  # type: ignore[no-any-return]


def assemble_layer(layer: Layer, shape: object, dtype: np.dtype[Any] | None) -> Assembly:
    """Return the graph of a layer that is given arrays of a shape."""
    if shape is None:
        raise TypeError(
            f"expected the shape of its input after a layer: Model({layer.summary()}, (None, ...))"
        )
    builder = Builder(dtype or np.dtype(np.float32))
    kind = "int64" if layer.takes_integers else builder.dtype.name
    x = builder.add_input("input", check_shape(shape, "input shape"), kind)
    (y,) = builder.add_layer("", layer, [x])
    return _finish(builder, {"output": y})


def assemble_values(inputs: Any, outputs: Any, dtype: np.dtype[Any] | None) -> Assembly:
    """Return the graph between inputs and outputs of the functional form."""
    starts = [inputs] if isinstance(inputs, Value) else list(inputs)
    ends = _named_outputs(outputs)
    calls, found = calls_before(ends.values())
    _check_inputs(starts, found)
    floats = sorted({value.dtype for value in starts if np.dtype(value.dtype).kind == "f"})
    if len(floats) > 1 or (dtype is not None and floats not in ([], [dtype.name])):
        asked = "" if dtype is None else f" and weights of {dtype}"
        raise ValueError(f"expected one dtype in a model, got inputs of {' and '.join(floats)}{asked}")
    builder = Builder(np.dtype(floats[0]) if floats else dtype or np.dtype(np.float32))
    symbols: dict[tuple[int, int], Symbol] = {}
    for value in starts:
        symbols[id(value), 0] = builder.add_input(value.name, value.shape, value.dtype)

    def symbol_of(value: Value) -> Symbol:
        return symbols[(id(value) if value.call is None else id(value.call)), value.index]

    names = _name_calls(calls)
    for call in calls:
        results = builder.add_layer(names[call.number], call.layer, [symbol_of(x) for x in call.values])
        symbols.update({(id(call), i): symbol for i, symbol in enumerate(results)})
    return _finish(builder, {name: symbol_of(value) for name, value in ends.items()})


def _named_outputs(outputs: Any) -> dict[str, Value]:
    named: dict[Any, Any]
    if isinstance(outputs, Value):
        named = {"output": outputs}
    elif isinstance(outputs, Mapping):
        named = dict(outputs)
    elif isinstance(outputs, (tuple, list)):
        named = {f"output{i}": value for i, value in enumerate(outputs)}
    else:
        raise TypeError(
            f"outputs: expected a value, several, or a mapping of names to values, got {type(outputs).__name__}"
        )
    for name, value in named.items():
        check_name(name, "name of an output")
        if not isinstance(value, Value):
            raise TypeError(f"output {name!r}: expected a value of a layer, got {type(value).__name__}")
    if not named:
        raise ValueError("outputs: expected one value or more, got none")
    return named


def _check_inputs(starts: Sequence[Value], found: Sequence[Value]) -> None:
    for value in starts:
        if not isinstance(value, Value) or value.call is not None:
            raise TypeError(f"inputs: expected values of nn.Input, got {value!r}")
    names = [value.name for value in starts]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"inputs: expected a name of its own for each, nn.Input(shape, name=...), got {name!r} twice"
            )
    given = set(map(id, starts))
    for value in found:
        if id(value) not in given:
            raise ValueError(
                f"inputs: expected all that the outputs depend on, got no {value!r} (of the same object)"
            )
    needed = set(map(id, found))
    for value in starts:
        if id(value) not in needed:
            raise ValueError(f"inputs: expected what the outputs depend on, got {value!r} as well")


def _name_calls(calls: Sequence[Call]) -> dict[int, str]:
    """Return the places of calls, by their numbers: as named, or the kind of layer and a count."""
    names = {call.number: call.name for call in calls if call.name is not None}
    taken = set(names.values())
    counts: dict[str, int] = {}
    for call in calls:
        if call.name is None:
            kind = call.layer.kind
            while (name := f"{kind}_{counts.get(kind, 0)}") in taken:
                counts[kind] = counts.get(kind, 0) + 1
            taken.add(name)
            names[call.number] = name
    return names


def _finish(builder: Builder, outputs: Mapping[str, Symbol]) -> Assembly:
    """Return what was built, with the outputs under their names."""
    of_inputs = {value.name for value in builder.inputs}
    new_names: dict[str, str] = {}
    for name, symbol in outputs.items():
        if symbol.name in of_inputs or symbol.name in new_names:
            # An input, or a value that is an output already, gets another name by a node.
            (symbol,) = builder.add_node(f"{name}:same", "Identity", [symbol], 1, {})
        new_names[symbol.name] = name
    nodes = tuple(
        replace(
            node,
            inputs=tuple(new_names.get(value, value) for value in node.inputs),
            outputs=tuple(new_names.get(value, value) for value in node.outputs),
        )
        for node in builder.nodes
    )
    clashes = sorted({*of_inputs, *outputs} & set(builder.specs)) or sorted(of_inputs & set(outputs))
    if clashes:
        raise ValueError(
            f"expected names of their own for inputs, outputs and weights, got {clashes[0]!r} for two of them"
        )
    rows = tuple(replace(row, output=new_names.get(row.output, row.output)) for row in builder.rows)
    return Assembly(
        nodes, tuple(builder.inputs), tuple(outputs), builder.specs, builder.constants, rows, builder.dtype
    )


def adopt_graph(graph: Graph) -> tuple[Graph, tuple[str, ...], tuple[Row, ...]]:
    """Return a graph with arrays of its own, the names of its weights and statistics, and a row for each node."""
    check_graph(graph)
    pruned = prune_initializers(graph)
    initializers = {
        name: np.array(weight, order="C") if isinstance(weight, np.ndarray) else weight
        for name, weight in pruned.initializers.items()
    }
    owned = Graph(pruned.nodes, initializers, pruned.inputs, pruned.outputs)
    state = tuple(name for name, weight in initializers.items() if is_weight(weight) and weight.shape)
    return owned, state, rows_of_nodes(owned, state)
