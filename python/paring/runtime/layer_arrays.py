"""The arrays that a packed layer is called with: what they must be, and how kernels see them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..compression.floats import as_float32, check_floats, explain_not_finite
from .activation_scale import ActivationScale

__all__ = ["as_float_array", "as_matrix", "check_out", "check_residual", "pair_of"]


def as_float_array(given: Any, label: str) -> npt.NDArray[np.float32]:
    """Return numbers as float32; raises for what is none or not finite, naming it `label`."""
    array = check_floats(given, label)
    converted = as_float32(array)
    if not np.isfinite(converted).all():
        raise explain_not_finite(array, label, float32=True) or AssertionError(label)
    return converted


def as_matrix(array: npt.NDArray[Any], rows: int, columns: int) -> npt.NDArray[Any]:
    return np.require(array, requirements=["C", "A"]).reshape(rows, columns)


def check_residual(residual: npt.NDArray[np.float32], out: npt.NDArray[Any]) -> None:
    if not isinstance(residual, np.ndarray) or residual.dtype != np.float32:
        kind = residual.dtype if isinstance(residual, np.ndarray) else type(residual).__name__
        raise TypeError(f"residual: expected a float32 array, got {kind}")
    if residual.shape != out.shape:
        raise ValueError(f"residual: expected shape {out.shape}, got {residual.shape}")
    if np.may_share_memory(out, residual):
        raise ValueError("out: overlaps residual; pass memory of its own")


def check_out(
    out: npt.NDArray[Any], shape: tuple[int, ...], dtype: np.dtype[Any], x: npt.NDArray[Any]
) -> None:
    if not isinstance(out, np.ndarray) or out.dtype != dtype:
        kind = out.dtype if isinstance(out, np.ndarray) else type(out).__name__
        article = "an" if dtype == np.int8 else "a"
        raise TypeError(f"out: expected {article} {dtype} array, got {kind}")
    if out.shape != shape:
        raise ValueError(f"out: expected shape {shape}, got {out.shape}")
    if not (out.flags.c_contiguous and out.flags.aligned and out.flags.writeable):
        raise ValueError("out: expected a C-contiguous, aligned, writeable array")
    if np.may_share_memory(out, x):
        raise ValueError("out: overlaps x; pass memory of its own")


def pair_of(scale: ActivationScale | None) -> tuple[float, int] | None:
    return None if scale is None else (scale.scale, scale.zero_point)
