"""From the bytes of a file to arrays: the one place where sizes are computed and believed."""

from __future__ import annotations

import math
import mmap
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import ml_dtypes
import numpy as np
import numpy.typing as npt

from ..errors import FormatError

__all__ = ["EXTENSION_DTYPES", "TensorInfo", "array_at", "map_file", "nbytes", "open_file", "opening_through"]

EXTENSION_DTYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(getattr(ml_dtypes, name)) for name in ("bfloat16", "float8_e5m2", "float8_e4m3fn")
}
"""The dtypes NumPy itself lacks and files may hold, by name."""

MAX_AXES = 32  # NumPy 1.26's limit; NumPy 2 allows 64
MAX_BYTES = 2**63 - 1
MAX_SHOWN_BITS = 1000  # of a number in a message: Python refuses to print thousands of digits
MAX_EMPTY_PRODUCT = 2**28  # of the other sizes of an array without elements
LAST_CODE_POINT = 0x10FFFF


@dataclass(frozen=True)
class TensorInfo:
    """What a file says about one tensor.

    Attributes
    ----------
    dtype : str
        NumPy's name of the dtype, or the file's own name of one that paring cannot read.
    shape : tuple of int
    nbytes : int
        Bytes of the values.
    """

    dtype: str
    shape: tuple[int, ...]
    nbytes: int


def dtype_name(dtype: np.dtype[Any]) -> str:
    """Return ``float32`` or ``bfloat16``, but ``<U5`` and ``|S5`` for text, whose names count bits."""
    named = dtype.kind not in "USV" or dtype.name in EXTENSION_DTYPES
    return str(dtype.name if named else dtype.str)


def nbytes(shape: Sequence[Any], dtype: np.dtype[Any]) -> int:
    """Return the bytes of an array of this shape and dtype; ValueError if there can be no such array."""
    if len(shape) > MAX_AXES:
        raise ValueError(f"shape: expected at most {MAX_AXES} axes, got {len(shape)}")
    for size in shape:
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise ValueError(f"shape: expected non-negative integers, got {list(shape)!r}")
        if size.bit_length() > MAX_SHOWN_BITS:
            raise ValueError(
                f"shape: expected at most {MAX_BYTES} bytes, got a size of {size.bit_length()} bits"
            )
    itemsize: int = dtype.itemsize
    # Axes of size zero are left out, as NumPy does: (2**62, 2**62, 0) is refused although it has no values.
    product: int = math.prod(size for size in shape if size)
    if product * itemsize > MAX_BYTES:
        raise ValueError(f"shape: expected at most {MAX_BYTES} bytes of {dtype}, got shape {list(shape)}")
    if 0 in shape:
        # It takes no room in a file, but years to go through its rows.
        if product > MAX_EMPTY_PRODUCT:
            raise ValueError(
                f"shape: expected sizes of at most {MAX_EMPTY_PRODUCT} together beside a size of 0, got shape "
                f"{list(shape)}"
            )
        return 0
    return product * itemsize


Opener = Callable[[Path], int]
"""Opens a file for reading and returns the descriptor, which the caller closes."""

_opener: ContextVar[Opener | None] = ContextVar("opener", default=None)


@contextmanager
def opening_through(opener: Opener) -> Iterator[None]:
    """Let `open_file` call `opener` inside the block, and with it every reader, which cannot forget to.

    For files that another file names: what is read is the descriptor that was checked, not whatever has the
    name by then. It holds for the calling thread, or task.
    """
    token = _opener.set(opener)
    try:
        yield
    finally:
        _opener.reset(token)


def open_file(path: Path) -> int:
    """Open a regular file for reading and return the descriptor, which the caller closes.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, OSError
        If there is no such file, it is a folder, or the system refuses it.
    ValueError
        If it is a device, pipe or socket.
    """
    opener = _opener.get()
    if opener is not None:
        return opener(path)
    _check_regular(path.stat().st_mode, path)  # before opening, which devices may notice
    # Nobody waits for the other end of a pipe that took the file's place just now.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _check_regular(os.fstat(descriptor).st_mode, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_regular(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{path}: expected a file, got a folder")
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path}: expected a regular file, got a device, pipe or socket")


def map_file(path: Path, minimum: int, what: str) -> mmap.mmap:
    """Map a whole file for reading; FormatError if it is shorter than `minimum` (> 0) bytes of `what`."""
    descriptor = open_file(path)
    try:
        size = os.fstat(descriptor).st_size
        if size < minimum:
            raise FormatError(
                f"{path}: expected at least {minimum} bytes ({what}), got a file of {size} bytes"
            )
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(descriptor)


def array_at(
    buffer: Any,
    offset: int,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    where: str,
    order: Literal["C", "F"] = "C",
) -> npt.NDArray[Any]:
    """Return the array that lies in `buffer` at byte `offset`, read-only and in native byte order.

    It is a view that keeps `buffer` alive; only misaligned or byte-swapped values are copied. The caller has
    checked that `nbytes` bytes lie there. FormatError for bytes that are no value of the dtype, in a field of it as
    well: a boolean other than 0 and 1 (undefined behaviour inside NumPy), a code point that Unicode lacks.
    """
    if dtype.kind in "bUV" and dtype.name not in EXTENSION_DTYPES:
        raw = np.ndarray((math.prod(shape),), _as_numbers(dtype), buffer=buffer, offset=offset)
        _check_values(raw, dtype, where)
    array: npt.NDArray[Any] = np.ndarray(shape, dtype, buffer=buffer, offset=offset, order=order)
    if not (array.flags.aligned and dtype.isnative):
        array = array.astype(dtype.newbyteorder("="), order="K")
    array.flags.writeable = False
    return array


def _as_numbers(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return a dtype of the same layout with bytes in the place of booleans, and numbers in that of letters."""
    if dtype.subdtype is not None:
        item, shape = dtype.subdtype
        return np.dtype((_as_numbers(item), shape))
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind == "U":
        point = np.dtype(np.uint32).newbyteorder(dtype.byteorder)
        return np.dtype((point, (dtype.itemsize // point.itemsize,)))
    if not dtype.names:
        return dtype
    fields = [dtype.fields[name] for name in dtype.names]  # type: ignore[index]  # there are fields if names
    return np.dtype(
        {
            "names": list(dtype.names),
            "formats": [_as_numbers(field[0]) for field in fields],
            "offsets": [field[1] for field in fields],
            "itemsize": dtype.itemsize,
        }
    )


def _check_values(raw: npt.NDArray[Any], dtype: np.dtype[Any], where: str) -> None:
    """Raise FormatError if numbers of `_as_numbers` are not all values of the dtype."""
    while dtype.subdtype is not None:
        dtype = dtype.subdtype[0]
    if dtype.kind == "b" and raw.max(initial=0) > 1:
        at = int(np.argmax(raw > 1))
        raise FormatError(f"{where}: expected booleans 0 or 1, got {raw.flat[at]} at element {at}")
    if dtype.kind == "U" and raw.max(initial=0) > LAST_CODE_POINT:
        raise FormatError(f"{where}: expected Unicode code points, got {int(raw.max()):#x}")
    for name in dtype.names or ():
        assert dtype.fields is not None
        _check_values(raw[name], dtype.fields[name][0], f"{where}: field {name!r}")
