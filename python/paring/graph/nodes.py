"""Graphs as data: what is computed from what, and in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..weights import Weight

__all__ = ["Attribute", "Graph", "Input", "Node", "Shape"]

Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]
Shape = tuple[int | None, ...]
"""Sizes of a tensor's axes; None where only a run knows, such as the batch."""


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes
    ----------
    op : str
        ONNX's name of the operator, at opset 21.
    inputs : tuple of str
        Names of values; empty for an optional input that is left out.
    outputs : tuple of str
        Names of values, which no other node gives; empty for an output nobody wants.
    attributes : mapping of str to int, float, str or a tuple of these
        Under ONNX's names; those left out have ONNX's defaults.
    name : str
        For messages, and unique in a graph: the path of the layer it comes from.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))
        object.__setattr__(self, "outputs", tuple(self.outputs))
        frozen = {k: tuple(v) if isinstance(v, list) else v for k, v in self.attributes.items()}
        object.__setattr__(self, "attributes", MappingProxyType(frozen))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "attributes": dict(self.attributes)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**state, "attributes": MappingProxyType(state["attributes"])})

    def __str__(self) -> str:
        return f"{self.op} node {self.name!r}"


@dataclass(frozen=True)
class Input:
    """A value that a run is given.

    Attributes
    ----------
    name : str
    shape : tuple of int or None
    dtype : str
        NumPy's name.
    """

    name: str
    shape: Shape
    dtype: str = "float32"


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which every value is there before it is used.

    Attributes
    ----------
    nodes : tuple of Node
    initializers : dict of str to Weight
        Values that are there from the start: weights, statistics, constants. Arrays may be replaced in place of others
        of the same shape and dtype; the graph itself stays what it is.
    inputs : tuple of Input
    outputs : tuple of str
        Names of the values that a run gives.
    """

    nodes: tuple[Node, ...]
    initializers: dict[str, Weight]
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("nodes", "inputs", "outputs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
