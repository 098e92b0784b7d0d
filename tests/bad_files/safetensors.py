"""Bad safetensors files, those of the reference's own list of attacks among them."""

from __future__ import annotations

import json

from . import BadFile

EIGHT = b"\x01\x02\x03\x04\x05\x06\x07\x08"


def framed(header: bytes, buffer: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + buffer


def file(header: object, buffer: bytes = b"") -> bytes:
    return framed(json.dumps(header).encode(), buffer)


def tensor(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def one(dtype="F32", shape=(2,), offsets=(0, 8), buffer=EIGHT):
    return file({"w": tensor(dtype, shape, offsets)}, buffer)


def two(first, second, size=8):
    return file({"v": tensor("U8", *first), "w": tensor("U8", *second)}, bytes(range(size)))


def described(description):
    """A file that says of its one tensor that it is part of a compressed weight."""
    text = json.dumps({"version": 1, "weights": {"w": description}})
    return file({"__metadata__": {"paring": text}, "w": tensor("I8", (2, 4))}, EIGHT)


QUANTIZED = {"kind": "quantized", "bits": 8, "shape": [2, 4], "granularity": "channel", "axis": 0}
SIZES = "shape: expected non-negative integers, got"
HEADER = "header at byte 8: "


def bad(name: str, content: bytes, message: str, when: str = "open") -> BadFile:
    return BadFile(f"{name}.safetensors", content, message, when)


FILES = [
    bad("empty", b"", r"expected at least 8 bytes \(the length of the header\), got a file of 0 bytes"),
    bad(
        "header-length-beyond-file",
        (1000).to_bytes(8, "little") + b"{}",
        "header length at byte 0: expected at most the 2 bytes that follow, got 1000",
    ),
    bad(
        "header-length-of-64-bits",
        b"\xff" * 8 + b"{}",
        "at most the 2 bytes that follow, got 18446744073709551615",
    ),
    bad("header-not-json", framed(b"{w: 1}"), f"{HEADER}expected JSON, got"),
    bad("header-not-an-object", framed(b"[1]"), rf"{HEADER}expected '{{', got b'\['"),
    bad("header-after-a-space", framed(b" {}"), f"{HEADER}expected '{{', got b' '"),
    bad("header-not-utf8", framed(b'{"\xff":1}'), f"{HEADER}expected UTF-8, got byte 0xff at 2"),
    bad("header-cut", framed(b'{"w":{"dtype":"F32"'), f"{HEADER}expected JSON, got"),
    bad("header-twice", framed(b"{}{}"), f"{HEADER}expected JSON, got Extra data"),
    bad("header-of-nested-lists", framed(b'{"w":' + b"[" * 5_000), f"{HEADER}"),
    bad("header-of-nested-objects", framed(b'{"w":' * 2_000), f"{HEADER}"),
    bad("number-of-five-thousand-digits", framed(b'{"w":' + b"9" * 5_000 + b"}"), f"{HEADER}"),
    bad("number-nan", framed(b'{"w":NaN}'), "expected JSON numbers, got NaN"),
    bad("name-of-half-a-surrogate", framed(rb'{"\ud800":{}}'), r"half of a surrogate pair: '\\ud800'"),
    bad("tensor-twice", framed(b'{"w":{},"w":{}}'), "expected every key once, got 'w' twice"),
    bad("key-twice", framed(b'{"w":{"dtype":"U8","dtype":"I8"}}'), "every key once, got 'dtype' twice"),
    bad(
        "metadata-of-numbers",
        file({"__metadata__": {"a": 1}}),
        "__metadata__: expected a string for 'a', got int",
    ),
    bad(
        "metadata-nested",
        file({"__metadata__": {"a": {}}}),
        "__metadata__: expected a string for 'a', got dict",
    ),
    bad("tensor-without-dtype", file({"w": {"shape": [], "data_offsets": [0, 0]}}), "'w': .*, got no dtype"),
    bad("tensor-is-a-list", file({"w": [1]}), "tensor 'w': expected an object, got list"),
    bad("hole", two(((4,), (0, 4)), ((2,), (6, 8))), "tensor 'w' .*begin at 4, got 6: a hole of 2 bytes"),
    bad("hole-at-the-start", one("U8", (7,), (1, 8)), "begin at 0, got 1: a hole of 1 bytes"),
    bad("overlap", two(((6,), (0, 6)), ((4,), (4, 8))), "tensor 'w' .*begin at 6, got 4: overlaps 'v'"),
    bad("same-bytes-twice", two(((8,), (0, 8)), ((8,), (0, 8))), "begin at 8, got 0: overlaps 'v'"),
    bad(
        "trailing-bytes",
        one(buffer=EIGHT + b"MZ"),
        "cover the buffer of 8?1?0? bytes, got 2 more bytes at byte",
    ),
    bad(
        "truncated", one(buffer=EIGHT[:7]), r"within the buffer of 7 bytes, got \[0, 8\] \(truncated file\?\)"
    ),
    bad("offsets-reversed", one(offsets=(8, 0)), r"0 <= begin <= end, got \[8, 0\]"),
    bad("offsets-negative", one(offsets=(-8, 0)), r"0 <= begin <= end, got \[-8, 0\]"),
    bad("offsets-of-booleans", one("U8", (1,), (False, True)), r"0 <= begin <= end, got \[False, True\]"),
    bad("offsets-of-floats", one(offsets=(0, 8.0)), r"0 <= begin <= end, got \[0, 8.0\]"),
    bad(
        "offsets-beyond-64-bits",
        one("U8", (2**64,), (0, 2**64)),
        "shape: expected at most 9223372036854775807",
    ),
    bad(
        "offsets-beyond-file",
        one("U8", (2**40,), (0, 2**40)),
        r"within the buffer of 8 bytes, got \[0, 109951",
    ),
    bad("shape-product-overflows", one(shape=(2**32, 2**32)), "shape: expected at most .* bytes of float32"),
    bad(
        "shape-product-wraps-to-eight", one("U8", (2**63 + 4, 2)), "shape: expected at most .* bytes of uint8"
    ),
    bad(
        "shape-overflows-beside-a-zero",
        one(shape=(2**62, 0, 2**62), offsets=(0, 0)),
        "shape: expected at most",
    ),
    bad("shape-negative", one(shape=(-1, -2)), rf"{SIZES} \[-1, -2\]"),
    bad("shape-of-floats", one(shape=(2.0,)), rf"{SIZES} \[2.0\]"),
    bad("shape-of-booleans", one(shape=(True, 2)), rf"{SIZES} \[True, 2\]"),
    bad(
        "shape-of-infinity",
        framed(b'{"w":{"dtype":"U8","shape":[1e999],"data_offsets":[0,0]}}'),
        rf"{SIZES} \[inf\]",
    ),
    bad("shape-of-a-hundred-axes", one(shape=(1,) * 100), "shape: expected at most 32 axes, got 100"),
    bad("wrong-byte-count", one(shape=(3,)), r"expected 12 bytes for F32 \[3\], got 8 bytes"),
    bad("dtype-unknown", one("F4", (16,)), "tensor 'w': expected a dtype of .*, got 'F4'", "look-up"),
    bad("dtype-a-number", one(5), "tensor 'w': dtype: expected a string, got int"),
    bad(
        "boolean-of-two",
        one("BOOL", (8,)),
        "tensor 'w': expected booleans 0 or 1, got 2 at element 1",
        "look-up",
    ),
    bad(
        "description-not-json",
        file({"__metadata__": {"paring": "{"}}),
        "__metadata__ 'paring': expected JSON",
    ),
    bad(
        "description-of-version-9",
        file({"__metadata__": {"paring": '{"version":9}'}}),
        "expected version 1, got 9",
    ),
    bad("description-of-missing-parts", described(QUANTIZED | {"bits": 4}), "got none called w_packed"),
    bad(
        "description-of-a-huge-shape", described(QUANTIZED | {"shape": [2**62, 4]}), "shape: expected at most"
    ),
    bad("description-of-another-kind", described({"kind": "os.system"}), "expected kind quantized or sparse"),
]
