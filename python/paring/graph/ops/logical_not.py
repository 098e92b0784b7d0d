"""Not: whether a boolean is false. There is no gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..nodes import Node, Shape
from ..operators import Array, Operator, Run

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    return (tuple(shapes[0]),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    (x,) = inputs
    if x.dtype != np.bool_:
        raise ValueError(f"expected bool, got {x.dtype}")
    return (np.asarray(np.logical_not(x)),)


OPERATOR = Operator("Not", infer, meaning, None, (), inputs=(1, 1), attributes=())
