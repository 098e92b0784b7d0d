"""AveragePool: the mean of each window; padding counts as zeros if ``count_include_pad`` is 1, else not at all.

What ``ceil_mode`` lets a window reach beyond the padding never counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..nodes import Node, Shape
from ..operators import Array, Operator, Run
from ..windows import Axis, Windows, check_floats, find_windows, infer_spatial

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    (x,) = shapes
    return ((*x[:2], *infer_spatial(node, x[2:], _kernel(node))),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    (x,) = inputs
    check_floats(x=x)
    windows = find_windows(node, x.shape[2:], _kernel(node))
    if not node.attributes.get("count_include_pad", 0):
        windows.check_inside()
    images = windows.as_images(x)
    n, c = images.shape[:2]
    y = np.zeros_like(images, shape=(n, c, windows.rows.out, windows.columns.out))
    for outputs, positions in _taps(windows):
        y[outputs] += images[positions]
    y /= _counts(node, windows).astype(x.dtype)
    return (windows.as_given(y),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    (x,) = inputs
    windows = find_windows(node, x.shape[2:], _kernel(node))
    dy = windows.as_images(gradients[0])
    share = dy / _counts(node, windows).astype(dy.dtype)
    dx = np.zeros_like(windows.as_images(x))
    for places, positions in _taps(windows):
        dx[positions] += share[places]
    return (windows.as_given(dx),)


Index = tuple[Any, ...]


def _taps(windows: Windows) -> Iterator[tuple[Index, Index]]:
    """Yield, for each tap, the outputs for which it is inside, and where it meets the input: slices of both arrays."""
    for rows, row_positions in _taps_of(windows.rows):
        for columns, column_positions in _taps_of(windows.columns):
            yield (..., rows, columns), (..., row_positions, column_positions)


def _taps_of(axis: Axis) -> Iterator[tuple[slice, slice]]:
    for positions in axis.taps().T:
        inside = np.flatnonzero((positions >= 0) & (positions < axis.size))
        if len(inside):
            first, last = inside[0], inside[-1]
            yield slice(first, last + 1), slice(positions[first], positions[last] + 1, axis.stride)


def _counts(node: Node, windows: Windows) -> Array:
    """Return by how many elements each window is divided, shape (rows, columns)."""
    include = bool(node.attributes.get("count_include_pad", 0))

    def count(axis: Axis) -> Array:
        low, high = (-axis.begin, axis.size + axis.end) if include else (0, axis.size)
        positions = axis.taps()
        result: Array = ((positions >= low) & (positions < high)).sum(axis=1)
        return result

    return np.multiply.outer(count(windows.rows), count(windows.columns))


def _kernel(node: Node) -> tuple[int, ...]:
    kernel: Any = node.attributes.get("kernel_shape")
    if kernel is None:
        raise ValueError("kernel_shape: expected one, got none")
    return tuple(kernel)


OPERATOR = Operator("AveragePool", infer, meaning, gradient)
