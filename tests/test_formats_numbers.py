"""Headers that are well-formed and still meant to break a reader: endless numbers, deep lists, sizes of nothing."""

import io
import json
import re
import zipfile

import numpy as np
import pytest

from paring.errors import FormatError
from paring.formats import read
from paring.formats.strict_json import MAX_DEPTH, parse_object
from weight_files import framed, npy_bytes, safetensors_bytes

HEXADECIMAL = "0x" + "f" * 5000
"""A literal of more digits than Python prints."""

NINES = "9" * 4300
"""As many digits as Python reads; a sum of it has more than it prints."""


def refused(path, data, message):
    path.write_bytes(data)
    with pytest.raises(FormatError, match=rf"{re.escape(path.name)}: .*{message}"):
        read(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("shape", HEXADECIMAL, "expected a .npy header of shorter numbers, got \"{'descr': '<f4'"),
        ("shape", f"({HEXADECIMAL},)", r"shape: expected at most \d+ bytes, got a size of 20000 bits"),
        ("shape", f"(0, {HEXADECIMAL})", r"shape: expected at most \d+ bytes, got a size of 20000 bits"),
        ("shape", f"(-1, {HEXADECIMAL})", "expected a .npy header of shorter numbers|Exceeds the limit"),
        ("fortran_order", HEXADECIMAL, "expected a .npy header of shorter numbers"),
        ("descr", HEXADECIMAL, "expected a .npy header of shorter numbers"),
        ("descr", f"[('a', {HEXADECIMAL})]", "expected a .npy header of shorter numbers"),
    ],
)
def test_hexadecimal_numbers(tmp_path, key, value, message):
    fields = {"descr": "'<f4'", "fortran_order": "False", "shape": "(2,)"} | {key: value}
    text = ", ".join(f"'{name}': {item}" for name, item in fields.items())
    refused(tmp_path / "w.npy", npy_bytes(f"{{{text}}}", bytes(8), version=(2, 0)), message)


@pytest.mark.parametrize(
    ("dtype", "shape", "offsets", "message"),
    [
        (
            "F32",
            "[0]",
            f"[{NINES}, {NINES}]",
            r"data_offsets: expected at most \d+, got a number of 14285 bits",
        ),
        ("F32", "[0]", f"[0, {NINES}]", r"data_offsets: expected at most \d+, got a number of 14285 bits"),
        (
            "X",
            "[0]",
            f"[{NINES}, {NINES}]",
            r"data_offsets: expected at most \d+, got a number of 14285 bits",
        ),
        (
            "X",
            f"[{NINES}, 0, {NINES}]",
            "[0, 0]",
            r"shape: expected at most \d+ bytes, got a size of 14285 bits",
        ),
    ],
)
def test_numbers_as_long_as_json_may_have(tmp_path, dtype, shape, offsets, message):
    text = f'{{"w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}'
    refused(tmp_path / "w.safetensors", framed(text.encode()), message)


def nested(depth):
    return {"list": "[" * depth + "]" * depth, "object": '{"a":' * depth + "0" + "}" * depth}


@pytest.mark.parametrize("kind", ["list", "object"])
def test_depth_of_json(kind):
    assert parse_object(f'{{"a":{nested(MAX_DEPTH - 1)[kind]}}}', "here")
    for depth in (MAX_DEPTH, 500, 960, 970, 980, 985, 990, 5000):
        with pytest.raises(
            FormatError, match=f"here: expected lists and objects at most {MAX_DEPTH} deep, got"
        ):
            parse_object(f'{{"a":{nested(depth)[kind]}}}', "here")


