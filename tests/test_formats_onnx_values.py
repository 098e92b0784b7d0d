"""Tensors of ONNX files whose values cannot be read: they are refused when asked for, their neighbours are not."""

import re
import struct

import numpy as np
import pytest

from onnx_bytes import VALUES, attribute, data, floats, integer, model, node, tensor, varint, write_model
from paring.errors import FormatError
from paring.formats import read
from paring.formats.onnx.wire import decode_integers


def integers(values):
    return b"".join(map(varint, values))


ON_LOOKUP = {
    "no type": (tensor(dtype=0), "expected a dtype of float32, .*, int4, got type 0"),
    "new type": (tensor(dtype=99, raw=b"123"), "expected a dtype of float32, .*, int4, got type 99"),
    "strings": (tensor(dtype=8, more=data(6, "a") + data(6, "b")), "expected a dtype of .*, got string"),
    "float8_e4m3fnuz": (tensor(dtype=18, raw=bytes(6)), "got float8_e4m3fnuz"),
    "float4": (tensor(dtype=23, raw=bytes(3)), "got float4_e2m1"),
    "segment": (tensor(raw=VALUES, more=data(3, b"")), "expected a whole tensor, got a segment of one"),
    "two fields": (
        tensor(raw=VALUES, more=data(4, VALUES)),
        "expected values in one field, got raw_data and float_data|expected values in one field, got float_data",
    ),
    "booleans": (tensor(dtype=9, shape=(2,), raw=b"\1\2"), "expected booleans 0 or 1, got 2 at element 1"),
    "typed booleans": (
        tensor(dtype=9, shape=(2,), more=data(5, b"\0\3")),
        "expected booleans 0 or 1, got 3 at element 1",
    ),
    "uint8 of 256": (
        tensor(dtype=2, shape=(2,), more=data(5, integers([255, 256]))),
        "int32_data: expected values of 8 bits for uint8, got 256 at element 1",
    ),
    "uint8 of -1": (
        tensor(dtype=2, shape=(1,), more=data(5, integers([-1]))),
        "of 8 bits for uint8, got -1 at element 0",
    ),
    "int8 of 128": (
        tensor(dtype=3, shape=(1,), more=data(5, integers([128]))),
        "of 8 bits for int8, got 128",
    ),
    "float16 of 2**16": (
        tensor(dtype=10, shape=(1,), more=data(5, integers([2**16]))),
        "16 bits for float16, got 65536",
    ),
    "uint32 of 2**32": (
        tensor(dtype=12, shape=(1,), more=data(11, integers([2**32]))),
        "uint64_data: expected values of 32 bits for uint32, got 4294967296",
    ),
    "int4 of 256": (
        tensor(dtype=22, shape=(2,), more=data(5, integers([256]))),
        "of 8 bits for int4, got 256",
    ),
    "too few integers": (
        tensor(dtype=6, shape=(3,), more=data(5, b"\1\2")),
        "int32_data: expected 3 integers, got 2 in 2 bytes",
    ),
    "too many integers": (
        tensor(dtype=6, shape=(1,), more=data(5, b"\1\2")),
        "expected 1 integers, got 2 in 2 bytes",
    ),
    "far too few integers": (
        tensor(dtype=7, shape=(2**40,), more=data(7, b"\1")),
        "expected 1099511627776 integers, got 1",
    ),
    "last integer cut": (
        tensor(dtype=6, shape=(1,), more=data(5, b"\1\x81")),
        "expected 1 integers, got 1 in 2 bytes",
    ),
    "long integer": (
        tensor(dtype=7, shape=(1,), more=data(7, b"\x81" * 10 + b"\1")),
        "int64_data: expected integers of at most 10 bytes, got a longer one",
    ),
}


@pytest.mark.parametrize("case", ON_LOOKUP)
def test_refused_on_lookup(tmp_path, case):
    content, message = ON_LOOKUP[case]
    path = write_model(tmp_path, model(content, tensor("other", raw=VALUES)))
    weights = read(path)
    assert weights.describe("w").tensors == ("w",)
    with pytest.raises(FormatError, match=rf"^{re.escape(str(path))}: tensor 'w': (.*{message})"):
        weights["w"]
    assert weights["other"].tobytes() == VALUES


def test_what_a_type_without_a_reader_says(tmp_path):
    weights = read(write_model(tmp_path, model(tensor(dtype=20, raw=bytes(6)))))
    info = weights.describe("w")
    assert (info.dtype, info.shape, info.nbytes) == ("float8_e5m2fnuz", (2, 3), 6)


@pytest.mark.parametrize("place", ["graph", "constant"])
def test_sparse_tensors(tmp_path, place):
    content = data(1, tensor("w", (2,), raw=floats(2))) + integer(3, 2**40) + integer(3, 2**40)
    whole = (
        model(sparse=[content])
        if place == "graph"
        else model(nodes=[node(output="w", attributes=attribute("sparse_value", 22, content))])
    )
    weights = read(write_model(tmp_path, whole))
    assert weights.describe("w").dtype == "sparse float32"
    with pytest.raises(
        FormatError, match="tensor 'w': expected a dense tensor, got a sparse one, which paring does"
    ):
        weights["w"]


def test_small_integers_may_be_written_in_five_bytes(tmp_path):
    """As 32 bits without their sign: parsers cut what they read to 32 bits."""
    content = tensor(dtype=6, shape=(2,), more=data(5, varint(2**32 - 5) + varint(-5)))
    assert read(write_model(tmp_path, model(content)))["w"].tolist() == [-5, -5]


def test_no_integers():
    assert decode_integers(np.zeros(0, np.uint8), 0, "x").size == 0
    assert struct.calcsize("q") * 3 == decode_integers(np.zeros(3, np.uint8), 3, "x").nbytes
