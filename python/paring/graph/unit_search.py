"""Which units of a graph can be removed, found by following them from the weights that make them.

Units that are added to each other go together. Where an operator does something else with them, or the caller of the
graph sees them, they stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .checking import infer_shapes
from .nodes import Graph, Node
from .units import Slices, UnitGroup
from .uses import consumers, is_plain_product

__all__ = ["find_units"]

ALIKE = frozenset(
    (
        *(
            "Abs",
            "Cast",
            "Clip",
            "Dropout",
            "Elu",
            "Erf",
            "Exp",
            "Gelu",
            "HardSigmoid",
            "HardSwish",
            "Identity",
        ),
        *("LeakyRelu", "Log", "Neg", "Reciprocal", "Relu", "Sigmoid", "Softplus", "Sqrt", "Swish", "Tanh"),
    )
)
"""Operators whose units are those of their first input; other inputs must be single numbers."""
POOLS = frozenset(("AveragePool", "GlobalAveragePool", "MaxPool"))
BETWEEN = frozenset(("Add", "Sub", "Mul", "Div", "Max", "Min"))


@dataclass(frozen=True)
class _Place:
    """Where in a value units lie."""

    group: int
    axis: int
    repeat: int = 1


def find_units(graph: Graph) -> list[UnitGroup]:
    """Return the groups of units that can be removed, in the order in which they are made.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    walk = _Walk(graph)
    for node in graph.nodes:
        walk.visit(node)
    return walk.removable()


