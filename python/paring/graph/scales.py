"""Scales of QuantizeLinear and DequantizeLinear: one for all, one an index of an axis, or one a block along it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .attributes import int_of
from .nodes import Node
from .operators import Array

__all__ = ["check_scale_shape", "stretch_scale", "sum_by_scale"]


def check_scale_shape(node: Node, shape: Any, scale: Any, zero_point: Any) -> None:
    """Raise ValueError unless a scale (and zero point) of these shapes fits values of that shape; None is unknown."""
    if zero_point is not None and scale is not None and tuple(zero_point) != tuple(scale):
        raise ValueError(
            f"expected a zero point of the scale's shape {tuple(scale)}, got shape {tuple(zero_point)}"
        )
    if scale is None or len(scale) == 0:
        return
    axis, block = _axis_of(node, len(shape)), int_of(node, "block_size", 0)
    if block < 0:
        raise ValueError(f"block_size: expected 0 or more, got {block}")
    size = shape[axis]
    if not block:
        wanted: tuple[int | None, ...] = (size,)
    else:
        blocks = None if size is None else math.ceil(size / block)
        wanted = (*shape[:axis], blocks, *shape[axis + 1 :])
    fits = len(scale) == len(wanted) and all(
        a is None or b is None or a == b for a, b in zip(scale, wanted, strict=True)
    )
    if not fits:
        raise ValueError(
            f"expected a scale of shape {wanted} for values of shape {shape}, got {tuple(scale)}"
        )


def _axis_of(node: Node, rank: int) -> int:
    axis = int_of(node, "axis", 1)
    if not -rank <= axis < rank:
        raise ValueError(f"axis: expected {-rank} to {rank - 1}, got {axis}")
    return axis % rank


def stretch_scale(node: Node, scale: Array, shape: tuple[int, ...]) -> Array:
    """Return scales (or zero points) in a shape that stretches to that of the values."""
    if scale.ndim == 0:
        return scale
    axis, block = _axis_of(node, len(shape)), int_of(node, "block_size", 0)
    if not block:
        return scale.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    places = np.arange(shape[axis]) // block
    return np.take(scale, places, axis)


def sum_by_scale(node: Node, values: Array, scale_shape: tuple[int, ...]) -> Array:
    """Return the sums of values that share a scale, added in float64, in the shape of the scale and their dtype."""
    dtype = values.dtype
    if not scale_shape:
        return np.asarray(values.sum(dtype=np.float64)).astype(dtype)
    axis, block = _axis_of(node, values.ndim), int_of(node, "block_size", 0)
    if not block:
        others = tuple(i for i in range(values.ndim) if i != axis)
        sums: Array = values.sum(axis=others, dtype=np.float64)
    else:
        starts = np.arange(0, values.shape[axis], block)
        sums = np.add.reduceat(values, starts, axis=axis, dtype=np.float64)
    return sums.astype(dtype)
