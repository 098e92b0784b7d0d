"""A small assembler of pickles: values that nothing checks, and the opcodes that a safe reader refuses."""

from __future__ import annotations

import struct
from collections.abc import Iterable

PROTO, STOP = b"\x80\x02", b"."
MARK, TUPLE, REDUCE, BUILD, PERSISTENT = b"(", b"t", b"R", b"b", b"Q"
NONE, TRUE, FALSE = b"N", b"\x88", b"\x89"
EMPTY_DICT, EMPTY_LIST, EMPTY_TUPLE = b"}", b"]", b")"


def text(value: str | bytes) -> bytes:
    data = value if isinstance(value, bytes) else value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    if 0 <= value < 256:
        return b"K" + bytes([value])
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def find(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def tuple_of(*values: bytes) -> bytes:
    return MARK + b"".join(values) + TUPLE


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + tuple_of(*arguments) + REDUCE


def dict_of(items: Iterable[tuple[bytes, bytes]]) -> bytes:
    return EMPTY_DICT + MARK + b"".join(key + value for key, value in items) + b"u"


def pickle(value: bytes) -> bytes:
    return PROTO + value + STOP
