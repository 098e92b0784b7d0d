"""Clip: ``min(max(x, low), high)``, where low and high are inputs that may be left out.

The gradient is x's strictly between the bounds and the bound's at and beyond it, so at a bound x has 0, as in relu6.
Where low is above high, the result is high.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..nodes import Node, Shape
from ..operators import Array, Operator, Run, as_needed, same_dtype

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    for shape in shapes[1:]:
        if shape is not None and tuple(shape) not in ((), (1,)):
            raise ValueError(f"expected single numbers for min and max, got shape {tuple(shape)}")
    return (tuple(shapes[0]),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    x, low, high = _three(inputs)
    same_dtype(x, low, high)
    result = x if low is None else np.maximum(x, low.reshape(()))
    result = result if high is None else np.minimum(result, high.reshape(()))
    return (np.asarray(result),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    x, low, high = _three(inputs)
    (dy,) = gradients
    of = x.dtype.type
    least = of(-np.inf) if low is None else low.reshape(())
    most = of(np.inf) if high is None else high.reshape(())

    def of_x() -> Array:
        # A bound that is left out is no kink: an infinite x goes through.
        above = True if low is None else x > least
        below = True if high is None else x < most
        result: Array = np.where(np.logical_and(above, below), dy, of(0))
        return result

    def of_low() -> Any:
        return np.asarray(np.sum(dy, where=(x <= least) & (least < most))).reshape(low.shape)

    def of_high() -> Any:
        return np.asarray(np.sum(dy, where=(x >= most) | (least >= most))).reshape(high.shape)

    return as_needed(needed, of_x, of_low, of_high)


def _three(inputs: Sequence[Any]) -> tuple[Any, Any, Any]:
    x, low, high = (*inputs, None, None)[:3]
    return x, low, high


OPERATOR = Operator("Clip", infer, meaning, gradient, inputs=(1, 3), attributes=())
