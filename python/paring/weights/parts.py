"""What the compressed forms share: their arrays as kernels can read them, and compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["described_shape", "require_contiguous", "require_shape_tensor", "restore_axis", "same_array"]


def require_contiguous(weight: object, *names: str) -> None:
    """Replace arrays that kernels could not read in place (strided, or unaligned in a file) by copies."""
    for name in names:
        array = getattr(weight, name)
        if array is not None:
            object.__setattr__(weight, name, np.require(array, requirements=["C", "A"]))


def restore_axis(matrix: npt.NDArray[Any], shape: tuple[int, ...], axis: int) -> npt.NDArray[Any]:
    """Return a ``(channels, columns)`` matrix as an array of ``shape`` whose channels lie on ``axis``."""
    rest = [n for i, n in enumerate(shape) if i != axis]
    return np.moveaxis(matrix.reshape(shape[axis], *rest), 0, axis)


def same_array(a: npt.NDArray[Any] | None, b: npt.NDArray[Any] | None) -> bool:
    """Whether two arrays have the same dtype, shape and bytes (NaN equal to itself)."""
    if a is None or b is None:
        return a is b
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def described_shape(description: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the shape in a `describe` result; raises ValueError if it is none."""
    shape = description["shape"]
    if not isinstance(shape, list) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError(f"shape: expected a list of sizes, got {shape!r}")
    return tuple(shape)


def require_shape_tensor(tensor: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    """Raise ValueError unless a tensor is the ``int64`` vector of these sizes."""
    if tensor.dtype != np.int64 or tensor.shape != (len(shape),):
        raise ValueError(f"shape: expected int64 ({len(shape)},), got {tensor.dtype} {tensor.shape}")
    if tuple(tensor.tolist()) != shape:
        raise ValueError(f"shape: expected {list(shape)}, got {tensor.tolist()}")
