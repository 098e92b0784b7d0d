"""Dropout: zeroes each element with probability `ratio` and divides those that stay by ``1 - ratio``, in training.

That is in a run of training, and where the input training_mode is true; elsewhere it gives its input. Output 1, the
mask, is true where elements stay. Chance comes from the run's generator; the attribute ``seed`` has no effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..nodes import Node, Shape
from ..operators import Array, Operator, Run
from ..windows import check_floats

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    for name, shape in zip(("ratio", "training_mode"), shapes[1:], strict=False):
        if shape is not None and None not in shape and tuple(shape) not in ((), (1,)):
            raise ValueError(f"expected {name} to be one number, got shape {shape}")
    return (tuple(shapes[0]),) * max(len(node.outputs), 1)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    x, ratio, mode = (*inputs, None, None)[:3]
    infer(node, [None if array is None else np.shape(array) for array in (x, ratio, mode)])
    check_floats(x=x)
    p = 0.5 if ratio is None else float(np.reshape(ratio, ()))
    if not 0 <= p <= 1:
        raise ValueError(f"ratio: expected a number from 0 to 1, got {p}")
    drops = run.training or (mode is not None and bool(np.reshape(mode, ())))
    wants_mask = len(node.outputs) > 1
    if not drops or p == 0:
        run.keep(node, (None, p))
        return (x, np.ones(x.shape, np.bool_)) if wants_mask else (x,)
    if run.rng is None:
        raise ValueError(
            "expected a run with a generator of random numbers, got none: Run(training=True, rng=...)"
        )
    mask = run.rng.random(x.shape, np.float32) >= p
    run.keep(node, (mask, p))
    y = _kept_values(x, mask, p)
    return (y, mask) if wants_mask else (y,)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    dy = gradients[0]
    mask, p = kept
    dx = dy if mask is None or dy is None else _kept_values(dy, mask, p)
    return (dx, None, None)[: len(needed)]


def _kept_values(values: Array, mask: Array, p: float) -> Array:
    if p == 1:
        return np.zeros_like(values)
    # Choosing element by element takes three times as long; so NaN stays NaN, as in PyTorch.
    result: Array = mask * values.dtype.type(1 / (1 - p))
    with np.errstate(invalid="ignore"):
        result *= values
    return result


OPERATOR = Operator("Dropout", infer, meaning, gradient, differentiable=(0,))
