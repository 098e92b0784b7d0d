"""GGUF files made byte by byte, so that a test can make wrong ones, and weights that such a file can hold."""

import struct

import numpy as np

from paring.weights import QuantizedWeight
from weight_files import random_quantized

TYPE_NUMBERS = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 8, "Q4_K": 12, "I8": 24, "BF16": 30}
VALUE_TYPES = (
    *("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "bool", "string", "array"),
    *("uint64", "int64", "float64"),
)
VALUE_NUMBERS = {name: number for number, name in enumerate(VALUE_TYPES)}


def u32(value):
    return struct.pack("<I", value)


def u64(value):
    return struct.pack("<Q", value)


def text(value):
    raw = value if isinstance(value, bytes) else value.encode()
    return u64(len(raw)) + raw


def key(name, kind, value):
    """A key whose value is bytes already; `kind` is the name or number of its type."""
    return text(name) + u32(VALUE_NUMBERS.get(kind, kind)) + value


def array(kind, count, items):
    """The value of a key of type "array"."""
    return u32(VALUE_NUMBERS.get(kind, kind)) + u64(count) + items


def tensor(name, kind, dims, offset):
    """A line of the table of tensors; `dims` in the order of the file."""
    return (
        text(name)
        + u32(len(dims))
        + b"".join(map(u64, dims))
        + u32(TYPE_NUMBERS.get(kind, kind))
        + u64(offset)
    )


def gguf_bytes(keys=(), tensors=(), data=b"", *, magic=b"GGUF", version=3, counts=None, alignment=32):
    """A file; `counts` says how many tensors and keys it claims, if it lies."""
    tensor_count, key_count = counts or (len(tensors), len(keys))
    header = magic + u32(version) + u64(tensor_count) + u64(key_count) + b"".join([*keys, *tensors])
    return header + bytes(-len(header) % alignment) + data


def small_file():
    """A file with keys of every kind and tensors that paring decodes itself, 900 bytes or so."""
    keys = [
        key("general.architecture", "string", text("test")),
        key("general.alignment", "uint32", u32(32)),
        key("a.uint8", "uint8", b"\xff"),
        key("a.float32", "float32", struct.pack("<f", 1e-5)),
        key("a.bool", "bool", b"\x01"),
        key("a.texts", "array", array("string", 2, text("é") + text(""))),
        key("a.nested", "array", array("array", 1, array("int16", 2, struct.pack("<2h", -1, 2)))),
    ]
    rng = np.random.default_rng(5)
    tensors, data = [], b""
    for name, kind, dims, size in (
        ("f", "F32", [3, 2], 24),
        ("h", "F16", [5], 10),
        ("q8", "Q8_0", [64, 2], 136),
        ("q4", "Q4_0", [32, 1, 3], 54),
        ("row", "Q8_0", [32], 34),
        ("k", "Q4_K", [256], 144),
        ("none", "I8", [0, 3], 0),
        ("one", "F32", [], 4),
        ("b", "BF16", [3], 6),
    ):
        tensors.append(tensor(name, kind, dims, len(data)))
        data += rng.bytes(size) + bytes(-size % 32)
    return gguf_bytes(keys, tensors, data)


def quantized(bits, shape, seed=0):
    """Codes whatever and scales that float16 holds, of both signs."""
    weight = random_quantized(shape, bits, "group", 32, seed=seed)
    scale = np.random.default_rng(seed).standard_normal(weight.scale.shape).astype(np.float16)
    return QuantizedWeight(weight.data, scale.astype(np.float32), None, shape, bits, "group", 32)
