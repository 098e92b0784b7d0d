"""Slice: from `starts` up to but without `ends` along `axes`, in `steps`, all of them inputs; as Python slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..axes import normalize_axes, to_integers
from ..nodes import Node, Shape
from ..operators import Array, Known, Operator, Run, as_needed

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    shape = shapes[0]
    known = [None if given is None else Known.value_of(given) for given in shapes[1:]]
    if any(value is None and given is not None for value, given in zip(known, shapes[1:], strict=True)):
        return ((None,) * len(shape),)
    parts = _slices(len(shape), known)
    sizes = (
        size if part == slice(None) else None if size is None else len(range(*part.indices(size)))
        for size, part in zip(shape, parts, strict=True)
    )
    return (tuple(sizes),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    return (inputs[0][_slices(inputs[0].ndim, inputs[1:])],)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    x = inputs[0]

    def of_x() -> Array:
        dx = np.zeros(x.shape, x.dtype)
        dx[_slices(x.ndim, inputs[1:])] = gradients[0]
        return dx

    return (*as_needed(needed[:1], of_x), None, None, None, None)[: len(inputs)]


def _slices(rank: int, given: Sequence[Array | None]) -> tuple[slice, ...]:
    names = ("starts", "ends", "axes", "steps")
    starts, ends, axes, steps = (
        None if value is None else to_integers(value, name)
        for name, value in zip(names, (*given, None, None)[:4], strict=True)
    )
    if starts is None or ends is None:
        raise ValueError("expected inputs 'starts' and 'ends'")
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise ValueError(
            "expected as many ends, axes and steps as starts, "
            f"got {len(starts)} starts, {len(ends)} ends, {len(axes)} axes, {len(steps)} steps"
        )
    normalize_axes(axes, rank)
    result = [slice(None)] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step == 0:
            raise ValueError("steps: expected other numbers than 0")
        result[axis] = slice(start, end, step)
    return tuple(result)


OPERATOR = Operator("Slice", infer, meaning, gradient, (0,), inputs=(3, 5), attributes=())
