"""paring.IntegerConv: a convolution on the integer kernels, for codes that QuantizeLinear gave.

An operator of ours, for training with quantized weights: inputs x (N, C, L) or (N, C, H, W), codes (O, C, ...) or (O,
columns), scale, zero_point, bias; the last two may be left out. The result has the bytes of what `paring.Session`
makes of the same integers: images are rounded as `paring.PackedConv` rounds them. Where that computes in floats
(groups of columns, zero points that take codes beyond 8 bits), each window is a row of an integer linear layer
instead. Gradients are those of the convolution of x itself with the rounded filters, and go straight through the
rounding. Attributes: those of Conv, with ``kernel_shape`` and without groups; ``bits``; ``axis`` and ``block_size``
as of DequantizeLinear.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import _core
from ..attributes import int_of, ints_of
from ..integers import by_codes_and_scale, centred_codes, numbers_of, pack_integers
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run
from ..scales import check_scale_shape, stretch_scale
from ..windows import as_planes, empty_planes, find_windows
from . import conv

__all__ = ["CONV_ATTRIBUTES", "OPERATOR"]

CONV_ATTRIBUTES = ("auto_pad", "dilations", "kernel_shape", "pads", "strides")


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    x, codes, scale, zero_point, bias = (*shapes, None, None)[:5]
    check_scale_shape(node, codes, scale, zero_point)
    kernel = ints_of(node, "kernel_shape")
    if kernel is None or len(kernel) != len(x) - 2:
        raise ValueError(f"kernel_shape: expected {len(x) - 2} numbers, got {kernel}")
    filters = (codes[0], x[1], *kernel)
    if None not in filters and math.prod(filters) != math.prod(codes):
        raise ValueError(f"expected codes for filters of shape {filters}, got shape {tuple(codes)}")
    return conv.infer(_as_conv(node), [x, filters, *([] if bias is None else [bias])])


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    x, codes, scale, zero_point, bias = (*inputs, None, None)[:5]
    arrays = (x, codes, scale, zero_point, bias)
    infer(node, [None if array is None else array.shape for array in arrays])
    if x.dtype != np.float32 or codes.dtype != np.int8:
        raise ValueError(f"expected x of float32 and codes of int8, got {x.dtype} and {codes.dtype}")
    windows = find_windows(node, x.shape[2:], ints_of(node, "kernel_shape") or ())
    filters = len(codes)
    packed_filters = _pack_filters(node, x.shape[1], codes, scale, zero_point, bias)
    if packed_filters is not None:
        images, image_axis = as_planes(windows.as_images(x))
        out = np.empty((len(x), filters, windows.rows.out, windows.columns.out), np.float32)
        packed_filters.run(images, image_axis, windows.shape, out, "")
        return (windows.as_given(out),)
    planes, y = empty_planes((len(x), filters, windows.rows.out, windows.columns.out), 1, np.float32)
    packed = pack_integers(node, codes.reshape(filters, -1), scale, zero_point, bias)
    if packed is None:
        planes.fill(np.nan)
        return (windows.as_given(y),)
    flat = planes.reshape(filters, -1)
    for piece, columns in conv.window_columns(windows, x, 1):
        rows = np.ascontiguousarray(columns[0].T)
        part = np.empty((len(rows), filters), np.float32)
        packed.run(rows, part, "")
        flat[:, piece] = part.T
    return (windows.as_given(y),)


def _pack_filters(
    node: Node, channels: int, codes: Array, scale: Array, zero_point: Array | None, bias: Array | None
) -> _core.PackedFilters | None:
    """Return the filters packed for the convolution kernels, None if they are not for those or not finite."""
    kernel = (1, *(ints_of(node, "kernel_shape") or ()))[-2:]
    centred = None if int_of(node, "block_size", 0) else centred_codes(codes, zero_point)
    finite = np.isfinite(scale).all() and (bias is None or np.isfinite(bias).all())
    if centred is None or not finite or not len(codes):
        return None
    scales = np.ascontiguousarray(np.broadcast_to(scale.reshape(-1), len(codes)))
    four = np.ascontiguousarray(centred).reshape(len(codes), channels, *kernel)
    return _core.PackedFilters.from_codes(four, scales, bias, 1)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    x, codes, scale, zero_point, bias = (*inputs, None, None)[:5]
    numbers = numbers_of(node, codes, scale, zero_point)
    shape = (len(codes), x.shape[1], *(ints_of(node, "kernel_shape") or ()))
    weight = (numbers * stretch_scale(node, scale, codes.shape)).reshape(shape)
    of_x, of_codes, of_scale, _, of_bias = (*needed, False, False)[:5]
    wanted = (of_x, of_codes or of_scale, of_bias)
    dx, dw, db = conv.gradient(_as_conv(node), (x, weight, bias), outputs, gradients, wanted, None)
    found: list[Array | None] = [dx, None, None, None, db]
    if dw is not None:
        by_weight = dw.reshape(codes.shape)
        found[1:3] = by_codes_and_scale(node, by_weight, numbers, scale, (of_codes, of_scale))
    return found[: len(inputs)]


def _as_conv(node: Node) -> Node:
    attributes = {name: value for name, value in node.attributes.items() if name in CONV_ATTRIBUTES}
    return Node("Conv", node.inputs[:2], node.outputs, attributes, node.name)


OPERATOR = Operator(
    "paring.IntegerConv",
    infer,
    meaning,
    gradient,
    differentiable=(0, 1, 2, 4),
    inputs=(3, 5),
    attributes=(*CONV_ATTRIBUTES, "axis", "bits", "block_size"),
    codes=(1,),
)
