"""GGUF files that are wrong: each is refused with a sentence that says what, where and what was expected."""

import struct

import pytest

from gguf_files import array, gguf_bytes, key, small_file, tensor, text, u32, u64
from paring.errors import FormatError
from paring.formats import read

LONGEST = 2**64 - 1


def nested(depth):
    value = array("uint8", 1, b"\7")
    for _ in range(depth - 1):
        value = array("array", 1, value)
    return value


def f32(name, offset=0, dims=(8,)):
    return tensor(name, "F32", dims, offset)


HEADERS = {
    "empty": (b"", "expected at least 24 bytes"),
    "short": (gguf_bytes()[:23], "expected at least 24 bytes"),
    "magic": (gguf_bytes(magic=b"GGML"), "magic at byte 0: expected b'GGUF', got b'GGML'"),
    "version 1": (gguf_bytes(version=1), "version at byte 4: expected 2 or 3, got 1"),
    "version 0": (gguf_bytes(version=0), "version at byte 4: expected 2 or 3, got 0"),
    "version 4": (gguf_bytes(version=4), "version at byte 4: expected 2 or 3, got 4"),
    "big-endian": (gguf_bytes(version=3 << 24), "expected a little-endian file, got a big-endian one"),
    "tensors": (gguf_bytes(counts=(1000, 0)) + bytes(100), "count of tensors: expected at most"),
    "more tensors": (
        gguf_bytes(counts=(LONGEST, 0)),
        r"at most 1000000 tensors \(limits.tensors\), got 1844",
    ),
    "keys": (gguf_bytes(counts=(0, LONGEST)), "count of keys: expected at most 0 in the 8 bytes .* got 1844"),
}
KEYS = {
    "no key": (text(""), "key at byte 24: expected 1 to 65535 bytes, got 0"),
    "long key": (text("k" * 65_536), "key at byte 24: expected 1 to 65535 bytes, got 65536"),
    "length of key": (u64(LONGEST), "key at byte 32: expected 18446744073709551615 more bytes, got"),
    "length of key with a sign": (u64(2**63), "key at byte 32: expected 9223372036854775808 more bytes"),
    "key is no text": (text(b"\xff\xfe"), r"key at byte 24: expected UTF-8, got b'\\xff\\xfe'"),
    "type": (key("k", 13, b""), "type of the value of 'k' at byte 33: expected 0 to 12, got 13"),
    "negative type": (key("k", LONGEST % 2**32, b""), "type of the value of 'k' .*, got 4294967295"),
    "bool": (key("k", "bool", b"\2"), "value of 'k' at byte 37: expected booleans 0 or 1, got 2"),
    "bools": (key("k", "array", array("bool", 3, b"\0\1\xff")), "expected booleans 0 or 1, got 255"),
    "string": (key("k", "string", u64(LONGEST)), "value of 'k' at byte 45: expected 1844.* more bytes, got"),
    "items": (key("k", "array", array(13, 1, b"")), "value of 'k' at byte 37: expected 0 to 12, got 13"),
    "many items": (
        key("k", "array", array("uint64", 2**61, b"")),
        "expected 18446744073709551616 more bytes",
    ),
    "many strings": (
        key("k", "array", array("string", 2**60, b"")),
        "expected 9223372036854775808 more bytes",
    ),
    "many arrays": (key("k", "array", array("array", 2**60, b"")), "value of 'k' at byte 49: expected 1383"),
    "deep": (
        key("k", "array", nested(9)),
        "value of 'k' at byte 133: expected arrays in arrays at most 8 deep",
    ),
    "twice": (key("k", "uint8", b"\1") * 2, "key at byte 38: expected every key once, got 'k' twice"),
    "alignment 0": (key("general.alignment", "uint32", u32(0)), "general.alignment: expected a power of two"),
    "alignment 48": (key("general.alignment", "uint32", u32(48)), r'as uint32, got \["uint32",48\]'),
    "alignment as int32": (key("general.alignment", "int32", u32(32)), r'got \["int32",32\]'),
    "alignment as uint64": (key("general.alignment", "uint64", u64(32)), r'got \["uint64",32\]'),
    "alignment as text": (key("general.alignment", "string", text("32")), r'got \["string","32"\]'),
    "alignment as array": (
        key("general.alignment", "array", array("uint32", 0, b"")),
        r'\["array\[uint32\]",',
    ),
    "other metadata is no text": (
        key("paring.metadata", "uint8", b"\1"),
        "paring.metadata: expected a string in",
    ),
    "other metadata is no JSON": (key("paring.metadata", "string", text("x")), "metadata: expected JSON"),
    "other metadata is no map": (
        key("paring.metadata", "string", text('{"a":1}')),
        "expected a string for 'a'",
    ),
    "other metadata of keys": (key("paring.metadata", "string", text('{"gguf":"x"}')), "no entry 'gguf'"),
    "other metadata of weights": (
        key("paring.metadata", "string", text('{"paring":""}')),
        "no entry 'paring'",
    ),
    "other metadata twice": (key("paring.metadata", "string", text("{}")) * 2, "'paring.metadata' twice"),
}
# The header of one tensor called "a" is 24 + 9 + 4 + 8 * axes + 12 bytes; data begin at byte 64.
TENSORS = {
    "length of name": ([u64(LONGEST) + bytes(30)], "name of a tensor at byte 32: expected 1844.* more bytes"),
    "name is no text": ([tensor(b"\xff", "F32", [1], 0)], "name of a tensor at byte 24: expected UTF-8"),
    "twice": ([f32("a"), f32("a", 32)], "tensor at byte 57: expected every name once, got 'a' twice"),
    "axes": ([tensor("a", "F32", [1, 1, 1, 1, 1], 0)], "tensor 'a': expected at most 4 axes, got 5"),
    "many axes": ([text("a") + u32(2**32 - 1) + bytes(40)], "expected at most 4 axes, got 4294967295"),
    "negative size": (
        [f32("a", dims=[LONGEST])],
        r"'a': expected a shape of at most 2\*\*55 elements, got \[1844",
    ),
    "overflow": (
        [f32("a", dims=[2**32, 2**32])],
        r"at most 2\*\*55 elements, got \[4294967296, 4294967296\]",
    ),
    "overflow to zero": ([f32("a", dims=[2**33, 2**33, 2])], r"expected a shape of at most 2\*\*55 elements"),
    "much beside nothing": (
        [tensor("a", "Q8_0", [0, 2**30], 0)],
        "tensor 'a': shape: expected sizes of at most 268435456 together beside a size of 0",
    ),
    "overflow beside nothing": ([f32("a", dims=[2**40, 0, 2**40])], r"expected a shape of at most 2\*\*55"),
    "size": (
        [f32("a", dims=[9])],
        r"'a' at byte 64: expected 36 bytes, got 32 until the end of the file .truncated\?",
    ),
    "huge": (
        [f32("a", dims=[2**50])],
        "'a' at byte 64: expected 4503599627370496 bytes, got 32 until the end",
    ),
    "rows of blocks": ([tensor("a", "Q8_0", [48, 2], 0)], r"a multiple of 32 for Q8_0, got shape \[2, 48\]"),
    "rows of large blocks": ([tensor("a", "Q4_K", [128, 2], 0)], "a multiple of 256 for Q4_K"),
    "block without axes": ([tensor("a", "Q8_0", [], 0)], r"a multiple of 32 for Q8_0, got shape \[\]"),
    "offset": ([f32("a", 8)], "tensor 'a': offset: expected a multiple of 32, got 8"),
    "offset beyond": (
        [f32("a", 2**40)],
        "'a' at byte 1099511627840: expected an offset of 0, .* a hole of 10995",
    ),
    "offset with a sign": ([f32("a", 2**64 - 32)], "expected an offset of 0, got 18446744073709551584"),
    "hole": (
        [f32("a"), f32("b", 64)],
        "'b' at byte 160: expected an offset of 32, got 64: a hole of 32 bytes",
    ),
    "hole at the start": (
        [f32("a", 32)],
        "'a' at byte 96: expected an offset of 0, got 32: a hole of 32 bytes",
    ),
    "overlap": ([f32("a", dims=[16]), f32("b", 32)], "'b' at byte 128: .* at least 64, got 32: overlaps 'a'"),
    "same place": (
        [f32("a"), f32("b")],
        "'b' at byte 96: expected an offset of at least 32, got 0: overlaps 'a'",
    ),
    "unknown type beyond": ([f32("a"), tensor("b", 99, [1], 64)], "a hole of 32 bytes"),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.gguf"


@pytest.mark.parametrize("case", HEADERS)
def test_header(path, case):
    data, message = HEADERS[case]
    path.write_bytes(data)
    with pytest.raises(FormatError, match=f"model.gguf: .*{message}"):
        read(path)


@pytest.mark.parametrize("case", KEYS)
def test_key(path, case):
    raw, message = KEYS[case]
    path.write_bytes(gguf_bytes([raw], counts=(0, 2 if "twice" in case else 1)) + bytes(32))
    with pytest.raises(FormatError, match=f"model.gguf: .*{message}"):
        read(path)


@pytest.mark.parametrize("case", TENSORS)
def test_tensor(path, case):
    tensors, message = TENSORS[case]
    path.write_bytes(gguf_bytes(tensors=tensors, data=bytes(64 if case == "overlap" else 32)))
    with pytest.raises(FormatError, match=f"model.gguf: .*{message}"):
        read(path)


def test_as_deep_as_it_may_be(path):
    path.write_bytes(gguf_bytes([key("k", "array", nested(8))]))
    assert '"array[uint8]",[7]' in read(path).metadata["gguf"]


@pytest.mark.parametrize("extra", [1, 32, 1000])
def test_trailing_bytes(path, extra):
    data = bytes(32) + bytes(extra)
    path.write_bytes(gguf_bytes(tensors=[f32("a")], data=data))
    with pytest.raises(
        FormatError, match=f"expected the last tensor to end the file, got {extra} more bytes at"
    ):
        read(path)


def test_trailing_bytes_after_no_tensor(path):
    path.write_bytes(gguf_bytes() + b"x")
    with pytest.raises(
        FormatError, match="expected the last tensor to end the file, got 1 more bytes at byte 32"
    ):
        read(path)


def test_cut_anywhere(path):
    whole = small_file()
    path.write_bytes(whole)
    read(path)
    padding = -6 % 32  # of the last tensor
    for length in range(len(whole) - padding):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError, match=r"model\.gguf"):
            read(path)


def test_an_offset_that_only_fits_another_alignment(path):
    keys = [key("general.alignment", "uint32", u32(64))]
    path.write_bytes(gguf_bytes(keys, [f32("a"), f32("b", 32)], bytes(64), alignment=64))
    with pytest.raises(FormatError, match="tensor 'b': offset: expected a multiple of 64, got 32"):
        read(path)


def test_an_alignment_larger_than_the_file(path):
    keys = [key("general.alignment", "uint32", struct.pack("<I", 2**31))]
    path.write_bytes(gguf_bytes(keys, [f32("a")], bytes(32)))
    with pytest.raises(FormatError, match=r"'a' at byte 2147483648: expected 32 bytes, got 0 until the end"):
        read(path)
