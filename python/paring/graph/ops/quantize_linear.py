"""QuantizeLinear: ``clamp(round(x / scale) + zero_point)`` in integers of 8 bits, rounded half to even.

Attributes of ours: ``low`` and ``high`` are the least and greatest code where that is not the dtype's, for fewer bits.
The gradient goes straight through rounding and stops at codes that were clamped; that of the scale is LSQ's (Esser et
al. 2020, arXiv 1902.08153, section 2.1) once DequantizeLinear has added its part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..attributes import int_of
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run, as_needed, same_dtype
from ..scales import check_scale_shape, stretch_scale, sum_by_scale

__all__ = ["OPERATOR"]

DTYPES = {2: np.uint8, 3: np.int8}


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    check_scale_shape(node, shapes[0], shapes[1], (*shapes, None)[2])
    return (tuple(shapes[0]),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    x, scale, zero_point = (*inputs, None)[:3]
    same_dtype(x, scale)
    infer(node, [None if array is None else array.shape for array in (x, scale, zero_point)])
    dtype = _dtype_of(node, zero_point)
    limits = np.iinfo(dtype)
    low, high = int_of(node, "low", int(limits.min)), int_of(node, "high", int(limits.max))
    if not limits.min <= low <= high <= limits.max:
        raise ValueError(f"low, high: expected codes of {np.dtype(dtype)}, got {low} and {high}")
    rounded = x / stretch_scale(node, scale, x.shape)
    np.rint(rounded, out=rounded)
    if zero_point is not None:
        rounded += stretch_scale(node, zero_point, x.shape)
    clamped = np.clip(rounded, low, high)
    if run.kept is not None:
        inside = clamped == rounded
        run.keep(node, None if inside.all() else inside)
    with np.errstate(
        invalid="ignore"
    ):  # what NaN becomes is nobody's business: its scale is NaN too, or it is found
        return (clamped.astype(dtype),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    (dy,) = gradients
    x, scale = inputs[:2]
    stretched = stretch_scale(node, scale, x.shape)
    through = dy / stretched
    if kept is not None:
        through *= kept

    def of_scale() -> Array:
        return sum_by_scale(node, -through * (x / stretched), scale.shape)

    return (*as_needed(needed[:2], lambda: through, of_scale), *([None] * len(inputs[2:])))


def _dtype_of(node: Node, zero_point: Array | None) -> Any:
    wanted = DTYPES.get(int_of(node, "output_dtype", 0) or 2)
    if wanted is None:
        raise ValueError(
            f"output_dtype: expected {list(DTYPES)} (uint8, int8), got {node.attributes['output_dtype']}"
        )
    if zero_point is None:
        return wanted
    if zero_point.dtype not in DTYPES.values():
        raise ValueError(f"expected a zero point of uint8 or int8, got {zero_point.dtype}")
    if node.attributes.get("output_dtype") and zero_point.dtype != wanted:
        raise ValueError(
            f"output_dtype: expected that of the zero point, {zero_point.dtype}, got {np.dtype(wanted)}"
        )
    return zero_point.dtype


OPERATOR = Operator(
    "QuantizeLinear",
    infer,
    meaning,
    gradient,
    differentiable=(0, 1),
    inputs=(2, 3),
    attributes=("axis", "block_size", "high", "low", "output_dtype", "saturate"),
)
