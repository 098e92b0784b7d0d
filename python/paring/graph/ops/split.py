"""Split: parts along `axis`, of the sizes that the second input gives or as equal as `num_outputs` allows.

If num_outputs does not divide the size, the last part is the smaller one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..attributes import int_of
from ..axes import normalize_axis, to_integers
from ..nodes import Node, Shape
from ..operators import Array, Known, Operator, Run, as_needed

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    shape, wanted = (*shapes, None)[:2]
    axis = normalize_axis(int_of(node, "axis", 0), len(shape))
    value = Known.value_of(wanted)
    unknown = wanted is not None and value is None
    sizes: Sequence[int | None]
    if unknown or shape[axis] is None:
        count = int_of(node, "num_outputs", 0) or len(node.outputs)
        sizes = (None,) * count if value is None else to_integers(value, "split")
    else:
        sizes = _sizes(node, shape[axis], value)
    return tuple((*shape[:axis], size, *shape[axis + 1 :]) for size in sizes)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    x, wanted = (*inputs, None)[:2]
    axis = normalize_axis(int_of(node, "axis", 0), x.ndim)
    stops = np.cumsum(_sizes(node, x.shape[axis], wanted)[:-1])
    return np.split(x, stops, axis=axis)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    x = inputs[0]
    axis = normalize_axis(int_of(node, "axis", 0), x.ndim)

    def of_x() -> Array:
        sizes = _sizes(node, x.shape[axis], (*inputs, None)[1])
        given = (*gradients, *(None for _ in sizes))[: len(sizes)]
        parts = []
        for size, dy in zip(sizes, given, strict=True):
            shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
            parts.append(np.zeros(shape, x.dtype) if dy is None else dy)
        return np.concatenate(parts, axis=axis)

    return (*as_needed(needed[:1], of_x), None)[: len(inputs)]


def _sizes(node: Node, total: int, wanted: Array | None) -> tuple[int, ...]:
    count = int_of(node, "num_outputs", 0)
    if (wanted is None) == (count == 0):
        raise ValueError("expected either an input 'split' or an attribute 'num_outputs'")
    if wanted is not None:
        sizes = to_integers(wanted, "split")
        if sum(sizes) != total or min(sizes, default=0) < 0:
            raise ValueError(f"split: expected sizes that sum to {total}, got {list(sizes)}")
        return sizes
    size = -(-total // count)
    if count < 1 or size * (count - 1) > total:
        raise ValueError(f"num_outputs: expected a number of parts that a size of {total} has, got {count}")
    return (*(size,) * (count - 1), total - size * (count - 1))


OPERATOR = Operator(
    "Split", infer, meaning, gradient, (0,), inputs=(1, 2), attributes=("axis", "num_outputs")
)
