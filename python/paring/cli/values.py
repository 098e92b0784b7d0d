"""Range and zeros of a weight, a bounded piece at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..weights import QuantizedWeight, SparseWeight, Weight, pieces

__all__ = ["ValueSummary", "summarize"]


@dataclass(frozen=True)
class ValueSummary:
    """What the values of a weight are like.

    Attributes
    ----------
    minimum, maximum : int, float or None
        Of the finite values, exact for whole numbers too; None if there are none.
    zeros, not_finite : int
    integers : bool
        Whether the values are whole numbers by their dtype.
    """

    minimum: int | float | None
    maximum: int | float | None
    zeros: int
    not_finite: int
    integers: bool


def summarize(weight: Weight) -> ValueSummary | None:
    """Return the summary of a weight; None if its values have no order and no zero (text, complex numbers).

    Examples
    --------
    >>> summarize(np.array([0.0, -2.0, np.nan, 1.0], np.float32))
    ValueSummary(minimum=-2.0, maximum=1.0, zeros=1, not_finite=1, integers=False)
    """
    parts = _pieces(weight)
    if parts is None:
        return None
    lows: list[int | float] = []
    highs: list[int | float] = []
    zeros, not_finite, integers = 0, 0, False
    for piece in parts:
        integers = piece.dtype.kind in "iub"
        zeros += piece.size - int(np.count_nonzero(piece))
        if not integers:
            finite = np.isfinite(piece)
            if not finite.all():
                not_finite += piece.size - int(finite.sum())
                piece = piece[finite]
        if piece.size:
            # A float has no room for the largest of int64.
            number = int if integers else float
            lows.append(number(piece.min()))
            highs.append(number(piece.max()))
    summary = ValueSummary(min(lows, default=None), max(highs, default=None), zeros, not_finite, integers)
    if isinstance(weight, SparseWeight):
        return _with_implied_zeros(summary, math.prod(weight.shape) - weight.nnz)
    return summary


def _pieces(weight: Weight) -> Iterator[npt.NDArray[Any]] | None:
    if isinstance(weight, QuantizedWeight):
        return _dense_pieces(weight)
    if isinstance(weight, SparseWeight):
        return _stored_pieces(weight)
    known = weight.dtype.kind in "iubf" or weight.dtype.name in ("bfloat16", "float8_e5m2", "float8_e4m3fn")
    return _array_pieces(weight) if known else None


def _array_pieces(array: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    flat = array.ravel(order="K")
    for start in range(0, flat.size, pieces.PIECE):
        piece = flat[start : start + pieces.PIECE]
        # Small floats are slow in NumPy, and those of ml_dtypes lack half the functions.
        yield (
            piece.astype(np.float32) if piece.dtype.itemsize <= 2 and piece.dtype.kind not in "iub" else piece
        )


def _dense_pieces(weight: QuantizedWeight) -> Iterator[npt.NDArray[Any]]:
    """The values of some channels at a time, as a matrix: their order does not matter here."""
    step = pieces.row_step(weight.columns)
    for start in range(0, weight.channels, step):
        yield pieces.quantized_rows(weight, slice(start, start + step)).dense()


def _stored_pieces(weight: SparseWeight) -> Iterator[npt.NDArray[Any]]:
    for start in range(0, weight.nnz, pieces.PIECE):
        values = weight.data[start : start + pieces.PIECE]
        if weight.scale is not None:
            places = np.arange(start, start + values.size)
            values = values * weight.scale[np.searchsorted(weight.indptr, places, side="right") - 1]
        yield values


def _with_implied_zeros(summary: ValueSummary, implied: int) -> ValueSummary:
    if not implied:
        return summary
    return replace(
        summary,
        minimum=min(summary.minimum or 0.0, 0.0),
        maximum=max(summary.maximum or 0.0, 0.0),
        zeros=summary.zeros + implied,
    )
