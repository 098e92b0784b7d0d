"""Bad GGUF files, by section as llama.cpp's own hand-made ones are: magic and counts, keys, tensors, data."""

from __future__ import annotations

import struct

from . import BadFile, bad_files
from .gguf_messages import AT_LOOK_UP, MESSAGES

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
VALUES = struct.pack("<4f", 1, 2, 3, 4)
MAX = 2**64 - 1


def u32(value: int) -> bytes:
    return struct.pack("<I", value & 0xFFFFFFFF)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value & MAX)


def text(value: str | bytes, length: int | None = None) -> bytes:
    data = value if isinstance(value, bytes) else value.encode()
    return u64(len(data) if length is None else length) + data


def key(name: str | bytes, kind: int, value: bytes) -> bytes:
    return text(name) + u32(kind) + value


def tensor(
    name: str | bytes = "w", dims=(4,), kind: int = 0, offset: int = 0, axes: int | None = None
) -> bytes:
    sizes = b"".join(u64(size) for size in dims)
    return text(name) + u32(len(dims) if axes is None else axes) + sizes + u32(kind) + u64(offset)


ARCHITECTURE = key("general.architecture", STRING, text("paring"))


W = tensor()


def file(keys=(ARCHITECTURE,), tensors=(W,), data=VALUES, alignment=32, **lies) -> bytes:
    head = lies.get("magic", b"GGUF") + u32(lies.get("version", 3))
    head += u64(lies.get("tensor_count", len(tensors))) + u64(lies.get("key_count", len(keys)))
    head += b"".join(keys) + b"".join(tensors)
    return head + bytes(-len(head) % alignment) + data


def aligned(value: bytes, kind: int = U32) -> bytes:
    return file((ARCHITECTURE, key("general.alignment", kind, value)))


def keyed(*keys: bytes, **lies: int) -> bytes:
    return file((ARCHITECTURE, *keys), **lies)


def array(kind: int, count: int, items: bytes = b"") -> bytes:
    return key("k", ARRAY, u32(kind) + u64(count) + items)


NESTED = (u32(ARRAY) + u64(1)) * 1000 + u32(U8) + u64(1) + b"\0"
CONTENTS = {
    "empty": b"",
    "magic": file(magic=b"GGML"),
    "magic-big-endian": file(magic=b"FUGG"),
    "header-cut": b"GGUF\x03\0\0\0\1",
    "version-0": file(version=0),
    "version-1": file(version=1),
    "version-99": file(version=99),
    "version-of-a-big-endian-file": file(version=0x03000000),
    "tensor-count-of-63-bits": file(tensor_count=2**63),
    "tensor-count-of-ones": file(tensor_count=MAX),
    "tensor-count-one-more": file(tensor_count=2, data=b""),
    "key-count-of-63-bits": file(key_count=2**63),
    "key-count-of-ones": file(key_count=MAX),
    "key-of-64-bit-length": keyed(text("k", 2**63) + u32(U8) + b"\0"),
    "key-of-length-minus-one": keyed(text("k", MAX) + u32(U8) + b"\0"),
    "key-empty": keyed(key("", U8, b"\0")),
    "key-of-70000-bytes": keyed(key("k" * 70_000, U8, b"\0")),
    "key-not-utf8": keyed(key(b"\xff\xfe", U8, b"\0")),
    "key-twice": keyed(key("k", U8, b"\0"), key("k", U8, b"\1")),
    "value-type-13": keyed(key("k", 13, bytes(8))),
    "value-type-negative": keyed(key("k", -1, bytes(8))),
    "value-boolean-of-two": keyed(key("k", BOOL, b"\2")),
    "string-of-64-bit-length": keyed(key("k", STRING, text("v", 2**63))),
    "string-beyond-file": keyed(key("k", STRING, text("v", 10**6))),
    "string-not-utf8": keyed(key("k", STRING, text(b"\xff\xfe"))),
    "array-of-63-bits": keyed(array(U8, 2**63)),
    "array-of-ones": keyed(array(U64, MAX)),
    "array-product-wraps": keyed(array(U64, 2**61 + 1, bytes(8))),
    "array-of-strings-of-63-bits": keyed(array(STRING, 2**63)),
    "array-of-type-negative": keyed(array(-1, 1, bytes(8))),
    "array-of-arrays-a-thousand-deep": keyed(key("k", ARRAY, NESTED)),
    "alignment-0": aligned(u32(0)),
    "alignment-3": aligned(u32(3)),
    "alignment-1": aligned(u32(1)),
    "alignment-of-31-bits": aligned(u32(2**31)),
    "alignment-a-string": aligned(text("32"), STRING),
    "alignment-of-64-bits": aligned(u64(2**63), U64),
    "alignment-twice": file((*[key("general.alignment", U32, u32(size)) for size in (32, 64)],)),
    "architecture-a-number": file((key("general.architecture", U32, u32(1)),)),
    "tensor-name-of-64-bit-length": file(tensors=(text("w", 2**63) + bytes(30),)),
    "tensor-name-not-utf8": file(tensors=(tensor(b"\xff"),)),
    "tensor-twice": file(tensors=(tensor(), tensor(offset=32)), data=VALUES + bytes(16) + VALUES),
    "tensor-of-5-axes": file(tensors=(tensor(dims=(4, 1, 1, 1, 1)),)),
    "tensor-of-32-bit-axes": file(tensors=(tensor(axes=2**32 - 1),)),
    "dims-of-63-bits": file(tensors=(tensor(dims=(2**63,)),)),
    "dims-of-ones": file(tensors=(tensor(dims=(MAX,)),)),
    "dims-product-overflows": file(tensors=(tensor(dims=(2**32, 2**32)),)),
    "dims-product-wraps-to-four": file(tensors=(tensor(dims=(2**62 + 1, 4)),)),
    "dims-beyond-file": file(tensors=(tensor(dims=(2**30,)),)),
    "type-99": file(tensors=(tensor(kind=99),)),
    "type-negative": file(tensors=(tensor(kind=-1),)),
    "type-removed": file(tensors=(tensor(dims=(32,), kind=4),), data=bytes(20)),
    "row-of-half-a-block": file(tensors=(tensor(dims=(16,), kind=8),), data=bytes(34)),
    "blocks-beyond-file": file(tensors=(tensor(dims=(64, 4), kind=8),), data=bytes(34)),
    "offset-not-aligned": file(tensors=(tensor(offset=4),), data=bytes(4) + VALUES),
    "offset-beyond-file": file(tensors=(tensor(offset=64),)),
    "offset-of-64-bits": file(tensors=(tensor(offset=2**63),)),
    "offset-wraps": file(tensors=(tensor(offset=MAX - 31),)),
    "tensors-overlap": file(tensors=(tensor("v"), tensor("w"))),
    "data-missing": file(data=b""),
    "truncated": file(data=VALUES[:-1]),
    "trailing-bytes": file(data=VALUES + bytes(100) + b"MZ"),
    "one-of-many-files": keyed(key("split.no", U16, b"\0\0"), key("split.count", U16, b"\3\0")),
}
FILES = [BadFile("a-whole-one.gguf", file(), ""), *bad_files(CONTENTS, MESSAGES, AT_LOOK_UP, ".gguf")]
