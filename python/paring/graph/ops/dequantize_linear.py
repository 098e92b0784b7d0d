"""DequantizeLinear: ``(code - zero_point) * scale``, in the dtype of the scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..integers import numbers_of
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run, as_needed
from ..scales import check_scale_shape, stretch_scale, sum_by_scale

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    check_scale_shape(node, shapes[0], shapes[1], (*shapes, None)[2])
    return (tuple(shapes[0]),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    codes, scale, zero_point = (*inputs, None)[:3]
    if codes.dtype not in (np.int8, np.uint8, np.int32):
        raise ValueError(f"expected codes of int8, uint8 or int32, got {codes.dtype}")
    if zero_point is not None and zero_point.dtype != codes.dtype:
        raise ValueError(f"expected a zero point of {codes.dtype}, as the codes, got {zero_point.dtype}")
    infer(node, [None if array is None else array.shape for array in (codes, scale, zero_point)])
    numbers = numbers_of(node, codes, scale, zero_point)
    numbers *= stretch_scale(node, scale, codes.shape)
    return (numbers,)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    (dy,) = gradients
    codes, scale, zero_point = (*inputs, None)[:3]

    def of_codes() -> Array:
        result: Array = dy * stretch_scale(node, scale, codes.shape)
        return result

    def of_scale() -> Array:
        return sum_by_scale(node, dy * numbers_of(node, codes, scale, zero_point), scale.shape)

    return (*as_needed(needed[:2], of_codes, of_scale), *([None] * len(inputs[2:])))


OPERATOR = Operator(
    "DequantizeLinear",
    infer,
    meaning,
    gradient,
    differentiable=(0, 1),
    inputs=(2, 3),
    attributes=("axis", "block_size"),
    codes=(0,),
)
