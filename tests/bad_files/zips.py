"""Zip archives with any lie in them, and deflated bytes made by hand: no library, so the same bytes everywhere."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

STORED, DEFLATED = 0, 8


@dataclass(frozen=True)
class Member:
    """A member, and what its headers say of it: by default the truth."""

    name: str
    content: bytes
    method: int = STORED
    flags: int = 0
    size: int | None = None
    packed_size: int | None = None
    checksum: int | None = None
    offset: int | None = None
    version: int = 20
    local_magic: bytes = b"PK\x03\x04"
    raw_content: bytes | None = field(default=None)
    """What is checked and counted, where `content` is its deflated form."""


def archive(*members: Member, end: bytes | None = None) -> bytes:
    body, directory = b"", b""
    for member in members:
        offset = len(body) if member.offset is None else member.offset
        raw = member.content if member.raw_content is None else member.raw_content
        fields = (
            member.flags,
            member.method,
            0,
            33,  # 1980-01-01
            zlib.crc32(raw) if member.checksum is None else member.checksum,
            len(member.content) if member.packed_size is None else member.packed_size,
            len(raw) if member.size is None else member.size,
        )
        name = member.name.encode()
        if member.offset is None:
            body += member.local_magic + struct.pack("<HHHHHIIIHH", 20, *fields, len(name), 0)
            body += name + member.content
        directory += b"PK\x01\x02" + struct.pack("<HHHHHHIII", 20, member.version, *fields)
        directory += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0o644 << 16, offset) + name
    record = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    return body + directory + (b"PK\x05\x06" + record if end is None else end)


def deflated_zeros(count: int) -> bytes:
    """Deflate `count` zeros: one literal, then copies of 258 bytes, in the fixed code: 13 bits each."""
    bits: list[int] = [1, 1, 0]  # the last block, of the fixed code

    def code(value: int, length: int) -> None:
        bits.extend(value >> shift & 1 for shift in reversed(range(length)))

    copies, rest = divmod(count - 1, 258)
    code(0x30, 8)
    for _ in range(copies):
        code(0b11000101, 8)
        code(0, 5)
    for _ in range(rest):
        code(0x30, 8)
    code(0, 7)
    bits += [0] * (-len(bits) % 8)
    return bytes(
        sum(bit << place for place, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8)
    )
