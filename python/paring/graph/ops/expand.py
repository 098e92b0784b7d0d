"""Expand: stretched to fit the shape in the second input, which may have sizes of 1 where the first has others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..axes import count_of, to_integers
from ..broadcasting import broadcast_shapes, sum_to
from ..nodes import Node, Shape
from ..operators import Array, Known, Operator, Run, as_needed

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    shape, wanted = shapes
    value = Known.value_of(wanted)
    if value is None:
        count = count_of(wanted, "shape")
        if count is None:
            raise ValueError("expected a shape with a known number of axes")
        return ((None,) * max(count, len(shape)),)
    return (broadcast_shapes(tuple(shape), _sizes(value)),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    x, wanted = inputs
    shape = np.broadcast_shapes(x.shape, _sizes(wanted))
    return (np.broadcast_to(x, shape),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    return (*as_needed(needed[:1], lambda: sum_to(gradients[0], inputs[0].shape)), None)


def _sizes(wanted: Array) -> tuple[int, ...]:
    sizes = to_integers(wanted, "shape")
    if min(sizes, default=0) < 0:
        raise ValueError(f"shape: expected sizes of 0 and more, got {list(sizes)}")
    return sizes


OPERATOR = Operator("Expand", infer, meaning, gradient, (0,), inputs=(2, 2), attributes=())
