"""paring.WeightScale: the scale (and zero point) that `paring.quantize` gives a weight, computed anew at every run.

An operator of ours, for training with quantized weights. Attributes: ``bits``, ``granularity``, ``group_size``,
``symmetric``, ``convention``. Output 0 has shape () for granularity "tensor", (channels,) for "channel", (channels,
groups) for "group"; channels lie on axis 0. A weight that is not finite has a scale of NaN. There is no gradient: the
range counts as a constant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import _core
from ...weights import GRANULARITIES, packed_row_bytes
from ..attributes import int_of, str_of
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run

__all__ = ["OPERATOR", "scale_shape"]

CONVENTIONS = ("paring", "compressed-tensors")


def scale_shape(granularity: str, group_size: int, channels: int, columns: int) -> tuple[int, ...]:
    """Return the shape of the scales of a weight as the nodes of ONNX want it.

    >>> [scale_shape(granularity, 32, 10, 70) for granularity in ("tensor", "channel", "group")]
    [(), (10,), (10, 3)]
    """
    if granularity == "tensor":
        return ()
    return (channels,) if granularity == "channel" else (channels, math.ceil(columns / group_size))


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    shape = shapes[0]
    if len(shape) < 2 or None in shape:
        raise ValueError(f"expected a weight of two axes or more, got shape {tuple(shape)}")
    granularity = str_of(node, "granularity", "channel", GRANULARITIES)
    group_size = int_of(node, "group_size", 32)
    bits = int_of(node, "bits", 8)
    if not 2 <= bits <= 8 or group_size < 1:
        raise ValueError(f"expected 2 to 8 bits and a group_size of 1 or more, got {bits} and {group_size}")
    return (scale_shape(granularity, group_size, shape[0], math.prod(shape[1:])),) * 2


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    (weight,) = inputs
    shape: Any = infer(node, [weight.shape])[0]
    if weight.dtype != np.float32:
        raise ValueError(f"expected a weight of float32, got {weight.dtype}")
    channels, columns = weight.shape[0], math.prod(weight.shape[1:])
    bits = int_of(node, "bits", 8)
    granularity = str_of(node, "granularity", "channel", GRANULARITIES)
    symmetric = bool(int_of(node, "symmetric", 1))
    scale = np.empty((*shape, 1, 1)[:2], np.float32)  # with two axes, as kernels want it
    zero_point = None if symmetric else np.empty(scale.shape, np.int8)
    codes = np.empty((channels, packed_row_bytes(columns, bits)), np.int8 if bits == 8 else np.uint8)
    try:
        _core.quantize(
            np.ascontiguousarray(weight).reshape(channels, columns),
            bits,
            granularity == "tensor",
            int_of(node, "group_size", 32) if granularity == "group" else 0,
            symmetric,
            str_of(node, "convention", "paring", CONVENTIONS),
            codes,
            scale,
            zero_point,
        )
    except ValueError:
        if np.isfinite(weight).all():
            raise
        scale.fill(np.nan)
    zeros = np.zeros(shape, np.int8) if zero_point is None else zero_point.reshape(shape)
    return (scale.reshape(shape), zeros)


OPERATOR = Operator(
    "paring.WeightScale",
    infer,
    meaning,
    differentiable=(),
    inputs=(1, 1),
    attributes=("bits", "convention", "granularity", "group_size", "symmetric"),
)
