"""From descriptions of layers to nodes of a graph: names, shapes, and how each weight starts.

A layer writes itself into a `Scope`, which knows its place in the model. Weights are named by places, as PyTorch names
them: ``features.0.weight``. Values inside have a colon in their names, which places have not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..graph.nodes import Attribute, Input, Node, Shape
from ..graph.operators import Known
from ..graph.ops import find_operator
from .initialization import Initial
from .summary import Row

if TYPE_CHECKING:
    from .layer import Layer

__all__ = ["Builder", "Scope", "Symbol", "WeightSpec"]

DTYPE_OF_RESULT = {
    "Equal": "bool",
    "Greater": "bool",
    "Less": "bool",
    "Not": "bool",
    "Shape": "int64",
    "ArgMax": "int64",
}
CAST_DTYPES = {1: "float32", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}
VALUE_INPUT = {"Where": 1}
"""Which input an operator's output has the dtype of, where it is not the first."""


@dataclass(frozen=True)
class Symbol:
    """A value of the graph that is being built.

    Attributes
    ----------
    name : str
    shape : tuple of int or None
    dtype : str
        NumPy's name.
    """

    name: str
    shape: Shape
    dtype: str


@dataclass(frozen=True)
class WeightSpec:
    """What a weight will be.

    Attributes
    ----------
    shape : tuple of int
    initial : Initial
    is_statistic : bool
        Whether it follows the data instead of a gradient.
    """

    shape: tuple[int, ...]
    initial: Initial
    is_statistic: bool = False


