"""Zip archives as ``.npz`` files use them: members stored or deflated, read from a memory map.

Python's `zipfile` reads the directory and writes archives. Members are read here: a stored one is a view of
the map, and no deflated one can ask for more memory than the file's size allows.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import FormatError
from .arrays import map_file, open_file
from .limits import Limits

__all__ = ["Archive", "ArchiveWriter", "writing_archive"]

LOCAL_HEADER = struct.Struct("<4s5H3I2H")
LOCAL_MAGIC = b"PK\x03\x04"
END_BYTES = 22  # the end record, all that an empty archive has
ENCRYPTED = 0x1
MAX_DEFLATE_RATIO = 1032  # 258 bytes from 2 bits, the most that deflate can say
INPUT_BYTES = 1 << 12  # so one step inflates to at most 4 MiB
MAX_DESCRIPTION_RATIO = 10
"""What describes members is short beside them, deflated or not; parsing it may take a hundred times its size."""

MEMBER_ALIGNMENT = 64
ALIGNMENT_FIELD = 0xD935  # the "extra" field that zipalign pads with: u16 alignment, then zeros
ZIP64_FIELD_BYTES = 20
LARGE_MEMBER_BYTES = 1 << 30  # from here on with 64-bit sizes in the local header
MAX_NAME_BYTES = 65535


class Archive:
    """The members of a zip file, by name, in the order of its directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._map = map_file(path, END_BYTES, "the end record of a zip archive")
        self.file_bytes = len(self._map)
        self._checked: set[str] = set()
        self.members: dict[str, zipfile.ZipInfo] = {}
        for member in _read_directory(path):
            if member.filename in self.members:
                raise FormatError(f"{path}: expected every member once, got {member.filename!r} twice")
            if not member.filename.endswith("/"):  # the others are folders
                self.members[member.filename] = member
        # Many members over the same bytes would inflate to as many times the file. A size beyond the file is told
        # when its member is looked up.
        sizes = (member.compress_size for member in self.members.values())
        total = sum(size for size in sizes if size <= self.file_bytes)
        if total > self.file_bytes:
            raise FormatError(
                f"{path}: expected members that share no bytes, got {total} bytes of them in a file of "
                f"{self.file_bytes} bytes"
            )

    def check_description(self, name: str, limits: Limits) -> None:
        """Raise FormatError if a member that describes the others inflates to more than it has to say."""
        size, where = self.members[name].file_size, f"{self.path}: member {name!r}"
        limits.check_header(size, where)
        if size > MAX_DESCRIPTION_RATIO * self.file_bytes:
            raise FormatError(
                f"{where}: expected at most {MAX_DESCRIPTION_RATIO} times the {self.file_bytes} bytes of the file, "
                f"got a size of {size}"
            )

    def prefix(self, name: str, size: int) -> bytes:
        """Return the first `size` bytes of a member, or all of it if it is shorter."""
        member, raw = self._raw(name)
        if member.compress_type == zipfile.ZIP_STORED:
            return bytes(raw[:size])
        result = b""
        for block in _inflate(raw, member, f"{self.path}: member {name!r}"):
            result += block[: size - len(result)]
            if len(result) == size:
                break
        return result

    def is_deflated(self, name: str) -> bool:
        """Whether `content` has to inflate a member, which takes time and memory."""
        return self.members[name].compress_type == zipfile.ZIP_DEFLATED

    def check(self, name: str) -> None:
        """Raise FormatError unless the sizes of a member can be true; `content` and `prefix` do so by themselves."""
        self._raw(name)

    def content(self, name: str, *, verify: bool = True) -> Any:
        """Return the bytes of a member as a buffer, its checksum verified (of a stored one: once)."""
        member, raw = self._raw(name)
        where = f"{self.path}: member {name!r}"
        if member.compress_type == zipfile.ZIP_STORED:
            if verify and name not in self._checked:
                _check_sum(zlib.crc32(raw), member, where)
                self._checked.add(name)
            return raw
        result = np.empty(member.file_size, np.uint8)
        reached, checksum = 0, 0
        for block in _inflate(raw, member, where):
            result[reached : reached + len(block)] = np.frombuffer(block, np.uint8)
            reached += len(block)
            checksum = zlib.crc32(block, checksum) if verify else member.CRC
        _check_sum(checksum, member, where)
        return result

    def _raw(self, name: str) -> tuple[zipfile.ZipInfo, memoryview]:
        """Return a member and its bytes as they lie in the file, every size checked against the file."""
        member = self.members[name]
        where = f"{self.path}: member {name!r} at byte {member.header_offset}"
        if member.flag_bits & ENCRYPTED:
            raise FormatError(f"{where}: expected a member without a password, got an encrypted one")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FormatError(f"{where}: expected stored or deflated, got method {member.compress_type}")
        if not 0 <= member.header_offset <= self.file_bytes - LOCAL_HEADER.size:
            raise FormatError(f"{where}: expected a place within the file of {self.file_bytes} bytes")
        magic, *_, name_bytes, extra_bytes = LOCAL_HEADER.unpack_from(self._map, member.header_offset)
        if magic != LOCAL_MAGIC:
            raise FormatError(f"{where}: expected {LOCAL_MAGIC!r}, got {magic!r}")
        start = member.header_offset + LOCAL_HEADER.size + name_bytes + extra_bytes
        end = start + member.compress_size
        if end > self.file_bytes:
            raise FormatError(
                f"{where}: expected {member.compress_size} bytes from byte {start}, got a file of "
                f"{self.file_bytes} bytes"
            )
        stored = member.compress_type == zipfile.ZIP_STORED
        limit = member.compress_size * (1 if stored else MAX_DEFLATE_RATIO)
        if member.file_size > limit or (stored and member.file_size != limit):
            raise FormatError(
                f"{where}: expected {'' if stored else 'at most '}{limit} bytes from {member.compress_size} "
                f"{'stored' if stored else 'deflated'}, got a size of {member.file_size}"
            )
        return member, memoryview(self._map)[start:end]


