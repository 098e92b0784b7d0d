"""The ``.npy`` format: a header that is a Python literal, then the values of one array."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from .arrays import EXTENSION_DTYPES, TensorInfo, array_at, dtype_name, map_file, nbytes
from .atomic import Opening, replacing
from .limits import DEFAULT_LIMITS, Limits
from .naming import NamedTensor

__all__ = ["MAX_PREFIX_BYTES", "Header", "NpyFile", "header_bytes", "parse_header", "write_tensors"]

MAGIC = b"\x93NUMPY"
# Version of the format: bytes of the field that holds the length of the header.
LENGTH_FIELDS: dict[tuple[int, ...], int] = {(1, 0): 2, (2, 0): 4, (3, 0): 4}
MAX_HEADER_BYTES = 10_000  # NumPy's own limit for a literal that it is safe to evaluate
MAX_PREFIX_BYTES = len(MAGIC) + 2 + 4 + MAX_HEADER_BYTES


@dataclass(frozen=True)
class Header:
    """The header of an array; `data_start` counts from the magic bytes."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    order: Literal["C", "F"]
    data_start: int

    @property
    def info(self) -> TensorInfo:
        return TensorInfo(
            dtype_name(self.dtype.newbyteorder("=")), self.shape, nbytes(self.shape, self.dtype)
        )


def parse_header(prefix: bytes, content_bytes: int, where: str) -> Header:
    """Return the header at the start of an array.

    Parameters
    ----------
    prefix : bytes
        The first `MAX_PREFIX_BYTES` of the content, or all of it.
    content_bytes : int
        Bytes of header and values together, which the header must account for exactly.
    where : str
        Start of the message of the FormatError that anything else raises.
    """
    if not prefix.startswith(MAGIC):
        raise FormatError(
            f"{where}: expected an array that begins with {MAGIC!r}, got {prefix[: len(MAGIC)]!r}"
        )
    version = tuple(prefix[6:8])
    field = LENGTH_FIELDS.get(version)
    if field is None:
        raise FormatError(
            f"{where}: expected .npy version 1.0, 2.0 or 3.0, got {'.'.join(map(str, version))}"
        )
    start = 8 + field
    length = int.from_bytes(prefix[8:start], "little")
    if length > MAX_HEADER_BYTES:
        raise FormatError(
            f"{where}: expected a .npy header of at most {MAX_HEADER_BYTES} bytes, got {length}"
        )
    if start + length > len(prefix):
        raise FormatError(
            f"{where}: expected a .npy header of {start + length} bytes, got {len(prefix)} bytes in all"
        )
    text = prefix[start : start + length].decode("latin-1" if version < (3, 0) else "utf-8", "replace")
    dtype, order, shape = _literal(text, where)
    try:
        expected = start + length + nbytes(shape, dtype)
    except ValueError as error:
        raise FormatError(f"{where}: {error}") from None
    if expected != content_bytes:
        raise FormatError(
            f"{where}: expected {expected} bytes (header of {start + length}, then {dtype} {shape}), "
            f"got {content_bytes}"
        )
    return Header(dtype, shape, order, start + length)


def _literal(text: str, where: str) -> tuple[np.dtype[Any], Literal["C", "F"], tuple[int, ...]]:
    try:
        # Python 2 wrote sizes of some platforms as (10L,).
        values = ast.literal_eval(re.sub(r"(\d)L(?=[,)])", r"\1", text).strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise FormatError(f"{where}: expected a Python literal as .npy header, got {text[:80]!r}") from error
    if not isinstance(values, dict) or set(values) != {"descr", "fortran_order", "shape"}:
        raise FormatError(
            f"{where}: expected a .npy header of descr, fortran_order and shape, got {text[:80]!r}"
        )
    try:
        return _meaning(values, where)
    except FormatError:
        raise
    except (
        ValueError
    ) as error:  # of a number whose digits are too many for a message, hexadecimal ones in the file
        raise FormatError(f"{where}: expected a .npy header of shorter numbers, got {text[:80]!r}") from error


def _meaning(values: dict[str, Any], where: str) -> tuple[np.dtype[Any], Literal["C", "F"], tuple[int, ...]]:
    shape, fortran, descr = values["shape"], values["fortran_order"], values["descr"]
    if not isinstance(shape, tuple):
        raise FormatError(f"{where}: shape: expected a tuple, got {shape!r}")
    if not isinstance(fortran, bool):
        raise FormatError(f"{where}: fortran_order: expected True or False, got {fortran!r}")
    try:
        if not isinstance(descr, str | list):
            raise TypeError("neither a name nor a list of fields")
        dtype: np.dtype[Any] = np.lib.format.descr_to_dtype(descr)  # type: ignore[arg-type]  # takes str too
    except Exception as error:  # NumPy raises whatever its parser stumbles over
        raise FormatError(f"{where}: expected a NumPy dtype, got {descr!r}") from error
    if dtype.hasobject:
        raise FormatError(
            f"{where}: expected numbers or fixed-size text, got Python objects ({dtype}): "
            "paring reads no pickles"
        )
    if dtype.itemsize == 0 or dtype.subdtype is not None:
        raise FormatError(f"{where}: expected a dtype with values, got {descr!r}")
    return dtype, "F" if fortran else "C", shape


def header_bytes(dtype: np.dtype[Any], shape: tuple[int, ...], where: str) -> bytes:
    """Return the header before row-major values; ValueError for a dtype the format cannot name."""
    try:
        descr = np.lib.format.dtype_to_descr(dtype)
        if np.lib.format.descr_to_dtype(descr) != dtype:
            raise ValueError(f"{dtype} would read back as {descr}")
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: the .npy format has no name for dtype {dtype}") from error
    return buffer.getvalue()


class NpyFile:
    """A ``.npy`` file: one tensor, a view of the memory map, named by the file's stem."""

    metadata: Mapping[str, str] = {}
    descriptions: Mapping[str, dict[str, Any]] = {}

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self.path = path
        self._map = map_file(path, len(MAGIC) + 2, "the .npy magic")
        self.file_bytes = len(self._map)
        self._header = parse_header(self._map[:MAX_PREFIX_BYTES], self.file_bytes, str(path))

    def names(self) -> list[str]:
        return [self.path.stem]

    def info(self, name: str) -> TensorInfo:
        return self._header.info

    def tensor(self, name: str) -> npt.NDArray[Any]:
        header = self._header
        return array_at(
            self._map, header.data_start, header.shape, header.dtype, str(self.path), header.order
        )


def write_tensors(
    path: Path, tensors: list[NamedTensor], descriptions: Mapping[str, Any], opening: Opening = replacing
) -> None:
    """Write the one array there may be; its name becomes the file's."""
    if descriptions:
        raise ValueError(
            f"{path}: a .npy file holds one plain array, got a compressed weight "
            f"{next(iter(descriptions))!r}: write .safetensors or .npz"
        )
    if len(tensors) != 1:
        raise ValueError(
            f"{path}: a .npy file holds one array, got {len(tensors)}: write .safetensors or .npz"
        )
    tensor = tensors[0]
    if tensor.dtype.name in EXTENSION_DTYPES:
        raise ValueError(
            f"{path}: {tensor.name!r}: a .npy file cannot say that it holds {tensor.dtype}: "
            "write .safetensors or .npz"
        )
    header = header_bytes(tensor.dtype, tensor.shape, f"{path}: {tensor.name!r}")
    with opening(path) as file:
        file.write(header)
        for chunk in tensor.chunks():
            file.write(chunk)
