"""The functional form: values that stand for what a model will compute, and operators on them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..formats.arrays import nbytes
from ..graph.nodes import Shape
from .arguments import check_name
from .building import Builder

if TYPE_CHECKING:
    from .layer import Layer

__all__ = ["Call", "Input", "Value", "call_layer", "calls_before", "check_shape"]

INPUT_DTYPES = ("float32", "float64", "int64", "int32", "bool")

# Calls are numbered as they are made, so that a model can sort them; `next` of it is atomic.
_NUMBERS = itertools.count()


@dataclass(frozen=True, eq=False)
class Call:
    """A layer applied to values.

    Attributes
    ----------
    layer : Layer
    values : tuple of Value
    name : str or None
        The place, if one was given.
    number : int
        Grows with each call: a call comes after those that made its values.
    """

    layer: Layer
    values: tuple[Value, ...]
    name: str | None
    number: int = field(default_factory=lambda: next(_NUMBERS))


class Value:
    """What a model will compute in one place, known by its shape only.

    `Input` makes the first, layers and the operators ``+ - * / @`` make others; numbers and arrays beside them become
    constants of the model.

    Attributes
    ----------
    shape : tuple of int or None
        None where only a run knows the size.
    dtype : str
        NumPy's name; a floating one is that of the model in the end.
    call : Call or None
        What makes it; None for an input.
    index : int
        Which output of the call it is.
    name : str
        Of an input; otherwise empty.
    """

    __slots__ = ("call", "dtype", "index", "name", "shape")
    # So that an array before an operator leaves it to us.
    __array_ufunc__ = None

    def __init__(
        self, shape: Shape, dtype: str, call: Call | None = None, index: int = 0, name: str = ""
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.call = call
        self.index = index
        self.name = name

    def __repr__(self) -> str:
        what = f"Input {self.name!r}" if self.call is None else f"Value of {self.call.layer.summary()}"
        return f"<{what}: {self.dtype} {self.shape}>"

    def reshape(self, *shape: int) -> Value:
        """Return the same numbers in another shape; -1 is what is left over, 0 the size that is in this place."""
        return _apply("Reshape", self, _integers(shape, "reshape"))

    def transpose(self, *axes: int) -> Value:
        """Return the axes in another order, turned around if none is given."""
        if not axes:
            return _apply("Transpose", self)
        order, rank = [int(axis) for axis in _integers(axes, "transpose")], len(self.shape)
        if sorted(axis + rank * (axis < 0) for axis in order) != list(range(rank)):
            raise ValueError(f"transpose: expected each of {rank} axes once, got {tuple(order)}")
        return _apply("Transpose", self, perm=tuple(axis % rank for axis in order))

    def __add__(self, other: Any) -> Value:
        return _apply("Add", self, other)

    def __radd__(self, other: Any) -> Value:
        return _apply("Add", other, self)

    def __sub__(self, other: Any) -> Value:
        return _apply("Sub", self, other)

    def __rsub__(self, other: Any) -> Value:
        return _apply("Sub", other, self)

    def __mul__(self, other: Any) -> Value:
        return _apply("Mul", self, other)

    def __rmul__(self, other: Any) -> Value:
        return _apply("Mul", other, self)

    def __truediv__(self, other: Any) -> Value:
        return _apply("Div", self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return _apply("Div", other, self)

    def __matmul__(self, other: Any) -> Value:
        return _apply("MatMul", self, other)

    def __rmatmul__(self, other: Any) -> Value:
        return _apply("MatMul", other, self)

    def __neg__(self) -> Value:
        return _apply("Neg", self)


def _apply(op: str, *values: Any, **attributes: Any) -> Value:
    # Operations are layers, which give values.
    from .operations import apply_one

    return apply_one(op, *values, **attributes)


def _integers(values: Sequence[Any], what: str) -> npt.NDArray[np.int64]:
    given = values[0] if len(values) == 1 and isinstance(values[0], (tuple, list)) else values
    if not all(isinstance(value, (int, np.integer)) and not isinstance(value, bool) for value in given):
        raise TypeError(f"{what}: expected ints, got {tuple(given)!r}")
    return np.array(list(given), np.int64)


def Input(shape: Sequence[int | None], dtype: str = "float32", name: str = "input") -> Value:  # noqa: N802
    """Return the value that a model is given, the start of the functional form.

    Parameters
    ----------
    shape : tuple of int or None
        With the batch; None where only a run knows the size.
    dtype : str
        "float32", "float64", "int64", "int32" or "bool".
    name : str
        Each input of a model has its own.

    Raises
    ------
    TypeError, ValueError
        If an argument is of another kind.

    Examples
    --------
    >>> from paring import nn
    >>> x = nn.Input((None, 8))
    >>> y = nn.ReLU()(nn.Linear(8, 8)(x)) + x
    >>> y
    <Value of Add: float32 (None, 8)>
    >>> model = nn.Model(x, y)
    """
    sizes = check_shape(shape, "shape")
    if dtype not in INPUT_DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(map(repr, INPUT_DTYPES))}, got {dtype!r}")
    return Value(sizes, dtype, name=check_name(name, "name"))


def check_shape(shape: object, label: str) -> Shape:
    """Return a shape as a tuple; TypeError or ValueError if it is none."""
    if not isinstance(shape, (tuple, list)):
        raise TypeError(
            f"{label}: expected a shape such as (None, 3, 32, 32), got {type(shape).__name__} {shape!r}"
        )
    for size in shape:
        if size is not None and (isinstance(size, bool) or not isinstance(size, (int, np.integer))):
            raise TypeError(f"{label}: expected ints and None, got {tuple(shape)!r}")
    sizes = tuple(None if size is None else int(size) for size in shape)
    try:
        nbytes([size for size in sizes if size is not None], np.dtype(np.float64))
    except ValueError as error:
        raise ValueError(f"{label}: {error}") from error
    return sizes


def call_layer(layer: Layer, values: Sequence[Value], name: str | None) -> tuple[Value, ...]:
    """Return the values after a layer, which is tried by building it alone."""
    for value in values:
        if not isinstance(value, Value):
            raise TypeError(
                f"{layer.summary()}: expected values of nn.Input or a layer, got {type(value).__name__}: "
                "a layer is a description, nn.Model(layer, shape) computes"
            )
    if name is not None:
        check_name(name, "name")
    builder = Builder(np.dtype(np.float32))
    symbols = [builder.add_input(f"{i}", value.shape, value.dtype) for i, value in enumerate(values)]
    results = builder.add_layer(layer.kind if name is None else name, layer, symbols)
    call = Call(layer, tuple(values), name)
    return tuple(Value(symbol.shape, symbol.dtype, call, i) for i, symbol in enumerate(results))


def calls_before(values: Iterable[Value]) -> tuple[list[Call], list[Value]]:
    """Return the calls that lead to values, in an order in which they can be made, and the inputs they start from."""
    calls: dict[int, Call] = {}
    inputs: dict[int, Value] = {}
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if value.call is None:
            inputs[id(value)] = value
        elif value.call.number not in calls:
            calls[value.call.number] = value.call
            waiting.extend(value.call.values)
    return [calls[number] for number in sorted(calls)], list(inputs.values())
