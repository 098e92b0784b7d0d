"""Where: a where the condition holds, else b; all three stretched to fit each other.

The gradient goes to the one that was taken; what the other has there, NaN included, does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..broadcasting import sum_to
from ..elementwise import infer_broadcast
from ..nodes import Node
from ..operators import Array, Operator, Run, as_needed, same_dtype

__all__ = ["OPERATOR"]


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    condition, a, b = inputs
    if condition.dtype != np.bool_:
        raise ValueError(f"expected a condition of bool, got {condition.dtype}")
    same_dtype(a, b)
    return (np.where(condition, a, b),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    condition, a, b = inputs
    (dy,) = gradients
    zero = dy.dtype.type(0)
    _, of_a, of_b = as_needed(
        (False, *needed[1:]),
        lambda: dy,
        lambda: sum_to(np.where(condition, dy, zero), a.shape),
        lambda: sum_to(np.where(condition, zero, dy), b.shape),
    )
    return None, of_a, of_b


OPERATOR = Operator("Where", infer_broadcast, meaning, gradient, (1, 2), inputs=(3, 3), attributes=())
