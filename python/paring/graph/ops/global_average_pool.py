"""GlobalAveragePool: the mean over all spatial axes of (N, C, ...), which stay with size 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..nodes import Node, Shape
from ..operators import Array, Operator, Run
from ..windows import check_floats

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    (x,) = shapes
    if len(x) < 3:
        raise ValueError(f"expected an input (N, C, ...) with a spatial axis, got shape {x}")
    if 0 in x[2:]:
        raise ValueError(f"expected spatial axes with something to average, got shape {x}")
    return ((*x[:2], *(1,) * (len(x) - 2)),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    (x,) = inputs
    check_floats(x=x)
    infer(node, [x.shape])
    return (x.mean(axis=tuple(range(2, x.ndim)), keepdims=True),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    (dy,) = gradients
    (x,) = inputs
    dx = np.empty_like(x)
    dx[...] = dy / dy.dtype.type(math.prod(x.shape[2:]))
    return (dx,)


OPERATOR = Operator("GlobalAveragePool", infer, meaning, gradient)
