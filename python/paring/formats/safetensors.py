"""The safetensors format: a JSON header and one buffer that its tensors cover without holes.

8 bytes     length n of the header, unsigned, little-endian
n bytes     {"__metadata__": {str: str}, name: {"dtype": ..., "shape": [...], "data_offsets": [begin, end]}}
the rest    the buffer; offsets count from its first byte; values are row-major and little-endian
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from .arrays import (
    EXTENSION_DTYPES,
    MAX_BYTES,
    MAX_SHOWN_BITS,
    TensorInfo,
    array_at,
    dtype_name,
    map_file,
    nbytes,
)
from .atomic import Opening, replacing
from .compressed_tensors.config import CONFIG_KEY, config_text
from .limits import DEFAULT_LIMITS, Limits
from .naming import DESCRIPTION_KEY, NamedTensor, description_text, parse_descriptions
from .strict_json import parse_object, string_map

__all__ = ["SafetensorsFile", "write_tensors"]

DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "I16": np.dtype("<i2"),
    "U16": np.dtype("<u2"),
    "I32": np.dtype("<i4"),
    "U32": np.dtype("<u4"),
    "I64": np.dtype("<i8"),
    "U64": np.dtype("<u8"),
    "F16": np.dtype("<f2"),
    "BF16": EXTENSION_DTYPES["bfloat16"],
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "C64": np.dtype("<c8"),
    "F8_E5M2": EXTENSION_DTYPES["float8_e5m2"],
    "F8_E4M3": EXTENSION_DTYPES["float8_e4m3fn"],
}
DTYPE_NAMES = {dtype: name for name, dtype in DTYPES.items()}

MAX_HEADER_BYTES = 100_000_000  # what the reference reader accepts
METADATA_KEY = "__metadata__"
LENGTH_BYTES = 8
DATA_ALIGNMENT = 64  # one cache line, and one AVX-512 vector


@dataclass(frozen=True)
class Entry:
    """One tensor of the header; `begin` and `end` count from the start of the buffer."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class SafetensorsFile:
    """The tensors of one file, as views of its memory map."""

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self.path = path
        self._map = map_file(path, LENGTH_BYTES, "the length of the header")
        self.file_bytes = len(self._map)
        self._data_start, header = _read_header(self._map, path, limits)
        self.metadata = string_map(header.pop(METADATA_KEY, {}), f"{path}: {METADATA_KEY}")
        self._entries = {name: _entry(path, name, value) for name, value in header.items()}
        _check_cover(path, self._entries, self.file_bytes - self._data_start, self._data_start)
        text = self.metadata.pop(DESCRIPTION_KEY, None)
        where = f"{path}: {METADATA_KEY} {DESCRIPTION_KEY!r}"
        self.descriptions = {} if text is None else parse_descriptions(text, where)

    def names(self) -> list[str]:
        return list(self._entries)

    def info(self, name: str) -> TensorInfo:
        entry = self._entries[name]
        known = DTYPES.get(entry.dtype)
        return TensorInfo(
            entry.dtype if known is None else dtype_name(known), entry.shape, entry.end - entry.begin
        )

    def tensor(self, name: str) -> npt.NDArray[Any]:
        entry = self._entries[name]
        offset = self._data_start + entry.begin
        where = f"{self.path}: tensor {name!r}"
        if entry.dtype not in DTYPES:
            raise FormatError(
                f"{where}: expected a dtype of {', '.join(DTYPES)}, got {entry.dtype!r} "
                f"(data at byte {offset})"
            )
        return array_at(self._map, offset, entry.shape, DTYPES[entry.dtype], where)


def _read_header(data: mmap.mmap, path: Path, limits: Limits) -> tuple[int, dict[str, Any]]:
    length = int.from_bytes(data[:LENGTH_BYTES], "little")
    rest = len(data) - LENGTH_BYTES
    if length > rest:
        raise FormatError(
            f"{path}: header length at byte 0: expected at most the {rest} bytes that follow, got {length}"
        )
    limits.check_header(length, f"{path}: header length at byte 0")
    text = data[LENGTH_BYTES : LENGTH_BYTES + length]
    if text[:1] != b"{":
        raise FormatError(f"{path}: header at byte {LENGTH_BYTES}: expected '{{', got {text[:1]!r}")
    return LENGTH_BYTES + length, parse_object(text, f"{path}: header at byte {LENGTH_BYTES}")


