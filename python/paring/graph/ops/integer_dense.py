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

from ..integers import by_codes_and_scale, numbers_of, pack_integers, round_rows
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run
from ..products import matrix_product
from ..scales import check_scale_shape, stretch_scale

__all__ = ["OPERATOR"]


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
    packed = pack_integers(node, codes, scale, zero_point, bias)
    if packed is None:
        y.fill(np.nan)  # only what is finite can be packed; training sees where it came from
    else:
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
    numbers = numbers_of(node, codes, scale, zero_point)
    found: list[Array | None] = [None] * len(inputs)
    if needed[0]:
        weight = numbers * stretch_scale(node, scale, codes.shape)
        found[0] = matrix_product(dy, weight).reshape(x.shape)
    if needed[1] or needed[2]:
        by_weight = matrix_product(dy.T, round_rows(_rows(x)))
        found[1:3] = by_codes_and_scale(node, by_weight, numbers, scale, (needed[1], needed[2]))
    if needed[4:] and needed[4]:
        found[4] = dy.sum(axis=0)
    return found


def _rows(x: Array) -> Array:
    return np.ascontiguousarray(x).reshape(-1, x.shape[-1])


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
