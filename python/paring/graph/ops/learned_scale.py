"""paring.LearnedScale: ``start * growth(step)``, a scale that is trained and stays above zero.

An operator of ours, for training with quantized weights. ``growth(t) = t + sqrt(1 + t**2)``, the exponential of arsinh:
1 at 0, above zero everywhere, its relative slope there 1, so that one learning rate suits scales of any size and every
CPU computes the same bytes. `step` has one axis. The gradient is multiplied by the attribute ``factor``, LSQ's
``1 / sqrt(count * highest code)`` (Esser et al. 2020, arXiv 1902.08153, section 2.2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..attributes import float_of
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run, same_dtype

__all__ = ["OPERATOR"]

LEAST_GROWTH = 2.0**-24


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    start, step = map(tuple, shapes)
    if None not in (*start, *step) and step != (math.prod(start),):
        raise ValueError(
            f"expected steps of shape {(math.prod(start),)} for a scale of shape {start}, got {step}"
        )
    return (start,)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    start, step = inputs
    same_dtype(start, step)
    infer(node, [start.shape, step.shape])
    return (start * _growth(step).reshape(start.shape),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    (dy,) = gradients
    start, step = inputs
    growth = _growth(step)
    slope = np.where(growth > LEAST_GROWTH, growth / np.sqrt(1 + step * step), 0)
    by_step = (dy * start).reshape(-1) * slope * float_of(node, "factor", 1.0)
    return (None, by_step.astype(step.dtype))


def _growth(step: Array) -> Array:
    root = np.sqrt(1 + step * step)
    # Below zero the sum would cancel.
    growth = np.where(step < 0, 1 / (root + np.abs(step)), root + np.abs(step))
    result: Array = np.maximum(growth, step.dtype.type(LEAST_GROWTH))
    return result


OPERATOR = Operator(
    "paring.LearnedScale",
    infer,
    meaning,
    gradient,
    differentiable=(1,),
    inputs=(2, 2),
    attributes=("bits", "factor", "granularity", "group_size"),
)
