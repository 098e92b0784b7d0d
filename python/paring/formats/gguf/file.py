"""The GGUF format, versions 2 and 3: keys, tensors, and one section of aligned data.

4 bytes     GGUF
4 bytes     version; from here on all numbers are unsigned and little-endian
8, 8 bytes  how many tensors, how many keys
keys        name, number of the type, value (`gguf_keys`)
tensors     name, number of axes, sizes (the last axis first), number of the type, offset in the data section
padding     to a multiple of the alignment: 32, or what the key ``general.alignment`` says
data        every tensor padded to a multiple of the alignment

A string is its length in eight bytes and its UTF-8.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import FormatError
from ...weights import QuantizedWeight
from ..arrays import TensorInfo, array_at, dtype_name, map_file
from ..limits import DEFAULT_LIMITS, Limits
from .blocks import BLOCK_DTYPES, block_scales, dequantize, eight_bit_codes, four_bit_codes
from .header import FIXED_BYTES, Entry, read_header
from .types import ARRAY_TYPES, GROUP_SIZE, QUANTIZED_TYPES, TENSOR_TYPES

__all__ = ["GgufFile"]


class Descriptions(Mapping[str, dict[str, Any]]):
    """What `QuantizedWeight.describe` says of the quantized tensors; made when asked for, for there may be many."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = {name: entry for name, entry in entries.items() if entry.bits is not None}

    def __getitem__(self, name: str) -> dict[str, Any]:
        entry = self._entries[name]
        return {
            "kind": "quantized",
            "bits": entry.bits,
            "granularity": "group",
            "group_size": GROUP_SIZE,
            "axis": 0,
            "shape": list(entry.shape),
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class GgufFile:
    """The tensors of one file: arrays as views of its memory map, quantized ones as parts of a `QuantizedWeight`."""

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self.path = path
        self._map = map_file(path, FIXED_BYTES, "the header of a GGUF file")
        self.file_bytes = len(self._map)
        header = read_header(self._map, path, limits)
        self.metadata = header.metadata
        self._entries = header.entries
        self._data_start = header.data_start
        self.descriptions = Descriptions(self._entries)
        self._parts = _name_parts(path, self._entries)

    def names(self) -> list[str]:
        return list(self._parts)

    def info(self, name: str) -> TensorInfo:
        weight = self._parts[name]
        suffix = name[len(weight) :]
        entry = self._entries[weight]
        if entry.bits is None:
            if entry.type is None:
                return TensorInfo(f"GGUF type {entry.number}", entry.shape, entry.end - entry.begin)
            known = ARRAY_TYPES.get(entry.type.name)
            own = entry.type.name if known is None else dtype_name(known)
            return TensorInfo(own, entry.shape, entry.end - entry.begin)
        rows, groups = _rows_and_groups(entry)
        scale_bytes = 2 * rows * groups
        if suffix == "_scale":
            return TensorInfo("float32", (rows, groups), scale_bytes)
        if suffix == "_shape":
            return TensorInfo("int64", (len(entry.shape),), 0)
        code_bytes = entry.end - entry.begin - scale_bytes
        if suffix == "_packed":
            return TensorInfo("int32", (rows, groups * GROUP_SIZE // 8), code_bytes)
        return TensorInfo("int8", entry.shape, code_bytes)

    def tensor(self, name: str) -> npt.NDArray[Any]:
        weight = self._parts[name]
        suffix = name[len(weight) :]
        entry = self._entries[weight]
        # An empty tensor may lie in padding that the file leaves out.
        offset = min(self._data_start + entry.begin, self.file_bytes)
        where = f"{self.path}: tensor {weight!r}"
        if entry.type is None:
            known = ", ".join(kind.name for kind in TENSOR_TYPES.values())
            raise FormatError(
                f"{where}: expected one of the types {known}, got number {entry.number} (data at byte {offset})"
            )
        if entry.type.name in ARRAY_TYPES:
            return array_at(self._map, offset, entry.shape, ARRAY_TYPES[entry.type.name], where)
        array: npt.NDArray[Any]
        if entry.bits is not None:
            array = self._quantized_part(entry, offset, entry.bits, suffix)
        elif entry.type.name in QUANTIZED_TYPES:
            array = self._quantized_floats(entry, offset)
        else:
            raw = np.ndarray((entry.end - entry.begin,), np.uint8, buffer=self._map, offset=offset)
            array = dequantize(raw, entry.type, entry.shape, where)
        array.flags.writeable = False
        return array

    def _blocks(self, entry: Entry, offset: int, bits: int) -> npt.NDArray[Any]:
        shape = _rows_and_groups(entry)
        blocks: npt.NDArray[Any] = np.ndarray(shape, BLOCK_DTYPES[bits], buffer=self._map, offset=offset)
        return blocks

    def _quantized_part(self, entry: Entry, offset: int, bits: int, suffix: str) -> npt.NDArray[Any]:
        if suffix == "_shape":
            return np.array(entry.shape, np.int64)
        blocks = self._blocks(entry, offset, bits)
        if suffix == "_scale":
            return block_scales(blocks)
        if suffix == "_packed":
            return four_bit_codes(blocks).view("<i4")
        codes: npt.NDArray[np.int8] = eight_bit_codes(blocks).reshape(entry.shape)
        return codes

    def _quantized_floats(self, entry: Entry, offset: int) -> npt.NDArray[np.float32]:
        """Return what a quantized tensor of one axis means: as a `QuantizedWeight` it would be a column."""
        bits = QUANTIZED_TYPES[entry.type.name if entry.type else ""]
        blocks = self._blocks(entry, offset, bits)
        codes = eight_bit_codes(blocks) if bits == 8 else four_bit_codes(blocks)
        shape = (1, math.prod(entry.shape))
        row = QuantizedWeight(codes, block_scales(blocks), None, shape, bits, "group", GROUP_SIZE)
        return row.dense().reshape(entry.shape)


def _rows_and_groups(entry: Entry) -> tuple[int, int]:
    """Return the rows of a quantized tensor (of one axis: 1), and the blocks of each."""
    rows = entry.shape[0] if len(entry.shape) > 1 else 1
    return rows, math.prod(entry.shape[1:] if len(entry.shape) > 1 else entry.shape) // GROUP_SIZE


def _name_parts(path: Path, entries: Mapping[str, Entry]) -> dict[str, str]:
    """Return ``{tensor: weight that it is a part of}`` in the order of the file; FormatError if two need a name."""
    parts: dict[str, str] = {}
    for name, entry in entries.items():
        required: tuple[str, ...] = ("",)
        optional: tuple[str, ...] = ()
        if entry.bits is not None:
            required, optional = QuantizedWeight.suffixes({"bits": entry.bits})
        for suffix in (*required, *optional):
            if suffix and name + suffix in entries:
                raise FormatError(
                    f"{path}: tensor {name + suffix!r}: expected another name, because paring gives this one to a "
                    f"part of the quantized tensor {name!r}"
                )
        parts.update((name + suffix, name) for suffix in required)
    return parts
