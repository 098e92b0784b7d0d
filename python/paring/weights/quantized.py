"""Integer codes with their scales."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .. import _core
from .parts import described_shape, require_contiguous, require_shape_tensor, restore_axis, same_array

__all__ = ["GRANULARITIES", "Granularity", "QuantizedWeight", "packed_row_bytes"]

Granularity = Literal["tensor", "channel", "group"]
GRANULARITIES: tuple[Granularity, ...] = ("tensor", "channel", "group")


def packed_row_bytes(columns: int, bits: int) -> int:
    """Bytes of one row of ``columns`` codes: a bit stream, padded to whole 32-bit words (one byte a code at 8 bits)."""
    return columns if bits == 8 else 4 * math.ceil(columns * bits / 32)


def require_bits_and_axis(bits: int, axis: int, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless there are codes of so many bits, and an axis of that number."""
    if not 2 <= bits <= 8:
        raise ValueError(f"bits: expected 2 to 8, got {bits}")
    if not 0 <= axis < max(len(shape), 1):
        raise ValueError(f"axis: expected 0 to {max(len(shape), 1) - 1}, got {axis}")


def require_codes(zero_point: npt.NDArray[np.int8], bits: int) -> None:
    """Raise ValueError unless every zero point is a code of so many bits, as it must be to be packed."""
    half = 1 << (bits - 1)
    if zero_point.size and not (-half <= zero_point.min() and zero_point.max() < half):
        raise ValueError(
            f"zero_point: expected codes of {bits} bits, {-half} to {half - 1}, "
            f"got {zero_point.min()} to {zero_point.max()}"
        )


def pack_zero_points(zero_point: npt.NDArray[np.int8], bits: int) -> npt.NDArray[Any]:
    """Return ``(channels, groups)`` zero points as files hold them: int32 words, a stream of bits down each column."""
    if bits == 8:
        return zero_point
    require_codes(zero_point, bits)
    stream = _core.pack_codes(np.ascontiguousarray(zero_point.T), bits)
    return np.ascontiguousarray(stream.view("<i4").T)


