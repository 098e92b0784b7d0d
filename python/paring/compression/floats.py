"""The float arrays that can be compressed: which they are, how kernels want them, what others lack."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from ..weights import QuantizedWeight, SparseWeight
from ..weights.pieces import PIECE

__all__ = ["as_float32", "as_native", "check_floats", "explain_not_finite", "first_not_finite", "is_float"]

FLOAT_NAMES: dict[np.dtype[Any], str] = {
    np.dtype(dtype): name
    for name, dtype in {
        "float16": np.float16,
        "bfloat16": ml_dtypes.bfloat16,
        "float32": np.float32,
        "float64": np.float64,
    }.items()
}
"""The float dtypes of weights (native byte order) and the names kernels know them by."""

LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


def is_float(dtype: np.dtype[Any]) -> bool:
    """Whether a dtype is one of `FLOAT_NAMES`, in any byte order."""
    return dtype.newbyteorder("=") in FLOAT_NAMES


def check_floats(w: object, label: str) -> npt.NDArray[Any]:
    """Return `w`, called `label`, if it is an array of a float dtype; TypeError for anything else."""
    if isinstance(w, QuantizedWeight | SparseWeight):
        raise TypeError(
            f"{label}: expected a float array, got a {type(w).__name__}, which is compressed already; "
            f"give its .dense() to compress it anew"
        )
    if isinstance(w, np.ma.MaskedArray):
        raise TypeError(f"{label}: expected a plain float array, got a masked one; give its .filled(0)")
    if not isinstance(w, np.ndarray | np.generic):
        raise TypeError(f"{label}: expected a NumPy float array, got {type(w).__name__}")
    array = np.asarray(w)
    if not is_float(array.dtype):
        raise TypeError(
            f"{label}: expected a dtype among {', '.join(FLOAT_NAMES.values())}, got {array.dtype}"
        )
    return array


def as_native(w: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return `w` C-contiguous, aligned and in native byte order: itself if it is so, else a copy."""
    return np.require(w, w.dtype.newbyteorder("="), ["C_CONTIGUOUS", "ALIGNED"])


def as_float32(w: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return `w` as `as_native` does, rounded to float32. Values beyond its range become infinite."""
    with np.errstate(over="ignore", under="ignore"):
        return np.require(w, np.float32, ["C_CONTIGUOUS", "ALIGNED"])


def first_not_finite(w: npt.NDArray[Any], *, float32: bool = False) -> tuple[int, ...] | None:
    """Return the index of the first NaN or infinity in row-major order, of `w` or of its float32 rounding."""
    flat = w.reshape(-1) if w.flags.c_contiguous else w.ravel()
    for start in range(0, flat.size, PIECE):
        piece = flat[start : start + PIECE]
        finite = np.isfinite(as_float32(piece) if float32 else piece)
        if not finite.all():
            return tuple(int(i) for i in np.unravel_index(start + int(np.argmin(finite)), w.shape))
    return None


def explain_not_finite(w: npt.NDArray[Any], label: str, *, float32: bool = False) -> ValueError | None:
    """Return the error that says where `w` (or its float32 rounding) is not finite, None if it is."""
    index = first_not_finite(w, float32=float32)
    if index is None:
        return None
    value = float(w[index])
    at = f" at {list(index)}" if index else ""
    if np.isfinite(value):
        return ValueError(
            f"{label}: expected values in the range of float32, up to {LARGEST_FLOAT32:.6g}, "
            f"got {value!r}{at}"
        )
    what = "NaN" if np.isnan(value) else "infinity" if value > 0 else "-infinity"
    return ValueError(f"{label}: expected finite values, got {what}{at}")
