"""Softmax: ``exp(x) / sum(exp(x))`` along an axis, of numbers up to any size; a row of -inf only gives NaN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..attributes import int_of
from ..axes import normalize_axis
from ..elementwise import require_floats
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run, as_needed
from ..reductions import largest

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    normalize_axis(int_of(node, "axis", -1), len(shapes[0]))
    return (tuple(shapes[0]),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    (x,) = inputs
    require_floats(x)
    axis = normalize_axis(int_of(node, "axis", -1), x.ndim)
    y = x - largest(x, axis)
    np.exp(y, out=y)
    y /= y.sum(axis=axis, keepdims=True)
    return (y,)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    (y,), (dy,) = outputs, gradients
    axis = normalize_axis(int_of(node, "axis", -1), y.ndim)

    def of_x() -> Array:
        dx = dy * y
        dx -= y * dx.sum(axis=axis, keepdims=True)
        return np.asarray(dx)

    return as_needed(needed, of_x)


OPERATOR = Operator("Softmax", infer, meaning, gradient, inputs=(1, 1), attributes=("axis",))
