"""The values of weights a bounded piece at a time, of one weight or of two side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from . import QuantizedWeight, SparseWeight, Weight

__all__ = ["PIECE", "paired_pieces", "quantized_rows", "row_step", "sparse_rows"]

PIECE = 1 << 20
"""Elements in a piece, unless a single row has more."""

Array = npt.NDArray[Any]


def row_step(columns: int) -> int:
    """Return how many rows of so many columns make a piece."""
    return max(1, PIECE // max(columns, 1))


def quantized_rows(weight: QuantizedWeight, rows: slice) -> QuantizedWeight:
    """Return some channels of a weight as a matrix, channels first."""
    data = weight.data[rows]
    whole = weight.granularity == "tensor"
    return replace(
        weight,
        data=data,
        scale=weight.scale if whole else weight.scale[rows],
        zero_point=weight.zero_point if whole or weight.zero_point is None else weight.zero_point[rows],
        shape=(len(data), weight.columns),
        axis=0,
    )


def sparse_rows(weight: SparseWeight, rows: slice) -> SparseWeight:
    """Return some rows of a weight as a matrix, rows first; of ``rows`` only start and stop count."""
    bounds = weight.indptr[rows.start : rows.stop + 1]
    stored = slice(int(bounds[0]), int(bounds[-1]))
    return replace(
        weight,
        data=weight.data[stored],
        indices=weight.indices[stored],
        indptr=bounds - bounds[0],
        shape=(len(bounds) - 1, weight.columns),
        scale=None if weight.scale is None else weight.scale[rows],
        axis=0,
    )


def paired_pieces(a: Weight, b: Weight) -> Iterator[tuple[Array, Array]]:
    """Yield the values of two weights of one shape, piece by piece, in an order that is the same for both.

    Compressed weights are unfolded a piece at a time, unless their axes differ: then the second one is at once.
    """
    compressed = [weight for weight in (a, b) if not isinstance(weight, np.ndarray)]
    if not a.shape:
        yield _dense(a).reshape(1), _dense(b).reshape(1)
        return
    axis = compressed[0].axis if compressed else 0
    length = a.shape[axis]
    step = row_step(_size(a) // max(length, 1))
    rows_of_a, rows_of_b = _row_reader(a, axis), _row_reader(b, axis)
    for start in range(0, length, step):
        rows = slice(start, min(start + step, length))
        yield rows_of_a(rows), rows_of_b(rows)


def _size(weight: Weight) -> int:
    return math.prod(weight.shape)


def _row_reader(weight: Weight, axis: int) -> Callable[[slice], Array]:
    """Return a function from a slice of ``axis`` to the values there, as a matrix."""
    if isinstance(weight, QuantizedWeight) and weight.axis == axis:
        return lambda rows: quantized_rows(weight, rows).dense()
    if isinstance(weight, SparseWeight) and weight.axis == axis:
        return lambda rows: sparse_rows(weight, rows).dense()
    moved = np.moveaxis(_dense(weight), axis, 0)
    # The columns are spelled out: of a weight without elements -1 would be ambiguous.
    columns = math.prod(moved.shape[1:])
    return lambda rows: moved[rows].reshape(rows.stop - rows.start, columns)


def _dense(weight: Weight) -> Array:
    return weight if isinstance(weight, np.ndarray) else weight.dense()
