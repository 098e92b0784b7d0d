"""The arrays that a packed layer is called with: what they must be, and how kernels see them."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from ..compression.floats import as_float32, as_native, check_floats, explain_not_finite
from .activation_scale import ActivationScale

__all__ = [
    "HALVES",
    "as_bias",
    "as_float_array",
    "as_matrix",
    "check_input",
    "check_out",
    "check_residual",
    "pair_of",
]


HALVES = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))
"""The float dtypes whose weights stay as they are: kernels widen them."""


def as_float_array(given: Any, label: str, *, keep_halves: bool = False) -> npt.NDArray[Any]:
    """Return numbers as float32, or as one of `HALVES` if they are so and that is asked for.

    Raises for what is no float or not finite, naming it `label`.
    """
    array = check_floats(given, label)
    kept = keep_halves and array.dtype.newbyteorder("=") in HALVES
    converted = as_native(array) if kept else as_float32(array)
    if not np.isfinite(converted).all():
        raise explain_not_finite(array, label, float32=True) or AssertionError(label)
    return converted


def as_bias(given: npt.NDArray[Any] | None, size: int) -> npt.NDArray[np.float32] | None:
    """Return a bias of so many numbers as float32, None for None; raises for another shape, and as `as_float_array`."""
    if given is None:
        return None
    array = as_float_array(given, "bias")
    if array.shape != (size,):
        raise ValueError(f"bias: expected shape ({size},), got {array.shape}")
    return array


def as_matrix(array: npt.NDArray[Any], rows: int, columns: int) -> npt.NDArray[Any]:
    """Return an array of any shape as C-contiguous ``(rows, columns)``, copied only where it has to be."""
    return np.require(array, requirements=["C", "A"]).reshape(rows, columns)


def check_input(x: npt.NDArray[Any], input_scale: ActivationScale | None) -> None:
    """Raise TypeError unless it is an array of float32, or of int8 where there is a scale for that."""
    if isinstance(x, np.ndarray) and (
        x.dtype == np.float32 or (x.dtype == np.int8 and input_scale is not None)
    ):
        return
    kind = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
    also = "" if input_scale is None else " or int8"
    raise TypeError(
        f"x: expected a float32{also} array, got {kind}; convert it with np.asarray(x, np.float32)"
    )


def check_residual(residual: npt.NDArray[np.float32], out: npt.NDArray[Any]) -> None:
    """Raise TypeError or ValueError unless it is float32 of the shape of `out`, in other memory."""
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
    """Raise TypeError or ValueError unless it is such an array that kernels can write, in other memory than `x`."""
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
    """Return scale and zero point as the bindings take them."""
    return None if scale is None else (scale.scale, scale.zero_point)
