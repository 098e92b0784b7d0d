"""Broken safetensors files by kind: each ends in a FormatError that says what is wrong where."""

import json

import pytest

from paring.errors import FormatError
from paring.formats import read
from weight_files import framed, safetensors_bytes

BIG = 2**63 - 1


def entry(**changes):
    return {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes


def one(**changes):
    """A file with one tensor 'w' of eight bytes, its header changed; None removes a key."""
    header = {key: value for key, value in entry(**changes).items() if value is not None}
    return framed(json.dumps({"w": header}).encode(), bytes(8))


SAFETENSORS = {
    "empty": (b"", r"expected at least 8 bytes \(the length of the header\), got a file of 0 bytes"),
    "short": (b"1234567", "expected at least 8 bytes .*, got a file of 7 bytes"),
    "no-header": (bytes(8), r"header at byte 8: expected '\{', got b''"),
    "length-past-end": (
        (11).to_bytes(8, "little") + b"{}        ",
        "header length at byte 0: expected at most the 10 bytes that follow, got 11",
    ),
    "length-huge": (
        b"\xff" * 8 + b"{}",
        "expected at most the 2 bytes that follow, got 18446744073709551615",
    ),
    "not-an-object": (framed(b"[]"), r"header at byte 8: expected '\{', got b'\['"),
    "leading-space": (framed(b" {}"), r"header at byte 8: expected '\{', got b' '"),
    "not-json": (framed(b"{nope}"), "header at byte 8: expected JSON, got .*line 1 column 2"),
    "cut-json": (framed(b'{"w": {"dtype"'), "header at byte 8: expected JSON, got"),
    "trailing-json": (framed(b"{}{}"), "header at byte 8: expected JSON, got Extra data"),
    "not-utf8": (framed(b'{"\xff": 1}'), "header at byte 8: expected UTF-8, got byte 0xff at 2"),
    "surrogate": (
        framed(rb'{"\ud800": {}}'),
        r"expected Unicode text, got half of a surrogate pair: '\\ud800'",
    ),
    "surrogate-metadata": (framed(rb'{"__metadata__": {"a": "\udfff"}}'), "half of a surrogate pair"),
    "nan": (framed(b'{"w": NaN}'), "expected JSON numbers, got NaN"),
    "deep": (framed(b'{"w":' + b"[" * 100_000), "header at byte 8: "),
    "long-number": (framed(b'{"w":' + b"1" * 10_000 + b"}"), "header at byte 8: "),
    "duplicate-tensor": (
        framed(b'{"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"w":{}}'),
        "expected every key once, got 'w' twice",
    ),
    "duplicate-key": (
        framed(b'{"w":{"dtype":"U8","dtype":"I8"}}'),
        "expected every key once, got 'dtype' twice",
    ),
    "duplicate-metadata": (framed(b'{"__metadata__":{"a":"1","a":"2"}}'), "got 'a' twice"),
    "metadata-list": (
        framed(b'{"__metadata__":[]}'),
        "__metadata__: expected an object of strings, got list",
    ),
    "metadata-nested": (
        framed(b'{"__metadata__":{"a":{"b":"c"}}}'),
        "__metadata__: expected a string for 'a', got dict",
    ),
    "metadata-number": (framed(b'{"__metadata__":{"a":1}}'), "expected a string for 'a', got int"),
    "entry-list": (framed(b'{"w":[]}'), "tensor 'w': expected an object, got list"),
    "no-dtype": (one(dtype=None), "tensor 'w': expected dtype, shape and data_offsets, got no dtype"),
    "no-shape-no-offsets": (one(shape=None, data_offsets=None), "got no shape and no data_offsets"),
    "dtype-number": (one(dtype=5), "tensor 'w': dtype: expected a string, got int"),
    "shape-number": (one(shape=2), "tensor 'w': shape: expected a list, got int"),
    "shape-negative": (one(shape=[-1, -2]), r"'w': shape: expected non-negative integers, got \[-1, -2\]"),
    "shape-float": (one(shape=[2.0]), r"'w': shape: expected non-negative integers, got \[2.0\]"),
    "shape-bool": (one(shape=[True, 2]), r"'w': shape: expected non-negative integers, got \[True, 2\]"),
    "shape-overflow": (
        one(shape=[2**32, 2**32]),
        f"'w': shape: expected at most {BIG} bytes of float32, got",
    ),
    "shape-overflow-empty": (
        one(shape=[2**62, 0, 2**62], data_offsets=[0, 0]),
        "expected at most .* bytes of",
    ),
    "shape-axes": (one(shape=[1] * 100), "'w': shape: expected at most 32 axes, got 100"),
    "shape-of-unknown-dtype": (one(dtype="F4", shape=["x"]), r"expected non-negative integers, got \['x'\]"),
    "size-small": (
        one(shape=[1]),
        r"'w': expected 4 bytes for F32 \[1\], got 8 bytes \(data_offsets \[0, 8\]\)",
    ),
    "size-large": (one(shape=[3]), r"'w': expected 12 bytes for F32 \[3\], got 8 bytes"),
    "size-dtype": (one(dtype="F64"), r"'w': expected 16 bytes for F64 \[2\], got 8 bytes"),
    "offsets-text": (one(data_offsets="08"), r"data_offsets: expected \[begin, end\] with .*, got '08'"),
    "offsets-one": (one(data_offsets=[0]), r"data_offsets: expected \[begin, end\] with .*, got \[0\]"),
    "offsets-float": (
        one(data_offsets=[0, 8.0]),
        r"data_offsets: expected \[begin, end\] with .*, got \[0, 8.0\]",
    ),
    "offsets-reversed": (one(data_offsets=[8, 0]), r"with 0 <= begin <= end, got \[8, 0\]"),
    "offsets-negative": (one(data_offsets=[-8, 0]), r"with 0 <= begin <= end, got \[-8, 0\]"),
    "truncated": (
        safetensors_bytes({"v": ("U8", [8], [0, 8]), "w": ("F32", [2], [8, 16])}, bytes(15)),
        r"tensor 'w' at byte 1\d\d: expected data_offsets within the buffer of 15 bytes, got \[8, 16\]",
    ),
    "offsets-huge": (
        safetensors_bytes({"w": ("U8", [2**62], [0, 2**62])}),
        r"within the buffer of 0 bytes, got \[0, 4611686018427387904\]",
    ),
    "overlap": (
        safetensors_bytes({"v": ("U8", [8], [0, 8]), "w": ("U8", [8], [4, 12])}, bytes(12)),
        r"tensor 'w' at byte 1\d\d: expected data_offsets to begin at 8, got 4: overlaps 'v'",
    ),
    "same-place": (
        safetensors_bytes({"v": ("U8", [8], [0, 8]), "w": ("U8", [8], [0, 8])}, bytes(8)),
        "expected data_offsets to begin at 8, got 0: overlaps 'v'",
    ),
    "hole": (
        safetensors_bytes({"v": ("U8", [4], [0, 4]), "w": ("U8", [4], [8, 12])}, bytes(12)),
        r"tensor 'w' at byte 1\d\d: expected data_offsets to begin at 4, got 8: a hole of 4 bytes",
    ),
    "hole-first": (safetensors_bytes({"w": ("U8", [4], [1, 5])}, bytes(5)), "a hole of 1 bytes"),
    "hole-last": (
        safetensors_bytes({"w": ("U8", [4], [0, 4])}, bytes(9)),
        r"cover the buffer of 9 bytes, got 5 more bytes at byte \d\d",
    ),
    "zero-size-inside": (
        safetensors_bytes({"v": ("U8", [4], [0, 4]), "w": ("U8", [0], [2, 2])}, bytes(4)),
        "tensor 'w' .*: expected data_offsets to begin at 4, got 2: overlaps 'v'",
    ),
}


@pytest.mark.parametrize(("data", "message"), SAFETENSORS.values(), ids=SAFETENSORS)
def test_safetensors(tmp_path, data, message):
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=rf"model\.safetensors: .*{message}"):
        read(path)


def test_the_unbroken_one_is_fine(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(one())
    assert read(path)["w"].tolist() == [0, 0]


def test_a_header_beyond_the_limit(tmp_path):
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.write((100_000_001).to_bytes(8, "little") + b"{")
        file.truncate(100_000_100)  # sparse: takes no room
    with pytest.raises(
        FormatError, match=r"header length at byte 0: expected at most 100000000 bytes .*got 100000001"
    ):
        read(path)


def test_booleans_that_are_none(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors_bytes({"m": ("BOOL", [2, 2], [0, 4])}, b"\x01\x00\x02\x00"))
    with pytest.raises(FormatError, match=r"tensor 'm': expected booleans 0 or 1, got 2 at element 2"):
        read(path)["m"]