def unpack_zero_points(
    words: npt.NDArray[Any], bits: int, channels: int, groups: int
) -> npt.NDArray[np.int8]:
    """Return the ``int8 (channels, groups)`` that `pack_zero_points` packed; raises ValueError for another shape."""
    expected = (packed_row_bytes(channels, bits) // 4, groups)
    if words.shape != expected:  # before unpacking, which takes several times their memory
        raise ValueError(
            f"packed zero_point: expected int32 {expected} for {channels} channels of {bits} bits and {groups} "
            f"groups, got {words.dtype} {words.shape}"
        )
    stream = np.ascontiguousarray(words.T).view(np.uint8)
    return np.ascontiguousarray(_core.unpack_codes(stream, bits, channels).T)


@dataclass(frozen=True, eq=False)
class QuantizedWeight:
    """Integer codes with the scales that give them their meaning: ``w = (code - zero_point) * scale``.

    Attributes
    ----------
    data : ndarray
        The codes, channels first. 8 bits: ``int8 (channels, columns)``. Fewer bits: ``uint8 (channels, row_bytes)``,
        each row a little-endian bit stream of ``code + 2**(bits - 1)`` (so 4-bit codes lie two to a byte, the
        first in the low nibble), padded to a multiple of 4 bytes.
    scale : ndarray
        ``float32``: ``(1, 1)`` per tensor, ``(channels, 1)`` per channel, ``(channels, ceil(columns / group_size))``
        per group.
    zero_point : ndarray or None
        ``int8`` of the shape of ``scale``, each a possible code; None for symmetric quantization (all zero).
    shape : tuple of int
        Shape of the original array.
    bits : int
        2 to 8.
    granularity : {"tensor", "channel", "group"}
    group_size : int or None
        Columns that share a scale, for ``granularity="group"`` only; the last group may be shorter.
    axis : int
        Which axis of ``shape`` holds the output channels (never negative).

    Examples
    --------
    >>> import numpy as np, paring
    >>> q = paring.quantize(np.array([[1.0, -2.0], [0.0, 127.0]], np.float32))
    >>> q.codes()
    array([[  64, -127],
           [   0,  127]], dtype=int8)
    >>> q.scale.ravel()[1], q.nbytes
    (np.float32(1.0), 12)
    """

    data: npt.NDArray[Any]
    scale: npt.NDArray[np.float32]
    zero_point: npt.NDArray[np.int8] | None
    shape: tuple[int, ...]
    bits: int
    granularity: Granularity
    group_size: int | None = None
    axis: int = 0

    def __post_init__(self) -> None:
        require_contiguous(self, "data", "scale", "zero_point")
        require_bits_and_axis(self.bits, self.axis, self.shape)
        if self.granularity not in GRANULARITIES:
            raise ValueError(
                f"granularity: expected one of {', '.join(GRANULARITIES)}, got {self.granularity!r}"
            )
        grouped = self.granularity == "group"
        if (self.group_size is not None) != grouped or (self.group_size is not None and self.group_size < 1):
            raise ValueError(
                f"group_size: expected a positive number for granularity 'group' and None otherwise, "
                f"got {self.group_size} for {self.granularity!r}"
            )
        code_dtype = np.dtype(np.int8 if self.bits == 8 else np.uint8)
        expected = (self.channels, packed_row_bytes(self.columns, self.bits))
        if self.data.dtype != code_dtype or self.data.shape != expected:
            raise ValueError(
                f"data: expected {code_dtype} {expected} for {self.bits} bits and shape {self.shape}, "
                f"got {self.data.dtype} {self.data.shape}"
            )
        groups = {
            "tensor": (1, 1),
            "channel": (self.channels, 1),
            "group": (self.channels, math.ceil(self.columns / (self.group_size or 1))),
        }[self.granularity]
        for name, array, dtype in (
            ("scale", self.scale, np.float32),
            ("zero_point", self.zero_point, np.int8),
        ):
            if array is not None and (array.dtype != dtype or array.shape != groups):
                raise ValueError(
                    f"{name}: expected {np.dtype(dtype)} {groups} for granularity {self.granularity!r} and shape "
                    f"{self.shape}, got {array.dtype} {array.shape}"
                )

    @property
    def channels(self) -> int:
        """Rows of the matrix of codes: the length of ``axis``."""
        return self.shape[self.axis] if self.shape else 1

    @property
    def columns(self) -> int:
        """Columns of the matrix of codes: the product of the other axes."""
        return math.prod(n for i, n in enumerate(self.shape) if i != self.axis)

    @property
    def symmetric(self) -> bool:
        """Whether every zero point is zero."""
        return self.zero_point is None

    @property
    def nbytes(self) -> int:
        """Bytes of codes, scales and zero points."""
        return (
            self.data.nbytes + self.scale.nbytes + (0 if self.zero_point is None else self.zero_point.nbytes)
        )

    @property
    def kernel_group_size(self) -> int:
        """Columns that share a scale as the kernels count them: 0 for the whole row."""
        return self.group_size or 0

    def _restore(self, matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if not self.shape:
            return matrix.reshape(())
        return restore_axis(matrix, self.shape, self.axis)

    def codes(self) -> npt.NDArray[np.int8]:
        """Return the integer codes, unpacked, as ``int8`` of the original shape."""
        return self._restore(_core.unpack_codes(self.data, self.bits, self.columns))

    def dense(self) -> npt.NDArray[np.float32]:
        """Return ``(code - zero_point) * scale`` as ``float32`` of the original shape."""
        matrix = np.empty((self.channels, self.columns), np.float32)
        _core.dequantize(self.data, self.scale, self.zero_point, self.bits, self.kernel_group_size, matrix)
        return self._restore(matrix)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays a file holds, keyed by what is appended to the weight's name.

        Names and layouts are those of compressed-tensors. 8 bits: codes ``int8`` under the name itself. Fewer bits:
        ``_packed`` ``int32 (channels, words)`` and ``_shape`` ``int64``. ``_scale`` ``float32``, ``(1,)`` per tensor.
        ``_zero_point`` ``int8`` of that shape, but for fewer than 8 bits per channel or group packed down the rows:
        ``int32 (words, groups)``.
        """
        if self.bits == 8:
            parts: dict[str, npt.NDArray[Any]] = {
                "": self.data.reshape(self.shape) if self.axis == 0 else self.data
            }
        else:
            parts = {"_packed": self.data.view("<i4"), "_shape": np.array(self.shape, np.int64)}
        single = self.granularity == "tensor"
        parts["_scale"] = self.scale.reshape(1) if single else self.scale
        if self.zero_point is not None:
            if single:
                parts["_zero_point"] = self.zero_point.reshape(1)
            else:
                parts["_zero_point"] = pack_zero_points(self.zero_point, self.bits)
        return parts

    def describe(self) -> dict[str, Any]:
        """Return what the arrays of `tensors` do not say, as JSON-able values."""
        return {
            "kind": "quantized",
            "bits": self.bits,
            "granularity": self.granularity,
            "group_size": self.group_size,
            "axis": self.axis,
            "shape": list(self.shape),
        }

    @classmethod
    def suffixes(cls, description: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the suffixes that must exist and those that may, for a `describe` result."""
        codes = ("",) if description.get("bits") == 8 else ("_packed", "_shape")
        return (*codes, "_scale"), ("_zero_point",)

    @classmethod
    def from_tensors(
        cls, parts: Mapping[str, npt.NDArray[Any]], description: Mapping[str, Any]
    ) -> QuantizedWeight:
        """Rebuild a weight from what `tensors` and `describe` gave; raises ValueError if they do not fit."""
        shape = described_shape(description)
        bits, axis = int(description["bits"]), int(description["axis"])
        require_bits_and_axis(bits, axis, shape)
        granularity = description["granularity"]
        channels = shape[axis] if shape else 1
        if bits == 8:
            columns = math.prod(n for i, n in enumerate(shape) if i != axis)
            codes, expected = parts[""], (shape if axis == 0 else (channels, columns))
            if codes.dtype != np.int8 or codes.shape != expected:
                raise ValueError(f"codes: expected int8 {expected}, got {codes.dtype} {codes.shape}")
            data = codes.reshape(channels, columns)
        else:
            words = parts["_packed"]
            if words.dtype != np.dtype("<i4"):
                raise ValueError(f"packed codes: expected int32 words, got {words.dtype}")
            require_shape_tensor(parts["_shape"], shape)
            data = np.ascontiguousarray(words).view(np.uint8)
        scale, zero_point = parts["_scale"], parts.get("_zero_point")
        if granularity == "tensor":  # (1,) as compressed-tensors has it, or (1, 1)
            scale = scale.reshape(1, 1) if scale.shape == (1,) else scale
            if zero_point is not None and zero_point.shape == (1,):
                zero_point = zero_point.reshape(1, 1)
        elif zero_point is not None and bits < 8:
            if zero_point.dtype == np.dtype("<i4"):
                zero_point = unpack_zero_points(
                    zero_point, bits, channels, scale.shape[-1] if scale.ndim else 1
                )
            else:  # not packed, as older files have it
                require_codes(zero_point, bits)
        group_size = description["group_size"]
        return cls(
            data=data,
            scale=scale,
            zero_point=zero_point,
            shape=shape,
            bits=bits,
            granularity=granularity,
            group_size=None if group_size is None else int(group_size),
            axis=axis,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, QuantizedWeight):
            return NotImplemented
        return self.describe() == other.describe() and all(
            same_array(a, b)
            for a, b in (
                (self.data, other.data),
                (self.scale, other.scale),
                (self.zero_point, other.zero_point),
            )
        )

    __hash__ = None  # type: ignore[assignment]
