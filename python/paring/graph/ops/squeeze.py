"""Squeeze: without the axes of size 1 that the second input names, or without all of them if it is left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..axes import count_of, normalize_axes, to_integers
from ..nodes import Node, Shape
from ..operators import Array, Known, Operator, Run, as_needed

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    shape, wanted = (*shapes, None)[:2]
    if wanted is None:
        if None in shape:
            raise ValueError(
                f"expected axes beside sizes that are not known, got shape {tuple(shape)} and no axes"
            )
        return (tuple(size for size in shape if size != 1),)
    value = Known.value_of(wanted)
    if value is None:
        count = count_of(wanted, "axes")
        if count is None:
            raise ValueError("expected a known number of axes")
        return ((None,) * (len(shape) - count),)
    axes = _axes(shape, value)
    return (tuple(size for i, size in enumerate(shape) if i not in axes),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    x, wanted = (*inputs, None)[:2]
    return (x.squeeze(None if wanted is None else _axes(x.shape, wanted)),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    dx = as_needed(needed[:1], lambda: gradients[0].reshape(inputs[0].shape))
    return (*dx, None)[: len(inputs)]


def _axes(shape: Sequence[int | None], value: Array) -> tuple[int, ...]:
    axes = normalize_axes(to_integers(value, "axes"), len(shape))
    for axis in axes:
        if shape[axis] not in (1, None):
            raise ValueError(f"axes: expected axes of size 1, got axis {axis} of shape {tuple(shape)}")
    return axes


OPERATOR = Operator("Squeeze", infer, meaning, gradient, (0,), inputs=(1, 2), attributes=())
