"""What layers on integer kernels share: codes packed for them, rows rounded as they round them, and which they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _core
from .attributes import int_of
from .nodes import Node
from .operators import Array
from .scales import stretch_scale, sum_by_scale

__all__ = [
    "INTEGER_DEPTH",
    "by_codes_and_scale",
    "centred_codes",
    "is_deep",
    "numbers_of",
    "pack_integers",
    "round_rows",
]

INTEGER_DEPTH, GROUPED_DEPTH = 64, 1024
"""Numbers in a filter from which convolutions are computed in integers: with a scale a filter, or by groups of columns.

On one thread of an AMD EPYC (family 26) int8 takes 0.4 times the time of float32 at 64, rounding of the image included.
What is below are first layers, whose input is seldom worth rounding, and depthwise filters. Groups of columns are no
matter of the convolution kernels: windows are turned into rows for them, which takes 1.1 times the time of float32 at
576, 0.9 times at 1,152 and a third at 4,608.
"""

SMALLEST_NORMAL = np.float32(2.0**-126)


def is_deep(filters: tuple[int, ...], grouped: bool = False) -> bool:
    """Whether a convolution with filters of this shape is computed in integers, with scales of groups or of filters."""
    return math.prod(filters[1:]) >= (GROUPED_DEPTH if grouped else INTEGER_DEPTH)


def centred_codes(codes: Array, zero_point: Array | None) -> Array | None:
    """Return int8 codes (filters, ...) minus zero points (one, or one a filter); None if that needs more bits."""
    if zero_point is None:
        return codes
    wide = codes.astype(np.int16) - zero_point.reshape(-1, *[1] * (codes.ndim - 1))
    fits = not wide.size or (wide.min() >= -128 and wide.max() <= 127)
    return wide.astype(np.int8) if fits else None


def pack_integers(
    node: Node, codes: Array, scale: Array, zero_point: Array | None, bias: Array | None
) -> Any:
    """Return codes (channels, columns) packed for the kernels; None if a scale or the bias is not finite.

    The attributes ``bits`` and ``block_size`` of the node say how they are to be read.
    """
    if not all(array is None or np.isfinite(array).all() for array in (scale, bias)):
        return None

    def matrix(array: Array) -> Array:
        return np.ascontiguousarray(array.reshape((*array.shape, 1, 1)[:2]))

    bits = int_of(node, "bits", 8)
    codes = np.ascontiguousarray(codes)
    return _core.PackedMatrix.from_codes(
        codes if bits == 8 else _core.pack_codes(codes, bits),
        matrix(scale),
        None if zero_point is None else matrix(zero_point),
        bits,
        codes.shape[1],
        int_of(node, "block_size", 0),
        bias,
    )


def numbers_of(node: Node, codes: Array, scale: Array, zero_point: Array | None) -> Array:
    """Return codes minus zero points, as floats."""
    numbers = codes.astype(scale.dtype)
    if zero_point is not None:
        numbers -= stretch_scale(node, zero_point, codes.shape)
    return numbers


def by_codes_and_scale(
    node: Node, by_weight: Array, numbers: Array, scale: Array, wanted: tuple[bool, bool]
) -> tuple[Array | None, Array | None]:
    """Return the gradients of codes and of scales for that of the weight they stand for."""
    of_codes = by_weight * stretch_scale(node, scale, numbers.shape) if wanted[0] else None
    of_scale = sum_by_scale(node, by_weight * numbers, scale.shape) if wanted[1] else None
    return of_codes, of_scale


def round_rows(x: Array) -> Array:
    """Return rows of float32 as integer kernels see them (csrc/quantize/activation.h).

    The value of largest magnitude (the first of equals) stays; the others are rounded half to even to codes of -127 to
    127 times their largest magnitude / 127. A row with NaN or infinity becomes NaN.

    >>> round_rows(np.array([[100, 1.27, 0.004, -0.016]], np.float32))
    array([[ 1.00e+02,  1.27e+00,  0.00e+00, -2.00e-02]], dtype=float32)
    """
    if not x.size:
        return x
    magnitude = np.abs(x)
    exact = (np.arange(len(x)), magnitude.argmax(axis=1))  # the first of equals, NaN before all
    finite = np.isfinite(magnitude[exact])
    magnitude[exact] = 0
    scale = magnitude.max(axis=1, keepdims=True) / np.float32(127)
    small = scale < SMALLEST_NORMAL
    scale[small] = 1
    rounded: Array = np.rint(x * (1 / scale))
    np.clip(rounded, -127, 127, out=rounded)
    rounded *= np.where(small, np.float32(0), scale)
    rounded[exact] = x[exact]
    rounded[~finite] = np.nan
    return rounded
