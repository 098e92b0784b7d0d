"""Bad ONNX files: protobuf written by hand, external data that lies elsewhere, sizes that lie."""

from __future__ import annotations

import struct

from . import BadFile, bad_files
from .onnx_messages import AT_LOOK_UP, MESSAGES

VALUES = struct.pack("<4f", 1, 2, 3, 4)
FLOAT, UINT8, STRING, BOOL, FLOAT16 = 1, 2, 8, 9, 10
EXTERNAL = 1


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    data = b""
    while value > 127:
        data += bytes([value & 127 | 128])
        value >>= 7
    return data + bytes([value])


def integer(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def message(field: int, value: bytes | str) -> bytes:
    data = value if isinstance(value, bytes) else value.encode()
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(name="w", dims=(4,), kind=FLOAT, raw: bytes | None = VALUES, more: bytes = b"") -> bytes:
    sizes = b"".join(integer(1, size) for size in dims)
    values = b"" if raw is None else message(9, raw)
    return sizes + integer(2, kind) + more + message(8, name) + values


def external(dims=(4,), **entries: str) -> bytes:
    pairs = (message(13, message(1, key) + message(2, value)) for key, value in entries.items())
    return tensor(dims=dims, raw=None, more=b"".join(pairs) + integer(14, EXTERNAL))


def model(*tensors: bytes, nodes: tuple[bytes, ...] = ()) -> bytes:
    graph = b"".join(message(1, node) for node in nodes) + message(2, "g")
    graph += b"".join(message(5, value) for value in tensors)
    return integer(1, 8) + message(7, graph) + message(8, integer(2, 21))


def nested(depth: int) -> bytes:
    """A graph in an attribute of a node of a graph in an attribute ... of a node."""
    graph = message(2, "g") + message(5, tensor())
    for _ in range(depth):
        graph = message(1, message(4, "If") + message(5, message(1, "then_branch") + message(6, graph)))
    return integer(1, 8) + message(7, graph)


OUTSIDE = {
    "external-in-the-parent-folder": "../../weights_v1.npz",
    "external-there-and-back": "../bad/a-shard.safetensors",
    "external-from-the-root": "/etc/passwd",
    "external-of-the-kernel": "/proc/self/environ",
    "external-by-a-drive": "C:\\data",
    "external-by-backslashes": "..\\..\\weights_v1.npz",
    "external-the-folder": ".",
    "external-behind-a-nul": "a-shard.safetensors\0",
    "external-without-a-name": "",
    "external-missing": "nowhere.bin",
}
SHARD = "a-shard.safetensors"
CONTENTS = {
    "empty": b"",
    "not-protobuf": b"\xff" * 50,
    "truncated": model(tensor())[:-10],
    "field-of-64-bit-length": varint(7 << 3 | 2) + varint(2**63) + b"g",
    "graphs-two-hundred-deep": nested(200),
    **{name: model(external(location=place)) for name, place in OUTSIDE.items()},
    "external-beyond-file": model(external(location=SHARD, offset="100000", length="16")),
    "external-longer-than-file": model(external(location=SHARD, length="1000000")),
    "external-offset-negative": model(external(location=SHARD, offset="-1")),
    "external-length-negative": model(external(location=SHARD, length="-1")),
    "external-offset-a-word": model(external(location=SHARD, offset="zero")),
    "external-length-a-float": model(external(location=SHARD, length="16.0")),
    "external-length-of-an-exabyte": model(external((2**60,), location=SHARD, length=str(2**60))),
    "external-length-of-a-thousand-digits": model(external(location=SHARD, length="9" * 5000)),
    "external-of-other-bytes": model(external((3,), location=SHARD, offset="0", length="16")),
    "external-without-a-place": model(external(offset="0")),
    "external-key-twice": model(
        tensor(
            raw=None,
            more=message(13, message(1, "location") + message(2, SHARD)) * 2 + integer(14, EXTERNAL),
        )
    ),
    "raw-too-short": model(tensor(raw=VALUES[:-1])),
    "raw-too-long": model(tensor(raw=VALUES + b"\0")),
    "dims-negative": model(tensor(dims=(-4,))),
    "dims-product-overflows": model(tensor(dims=(2**32, 2**32))),
    "dims-product-wraps-to-four": model(tensor(dims=(2**62 + 1, 4))),
    "dims-of-a-hundred-axes": model(tensor(dims=(1,) * 100)),
    "dims-of-a-terabyte": model(tensor(dims=(2**38,), raw=None)),
    "type-undefined": model(tensor(kind=0)),
    "type-99": model(tensor(kind=99)),
    "type-negative": model(tensor(kind=-1)),
    "type-string": model(tensor(kind=STRING, raw=None, more=message(6, "text"))),
    "floats-too-few": model(tensor(raw=None, more=message(4, VALUES[:12]))),
    "boolean-of-two": model(tensor(kind=BOOL, raw=b"\1\2\1\0")),
    "tensor-twice": model(tensor(), tensor()),
    "tensor-without-a-name": model(tensor("")),
    "tensor-name-not-utf8": model(tensor(b"\xff")),
}
FILES = [
    BadFile("a-whole-one.onnx", model(tensor()), ""),
    BadFile(
        "a-whole-one-with-external-data.onnx",
        model(external((2,), location=SHARD, offset="69", length="8")),
        "",
    ),
    *bad_files(CONTENTS, MESSAGES, AT_LOOK_UP, ".onnx"),
]
