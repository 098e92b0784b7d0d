"""LayerNormalization: ``(x - mean) / sqrt(var + epsilon) * scale + b``.

Mean and variance are over the axes from ``axis`` on. The optional outputs 1 and 2, Mean and InvStdDev, have the dtype
of x and no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..broadcasting import broadcast_shapes, sum_to
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run
from ..windows import check_floats

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    x, scale, b = (*shapes, None)[:3]
    axis = _axis(node, len(x))
    for name, shape in (("scale", scale), ("b", b)):
        if shape is None:
            continue
        try:
            fits = len(shape) <= len(x) and broadcast_shapes(x, shape) == tuple(x)
        except ValueError:
            fits = False
        # Where sizes are unknown it may yet turn out that they fit.
        if not fits and None not in (*x, *shape):
            raise ValueError(
                f"expected {name} of shape {tuple(x[axis:])} or one that stretches to it, got {shape}"
            )
    statistics = (*x[:axis], *(1,) * (len(x) - axis))
    return (tuple(x), statistics, statistics)[: max(len(node.outputs), 1)]


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    x, scale, b = (*inputs, None)[:3]
    infer(node, [None if array is None else array.shape for array in (x, scale, b)])
    check_floats(x=x, scale=scale, b=b)
    axis = _axis(node, x.ndim)
    size = math.prod(x.shape[axis:])
    if size == 0:
        raise ValueError(f"expected axes from {axis} on with something to normalize, got shape {x.shape}")
    epsilon: Any = node.attributes.get("epsilon", 1e-5)
    rows = x.reshape(-1, size) if x.size else x.reshape(0, size)
    mean = rows.mean(axis=1, keepdims=True)
    y = rows - mean
    variance = np.square(y).mean(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        inverse = x.dtype.type(1) / np.sqrt(variance + x.dtype.type(epsilon))
    y *= inverse
    run.keep(node, (mean, inverse))
    y = y.reshape(x.shape) * scale
    if b is not None:
        y += b
    shape = (*x.shape[:axis], *(1,) * (x.ndim - axis))
    return (y, mean.reshape(shape), inverse.reshape(shape))[: max(len(node.outputs), 1)]


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    dy = gradients[0]
    if dy is None or any(gradient is not None for gradient in gradients[1:]):
        raise ValueError(f"{node}: LayerNormalization has no gradient through Mean and InvStdDev")
    x, scale, b = (*inputs, None)[:3]
    of_x, of_scale, of_b = (*needed, False)[:3]
    mean, inverse = kept
    dx = dscale = None
    if of_x or of_scale:
        normal = x.reshape(len(mean), -1) - mean if x.size else x.reshape(0, 1)
        normal *= inverse
        if of_scale:
            dscale = sum_to(dy * normal.reshape(x.shape), scale.shape)
        if of_x:
            rows = (dy * scale).reshape(normal.shape)
            slope = (rows * normal).mean(axis=1, keepdims=True)
            level = rows.mean(axis=1, keepdims=True)
            normal *= slope
            rows -= normal
            rows -= level
            rows *= inverse
            dx = rows.reshape(x.shape)
    db = sum_to(dy, b.shape) if of_b else None
    return (dx, dscale, db)[: len(needed)]


def _axis(node: Node, rank: int) -> int:
    axis: Any = node.attributes.get("axis", -1)
    if not -rank <= axis < rank:
        raise ValueError(f"axis: expected one of {rank} axes, got {axis}")
    return int(axis) % rank


OPERATOR = Operator("LayerNormalization", infer, meaning, gradient)
