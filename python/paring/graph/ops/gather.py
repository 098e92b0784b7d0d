"""Gather: entries of the first input along `axis`, at the numbers in the second; negative ones count from the end.

An embedding is one. The gradient of an entry is the sum over the places it went to, by pairs: the same bytes however
the places of other entries lie between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..attributes import int_of
from ..axes import normalize_axis
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run, as_needed

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    shape, of_indices = shapes
    axis = normalize_axis(int_of(node, "axis", 0), len(shape))
    return ((*shape[:axis], *of_indices, *shape[axis + 1 :]),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    x, indices = inputs
    if indices.dtype.kind not in "iu":
        raise ValueError(f"expected indices of integers, got {indices.dtype}")
    return (np.take(x, indices, axis=normalize_axis(int_of(node, "axis", 0), x.ndim)),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    x, indices = inputs
    (dy,) = gradients
    axis = normalize_axis(int_of(node, "axis", 0), x.ndim)

    def of_x() -> Array:
        places = indices.reshape(-1).astype(np.intp)
        places = np.where(places < 0, places + x.shape[axis], places)
        before, after = x.shape[:axis], x.shape[axis + 1 :]
        rows = np.moveaxis(dy.reshape(*before, indices.size, *after), axis, 0)
        dx = np.zeros((x.shape[axis], *before, *after), x.dtype)
        if places.size:
            # Sorted so that equal numbers stand together: one sum each, far faster than numpy.add.at.
            order = np.argsort(places, kind="stable")
            places = places[order]
            first = np.flatnonzero(np.diff(places, prepend=-1))
            dx[places[first]] = np.add.reduceat(rows[order], first, axis=0)
        return np.moveaxis(dx, 0, axis)

    return (*as_needed(needed[:1], of_x), None)


OPERATOR = Operator("Gather", infer, meaning, gradient, (0,), inputs=(2, 2), attributes=("axis",))
