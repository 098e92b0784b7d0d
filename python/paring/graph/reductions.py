"""Operators that reduce axes: which axes those are, shapes and gradients are made here, formulas given."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .attributes import int_of
from .axes import count_of, normalize_axes, to_integers
from .elementwise import require_floats
from .nodes import Node, Shape
from .operators import Array, Known, Operator, Run, as_needed

__all__ = ["count_along", "largest", "reduction", "share_evenly", "smallest"]

Axes = int | tuple[int, ...]


def reduction(
    name: str,
    formula: Callable[[Array, tuple[int, ...]], Array],
    derivative: Callable[[Array, Array, Array, tuple[int, ...]], Array],
    *,
    floats: bool = False,
) -> Operator:
    """Return the operator that reduces the axes in its second input, or all if that is left out or empty.

    ONNX's attributes: `keepdims` (1 unless given) leaves axes of size 1; with `noop_with_empty_axes` (0 unless
    given), no axes means none instead of all, of which the formula is then taken.

    Parameters
    ----------
    name : str
    formula : callable
        ``formula(x, axes) -> y`` with axes of size 1 left.
    derivative : callable
        ``derivative(dy, x, y, axes) -> dx``, where dy and y have axes of size 1 left.
    floats : bool
        Whether integers are refused.
    """

    def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
        shape, wanted = (*shapes, None)[:2]
        keep = int_of(node, "keepdims", 1)
        value = Known.value_of(wanted)
        if wanted is not None and value is None:
            count = count_of(wanted, "axes")
            if count is None and not keep:
                raise ValueError("expected a known number of axes")
            if count != 0:
                return ((None,) * (len(shape) - (0 if keep else count or 0)),)
        axes = _axes(node, len(shape), value)
        return (_without(shape, axes, bool(keep)),)

    def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
        x, wanted = (*inputs, None)[:2]
        if floats:
            require_floats(x)
        axes = _axes(node, x.ndim, wanted)
        y = formula(x, axes)
        return (y.reshape(_without(x.shape, axes, bool(int_of(node, "keepdims", 1)))),)

    def gradient(
        node: Node,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        gradients: Sequence[Any],
        needed: Sequence[bool],
        kept: Any,
    ) -> Sequence[Array | None]:
        x, wanted = (*inputs, None)[:2]
        (y,), (dy,) = outputs, gradients
        axes = _axes(node, x.ndim, wanted)
        shape = _without(x.shape, axes, True)
        of_x = as_needed(needed[:1], lambda: derivative(dy.reshape(shape), x, y.reshape(shape), axes))
        return (*of_x, None)[: len(inputs)]

    return Operator(
        name, infer, meaning, gradient, (0,), inputs=(1, 2), attributes=("keepdims", "noop_with_empty_axes")
    )


def count_along(shape: Sequence[int], axes: tuple[int, ...]) -> int:
    """Return how many elements are reduced to one.

    >>> count_along((2, 3, 4), (0, 2))
    8
    """
    return math.prod(shape[axis] for axis in axes)


def largest(x: Array, axes: Axes) -> Array:
    """Return the largest along axes, which stay with size 1; of nothing, the least there is in the dtype."""
    result: Array = x.max(axis=axes, keepdims=True, **({} if x.size else {"initial": _bounds(x)[0]}))
    return result


def smallest(x: Array, axes: Axes) -> Array:
    """Return the smallest along axes, which stay with size 1; of nothing, the most there is in the dtype."""
    result: Array = x.min(axis=axes, keepdims=True, **({} if x.size else {"initial": _bounds(x)[1]}))
    return result


def share_evenly(dy: Array, x: Array, y: Array, axes: tuple[int, ...]) -> Array:
    """Return the gradient of an extreme value: those elements that are it share it. NaN is equal to NaN here."""
    chosen = (x == y) | (x != x)
    # 0 only along an axis of size 0.
    count = np.maximum(chosen.sum(axis=axes, keepdims=True), 1).astype(dy.dtype)
    return np.asarray(chosen * (dy / count))


def _bounds(x: Array) -> tuple[Any, Any]:
    if x.dtype.kind in "iu":
        return np.iinfo(x.dtype).min, np.iinfo(x.dtype).max
    return x.dtype.type(-np.inf), x.dtype.type(np.inf)


def _axes(node: Node, rank: int, value: Array | None) -> tuple[int, ...]:
    numbers = () if value is None else to_integers(value, "axes")
    if not numbers and not int_of(node, "noop_with_empty_axes", 0):
        return tuple(range(rank))
    return normalize_axes(numbers, rank)


def _without(shape: Sequence[int | None], axes: tuple[int, ...], keep: bool) -> Any:
    if keep:
        return tuple(1 if i in axes else size for i, size in enumerate(shape))
    return tuple(size for i, size in enumerate(shape) if i not in axes)
