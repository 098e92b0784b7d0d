"""The header of a GGUF file: everything but the values, checked against the file and its limits."""

from __future__ import annotations

import json
import math
import mmap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import FormatError
from ..arrays import nbytes
from ..limits import Limits
from ..naming import DESCRIPTION_KEY
from ..strict_json import parse_object, string_map
from .keys import Cursor, read_key
from .types import QUANTIZED_TYPES, TENSOR_TYPES, TensorType

__all__ = [
    "ALIGNMENT",
    "ALIGNMENT_KEY",
    "FIXED_BYTES",
    "KEYS_ENTRY",
    "MAGIC",
    "MAX_AXES",
    "OTHER_METADATA_KEY",
    "Entry",
    "Header",
    "padding",
    "read_header",
]

MAGIC = b"GGUF"
VERSIONS = (2, 3)
FIXED_BYTES = 24
SHORTEST_KEY = 14  # name of one byte, type, value of one byte
SHORTEST_TENSOR = 24  # no name, no axes
MAX_AXES = 4
MAX_ELEMENTS = 2**55  # so that no type needs 2**63 bytes, as blocks or as floats
ALIGNMENT = 32
ALIGNMENT_KEY = "general.alignment"

KEYS_ENTRY = "gguf"
"""The entry of `metadata` that holds all keys, as `gguf_keys` describes."""

OTHER_METADATA_KEY = "paring.metadata"
"""The key of the file that holds the other entries of `metadata`, as JSON."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of the header; `begin` and `end` count from the start of the data section."""

    type: TensorType | None  # None: a number nobody knows
    number: int
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def bits(self) -> int | None:
        """Bits of the codes of a `QuantizedWeight`, None for any other tensor."""
        # A weight's scales go along its columns, and one axis is all rows.
        if self.type is None or len(self.shape) < 2:
            return None
        return QUANTIZED_TYPES.get(self.type.name)


@dataclass(frozen=True)
class Header:
    """What a file says of itself: `metadata` as `paring.read` gives it, tensors in the order of the file."""

    metadata: dict[str, str]
    entries: dict[str, Entry]
    data_start: int


def read_header(data: mmap.mmap, path: Path, limits: Limits) -> Header:
    """Read everything before the data, and check that the tensors cover the data.

    Raises
    ------
    FormatError
        If the file does not hold what the format promises, or asks for more than the limits allow.
    """
    cursor = Cursor(data, path, limits)
    tensors, keys = _read_counts(cursor, limits)
    metadata, alignment = _read_keys(cursor, keys)
    entries = _read_entries(cursor, tensors, alignment)
    data_start = cursor.position + padding(cursor.position, alignment)
    return Header(metadata, _covering(path, entries, len(data), data_start, alignment), data_start)


def padding(position: int, alignment: int) -> int:
    """Return the bytes from `position` to the next multiple of `alignment`."""
    return -position % alignment


def _read_counts(cursor: Cursor, limits: Limits) -> tuple[int, int]:
    """Return how many tensors and keys there are, as far as the file can hold so many."""
    path = cursor.path
    magic = cursor.take(4, "magic")
    if magic != MAGIC:
        raise FormatError(f"{path}: magic at byte 0: expected {MAGIC!r}, got {magic!r}")
    version = cursor.number(4, "version")
    if version & 0xFFFF == 0 and version:
        raise FormatError(
            f"{path}: version at byte 4: expected a little-endian file, got a big-endian one: "
            f"paring reads those of little-endian machines only"
        )
    if version not in VERSIONS:
        raise FormatError(
            f"{path}: version at byte 4: expected {' or '.join(map(str, VERSIONS))}, got {version}"
        )
    tensors, keys = cursor.number(8, "count of tensors"), cursor.number(8, "count of keys")
    if tensors > limits.tensors:
        raise FormatError(
            f"{path}: expected at most {limits.tensors} tensors (limits.tensors), got {tensors}"
        )
    rest = len(cursor.data) - cursor.position
    for count, what, shortest in ((tensors, "tensors", SHORTEST_TENSOR), (keys, "keys", SHORTEST_KEY)):
        if count * shortest > rest:
            raise FormatError(
                f"{path}: count of {what}: expected at most {rest // shortest} in the {rest} bytes that "
                f"follow, got {count}"
            )
    return tensors, keys