def _entry(path: Path, name: str, value: Any) -> Entry:
    where = f"{path}: tensor {name!r}"
    if not isinstance(value, dict):
        raise FormatError(f"{where}: expected an object, got {type(value).__name__}")
    missing = [key for key in ("dtype", "shape", "data_offsets") if key not in value]
    if missing:
        raise FormatError(
            f"{where}: expected dtype, shape and data_offsets, got no {' and no '.join(missing)}"
        )
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str):
        raise FormatError(f"{where}: dtype: expected a string, got {type(dtype).__name__}")
    if not isinstance(shape, list):
        raise FormatError(f"{where}: shape: expected a list, got {type(shape).__name__}")
    if (
        not isinstance(offsets, list)
        or len(offsets) != 2
        or not all(isinstance(offset, int) and not isinstance(offset, bool) for offset in offsets)
        or not 0 <= offsets[0] <= offsets[1]
    ):
        raise FormatError(
            f"{where}: data_offsets: expected [begin, end] with 0 <= begin <= end, got {offsets!r}"
        )
    if offsets[1].bit_length() > MAX_SHOWN_BITS:
        raise FormatError(
            f"{where}: data_offsets: expected at most {MAX_BYTES}, got a number of {offsets[1].bit_length()} bits"
        )
    begin, end = offsets
    try:
        # The bytes of a dtype we do not know are not checked, its shape is.
        expected = nbytes(shape, DTYPES.get(dtype, np.dtype(np.uint8)))
    except ValueError as error:
        raise FormatError(f"{where}: {error}") from None
    if dtype in DTYPES and expected != end - begin:
        raise FormatError(
            f"{where}: expected {expected} bytes for {dtype} {shape}, got {end - begin} bytes "
            f"(data_offsets {offsets})"
        )
    return Entry(dtype, tuple(shape), begin, end)


def _check_cover(path: Path, entries: Mapping[str, Entry], buffer_bytes: int, data_start: int) -> None:
    """Raise FormatError unless the tensors cover the buffer: in range, no overlap, no hole."""
    reached, previous = 0, ""
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        where = f"{path}: tensor {name!r} at byte {data_start + entry.begin}"
        if entry.end > buffer_bytes:
            raise FormatError(
                f"{where}: expected data_offsets within the buffer of {buffer_bytes} bytes, "
                f"got [{entry.begin}, {entry.end}] (truncated file?)"
            )
        if entry.begin < reached:
            raise FormatError(
                f"{where}: expected data_offsets to begin at {reached}, got {entry.begin}: "
                f"overlaps {previous!r}"
            )
        if entry.begin > reached:
            raise FormatError(
                f"{where}: expected data_offsets to begin at {reached}, got {entry.begin}: "
                f"a hole of {entry.begin - reached} bytes"
            )
        reached, previous = entry.end, name
    if reached != buffer_bytes:
        raise FormatError(
            f"{path}: expected tensors to cover the buffer of {buffer_bytes} bytes, "
            f"got {buffer_bytes - reached} more bytes at byte {data_start + reached}"
        )


def write_tensors(
    path: Path,
    tensors: list[NamedTensor],
    descriptions: Mapping[str, dict[str, Any]],
    metadata: Mapping[str, str],
    opening: Opening = replacing,
) -> None:
    """Write a file whose bytes depend on names and values only, not on their order.

    Large items come first, then names in order, so that with the buffer at a multiple of 64 bytes every
    tensor is aligned for its dtype. One tensor at a time is in memory. The metadata of a file with quantized weights
    get a `quantization_config`.
    """
    for tensor in tensors:
        if tensor.name == METADATA_KEY:
            raise ValueError(
                f"{path}: name of a weight: {METADATA_KEY!r} is reserved by the safetensors format"
            )
        if tensor.dtype not in DTYPE_NAMES:
            raise ValueError(
                f"{path}: tensor {tensor.name!r}: safetensors stores {', '.join(DTYPES)}, not {tensor.dtype} "
                f"({tensor.dtype.str}); .npz stores it"
            )
    ordered = sorted(tensors, key=lambda tensor: (-tensor.dtype.itemsize, tensor.name))
    header = _header_bytes(path, ordered, descriptions, metadata)
    with opening(path) as file:
        file.write(header)
        for tensor in ordered:
            for chunk in tensor.chunks():
                file.write(chunk)


def _header_bytes(
    path: Path,
    tensors: list[NamedTensor],
    descriptions: Mapping[str, dict[str, Any]],
    metadata: Mapping[str, str],
) -> bytes:
    entries: dict[str, Any] = {"format": "pt", **metadata}
    infos = ((t.name, TensorInfo(dtype_name(t.dtype), t.shape, t.nbytes)) for t in tensors)
    config = config_text(descriptions, infos, entries.pop(CONFIG_KEY, None))
    if config is not None:
        entries[CONFIG_KEY] = config
    if descriptions:
        entries[DESCRIPTION_KEY] = description_text(descriptions)
    header: dict[str, Any] = {METADATA_KEY: dict(sorted(entries.items()))}
    begin = 0
    for tensor in tensors:
        end = begin + tensor.nbytes
        header[tensor.name] = {
            "dtype": DTYPE_NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
        begin = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(LENGTH_BYTES + len(text)) % DATA_ALIGNMENT)
    if len(text) > MAX_HEADER_BYTES:
        raise ValueError(f"{path}: expected a header of at most {MAX_HEADER_BYTES} bytes, got {len(text)}")
    return len(text).to_bytes(LENGTH_BYTES, "little") + text
