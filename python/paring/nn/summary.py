"""A model as a table of its layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import printable
from ..graph.nodes import Graph, Shape
from ..weights import Weight

__all__ = ["Row", "format_model", "rows_of_cut", "rows_of_nodes"]


@dataclass(frozen=True)
class Row:
    """One layer.

    Attributes
    ----------
    name : str
        Its place in the model.
    layer : str
        What it is.
    output : str
        The value that it gives.
    weights : tuple of str
        The weights that are its own and no row's before it.
    """

    name: str
    layer: str
    output: str
    weights: tuple[str, ...]


def rows_of_nodes(graph: Graph, state: Sequence[str]) -> tuple[Row, ...]:
    """Return a row for each node of a graph that no layers made."""
    waiting = set(state)
    rows = []
    for node in graph.nodes:
        own = tuple(dict.fromkeys(name for name in node.inputs if name in waiting))
        waiting.difference_update(own)
        rows.append(Row(node.name, node.op, next(filter(None, node.outputs), ""), own))
    return tuple(rows)


def rows_of_cut(
    rows: Sequence[Row], before: Mapping[str, Weight], after: Mapping[str, Weight]
) -> tuple[Row, ...]:
    """Return rows for weights of other shapes: a layer that has another size than it says, says so."""
    return tuple(
        replace(row, layer=f"{row.layer}, cut")
        if not row.layer.endswith(", cut")
        and any(before[name].shape != after[name].shape for name in row.weights)
        else row
        for row in rows
    )


def format_model(
    graph: Graph,
    rows: Sequence[Row],
    shapes: Mapping[str, Shape],
    count: Callable[[Sequence[str]], int],
    totals: tuple[int, int],
    size: int,
) -> str:
    """Return the table of a model: `count` gives the parameters of some weights, `totals` all and the trainable."""
    inputs = ", ".join(f"{value.name} {value.dtype} {value.shape}" for value in graph.inputs)
    outputs = ", ".join(f"{name} {shapes[name]}" for name in graph.outputs)
    lines = [("layer", "kind", "output", "parameters")]
    for row in rows:
        shape = str(shapes[row.output]) if row.output in shapes else ""
        lines.append((printable(row.name), printable(row.layer), shape, f"{count(row.weights):,}"))
    widths = [max(len(line[i]) for line in lines) for i in range(4)]
    return "\n".join(
        [
            printable(f"Model: {inputs} -> {outputs}"),
            *("  ".join([*map(str.ljust, line[:3], widths), line[3].rjust(widths[3])]) for line in lines),
            f"{totals[0]:,} parameters, {totals[1]:,} of them trainable, {size:,} bytes",
        ]
    )
