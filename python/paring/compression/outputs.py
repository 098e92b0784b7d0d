"""The arrays a caller gives as ``out=``: whether they fit, and what memory they share."""

from __future__ import annotations

import bisect
import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["check_apart", "check_out", "is_same_memory"]


def check_out(out: object, label: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Raise TypeError or ValueError unless kernels can write such an array to `out`, called `label`."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{label}: expected an array, got {type(out).__name__}")
    if out.dtype != dtype:
        raise TypeError(f"{label}: expected dtype {dtype} in native byte order, got {out.dtype.str}")
    if out.shape != shape:
        raise ValueError(f"{label}: expected shape {shape}, got {out.shape}")
    if not (out.flags.c_contiguous and out.flags.aligned):
        raise ValueError(f"{label}: expected a C-contiguous, aligned array")
    if not out.flags.writeable:
        raise ValueError(f"{label}: expected a writeable array, got a read-only one")


def is_same_memory(out: npt.NDArray[Any], array: npt.NDArray[Any]) -> bool:
    """Whether `out`, which `check_out` passed, is the memory of `array`, element for element."""
    return out is array or (
        out.ctypes.data == array.ctypes.data
        and out.dtype == array.dtype
        and out.shape == array.shape
        and array.flags.c_contiguous
    )


def check_apart(entries: list[tuple[str, npt.NDArray[Any], npt.NDArray[Any]]]) -> None:
    """Raise ValueError if an out shares memory with another's out or input: (label of out, input, out).

    An input counts with its gaps, so one that is strided around another's out is refused as well.
    """
    spans = sorted((*_span(out), label) for label, _, out in entries if out.size)
    for (_, stop, before), (start, _, after) in itertools.pairwise(spans):
        if start < stop:
            raise ValueError(f"{after}: overlaps {before}")
    starts = [start for start, _, _ in spans]
    for label, array, _ in entries:
        low, high = _span(array)
        # Spans do not overlap, so of those that begin at or before `low` only the last can reach it.
        first = max(bisect.bisect_right(starts, low) - 1, 0)
        for start, stop, other in spans[first : bisect.bisect_left(starts, high)]:
            if start < high and low < stop and other != label:
                raise ValueError(f"{other}: overlaps the input that {label} belongs to")


def _span(array: npt.NDArray[Any]) -> tuple[int, int]:
    """Return the addresses of the first byte of an array and of the one past its last."""
    start = array.ctypes.data
    if not array.size:
        return start, start
    steps = [(size - 1) * stride for size, stride in zip(array.shape, array.strides, strict=True)]
    return start + sum(min(s, 0) for s in steps), start + sum(max(s, 0) for s in steps) + array.itemsize
