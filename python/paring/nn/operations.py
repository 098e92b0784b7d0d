"""Any operator of a graph as a layer of the functional form."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..graph.nodes import Attribute
from ..graph.ops import OPERATORS
from .building import Scope, Symbol
from .layer import Layer
from .values import Value, call_layer

__all__ = ["apply", "apply_one", "concat", "softmax"]


RECKONED = {"Equal": (0, 1), "Greater": (0, 1), "Less": (0, 1), "Pad": (0, 2)}
"""Inputs that are numbers like those beside them, where they are others than those with gradients."""


class _Place:
    """Where a value goes among the operands of an operation."""


@dataclass(frozen=True, eq=False, repr=False)
class Operation(Layer):
    """An operator with its attributes, and what it takes besides values: arrays, numbers, None for one left out."""

    input_counts: ClassVar[tuple[int, int | None]] = (0, None)

    op: str
    attributes: dict[str, Attribute]
    operands: tuple[Any, ...]
    outputs: int

    def build(self, scope: Scope, *inputs: Symbol) -> tuple[Symbol, ...]:
        values = iter(inputs)
        floats = [symbol.dtype for symbol in inputs if np.dtype(symbol.dtype).kind == "f"]
        beside = np.dtype((floats or [symbol.dtype for symbol in inputs] or [scope.dtype.name])[0])
        symbols: list[Symbol | None] = []
        for i, operand in enumerate(self.operands):
            if isinstance(operand, _Place):
                symbols.append(next(values))
            elif operand is None:
                symbols.append(None)
            else:
                symbols.append(scope.constant(f"input{i}", operand, self._dtype_of(i, operand, beside)))
        return scope.nodes(self.op, *symbols, outputs=self.outputs, **self.attributes)  # type: ignore[arg-type]

    def _dtype_of(self, place: int, operand: Any, beside: np.dtype[Any]) -> np.dtype[Any]:
        """Return the dtype of a constant: floats have that of the values, and so have ints that are reckoned with."""
        array = np.asarray(operand)
        if array.dtype.kind == "f":
            if beside.kind != "f":
                raise ValueError(f"{self.op}: expected {beside} beside values of {beside}, got {operand!r}")
            return beside
        places = RECKONED.get(self.op, OPERATORS[self.op].differentiable)
        is_number = not isinstance(operand, np.ndarray) and array.dtype.kind in "iu"
        return beside if is_number and (places is None or place in places) else array.dtype

    @property
    def kind(self) -> str:
        return self.op.lower()

    def summary(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.attributes.items())
        return f"{self.op}({shown})" if shown else self.op

    __repr__ = summary


def apply(
    op: str, *inputs: Any, outputs: int = 1, name: str | None = None, **attributes: Any
) -> Value | tuple[Value, ...]:
    """Return what an operator of ONNX gives for values: everything that has no layer of its own.

    Parameters
    ----------
    op : str
        The operator's name, at opset 21.
    *inputs : Value, array, number or None
        Arrays and numbers are constants. Floating ones get the dtype of the values beside them, and so do Python's
        ints where they are reckoned with (not as indices). None leaves an optional input out.
    outputs : int
        How many outputs are wanted.
    name : str, optional
        Of the node.
    **attributes : int, float, str, or tuple of these
        By ONNX's names.

    Returns
    -------
    Value or tuple of Value
        A tuple if `outputs` is not 1.

    Raises
    ------
    TypeError, ValueError
        If there is no such operator, or it does not take such inputs or attributes.

    Examples
    --------
    >>> import numpy as np
    >>> from paring import nn
    >>> x = nn.Input((None, 6))
    >>> nn.apply("ReduceMean", x, np.array([1]), keepdims=0)
    <Value of ReduceMean(keepdims=0): float32 (None,)>
    >>> first, second = nn.apply("Split", x, axis=1, num_outputs=2, outputs=2)
    >>> second.shape
    (None, 3)
    """
    operator = OPERATORS.get(op)
    if operator is None:
        raise ValueError(f"op: expected one of {', '.join(sorted(OPERATORS))}, got {op!r}")
    if isinstance(outputs, bool) or not isinstance(outputs, int) or outputs < 1:
        raise ValueError(f"outputs: expected an int of at least 1, got {outputs!r}")
    for value in inputs:
        if not isinstance(value, (Value, np.ndarray, numbers.Real, np.generic)) and value is not None:
            raise TypeError(
                f"{op}: expected values, arrays and numbers, got {type(value).__name__} {value!r}"
            )
    known = {key: _attribute(op, key, value) for key, value in attributes.items()}
    if operator.attributes is not None and (odd := sorted(set(known) - set(operator.attributes))):
        allowed = ", ".join(map(repr, operator.attributes)) or "none"
        raise ValueError(f"{op}: expected attributes of {allowed}, got {odd[0]!r}")
    if operator.inputs is not None:
        least, most = operator.inputs
        if len(inputs) < least or (most is not None and len(inputs) > most):
            wanted = f"{least}" if most == least else f"{least} to {most}" if most else f"{least} or more"
            raise ValueError(f"{op}: expected {wanted} inputs, got {len(inputs)}")
    operands = tuple(
        _Place() if isinstance(x, Value) else x.copy() if isinstance(x, np.ndarray) else x for x in inputs
    )
    values = [x for x in inputs if isinstance(x, Value)]
    found = call_layer(Operation(op, known, operands, outputs), values, name)
    return found[0] if outputs == 1 else found


def apply_one(op: str, *inputs: Any, name: str | None = None, **attributes: Any) -> Value:
    """Return the one output of an operator."""
    result = apply(op, *inputs, name=name, **attributes)
    assert isinstance(result, Value)
    return result


def _attribute(op: str, key: str, value: Any) -> Attribute:
    items = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    kinds: tuple[Any, ...] = ((int,), (int, float), (str,))
    if not any(all(isinstance(x, kind) and not isinstance(x, bool) for x in items) for kind in kinds):
        raise TypeError(
            f"{op}: attribute {key!r}: expected an int, float, str or a tuple of one kind, got {value!r}"
        )
    result: Attribute = items if isinstance(value, (tuple, list)) else value
    return result


def concat(values: Sequence[Value], axis: int, *, name: str | None = None) -> Value:
    """Return values one after the other along an axis.

    >>> from paring import nn
    >>> x = nn.Input((None, 3))
    >>> nn.concat([x, x], axis=1).shape
    (None, 6)
    """
    return apply_one("Concat", *values, name=name, axis=axis)


def softmax(value: Value, axis: int = -1, *, name: str | None = None) -> Value:
    """Return ``exp(x) / sum(exp(x))`` along an axis.

    >>> from paring import nn
    >>> nn.softmax(nn.Input((None, 3)))
    <Value of Softmax(axis=-1): float32 (None, 3)>
    """
    return apply_one("Softmax", value, name=name, axis=axis)