def _read_keys(cursor: Cursor, count: int) -> tuple[dict[str, str], int]:
    """Return the metadata and the alignment."""
    path, alignment = cursor.path, ALIGNMENT
    others: dict[str, str] | None = None
    texts: dict[str, str] = {}
    for _ in range(count):
        start = cursor.position
        key, text, value = read_key(cursor)
        if key in texts or (key == OTHER_METADATA_KEY and others is not None):
            raise FormatError(f"{cursor.at('key', start)}: expected every key once, got {key!r} twice")
        if key == ALIGNMENT_KEY:
            if not text.startswith('["uint32"') or value.bit_count() != 1:
                raise FormatError(f"{path}: {key}: expected a power of two as uint32, got {text[:60]}")
            alignment = value
        if key == OTHER_METADATA_KEY:
            others = _other_metadata(value, f"{path}: {key}")
        else:
            texts[key] = text
    joined = ",".join(f"{json.dumps(key)}:{text}" for key, text in texts.items())
    return {KEYS_ENTRY: f"{{{joined}}}", **(others or {})}, alignment


def _other_metadata(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, str):
        raise FormatError(f"{where}: expected a string in UTF-8, got {value!r}")
    others = string_map(parse_object(value, where), where)
    for reserved in (KEYS_ENTRY, DESCRIPTION_KEY):
        if reserved in others:
            raise FormatError(f"{where}: expected no entry {reserved!r}, which is reserved")
    return others


def _read_entries(cursor: Cursor, count: int, alignment: int) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for _ in range(count):
        start = cursor.position
        name = cursor.text("name of a tensor")
        if name in entries:
            raise FormatError(f"{cursor.at('tensor', start)}: expected every name once, got {name!r} twice")
        entries[name] = _read_entry(cursor, f"{cursor.path}: tensor {name!r}", alignment)
    return entries


def _read_entry(cursor: Cursor, where: str, alignment: int) -> Entry:
    axes = cursor.number(4, "number of axes")
    if axes > MAX_AXES:
        raise FormatError(f"{where}: expected at most {MAX_AXES} axes, got {axes}")
    shape = tuple(cursor.number(8, "size of an axis") for _ in range(axes))[::-1]
    number, begin = cursor.number(4, "type of a tensor"), cursor.number(8, "offset of a tensor")
    if begin % alignment:
        raise FormatError(f"{where}: offset: expected a multiple of {alignment}, got {begin}")
    kind = TENSOR_TYPES.get(number)
    # Sizes of zero are left out: with them NumPy would refuse the shape only later.
    if math.prod(size for size in shape if size) > MAX_ELEMENTS:
        raise FormatError(f"{where}: expected a shape of at most 2**55 elements, got {list(shape)}")
    if kind is None:
        return Entry(None, number, shape, begin, begin)
    columns = shape[-1] if shape else 1
    if columns % kind.block_size:
        raise FormatError(
            f"{where}: expected a last axis that is a multiple of {kind.block_size} for {kind.name}, "
            f"got shape {list(shape)}"
        )
    try:
        blocks = nbytes(shape, np.dtype(np.uint8)) // kind.block_size
    except ValueError as error:
        raise FormatError(f"{where}: {error}") from None
    return Entry(kind, number, shape, begin, begin + blocks * kind.block_bytes)


def _covering(
    path: Path, entries: dict[str, Entry], file_bytes: int, data_start: int, alignment: int
) -> dict[str, Entry]:
    """Return the entries; FormatError unless they cover the data: in range, no overlap, no hole but padding.

    A tensor whose type nobody knows gets the bytes until the next one.
    """
    data_bytes = max(file_bytes - data_start, 0)
    ordered = sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end))
    following = [*(entry.begin for _, entry in ordered[1:]), data_bytes]
    covering = dict(entries)
    reached, previous = 0, ""
    for (name, entry), limit in zip(ordered, following, strict=False):
        where = f"{path}: tensor {name!r} at byte {data_start + entry.begin}"
        if entry.begin < reached:
            raise FormatError(
                f"{where}: expected an offset of at least {reached}, got {entry.begin}: overlaps {previous!r}"
            )
        if entry.begin > reached + padding(reached, alignment):
            raise FormatError(
                f"{where}: expected an offset of {reached + padding(reached, alignment)}, got {entry.begin}: "
                f"a hole of {entry.begin - reached} bytes"
            )
        if entry.type is None:
            entry = covering[name] = replace(entry, end=max(limit, entry.begin))
        if entry.end > data_bytes:
            raise FormatError(
                f"{where}: expected {entry.end - entry.begin} bytes, got {max(data_bytes - entry.begin, 0)} "
                f"until the end of the file (truncated?)"
            )
        reached, previous = entry.end, name
    if data_bytes - reached > padding(reached, alignment):
        raise FormatError(
            f"{path}: expected the last tensor to end the file, got {data_bytes - reached} more bytes at byte "
            f"{data_start + reached}"
        )
    return covering
