"""From a tensor's description and the bytes of its storage to an array."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..arrays import EXTENSION_DTYPES, array_at
from .values import Tensor

__all__ = ["tensor_array"]


def tensor_array(tensor: Tensor, content: Any, begin: int, big_endian: bool, where: str) -> npt.NDArray[Any]:
    """Return a tensor as a read-only view of `content`, where its storage's values begin at byte `begin`.

    The caller has checked the geometry (`Tensor.mistake`) and the bytes of the storage. Axes keep their strides, so
    that an expanded tensor takes no more memory than its storage. Values are copied, with everything that lies
    between them, if they are misaligned or of the other byte order, and if the tensor is a lazy conjugate.
    """
    dtype = tensor.dtype.numpy
    assert dtype is not None
    if 0 in tensor.shape:
        return array_at(b"", 0, tensor.shape, dtype, where)
    offset = begin + tensor.storage.first * tensor.storage.dtype.itemsize + tensor.offset * dtype.itemsize
    values = _run(content, offset, tensor.span, dtype, big_endian, where)
    if _is_contiguous(tensor):
        array = values.reshape(tensor.shape)
    else:
        # NumPy compares strides and shape with the buffer once more. The stride of an axis of one value may be
        # anything, and is not needed.
        strides = tuple(
            stride * dtype.itemsize if size > 1 else 0
            for size, stride in zip(tensor.shape, tensor.stride, strict=True)
        )
        array = np.ndarray(tensor.shape, dtype, buffer=values.view(np.uint8), strides=strides)
    if tensor.conjugate:
        array = np.asarray(np.conjugate(array))
    if tensor.negative:
        array = np.asarray(np.negative(array))
    array.flags.writeable = False
    return array


def _run(
    content: Any, offset: int, count: int, dtype: np.dtype[Any], big_endian: bool, where: str
) -> npt.NDArray[Any]:
    """Return `count` values in a row, in native byte order."""
    order: Literal[">", "<"] = ">" if big_endian else "<"
    if dtype.name in EXTENSION_DTYPES:  # NumPy cannot swap their bytes
        bits = np.dtype(f"{order}u{dtype.itemsize}")
        return array_at(content, offset, (count,), bits, where).view(dtype)
    return array_at(content, offset, (count,), dtype.newbyteorder(order), where)


def _is_contiguous(tensor: Tensor) -> bool:
    expected = 1
    for size, stride in zip(reversed(tensor.shape), reversed(tensor.stride), strict=True):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True
