"""Unsqueeze: with axes of size 1 put in, at the places of the result that the second input names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..axes import count_of, normalize_axes, to_integers
from ..nodes import Node, Shape
from ..operators import Array, Known, Operator, Run, as_needed

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    shape, wanted = shapes
    value = Known.value_of(wanted)
    if value is None:
        count = count_of(wanted, "axes")
        if count is None:
            raise ValueError("expected a known number of axes")
        return ((None,) * (len(shape) + count),)
    return (_stretch(shape, value),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    x, wanted = inputs
    return (x.reshape(_stretch(x.shape, wanted)),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    dx = as_needed(needed[:1], lambda: gradients[0].reshape(inputs[0].shape))
    return (*dx, None)


def _stretch(shape: Sequence[int | None], value: Array) -> Shape:
    wanted = to_integers(value, "axes")
    rank = len(shape) + len(wanted)
    axes = normalize_axes(wanted, rank)
    sizes = iter(shape)
    return tuple(1 if axis in axes else next(sizes) for axis in range(rank))


OPERATOR = Operator("Unsqueeze", infer, meaning, gradient, (0,), inputs=(2, 2), attributes=())
