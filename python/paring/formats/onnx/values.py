"""The values of an ONNX tensor as an array, from any of the places that the format has for them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import FormatError
from ..arrays import array_at
from .tensors import READABLE, ExternalData, OnnxTensor
from .wire import Wire, decode_integers

__all__ = ["tensor_values"]


def tensor_values(
    wire: Wire, tensor: OnnxTensor, where: str, map_external: Callable[[ExternalData, int], Any]
) -> npt.NDArray[Any]:
    """Return the values: a view where they lie in the file as bytes, widened to 8 bits where they have 4.

    Parameters
    ----------
    map_external : callable
        Returns a buffer in which the given number of bytes lie at the given place.

    Raises
    ------
    FormatError
        If the values cannot be read or are not those of the dtype and shape.
    """
    dtype = tensor.element.dtype
    if tensor.problem:
        raise FormatError(f"{where}: {tensor.problem}")
    if dtype is None:
        raise FormatError(f"{where}: expected a dtype of {READABLE}, got {tensor.element.name}")
    buffer: Any = wire.data
    offset = tensor.begin
    if tensor.stored == 0:
        buffer, offset = b"", 0
    elif tensor.external:
        buffer, offset = map_external(tensor.external, tensor.stored), tensor.external.offset
    elif tensor.field.startswith(("int", "uint")):
        buffer, offset = _typed(wire, tensor, where), 0
    if tensor.element.bits != 4:
        return array_at(buffer, offset, tensor.shape, dtype, where)
    packed = array_at(buffer, offset, (tensor.stored,), np.dtype(np.uint8), where)
    return _unpack(packed, tensor.shape, dtype)


def _typed(wire: Wire, tensor: OnnxTensor, where: str) -> npt.NDArray[Any]:
    """Return the integers of a typed field as they would lie in raw_data: floats are there as their bits."""
    element, dtype = tensor.element, tensor.element.dtype
    assert dtype is not None
    size = 1 if element.bits == 4 else dtype.itemsize
    count = tensor.stored // size
    raw = np.frombuffer(wire.data, np.uint8, tensor.end - tensor.begin, tensor.begin)
    values = decode_integers(raw, count, f"{where}: {tensor.field}")
    if tensor.field == "int32_data":
        values = values.astype(np.int32)
    if size == 8:
        return values.astype("<i8", copy=False)
    signed = dtype.kind == "i" and element.bits != 4
    target = np.dtype(f"<{'i' if signed else 'u'}{size}")
    result = values.astype(target)
    wrong = np.flatnonzero(result != values)
    if wrong.size:
        raise FormatError(
            f"{where}: {tensor.field}: expected values of {8 * size} bits for {element.name}, got "
            f"{values[wrong[0]]} at element {wrong[0]}"
        )
    return result


def _unpack(packed: npt.NDArray[np.uint8], shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return 4-bit values as 8-bit ones: two a byte, the first in the low half, in two's complement if signed."""
    count = math.prod(shape)
    halves = np.empty(2 * packed.size, np.uint8)
    halves[0::2] = packed << 4
    halves[1::2] = packed & 0xF0
    wide = halves.view(dtype)[:count].reshape(shape)
    wide >>= 4  # of int8 this copies the sign
    wide.flags.writeable = False
    return wide