class Builder:
    """A graph that is being built.

    Attributes
    ----------
    dtype : numpy.dtype
        Of weights.
    nodes : list of Node
    inputs : list of Input
    specs : dict of str to WeightSpec
        The weights, in the order of a state dict.
    constants : dict of str to ndarray
        Initializers that are no weights.
    rows : list of Row
        The layers, for the table of the model.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.nodes: list[Node] = []
        self.inputs: list[Input] = []
        self.specs: dict[str, WeightSpec] = {}
        self.constants: dict[str, npt.NDArray[Any]] = {}
        self.rows: list[Row] = []
        self._shapes: dict[str, Any] = {}
        self._names: set[str] = set()
        self._layers: dict[str, Layer] = {}
        self._claimed: set[str] = set()

    def add_input(self, name: str, shape: Shape, dtype: str) -> Symbol:
        """Add an input of the graph."""
        self.inputs.append(Input(name, shape, dtype))
        self._shapes[name] = shape
        return Symbol(name, shape, dtype)

    def add_layer(self, path: str, layer: Layer, inputs: Sequence[Symbol]) -> tuple[Symbol, ...]:
        """Write a layer at a place. The same description at the same place again shares the weights.

        Raises
        ------
        ValueError
            If the place is another layer's, or the layer does not take such inputs.
        """
        other = self._layers.setdefault(path, layer)
        if other is not layer and other != layer:
            raise ValueError(
                f"layer {path!r}: expected a name of its own for {layer.summary()}, "
                f"got that of {other.summary()}"
            )
        least, most = layer.input_counts
        if len(inputs) < least or (most is not None and len(inputs) > most):
            wanted = "one value" if most == 1 else f"{least} or {most} values" if most else f"{least} or more"
            raise ValueError(f"layer {path!r}, {layer.summary()}: expected {wanted}, got {len(inputs)}")
        before = set(self.specs)
        outputs = layer.build(Scope(self, path, layer), *inputs)
        results = outputs if isinstance(outputs, tuple) else (outputs,)
        if layer.is_listed:
            own = tuple(name for name in self.specs if name not in before and name not in self._claimed)
            self._claimed.update(own)
            self.rows.append(Row(path, layer.summary(), results[0].name, own))
        return results

    def add_weight(self, name: str, spec: WeightSpec) -> Symbol:
        """Add a weight; the same again is the same weight."""
        known = self.specs.setdefault(name, spec)
        if known != spec:
            raise ValueError(
                f"weight {name!r}: expected one layer with it, got shapes {known.shape} and {spec.shape}"
            )
        self._shapes[name] = spec.shape
        return Symbol(name, spec.shape, self.dtype.name)

    def add_constant(self, name: str, array: npt.NDArray[Any]) -> Symbol:
        """Add an initializer that is no weight."""
        name = self._find_name(name)
        self.constants[name] = array
        self._shapes[name] = Known.of(array) if array.dtype.kind in "iub" else array.shape
        return Symbol(name, array.shape, array.dtype.name)

    def add_node(
        self,
        name: str,
        op: str,
        inputs: Sequence[Symbol | None],
        outputs: int,
        attributes: Mapping[str, Attribute],
    ) -> tuple[Symbol, ...]:
        """Add a node and return its outputs; ValueError that names it if shapes do not fit."""
        name = self._find_name(name)
        endings = [""] if outputs == 1 else [str(i) for i in range(outputs)]
        values = [self._find_name(f"{name}:out{ending}") for ending in endings]
        node = Node(op, tuple("" if x is None else x.name for x in inputs), tuple(values), attributes, name)
        operator = find_operator(op, str(node))
        try:
            shapes = operator.infer(node, [None if x is None else self._shapes[x.name] for x in inputs])
            if len(shapes) < outputs:
                raise ValueError(f"expected at most {len(shapes)} outputs, got {outputs}")
        except (ValueError, IndexError, TypeError) as error:
            raise ValueError(f"{node}: {error}") from error
        self.nodes.append(node)
        dtype = _dtype_of(op, inputs, attributes) or self.dtype.name
        found = tuple(
            Symbol(value, tuple(shape), dtype) for value, shape in zip(values, shapes, strict=False)
        )
        self._shapes.update({symbol.name: symbol.shape for symbol in found})
        return found

    def _find_name(self, name: str) -> str:
        """Return a name like this one that nothing has yet, and take it."""
        found, count = name, 1
        while found in self._names:
            count += 1
            found = f"{name}:{count}"
        self._names.add(found)
        return found


@dataclass(frozen=True)
class Scope:
    """The place in a model where a layer writes itself.

    Attributes
    ----------
    builder : Builder
    path : str
        The name of the place; empty for a layer that is the whole model.
    layer : Layer
    """

    builder: Builder
    path: str
    layer: Layer

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of weights."""
        return self.builder.dtype

    def child(self, name: str) -> str:
        """Return the place of that name inside this one."""
        return f"{self.path}.{name}" if self.path else name

    def expect(self, fits: bool, expected: str, got: object) -> None:
        """Raise ValueError that names place and layer unless the inputs fit."""
        if not fits:
            raise ValueError(f"layer {self.path!r}, {self.layer.summary()}: expected {expected}, got {got}")

    def add(self, name: str, layer: Layer, *inputs: Symbol) -> Symbol:
        """Write a layer inside this one and return its output."""
        return self.builder.add_layer(self.child(name), layer, inputs)[0]

    def weight(self, name: str, shape: tuple[int, ...], initial: Initial) -> Symbol:
        """Add a weight that training changes."""
        return self.builder.add_weight(self.child(name), WeightSpec(shape, initial))

    def statistic(self, name: str, shape: tuple[int, ...], value: float) -> Symbol:
        """Add numbers that follow the data in training and belong to the state of the model."""
        return self.builder.add_weight(self.child(name), WeightSpec(shape, Initial("constant", value), True))

    def constant(self, part: str, value: Any, dtype: Any = None) -> Symbol:
        """Add numbers that never change, of the dtype of weights if nothing else is said."""
        array = np.array(value, self.dtype if dtype is None else dtype)
        return self.builder.add_constant(f"{self.path or self.layer.kind}:{part}", array)

    def node(self, op: str, *inputs: Symbol | None, part: str = "", **attributes: Attribute) -> Symbol:
        """Add a node with one output; `part` tells several of a layer apart."""
        return self.nodes(op, *inputs, part=part, outputs=1, **attributes)[0]

    def nodes(
        self, op: str, *inputs: Symbol | None, part: str = "", outputs: int, **attributes: Attribute
    ) -> tuple[Symbol, ...]:
        """Add a node with several outputs."""
        path = self.path or self.layer.kind
        return self.builder.add_node(f"{path}:{part}" if part else path, op, inputs, outputs, attributes)


def _dtype_of(op: str, inputs: Sequence[Symbol | None], attributes: Mapping[str, Attribute]) -> str | None:
    """Return the dtype of a node's outputs; None if it follows from nothing here."""
    if op in DTYPE_OF_RESULT:
        return DTYPE_OF_RESULT[op]
    if op == "Constant":
        return "float32" if {"value_float", "value_floats"} & set(attributes) else "int64"
    if op == "Cast":
        return next((name for number, name in CAST_DTYPES.items() if number == attributes.get("to")), None)
    first = inputs[VALUE_INPUT.get(op, 0)] if inputs else None
    return None if first is None else first.dtype
