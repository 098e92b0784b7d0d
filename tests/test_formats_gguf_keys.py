"""The keys of GGUF files: as JSON, back to the same bytes, and what that costs."""

import json
import struct
import tracemalloc

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gguf_files import VALUE_NUMBERS, array, gguf_bytes, key, tensor, text, u64
from paring.formats import read, write
from paring.formats.gguf import keys as gguf_keys

FORMATS = {
    "uint8": "B",
    "int8": "b",
    "uint16": "H",
    "int16": "h",
    "uint32": "I",
    "int32": "i",
    "float32": "f",
    "bool": "?",
    "uint64": "Q",
    "int64": "q",
    "float64": "d",
}
EXTREMES = {
    name: [np.iinfo(name).min, 0, 1, np.iinfo(name).max]
    for name in FORMATS
    if name not in ("float32", "float64", "bool")
} | {"bool": [True, False]}
FLOATS = [0.0, -0.0, 1e-5, 0.1, 1 / 3, 3.4028234663852886e38, 1e-45, 16777217.0, -1.5]
STRINGS = ["", "é", "\0", '"\\', "\U0001f600", "Ġthe", "\n"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.gguf"


def keys_of(path, raw):
    """The JSON of one key, whose bytes are known."""
    path.write_bytes(gguf_bytes([key("general.architecture", "string", text("x")), raw]))
    return json.loads(read(path).metadata["gguf"])


def assert_lossless(path, raw):
    """Reading and writing must give the same file."""
    keys_of(path, raw)
    before = path.read_bytes()
    write(path, read(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", FORMATS)
def test_numbers(path, kind):
    values = EXTREMES.get(kind, FLOATS)
    packed = [struct.pack(f"<{FORMATS[kind]}", v) for v in values]
    for value, raw in zip(values, packed, strict=True):
        got = keys_of(path, key("k", kind, raw))["k"]
        assert got[0] == kind and struct.pack(f"<{FORMATS[kind]}", got[1]) == raw
        assert kind == "float32" or got[1] == value
        assert_lossless(path, key("k", kind, raw))
    got = keys_of(path, key("k", "array", array(kind, len(values), b"".join(packed))))["k"]
    assert got[0] == f"array[{kind}]" and len(got[1]) == len(values)
    assert_lossless(path, key("k", "array", array(kind, len(values), b"".join(packed))))
    assert_lossless(path, key("k", "array", array(kind, 0, b"")))


def test_floats_are_short(path):
    raw = array("float32", 2, struct.pack("<2f", 1e-5, 0.1))
    keys_of(path, key("k", "array", raw))
    assert '"k":["array[float32]",[1e-05,0.1]]' in read(path).metadata["gguf"]


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_floats_that_are_not_finite(path, kind):
    bits, form = (32, "I") if kind == "float32" else (64, "Q")
    exponent = 0x7F800000 if bits == 32 else 0x7FF0000000000000
    sign = 1 << (bits - 1)
    patterns = [
        exponent,
        exponent | sign,
        exponent | 1,
        exponent | 1 << (22 if bits == 32 else 51),
        2**bits - 1,
    ]
    raw = array(kind, len(patterns), struct.pack(f"<{len(patterns)}{form}", *patterns))
    got = keys_of(path, key("k", "array", raw))["k"]
    assert got[1] == [f"0x{pattern:0{bits // 4}x}" for pattern in patterns]
    assert_lossless(path, key("k", "array", raw))


@pytest.mark.parametrize("value", [*STRINGS, b"\xff\x00", b"\xed\xa0\x80"])
def test_strings(path, value):
    got = keys_of(path, key("k", "string", text(value)))["k"]
    assert got == ["string", value if isinstance(value, str) else {"bytes": value.hex()}]
    assert_lossless(path, key("k", "string", text(value)))
    assert_lossless(path, key("k", "array", array("string", 2, text(value) + text("b"))))


def test_arrays_in_arrays(path):
    inner = [array("int16", 2, struct.pack("<2h", -1, 2)), array("string", 0, b""), array("array", 0, b"")]
    raw = key("k", "array", array("array", 3, b"".join(inner)))
    assert keys_of(path, raw)["k"] == [
        "array[array]",
        [["array[int16]", [-1, 2]], ["array[string]", []], ["array[array]", []]],
    ]
    assert_lossless(path, raw)


def test_pieces(path, monkeypatch):
    monkeypatch.setattr(gguf_keys, "PIECE_ITEMS", 3)
    for count in range(8):
        assert_lossless(path, key("k", "array", array("uint8", count, bytes(range(count)))))
        assert_lossless(path, key("k", "array", array("string", count, text("ab") * count)))


scalars = st.sampled_from([*FORMATS, "string"]).flatmap(
    lambda kind: st.tuples(
        st.just(kind),
        st.binary(max_size=9).map(text)
        if kind == "string"
        else st.integers(0, 1).map(lambda v: bytes([v]))
        if kind == "bool"
        else st.binary(min_size=struct.calcsize(FORMATS[kind]), max_size=struct.calcsize(FORMATS[kind])),
    )
)
arrays = st.recursive(
    st.tuples(scalars, st.integers(0, 3)).map(lambda v: array(v[0][0], v[1], v[0][1] * v[1])),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: array("array", len(items), b"".join(items))),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None)
@given(values=st.lists(scalars | arrays.map(lambda raw: ("array", raw)), max_size=6))
def test_any_keys_are_lossless(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("keys") / "a.gguf"
    keys = [key(f"key.{i}", kind, raw) for i, (kind, raw) in enumerate(values)]
    path.write_bytes(gguf_bytes([key("general.architecture", "string", text("x")), *keys]))
    before = path.read_bytes()
    write(path, read(path))
    assert path.read_bytes() == before


def test_the_package_reads_the_same(path):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint32("llama.block_count", 30)
    writer.add_float32("llama.epsilon", 1e-5)
    writer.add_bool("tokenizer.add", False)
    writer.add_array("tokenizer.tokens", ["a", "Ġb", "\U0001f600"])
    writer.add_array("tokenizer.scores", [-1.0, 0.5])
    writer.add_array("tokenizer.kinds", [1, 2])
    writer.add_tensor("t", np.ones(3, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    copy = path.with_name("copy.gguf")
    through = path.with_name("through.safetensors")
    write(through, read(path))
    write(copy, read(through))
    theirs, ours = (
        {name: (field.types, field.contents()) for name, field in gguf.GGUFReader(p).fields.items()}
        for p in (path, copy)
    )
    for name in ("tensor_count", "kv_count"):  # "format": "pt" of safetensors takes one more
        theirs.pop(f"GGUF.{name}"), ours.pop(f"GGUF.{name}")
    assert json.loads(ours.pop("paring.metadata")[1]) == {"format": "pt"}
    assert ours == theirs


REFUSED = {
    "no JSON": ("{", "metadata 'gguf': expected JSON"),
    "no object": ("[]", "metadata 'gguf': expected a JSON object, got list"),
    "no pair": ('{"k": 1}', r"metadata 'gguf': key 'k': expected \[\"type\", value\], got 1"),
    "no type": ('{"k": ["x", 1]}', r"key 'k': expected \[\"type\", value\], got \['x', 1\]"),
    "bare array": ('{"k": ["array", []]}', r"key 'k': expected \[\"type\", value\]"),
    "array of what": ('{"k": ["array[x]", []]}', "key 'k': expected an array of uint8, .*, got 'x'"),
    "no list": ('{"k": ["array[uint8]", 1]}', r"key 'k': expected \[\"type\", value\]"),
    "inner": ('{"k": ["array[array]", [1]]}', r"key 'k': expected \[\"array\[type\]\", \[...\]\], got 1"),
    "inner scalar": ('{"k": ["array[array]", [["uint8", 1]]]}', r"expected \[\"array\[type\]\", \[...\]\]"),
    "deep": (
        '{"k": ' + '["array[array]", [' * 8 + '["array[uint8]", []]' + "]]" * 8 + "}",
        "expected arrays in arrays at most 8 deep",
    ),
    "deeper": ('{"k": ' + '["array[array]", [' * 100_000, "metadata 'gguf': "),
    "number as text": ('{"k": ["uint8", "1"]}', "key 'k': expected uint8, got '1'"),
    "bool as number": ('{"k": ["uint8", true]}', "key 'k': expected uint8, got True"),
    "number as bool": ('{"k": ["bool", 1]}', "key 'k': expected bool, got 1"),
    "large": ('{"k": ["uint8", 256]}', "key 'k': expected uint8, 0 to 255, got 256"),
    "small": ('{"k": ["array[int8]", [0, -129]]}', "key 'k': expected int8, -128 to 127, got -129"),
    "larger": ('{"k": ["uint64", 18446744073709551616]}', "expected uint64, 0 to 18446744073709551615"),
    "float": ('{"k": ["float32", 1e39]}', "key 'k': expected float32, got 1e.39, which is beyond its range"),
    "long integer": (
        f'{{"k": ["float64", 1{"0" * 400}]}}',
        "expected float64, got an integer beyond its range",
    ),
    "bits": (
        '{"k": ["float32", "nan"]}',
        "key 'k': expected a number or the 32 bits of one, such as '0x7fc00000'",
    ),
    "bits of another": (
        '{"k": ["float64", "0x7fc00000"]}',
        "or the 64 bits of one, such as '0x7fc0000000000000'",
    ),
    "string": ('{"k": ["string", 1]}', "key 'k': expected a string or {'bytes': hexadecimal}, got 1"),
    "bytes": ('{"k": ["string", {"bytes": "f"}]}', "key 'k': expected a string or"),
    "empty key": ('{"": ["uint8", 1]}', "key '': expected 1 to 65535 bytes of Unicode text"),
    "long key": (f'{{"{"k" * 65_536}": ["uint8", 1]}}', "expected 1 to 65535 bytes of Unicode text"),
    "twice": ('{"k": ["uint8", 1], "k": ["uint8", 1]}', "expected every key once, got 'k' twice"),
    "alignment 0": (
        '{"general.alignment": ["uint32", 0]}',
        "general.alignment: expected a power of two up to",
    ),
    "alignment 48": (
        '{"general.alignment": ["uint32", 48]}',
        r"a power of two up to 65536 .*\['uint32', 48\]",
    ),
    "alignment true": (
        '{"general.alignment": ["uint32", true]}',
        "general.alignment': expected uint32, got True",
    ),
    "alignment of a page and more": (
        '{"general.alignment": ["uint32", 131072]}',
        "a power of two up to 65536",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_metadata_that_is_no_keys(path, case):
    value, message = REFUSED[case]
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match=message):
        write(path, {"w": np.ones(1, np.float32)}, metadata={"gguf": value})
    assert path.read_bytes() == b"old"


MANY = 200_000
COSTLY = {
    "int8": [key("k", "array", array("int8", MANY, b"\x80" * MANY))],
    "bool": [key("k", "array", array("bool", MANY, bytes(MANY)))],
    "float32": [key("k", "array", array("float32", MANY // 4, b"\1\3\0\x80" * (MANY // 4)))],
    "nan": [key("k", "array", array("float32", MANY // 4, b"\xff" * MANY))],
    "strings": [key("k", "array", array("string", MANY // 8, bytes(MANY)))],
    "bytes": [key("k", "array", array("string", MANY // 9, (u64(1) + b"\xff") * (MANY // 9)))],
    "a string": [key("k", "string", text(b"\1" * MANY))],
    "arrays": [key("k", "array", array("array", MANY // 12, array("uint8", 0, b"") * (MANY // 12)))],
    "keys": [key(f"{i:05x}", "uint8", b"\xff") for i in range(MANY // 18)],
}
COSTLY_TENSORS = {
    "empty": [tensor(f"{i:04x}", "F32", [0], 0) for i in range(MANY // 36)],
    "quantized": [tensor(f"{i:04x}", "Q4_0", [0, 1], 0) for i in range(MANY // 44)],
    "unknown": [tensor(f"{i:04x}", 99, [], 0) for i in range(MANY // 28)],
}


@pytest.mark.parametrize("case", [*COSTLY, *COSTLY_TENSORS])
def test_a_header_takes_a_stated_multiple_of_memory(path, case):
    path.write_bytes(gguf_bytes(COSTLY.get(case, ()), COSTLY_TENSORS.get(case, ())))
    read(path)  # what is imported does not count
    tracemalloc.start()
    try:
        read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30 * path.stat().st_size


def test_every_type_has_its_number():
    assert tuple(VALUE_NUMBERS) == gguf_keys.VALUE_TYPES
    theirs = {kind.name.lower(): kind.value for kind in gguf.GGUFValueType}
    assert theirs == VALUE_NUMBERS


def test_the_key_of_other_metadata_is_ours_to_write(path):
    """Taken from a stranger's metadata it would make a file that nobody reads."""
    keys = {"paring.metadata": ["string", "no JSON"], "a": ["uint8", 1]}
    write(path, {"w": np.ones(4, np.float32)}, metadata={"gguf": json.dumps(keys)})
    assert set(json.loads(read(path).metadata["gguf"])) == {"general.architecture", "a"}
    write(path, {"w": np.ones(4, np.float32)}, metadata={"gguf": json.dumps(keys), "by": "me"})
    assert read(path).metadata["by"] == "me"
