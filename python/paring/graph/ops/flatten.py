"""Flatten: a matrix whose rows run over the axes before `axis` and whose columns over the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..attributes import int_of
from ..axes import product
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run, as_needed

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    (shape,) = shapes
    axis = _axis(node, len(shape))
    return ((product(shape[:axis]), product(shape[axis:])),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    (x,) = inputs
    axis = _axis(node, x.ndim)
    # Not -1, which an empty array leaves open.
    return (x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:])),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    return as_needed(needed, lambda: gradients[0].reshape(inputs[0].shape))


def _axis(node: Node, rank: int) -> int:
    axis = int_of(node, "axis", 1)
    if not -rank <= axis <= rank:
        raise ValueError(f"axis: expected {-rank} to {rank} for {rank} axes, got {axis}")
    return axis + rank if axis < 0 else axis


OPERATOR = Operator("Flatten", infer, meaning, gradient, inputs=(1, 1), attributes=("axis",))
