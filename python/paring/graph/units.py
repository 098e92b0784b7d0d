"""Units of a graph, hidden units and filters alike: which slices of which weights belong to one, and graphs of some.

A unit is a row of the weight that makes it, an entry of each vector it passes (bias, batch normalization), and columns
of the weights that use it: one each, or as many as a flattened map has places.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from .checking import check_graph, infer_shapes
from .nodes import Graph
from .operators import Array

__all__ = ["Slices", "UnitGroup", "keep_units"]


@dataclass(frozen=True)
class Slices:
    """The part of a weight that belongs to units: entries of an axis, `repeat` neighbours for each unit."""

    weight: str
    axis: int
    repeat: int = 1


@dataclass
class UnitGroup:
    """Units that are kept or removed together in all that makes, passes and uses them.

    Attributes
    ----------
    size : int
        How many units there are.
    made, passed, used : list of Slices
        Rows of weights that make the units, vectors on the way, columns of weights that use them.
    depthwise : list of str
        Names of the nodes of depthwise convolutions on the way.
    """

    size: int
    made: list[Slices] = field(default_factory=list)
    passed: list[Slices] = field(default_factory=list)
    used: list[Slices] = field(default_factory=list)
    depthwise: list[str] = field(default_factory=list)

    @property
    def slices(self) -> list[Slices]:
        return [*self.made, *self.passed, *self.used]


def keep_units(graph: Graph, kept: Iterable[tuple[UnitGroup, npt.NDArray[np.intp]]]) -> Graph:
    """Return a graph with some units only: of each group those at the places given, ascending."""
    initializers = dict(graph.initializers)
    counts: dict[str, int] = {}
    for group, units in kept:
        for part in group.slices:
            places = (units[:, None] * part.repeat + np.arange(part.repeat)).reshape(-1)
            weight: Array = initializers[part.weight]  # type: ignore[assignment]
            initializers[part.weight] = np.ascontiguousarray(np.take(weight, places, part.axis))
        counts.update(dict.fromkeys(group.depthwise, len(units)))
    nodes = tuple(
        replace(node, attributes={**node.attributes, "group": counts[node.name]})
        if node.name in counts
        else node
        for node in graph.nodes
    )
    result = Graph(nodes, initializers, graph.inputs, graph.outputs)
    check_graph(result)
    infer_shapes(result)
    return result
