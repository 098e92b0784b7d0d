"""Pad: with a constant around, as wide as `pads` says: begins of all axes, then ends; negative ones cut off.

Inputs are data, pads, the constant (0 if left out) and the axes that pads are for (all if left out).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..attributes import str_of
from ..axes import normalize_axes, to_integers
from ..nodes import Node, Shape
from ..operators import Array, Known, Operator, Run, as_needed, same_dtype

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    shape, pads, _, axes = (*shapes, None, None)[:4]
    _check_mode(node)
    values = [None if given is None else Known.value_of(given) for given in (pads, axes)]
    if values[0] is None or (axes is not None and values[1] is None):
        return ((None,) * len(shape),)
    widths = _widths(len(shape), values[0], values[1])
    sizes: list[int | None] = []
    for size, (begin, end) in zip(shape, widths, strict=True):
        total = None if size is None else size + begin + end
        if total is not None and total < 0:
            raise ValueError(f"pads: expected to leave something of shape {tuple(shape)}, got {widths}")
        sizes.append(size if (begin, end) == (0, 0) else total)
    return (tuple(sizes),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    x, pads, constant, axes = (*inputs, None, None)[:4]
    _check_mode(node)
    if constant is not None:
        same_dtype(x, constant)
        if constant.size != 1:
            raise ValueError(f"expected one constant, got shape {constant.shape}")
    widths = _widths(x.ndim, pads, axes)
    shape = [size + begin + end for size, (begin, end) in zip(x.shape, widths, strict=True)]
    if min(shape, default=0) < 0:
        raise ValueError(f"pads: expected to leave something of shape {x.shape}, got {widths}")
    y = np.full(shape, x.dtype.type(0) if constant is None else constant.reshape(()), x.dtype)
    inside, taken = _places(x.shape, widths)
    y[inside] = x[taken]
    return (y,)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    x, pads, _, axes = (*inputs, None, None)[:4]
    (dy,) = gradients
    inside, taken = _places(x.shape, _widths(x.ndim, pads, axes))

    def of_x() -> Array:
        dx = np.zeros(x.shape, x.dtype)
        dx[taken] = dy[inside]
        return dx

    return (*as_needed(needed[:1], of_x), None, None, None)[: len(inputs)]


def _check_mode(node: Node) -> None:
    str_of(node, "mode", "constant", ("constant",))


def _widths(rank: int, pads: Array, axes: Array | None) -> list[tuple[int, int]]:
    numbers = to_integers(pads, "pads")
    which = tuple(range(rank)) if axes is None else to_integers(axes, "axes")
    normalize_axes(which, rank)
    if len(numbers) != 2 * len(which):
        raise ValueError(f"pads: expected {2 * len(which)} numbers, two an axis, got {len(numbers)}")
    widths = [(0, 0)] * rank
    for i, axis in enumerate(which):
        widths[axis] = numbers[i], numbers[i + len(which)]
    return widths


def _places(
    shape: Sequence[int], widths: Sequence[tuple[int, int]]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return where in the result the input lies, and which part of the input that is."""
    inside, taken = [], []
    for size, (begin, end) in zip(shape, widths, strict=True):
        first, last = max(-begin, 0), size - max(-end, 0)
        # More may be cut off at one end than there is, if the other end is padded.
        last = max(first, last)
        inside.append(slice(first + begin, last + begin))
        taken.append(slice(first, last))
    return tuple(inside), tuple(taken)


OPERATOR = Operator("Pad", infer, meaning, gradient, (0,), inputs=(2, 4), attributes=("mode",))
