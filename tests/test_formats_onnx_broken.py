"""ONNX files that say what cannot be: each is refused with a message about it."""

import re

import pytest

import onnx_bytes as made
from onnx_bytes import (
    VALUES,
    attribute,
    data,
    floats,
    graph,
    integer,
    model,
    node,
    tensor,
    varint,
    write_model,
)
from paring.errors import FormatError
from paring.formats import Limits, read

GOOD = tensor(raw=VALUES)


def test_a_good_one(tmp_path):
    array = read(write_model(tmp_path, model(GOOD)))["w"]
    assert array.tobytes() == VALUES
    assert array.shape == (2, 3)


def nested(depth):
    content = graph(GOOD)
    for _ in range(depth):
        content = graph(nodes=[node("If", attributes=attribute("then", 6, content))])
    return data(7, content)


def in_constant(content, number=5, **more):
    return model(nodes=[node(attributes=attribute("value", number, content), **more)])


ON_OPENING = {
    "empty": (b"", r"expected at least 2 bytes \(a model\), got a file of 0 bytes"),
    "text": (b"hello world, this is text", r"model at byte 2: expected a field of kind 0, 1, 2 or 5, got 4"),
    "no graph": (integer(1, 8), "expected a model with a graph, got none"),
    "two graphs": (model(GOOD) + model(GOOD)[2:], r"model at byte \d+: expected one graph, got another"),
    "graph of another kind": (
        integer(7, 5),
        "model at byte 0: graph: expected bytes with their length, got an int",
    ),
    "cut": (model(GOOD)[:-1], r"expected field 7 to end by byte \d+, got \d+ \(truncated file\?\)"),
    "tensor beyond the graph": (
        data(7, varint(5 << 3 | 2) + varint(100) + GOOD),
        r"graph at byte \d+: expected field 5 to end by byte \d+, got \d+",
    ),
    "length of 2**63": (
        varint(7 << 3 | 2) + varint(2**63),
        r"model at byte 0: expected field 7 to end by byte 11, got 9223372036854775819",
    ),
    "fixed field beyond the end": (b"\x09\0\0", r"model at byte 0: expected field 1 to end by byte 3, got 9"),
    "field 0": (b"\0\0\0", "model at byte 0: expected a field, got the tag 0"),
    "field of 2**29": (varint(2**32) + b"\0", "expected a field, got the tag 4294967296"),
    "group": (b"\x0b\x0c", "model at byte 0: expected a field of kind 0, 1, 2 or 5, got 3"),
    "kind 7": (b"\x0f\0", "expected a field of kind 0, 1, 2 or 5, got 7"),
    "endless integer": (b"\x08" + b"\xff" * 20, r"model at byte 1: expected an integer of at most 64 bits"),
    "integer of 66 bits": (
        b"\x08" + b"\xff" * 9 + b"\x07",
        r"model at byte 1: expected an integer of at most 64",
    ),
    "integer cut": (b"\x08\xff", r"model at byte 1: expected an integer .* got none up to byte 2"),
    "no name": (model(tensor(name="", raw=VALUES)), r"initializer at byte \d+: expected a name, got none"),
    "name not UTF-8": (
        model(tensor(name=b"\xff\xfe", raw=VALUES)),
        r"name: expected UTF-8, got b'\\xff\\xfe'",
    ),
    "two names": (model(tensor(raw=VALUES, more=data(8, "v"))), "expected one name, got another"),
    "name twice": (model(GOOD, GOOD), "expected every name of a graph once, got 'w' twice"),
    "constant twice": (
        model(nodes=[node(attributes=attribute("value", 5, GOOD))] * 2),
        "expected every name of a graph once, got 'c' twice",
    ),
    "constant without an output": (
        in_constant(GOOD, output=""),
        r"node at byte \d+: expected a Constant with an out",
    ),
    "constant of two values": (
        model(nodes=[node(attributes=data(5, data(1, "value") + data(5, GOOD) + data(5, GOOD)))]),
        "attribute at byte .*: expected one tensor, got another",
    ),
    "too few bytes": (
        model(tensor(raw=VALUES[:-1])),
        r"tensor 'w': expected 24 bytes for float32 \[2, 3\], got 23 in raw_data",
    ),
    "too many bytes": (
        model(tensor(raw=VALUES + b"\0")),
        r"expected 24 bytes for float32 \[2, 3\], got 25 in raw",
    ),
    "no values": (model(tensor()), r"tensor 'w': expected 24 bytes for float32 \[2, 3\], got 0 in no field"),
    "too few floats": (model(tensor(more=data(4, floats(5)))), r"expected 24 bytes .*, got 20 in float_data"),
    "floats one by one": (
        model(tensor(shape=(1,), more=varint(4 << 3 | 5) + bytes(4))),
        "float_data: expected bytes with their length, got 4 bytes",
    ),
    "int4 of another size": (
        model(tensor(dtype=22, shape=(3,), raw=b"123")),
        r"expected 2 bytes for int4 \[3\], got 3",
    ),
    "values in a wrong field": (
        model(tensor(more=data(10, floats(6)))),
        "tensor 'w': expected float32 values in float_data or raw_data, got double_data",
    ),
    "integers in a wrong field": (
        model(tensor(dtype=7, shape=(2,), more=data(5, b"\1\2"))),
        "expected int64 values in int64_data or raw_data, got int32_data",
    ),
    "negative size": (
        model(tensor(shape=(-1, 3), raw=b"")),
        r"tensor 'w': shape: expected non-negative integers, got",
    ),
    "huge shape": (
        model(tensor(shape=(2**40, 2**40), raw=b"")),
        "tensor 'w': shape: expected at most 9223372036854775807",
    ),
    "huge shape of bytes": (
        model(tensor(shape=(2**62,), dtype=1, raw=b"")),
        "shape: expected at most 9223372036854775807 bytes of float32",
    ),
    "huge shape of no known type": (
        model(tensor(shape=(2**62, 4), dtype=99)),
        "shape: expected at most 9223372036854775807",
    ),
    "33 axes": (model(tensor(shape=(1,) * 33, raw=floats(1))), "shape: expected at most 32 axes, got more"),
    "33 packed axes": (
        model(tensor(shape=(), raw=floats(1), more=data(1, b"\1" * 33))),
        "shape: expected at most 32 axes, got more",
    ),
    "packed axes cut": (
        model(tensor(shape=(), raw=floats(1), more=data(1, b"\x81"))),
        "dims at byte .*: expected an integer",
    ),
    "size as text": (
        model(tensor(shape=(), raw=floats(1), more=varint(1 << 3 | 5) + bytes(4))),
        "dims: expected an integer, got 4 bytes",
    ),
    "data_location 2": (
        model(tensor(raw=VALUES, more=integer(14, 2))),
        "tensor 'w': expected data_location 0 or 1, got 2",
    ),
    "33 graphs in each other": (nested(33), "expected at most 32 graphs in each other"),
    "sparse without values": (model(sparse=[b""]), r"sparse tensor at byte \d+: expected values, got none"),
    "sparse without a name": (
        model(sparse=[data(1, tensor(name="", raw=VALUES))]),
        "expected a name, got none",
    ),
    "metadata twice": (
        model(more=data(14, data(1, "k") + data(2, "a")) + data(14, data(1, "k") + data(2, "a"))),
        "metadata_props: expected every key once, got 'k' twice",
    ),
    "metadata not UTF-8": (model(more=data(14, data(1, b"\xff"))), "key at byte .*: expected UTF-8"),
    "producer not UTF-8": (model(more=data(2, b"\xff")), "producer_name: expected UTF-8"),
    "two keys": (model(more=data(14, data(1, "k") * 2)), "expected one key, got another"),
}