def _read_directory(path: Path) -> list[zipfile.ZipInfo]:
    with os.fdopen(open_file(path), "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return archive.infolist()
        except zipfile.BadZipFile as error:
            raise FormatError(f"{path}: expected a zip archive, got {error}") from error
        except (
            ValueError,
            OSError,
            RuntimeError,
            NotImplementedError,
            struct.error,
            OverflowError,
            EOFError,
            IndexError,
            Warning,  # where these are exceptions
        ) as error:  # what zipfile stumbles over in a damaged directory
            raise FormatError(f"{path}: the directory of the zip archive is damaged: {error}") from error


def _inflate(raw: memoryview, member: zipfile.ZipInfo, where: str) -> Iterator[bytes]:
    """Yield inflated bytes, never more than the directory says; FormatError in the end if it said wrong."""
    stream, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    for start in range(0, len(raw), INPUT_BYTES):
        try:
            block = stream.decompress(raw[start : start + INPUT_BYTES])
        except zlib.error as error:
            raise FormatError(f"{where}: expected deflated bytes, got {error}") from error
        total += len(block)
        if total > member.file_size:
            break
        if block:
            yield block
    if total != member.file_size:
        more = "more" if total > member.file_size else total
        raise FormatError(f"{where}: expected {member.file_size} inflated bytes, got {more}")


def _check_sum(got: int, member: zipfile.ZipInfo, where: str) -> None:
    if got != member.CRC:
        raise FormatError(
            f"{where}: expected the checksum {member.CRC:#010x}, got {got:#010x}: damaged values"
        )


class ArchiveWriter:
    """Adds stored members: their content begins at a multiple of 64 bytes, their date is always the same."""

    def __init__(self, archive: zipfile.ZipFile, file: BinaryIO) -> None:
        self._archive = archive
        self._file = file

    def add(self, name: str, size: int, chunks: Iterable[bytes | memoryview]) -> None:
        """Add one member of `size` bytes."""
        member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
        member.create_system = 3  # Unix, on every system
        member.external_attr = 0o644 << 16
        member.file_size = size
        large = size >= LARGE_MEMBER_BYTES
        fixed = (
            LOCAL_HEADER.size
            + len(name.encode())
            + struct.calcsize("<HHH")
            + (ZIP64_FIELD_BYTES if large else 0)
        )
        padding = -(self._file.tell() + fixed) % MEMBER_ALIGNMENT
        member.extra = struct.pack("<HHH", ALIGNMENT_FIELD, 2 + padding, MEMBER_ALIGNMENT) + bytes(padding)
        with self._archive.open(member, "w", force_zip64=large) as target:
            for chunk in chunks:
                target.write(chunk)


@contextmanager
def writing_archive(file: BinaryIO) -> Iterator[ArchiveWriter]:
    """Write a zip archive into an open file; its directory follows when the block ends."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        yield ArchiveWriter(archive, file)
