"""From a tensor's description and the bytes of its storage to an array."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..arrays import EXTENSION_DTYPES, array_at
from .values import Tensor

__all__ = ["tensor_array"]


def tensor_array(tensor: Tensor, content: Any, begin: int, big_endian: bool, where: str) -> npt.NDArray[Any]:
    """Return a tensor as a read-only view of `content`, where its storage's values begin at byte `begin`.

    The caller has checked the geometry (`Tensor.mistake`) and the bytes of the storage. Axes keep their strides, so
    that an expanded tensor takes no more memory than its storage. Values are copied if they are misaligned or of the
    other byte order, and if the tensor is a lazy conjugate: the values alone, or, where these are fewer because axes
    repeat them, everything from the first to the last one.
    """
    dtype = tensor.dtype.numpy
    assert dtype is not None
    if 0 in tensor.shape:
        return array_at(b"", 0, tensor.shape, dtype, where)
    offset = begin + tensor.storage.first * tensor.storage.dtype.itemsize + tensor.offset * dtype.itemsize
    stored = _stored_dtype(dtype, big_endian)
    if _is_contiguous(tensor):
        array = array_at(content, offset, tensor.shape, stored, where).view(dtype)
    else:
        # NumPy compares strides and shape with the buffer once more. The stride of an axis of one value may be
        # anything, and is not needed.
        strides = tuple(
            stride * dtype.itemsize if size > 1 else 0
            for size, stride in zip(tensor.shape, tensor.stride, strict=True)
        )
        spread: npt.NDArray[Any] = np.ndarray(
            tensor.shape, stored, buffer=content, offset=offset, strides=strides
        )
        # Of a few values that lie far apart, which any number of tensors may share, all between would be looked at.
        looked_at = dtype == np.bool_ or not (spread.flags.aligned and stored.isnative)
        if looked_at and math.prod(tensor.shape) < tensor.span:
            array = array_at(spread.copy(), 0, tensor.shape, stored, where).view(dtype)
        else:
            run = array_at(content, offset, (tensor.span,), stored, where)
            array = np.ndarray(tensor.shape, dtype, buffer=run.view(np.uint8), strides=strides)
    if tensor.conjugate:
        array = np.asarray(np.conjugate(array))
    if tensor.negative:
        array = np.asarray(np.negative(array))
    array.flags.writeable = False
    return array


def _stored_dtype(dtype: np.dtype[Any], big_endian: bool) -> np.dtype[Any]:
    """Return what the bytes are; of the dtypes that NumPy itself lacks it cannot swap bytes, of their bits it can."""
    order: Literal[">", "<"] = ">" if big_endian else "<"
    if dtype.name in EXTENSION_DTYPES:
        return np.dtype(f"{order}u{dtype.itemsize}")
    swapped: np.dtype[Any] = dtype.newbyteorder(order)
    return swapped


def _is_contiguous(tensor: Tensor) -> bool:
    expected = 1
    for size, stride in zip(reversed(tensor.shape), reversed(tensor.stride), strict=True):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True
