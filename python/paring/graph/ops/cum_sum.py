"""CumSum: sums of what comes before along an axis, the second input, with the element itself.

Without it if `exclusive` is 1; of what comes after if `reverse` is 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..attributes import int_of
from ..axes import normalize_axis, to_integers
from ..nodes import Node, Shape
from ..operators import Array, Known, Operator, Run, as_needed

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    shape, axis = shapes
    value = Known.value_of(axis)
    if value is not None:
        _axis(value, len(shape))
    return (tuple(shape),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    x, axis = inputs
    exclusive, reverse = int_of(node, "exclusive", 0), int_of(node, "reverse", 0)
    return (_sums(x, _axis(axis, x.ndim), bool(exclusive), bool(reverse)),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    x, axis = inputs
    exclusive, reverse = int_of(node, "exclusive", 0), int_of(node, "reverse", 0)
    # What an element was added to lies on its other side.
    of_x = as_needed(
        needed[:1], lambda: _sums(gradients[0], _axis(axis, x.ndim), bool(exclusive), not reverse)
    )
    return (*of_x, None)


def _axis(value: Array, rank: int) -> int:
    numbers = to_integers(value, "axis")
    if len(numbers) != 1:
        raise ValueError(f"axis: expected one number, got {len(numbers)}")
    return normalize_axis(numbers[0], rank)


def _sums(x: Array, axis: int, exclusive: bool, reverse: bool) -> Array:
    turned = np.flip(x, axis) if reverse else x
    sums = np.cumsum(turned, axis=axis, dtype=x.dtype)
    if exclusive:
        shifted = np.zeros_like(sums)
        to, of = ((slice(None),) * axis + (part,) for part in (slice(1, None), slice(None, -1)))
        shifted[to] = sums[of]
        sums = shifted
    return np.flip(sums, axis) if reverse else sums


OPERATOR = Operator(
    "CumSum", infer, meaning, gradient, (0,), inputs=(2, 2), attributes=("exclusive", "reverse")
)
