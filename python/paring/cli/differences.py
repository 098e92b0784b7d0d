"""How far the values of one weight are from those of another, in bounded memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..weights import Weight
from ..weights.pieces import paired_pieces

__all__ = ["Difference", "measure_difference"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Difference:
    """What is different between a weight and its original.

    Attributes
    ----------
    differing : int
        Elements whose values differ; NaN is equal to NaN here.
    max_error, mean_error : float or None
        Of ``|original - weight|``: infinity if only one of them is finite. None for what is no number (text).
    sqnr_db : float or None
        ``10 log10(sum(original**2) / sum((original - weight)**2))``: infinity where all are equal, -infinity
        where an error is infinite or the original is all zero.
    """

    differing: int
    max_error: float | None
    mean_error: float | None
    sqnr_db: float | None


def measure_difference(original: Weight, weight: Weight) -> Difference:
    """Compare two weights of one shape.

    Examples
    --------
    >>> a, b = np.array([3.0, 4.0, np.nan]), np.array([3.0, 4.5, np.nan], np.float32)
    >>> difference = measure_difference(a, b)
    >>> difference.differing, difference.max_error, round(difference.sqnr_db)
    (1, 0.5, 20)
    """
    size = differing = 0
    largest = total = signal = noise = 0.0
    for a, b in paired_pieces(original, weight):
        if not (_is_number(a) and _is_number(b)):
            return Difference(_count_other(original, weight), None, None, None)
        a, b, equal = _comparable(a, b)
        differing += equal.size - int(np.count_nonzero(equal))
        size += equal.size
        with np.errstate(invalid="ignore", over="ignore", under="ignore"):
            error = np.abs(a - b).astype(np.float64)
            error[equal] = 0
            error[np.isnan(error)] = np.inf
            finite = a[np.isfinite(a)]
            signal += float(np.square(np.abs(finite).astype(np.float64)).sum())
            noise += float(np.square(error).sum())
            total += float(error.sum())
        largest = max(largest, float(error.max(initial=0)))
    return Difference(differing, largest, total / size if size else 0.0, _ratio_db(signal, noise, differing))


def _ratio_db(signal: float, noise: float, differing: int) -> float:
    if not differing or noise == 0:
        return math.inf
    if signal == 0 or math.isinf(noise):
        return -math.inf
    return math.inf if math.isinf(signal) else 10 * math.log10(signal / noise)


def _is_number(array: Array) -> bool:
    return array.dtype.kind in "biufc" or array.dtype.isbuiltin == 2  # 2: a dtype of ml_dtypes


def _comparable(a: Array, b: Array) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Return both in a dtype that can be subtracted, and where they are equal, judged before any rounding."""
    whole = a.dtype.kind in "biu" and b.dtype.kind in "biu"
    exact = a == b if whole else None
    wide = np.complex128 if "c" in (a.dtype.kind, b.dtype.kind) else np.float64
    a, b = a.astype(wide), b.astype(wide)
    equal = (a == b) | (np.isnan(a) & np.isnan(b)) if exact is None else exact
    return a, b, np.asarray(equal, np.bool_)


def _count_other(a: Weight, b: Weight) -> int:
    """Count what differs between weights of which one at least is text or the like."""
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray) or a.dtype.kind != b.dtype.kind:
        return math.prod(a.shape)
    return a.size - int(np.count_nonzero(a == b))
