"""The encoding of an ONNX file, protocol buffers, as far as weights need it: fields found in place, nothing copied.

A message is a sequence of fields: a tag (number and kind) and a value. The parsers that come with protocol buffers
build an object of every message first, some eighty bytes for two of the file, and copy all values; here a tensor is a
place in the memory map. Readers disagree about fields that appear twice or change their kind: such files are refused.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import FormatError
from ..limits import Limits

__all__ = ["BYTES", "INTEGER", "Message", "Wire", "decode_integers"]

INTEGER, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Kinds of a value: a varint, eight bytes, a length and so many bytes (text, messages, packed numbers), four bytes."""

FIXED_BYTES = {FIXED64: 8, FIXED32: 4}
KIND_WORDS = {INTEGER: "an integer", FIXED64: "8 bytes", BYTES: "bytes with their length", FIXED32: "4 bytes"}
MAX_VARINT_BYTES = 10
MAX_TAG = 2**32 - 1
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Message:
    """What is wanted of a kind of message.

    Attributes
    ----------
    name : str
        For messages about it.
    fields : dict of int to str
        Name of each wanted field by its number; all others are stepped over.
    repeated : frozenset of str
        The fields that may appear more than once.
    integers : frozenset of str
        The fields that hold integers; all others hold bytes.
    """

    name: str
    fields: Mapping[int, str]
    repeated: frozenset[str] = field(default=frozenset())
    integers: frozenset[str] = field(default=frozenset())


class Wire:
    """The bytes of one file, and a count of those that describe instead of being values."""

    def __init__(self, data: mmap.mmap, path: Path, limits: Limits) -> None:
        self.data = data
        self.path = path
        self._limits = limits
        self._described = 0

    def fields(
        self, message: Message, begin: int, end: int, *, counted: bool = True
    ) -> Iterator[tuple[str, int, int, int]]:
        """Yield name, kind, value and end of the wanted fields of a message that lies in ``data[begin:end]``.

        The value of an `INTEGER` is the number, unsigned, that of `BYTES` is where they begin. A field of
        integers may be `BYTES` if it is repeated: the integers packed. Pass ``counted=False`` when going over
        a message again.

        Raises
        ------
        FormatError
            If this is no message: a length leads out of it, a kind is unknown, a single field is there twice;
            or if the descriptions of the file exceed ``limits.header_bytes``.
        """
        data, wanted, position = self.data, message.fields, begin
        seen: set[int] = set()
        while position < end:
            start = position
            # Most tags and lengths are one byte; the rest of varints is read by `varint`.
            tag = data[position]
            position += 1
            if tag >= 0x80:
                tag, position = self.varint(message.name, start, end)
            number, kind = tag >> 3, tag & 7
            if not number or tag > MAX_TAG:
                raise FormatError(f"{self.where(message.name, start)}: expected a field, got the tag {tag}")
            if kind == BYTES:
                if position < end and data[position] < 0x80:
                    length, value = data[position], position + 1
                else:
                    length, value = self.varint(message.name, position, end)
                position, described = value + length, value
            elif kind == INTEGER:
                value, position = self.varint(message.name, position, end)
                described = position
            elif kind in FIXED_BYTES:
                value, position = position, position + FIXED_BYTES[kind]
                described = position
            else:
                raise FormatError(
                    f"{self.where(message.name, start)}: expected a field of kind 0, 1, 2 or 5, got {kind}"
                )
            if position > end:
                raise FormatError(
                    f"{self.where(message.name, start)}: expected field {number} to end by byte {end}, "
                    f"got {position} (truncated file?)"
                )
            if counted:
                self.count(described - start)
            name = wanted.get(number)
            if name is None:
                continue
            expected = INTEGER if name in message.integers else BYTES
            if kind != expected and not (kind == BYTES and name in message.repeated):
                raise FormatError(
                    f"{self.where(message.name, start)}: {name}: expected {KIND_WORDS[expected]}, got "
                    f"{KIND_WORDS[kind]}"
                )
            if name not in message.repeated:
                if number in seen:
                    raise FormatError(f"{self.where(message.name, start)}: expected one {name}, got another")
                seen.add(number)
            yield name, kind, value, position

    def varint(self, message: str, position: int, end: int) -> tuple[int, int]:
        """Return the unsigned integer of seven bits a byte at `position`, and where it ends."""
        value = shift = 0
        for place in range(position, min(end, position + MAX_VARINT_BYTES)):
            byte = self.data[place]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> 64:
                    break
                return value, place + 1
            shift += 7
        raise FormatError(
            f"{self.where(message, position)}: expected an integer of at most 64 bits, got none up to byte {end}"
        )

    def text(self, begin: int, end: int, where: str) -> str:
        """Return a field's bytes as text."""
        self.count(end - begin)
        try:
            return self.data[begin:end].decode()
        except UnicodeDecodeError as error:
            raise FormatError(f"{where}: expected UTF-8, got {error.object[:40]!r}") from error

    def where(self, message: str, position: int) -> str:
        return f"{self.path}: {message} at byte {position}"

    def count(self, count: int) -> None:
        """Count bytes that describe; FormatError if all together exceed ``limits.header_bytes``."""
        self._described += count
        if self._described > self._limits.header_bytes:
            self._limits.check_header(self._described, f"{self.path}: what describes the tensors")


def decode_integers(raw: npt.NDArray[np.uint8], count: int, where: str) -> npt.NDArray[np.int64]:
    """Return packed varints as 64-bit integers, two's complement; FormatError unless there are `count`.

    Besides the result a bounded amount of memory is used. One byte at least is an integer, so the result is at
    most eight times as large as `raw`.
    """
    found = int(np.count_nonzero(raw < 0x80))
    if found != count or (raw.size and raw[-1] >= 0x80):
        raise FormatError(f"{where}: expected {count} integers, got {found} in {raw.size} bytes")
    result = np.empty(count, np.uint64)
    done = begin = 0
    while begin < raw.size:
        chunk = raw[begin : begin + CHUNK_BYTES]
        ends = np.flatnonzero(chunk < 0x80) + 1
        starts = np.concatenate([[0], ends[:-1]]).astype(np.int64) if ends.size else ends
        lengths = ends - starts
        if not ends.size or lengths.max() > MAX_VARINT_BYTES:
            raise FormatError(
                f"{where}: expected integers of at most {MAX_VARINT_BYTES} bytes, got a longer one"
            )
        values = np.zeros(ends.size, np.uint64)
        for step in range(int(lengths.max())):
            longer = lengths > step
            bits = (chunk[starts[longer] + step] & 0x7F).astype(np.uint64)
            values[longer] |= bits << np.uint64(7 * step)
        result[done : done + ends.size] = values
        done += ends.size
        begin += int(ends[-1])
    return result.view(np.int64)