class _Walk:
    """Follows units through a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.shapes = infer_shapes(graph)
        self.groups: list[UnitGroup] = []
        self.parents: list[int] = []
        self.fixed: set[int] = set()
        self.places: dict[str, _Place] = {}
        self.turned: dict[str, str] = {}

    def visit(self, node: Node) -> None:
        if node.op == "Transpose" and node.inputs[0] in self.graph.initializers:
            if node.attributes.get("perm", (1, 0)) == (1, 0):
                self.turned[node.outputs[0]] = node.inputs[0]
        elif (
            is_plain_product(node)
            and self._matrix(node.inputs[1])
            and node.inputs[0] not in self.graph.initializers
        ):
            self._product(node)
        elif node.op == "Conv" and self._matrix(node.inputs[1]):
            self._convolution(node)
        elif node.op == "BatchNormalization":
            self._pass(node, node.inputs[1:5])
        elif node.op in POOLS:
            self._pass(node, ())
        elif node.op in ALIKE:
            self._alike(node)
        elif node.op in BETWEEN:
            self._between(node)
        elif node.op == "Flatten" and node.attributes.get("axis", 1) == 1:
            self._flatten(node)
        else:
            self._fix(*node.inputs)

    def _matrix(self, name: str) -> bool:
        weight = self.graph.initializers.get(self.turned.get(name, name))
        return isinstance(weight, np.ndarray) and weight.ndim >= 2

    def _product(self, node: Node) -> None:
        x, weight = node.inputs[0], self.turned.get(node.inputs[1], node.inputs[1])
        rows_first = (weight != node.inputs[1]) != bool(node.attributes.get("transB", 0))
        out_axis = 0 if rows_first else 1
        last = len(self.shapes[x]) - 1
        shape = self.graph.initializers[weight].shape
        if len(shape) != 2:
            self._fix(x)
            return
        self._use(x, last, weight, 1 - out_axis)
        bias = (*node.inputs, "")[2]
        self._make(node, weight, out_axis, bias, len(self.shapes[node.outputs[0]]) - 1)

    def _convolution(self, node: Node) -> None:
        x, weight = node.inputs[:2]
        groups = node.attributes.get("group", 1)
        place = self.places.get(x)
        shape = self.graph.initializers[weight].shape
        if groups == 1:
            self._use(x, 1, weight, 1)
            self._make(node, weight, 0, (*node.inputs, "")[2], 1)
        elif place is not None and place == _Place(place.group, 1) and (groups, shape[1]) == (shape[0], 1):
            self._pass(node, [name for name in node.inputs[1:] if name])
            self._group(place).depthwise.append(node.name)
        else:
            self._fix(x)

    def _use(self, x: str, axis: int, weight: str, weight_axis: int) -> None:
        place = self.places.get(x)
        if place is None:
            return
        if place.axis != axis:
            self._fix(x)
        else:
            self._group(place).used.append(Slices(weight, weight_axis, place.repeat))

    def _make(self, node: Node, weight: str, axis: int, bias: str, place: int) -> None:
        group = UnitGroup(self.graph.initializers[weight].shape[axis], [Slices(weight, axis)])
        self.groups.append(group)
        self.parents.append(len(self.groups) - 1)
        self.places[node.outputs[0]] = _Place(len(self.groups) - 1, place)
        if bias:
            if self._is_vector(bias, group.size):
                group.passed.append(Slices(bias, 0))
            else:
                self._fix(node.outputs[0])

    def _pass(self, node: Node, vectors: Any) -> None:
        """Units of the first input pass entries of vectors, or filters of their own."""
        place = self.places.get(node.inputs[0])
        if place is None:
            return
        group = self._group(place)
        known = all(isinstance(self.graph.initializers.get(name), np.ndarray) for name in vectors)
        if place.axis != 1 or place.repeat != 1 or not known:
            self._fix(node.inputs[0])
            return
        group.passed += [Slices(name, 0) for name in vectors]
        self.places[node.outputs[0]] = place

    def _alike(self, node: Node) -> None:
        place = self.places.get(node.inputs[0])
        if place is not None and all(math.prod(self._sizes(name)) == 1 for name in node.inputs[1:] if name):
            self.places[node.outputs[0]] = place
        else:
            self._fix(*node.inputs)

    def _between(self, node: Node) -> None:
        moving = [name for name in node.inputs if name not in self.graph.initializers]
        places = [self.places.get(name) for name in moving]
        rank = len(self.shapes[node.outputs[0]])
        first = places[0] if places else None
        same = all(
            place is not None
            and first is not None
            and (place.axis, place.repeat) == (first.axis, first.repeat)
            for place in places
        )
        if not same or first is None or any(self.shapes[name] != self.shapes[moving[0]] for name in moving):
            self._fix(*node.inputs)
            return
        for place in places[1:]:
            if place is not None and not self._join(first, place):
                self._fix(*node.inputs)
                return
        for name in node.inputs:
            weight = self.graph.initializers.get(name)
            if weight is None:
                continue
            axis = first.axis - (rank - len(weight.shape))
            if axis < 0 or weight.shape[axis] == 1:
                continue
            if not isinstance(weight, np.ndarray) or len(self.shapes[moving[0]]) != rank:
                self._fix(*node.inputs)
                return
            self._group(first).passed.append(Slices(name, axis, first.repeat))
        self.places[node.outputs[0]] = first

    def _flatten(self, node: Node) -> None:
        place = self.places.get(node.inputs[0])
        if place is None:
            return
        sizes = self.shapes[node.inputs[0]][2:]
        if place.axis != 1 or None in sizes:
            self._fix(node.inputs[0])
            return
        self.places[node.outputs[0]] = _Place(place.group, 1, place.repeat * math.prod(sizes))  # type: ignore[arg-type]

    def _sizes(self, name: str) -> tuple[int, ...]:
        return tuple(0 if size is None else size for size in self.shapes[name])

    def _is_vector(self, name: str, size: int) -> bool:
        vector = self.graph.initializers.get(name)
        return isinstance(vector, np.ndarray) and vector.shape == (size,)

    def _root(self, number: int) -> int:
        while self.parents[number] != number:
            number = self.parents[number]
        return number

    def _group(self, place: _Place) -> UnitGroup:
        return self.groups[self._root(place.group)]

    def _join(self, a: _Place, b: _Place) -> bool:
        """Make one group of two; False if they are of different sizes."""
        first, second = sorted((self._root(a.group), self._root(b.group)))
        if first == second:
            return True
        kept, gone = self.groups[first], self.groups[second]
        if kept.size != gone.size:
            return False
        self.parents[second] = first
        for name in ("made", "passed", "used", "depthwise"):
            getattr(kept, name).extend(getattr(gone, name))
        if second in self.fixed:
            self.fixed.add(first)
        return True

    def _fix(self, *names: str) -> None:
        for name in names:
            place = self.places.get(name)
            if place is not None:
                self.fixed.add(self._root(place.group))

    def removable(self) -> list[UnitGroup]:
        self._fix(*self.graph.outputs)
        users = consumers(self.graph.nodes)
        fixed = {self._root(number) for number in self.fixed}
        result = []
        for number, group in enumerate(self.groups):
            if self._root(number) != number or number in fixed or not group.used:
                continue
            weights = {part.weight for part in group.slices}
            if all(len(users[name]) == 1 and name not in self.graph.outputs for name in weights):
                result.append(group)
        return result