@pytest.mark.parametrize("case", ON_OPENING)
def test_refused_on_opening(tmp_path, case):
    content, message = ON_OPENING[case]
    path = write_model(tmp_path, content)
    with pytest.raises(FormatError, match=rf"^{re.escape(str(path))}: .*{message}"):
        read(path)


def test_as_many_graphs_in_each_other_as_allowed(tmp_path):
    assert list(read(write_model(tmp_path, integer(1, 8) + nested(32)))) == ["w"]


def test_unknown_fields_are_stepped_over(tmp_path):
    unknown = (
        integer(1000, 5) + data(1001, b"\xff\xff") + varint(1002 << 3 | 1) + bytes(8) + varint(1003 << 3 | 5)
    )
    unknown += bytes(4)
    path = write_model(tmp_path, model(tensor(raw=VALUES, more=unknown), more=unknown))
    assert read(path)["w"].tobytes() == VALUES


def test_packed_sizes(tmp_path):
    content = tensor(shape=(), raw=VALUES, more=data(1, b"\2\3"))
    assert read(write_model(tmp_path, model(content)))["w"].shape == (2, 3)


def test_a_million_names_are_not_read_to_the_end(tmp_path):
    path = write_model(tmp_path, model(*(tensor(f"{i}", (0,), 1, b"") for i in range(200))))
    with pytest.raises(FormatError, match=r"at most 100 tensors \(limits.tensors\), got 101"):
        read(path, limits=Limits(tensors=100))


def test_qualified_names_are_counted(tmp_path):
    names = [tensor(f"{i}", (0,), 1) for i in range(100)]
    long = node("If", name="n" * 1000, attributes=attribute("then", 6, graph(*names)))
    assert len(read(write_model(tmp_path, model(nodes=[long])), limits=Limits(header_bytes=10_000))) == 100
    path = write_model(tmp_path, model(*names, nodes=[long]))
    assert f"{'n' * 1000}/then/99" in read(path)
    with pytest.raises(FormatError, match=r"what describes the tensors: expected at most 10000 bytes"):
        read(path, limits=Limits(header_bytes=10_000))


def test_nodes_are_counted(tmp_path):
    path = write_model(tmp_path, model(nodes=[b""] * 1000))
    with pytest.raises(FormatError, match=r"what describes the tensors: expected at most 500 bytes"):
        read(path, limits=Limits(header_bytes=500))


def test_made_by_hand_is_what_the_package_reads():
    onnx = pytest.importorskip("onnx")
    parsed = onnx.ModelProto.FromString(
        made.model(GOOD, nodes=[node(attributes=attribute("value", 5, GOOD))], more=data(14, data(1, "k")))
    )
    assert parsed.graph.initializer[0].raw_data == VALUES
    assert parsed.graph.node[0].attribute[0].t.name == "w"
    assert parsed.metadata_props[0].key == "k"
