"""ArgMax: the number of the largest value along `axis`, the first of those that tie; there is no gradient.

The last of them if `select_last_index` is 1. NaN counts as the largest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..attributes import int_of
from ..axes import normalize_axis
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    (shape,) = shapes
    axis = normalize_axis(int_of(node, "axis", 0), len(shape))
    kept = (1,) if int_of(node, "keepdims", 1) else ()
    return ((*shape[:axis], *kept, *shape[axis + 1 :]),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    (x,) = inputs
    axis = normalize_axis(int_of(node, "axis", 0), x.ndim)
    keep = bool(int_of(node, "keepdims", 1))
    if int_of(node, "select_last_index", 0):
        found = x.shape[axis] - 1 - np.argmax(np.flip(x, axis), axis=axis, keepdims=keep)
    else:
        found = np.argmax(x, axis=axis, keepdims=keep)
    return (np.asarray(found, np.int64),)


OPERATOR = Operator(
    "ArgMax", infer, meaning, None, (), inputs=(1, 1), attributes=("axis", "keepdims", "select_last_index")
)