@pytest.mark.parametrize("depth", range(970, 1000))
@pytest.mark.parametrize("key", ["x", "ignore", "config_groups"])
def test_depth_of_a_config(tmp_path, depth, key):
    """So deep that it can just be read, and not be written or shown."""
    config = {"quant_method": "compressed-tensors", "config_groups": {}, key: "@"}
    text = json.dumps(config).replace('"@"', nested(depth)["list"])
    tensors = {"m.weight": ("I8", [1, 1], [0, 1]), "m.weight_scale": ("F32", [1], [1, 5])}
    data = safetensors_bytes(tensors, bytes(5), {"quantization_config": text})
    refused(
        tmp_path / "w.safetensors", data, "quantization_config: expected lists and objects at most 64 deep"
    )


@pytest.mark.parametrize("shape", [[2**29, 0], [0, 2**29], [2**15, 2**15, 0], [2**60, 0]], ids=str)
def test_years_of_rows_of_nothing(tmp_path, shape):
    message = rf"shape: expected sizes of at most 268435456 together beside a size of 0, got shape {shape}"
    data = safetensors_bytes({"w": ("F32", shape, [0, 0])})
    refused(tmp_path / "w.safetensors", data, re.escape(message))
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {tuple(shape)}}}"
    refused(tmp_path / "w.npy", npy_bytes(text, b""), re.escape(message))


def test_many_rows_of_nothing(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(safetensors_bytes({"w": ("F32", [2**28, 0], [0, 0])}))
    assert read(tmp_path / "w.safetensors")["w"].shape == (2**28, 0)


FIELDS = [
    (
        "[('a', '<f4'), ('b', '?')]",
        bytes(4) + b"\x02",
        "field 'b': expected booleans 0 or 1, got 2 at element 0",
    ),
    ("[('a', '?', (3,))]", b"\0\1\7", "field 'a': expected booleans 0 or 1, got 7 at element 2"),
    ("[('a', [('b', '?')])]", b"\3", "field 'a': field 'b': expected booleans 0 or 1, got 3 at element 0"),
    ("[('a', '<U1')]", b"\xff" * 4, "field 'a': expected Unicode code points, got 0xffffffff"),
    ("[('a', '>U2')]", bytes(5) + b"\x11\0\0", "field 'a': expected Unicode code points, got 0x110000"),
]


@pytest.mark.parametrize(("descr", "content", "message"), FIELDS)
def test_values_of_fields(tmp_path, descr, content, message):
    """NumPy takes the one for undefined behaviour, and ends in a SystemError with the other."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,)}}"
    path = tmp_path / "w.npy"
    path.write_bytes(npy_bytes(text, content))
    with pytest.raises(FormatError, match=rf"w\.npy: {message}"):
        read(path)["w"]
    path.write_bytes(npy_bytes(text, bytes(len(content))))
    assert read(path)["w"].shape == (1,)


@pytest.mark.parametrize(
    "mark",
    [
        np.zeros((), [("a", "<f4", (2,))]),
        np.frombuffer(b"\xff" * 4, [("a", "<u4")])[0].view([("a", "<U1")]),
        np.array(3.0),
        np.array(5, "M8[s]"),
    ],
    ids=["unhashable", "no text", "number", "time"],
)
def test_a_format_that_is_no_text_is_no_matrix_of_scipy(tmp_path, mark):
    arrays = {"format": mark, "data": np.zeros(1), "shape": np.array([1, 1])}
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        for name, array in arrays.items():
            file = io.BytesIO()
            np.lib.format.write_array(file, np.asarray(array))
            archive.writestr(f"{name}.npy", file.getvalue())
    assert list(read(tmp_path / "w.npz")) == ["format", "data", "shape"]


def test_messages_are_short_and_printable(tmp_path):
    name = "\x1b[2J\u202e" + "x" * 1_000_000
    path = tmp_path / "w.safetensors"
    path.write_bytes(framed(json.dumps({name: 5}).encode()))
    with pytest.raises(FormatError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: tensor '\\x1b[2J\\u202exxx")
    assert message.endswith("xxx': expected an object, got int")
    assert len(message) < 5000
    assert str(FormatError("a\x1b[31m\nb")) == "a\\x1b[31m\\nb"
