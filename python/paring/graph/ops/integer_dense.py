"""paring.IntegerDense: ``x @ w.T + bias`` on the integer kernels, for codes that QuantizeLinear gave.

An operator of ours, for training with quantized weights: inputs x (..., in_features), codes (out_features,
in_features), scale, zero_point, bias; the last two may be left out. The result has the bytes of `PackedLinear` over
the same integers, which rounds each row of x to int8 but for its value of largest magnitude. Gradients are those of
the product of rounded rows and rounded weights, and go straight through the rounding of x. Attributes: ``bits``;
``axis`` and ``block_size`` as of DequantizeLinear; ``form``, the nodes that this one stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import _core
from ..attributes import int_of
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run
from ..products import matrix_product
from ..scales import check_scale_shape, stretch_scale, sum_by_scale

__all__ = ["OPERATOR", "round_rows"]

SMALLEST_NORMAL = np.float32(2.0**-126)


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    x, codes, scale, zero_point, bias = (*shapes, None, None)[:5]
    if len(codes) != 2 or not x or (None not in (x[-1], codes[1]) and x[-1] != codes[1]):
        raise ValueError(f"expected codes (out_features, {x[-1] if x else '...'}), got shape {tuple(codes)}")
    check_scale_shape(node, codes, scale, zero_point)
    if bias is not None and tuple(bias) != (codes[0],):
        raise ValueError(f"expected a bias of shape {(codes[0],)}, got {tuple(bias)}")
    return ((*x[:-1], codes[0]),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    x, codes, scale, zero_point, bias = (*inputs, None, None)[:5]
    arrays = (x, codes, scale, zero_point, bias)
    shape: Any = infer(node, [None if array is None else array.shape for array in arrays])[0]
    if x.dtype != np.float32 or codes.dtype != np.int8:
        raise ValueError(f"expected x of float32 and codes of int8, got {x.dtype} and {codes.dtype}")
    y = np.empty(shape, np.float32)
    if not all(array is None or np.isfinite(array).all() for array in (scale, bias)):
        y.fill(np.nan)  # what packs is finite; training sees where it came from
        return (y,)
    bits = int_of(node, "bits", 8)
    packed = _core.PackedMatrix.from_codes(
        codes if bits == 8 else _core.pack_codes(codes, bits),
        _matrix(scale),
        None if zero_point is None else _matrix(zero_point),
        bits,
        codes.shape[1],
        int_of(node, "block_size", 0),
        bias,
    )
    packed.run(_rows(x), y.reshape(-1, codes.shape[0]), "")
    return (y,)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    x, codes, scale, zero_point, _ = (*inputs, None, None)[:5]
    dy = _rows(gradients[0])
    numbers = codes.astype(scale.dtype)
    if zero_point is not None:
        numbers -= stretch_scale(node, zero_point, codes.shape)
    stretched = stretch_scale(node, scale, codes.shape)
    found: list[Array | None] = [None] * len(inputs)
    if needed[0]:
        found[0] = matrix_product(dy, numbers * stretched).reshape(x.shape)
    if needed[1] or needed[2]:
        by_weight = matrix_product(dy.T, round_rows(_rows(x)))
        found[1] = by_weight * stretched if needed[1] else None
        found[2] = sum_by_scale(node, by_weight * numbers, scale.shape) if needed[2] else None
    if needed[4:] and needed[4]:
        found[4] = dy.sum(axis=0)
    return found


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
    rounded: Array = np.rint(x / scale)
    np.clip(rounded, -127, 127, out=rounded)
    rounded *= np.where(small, np.float32(0), scale)
    rounded[exact] = x[exact]
    rounded[~finite] = np.nan
    return rounded


def _rows(x: Array) -> Array:
    return np.ascontiguousarray(x).reshape(-1, x.shape[-1])


def _matrix(scale: Array) -> Array:
    """Return scales with two axes, as kernels want them."""
    return np.ascontiguousarray(scale.reshape((*scale.shape, 1, 1)[:2]))


OPERATOR = Operator(
    "paring.IntegerDense",
    infer,
    meaning,
    gradient,
    differentiable=(0, 1, 2, 4),
    inputs=(3, 5),
    attributes=("axis", "bits", "block_size", "form"),
    codes=(1,),
)
