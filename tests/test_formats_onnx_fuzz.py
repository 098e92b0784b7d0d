"""Any bytes as an ONNX file: it is read, or refused with a FormatError that names it, and nothing else happens."""

import functools

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

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
from paring.formats import read
from weight_files import read_all

MANY = settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    print_blob=True,
)


def read_or_refuse(folder, content):
    path = write_model(folder, content)
    try:
        weights = read(path)
    except FormatError as error:
        assert str(path) in str(error)
        return
    for name in weights:
        weights.describe(name)
        try:
            weights[name]
        except FormatError as error:
            assert str(path) in str(error)


@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "data.bin").write_bytes(VALUES)
    return inside


@functools.cache
def valid():
    """A model with a bit of everything."""
    external = [("location", "data.bin"), ("offset", "8"), ("length", "16")]
    branch = graph(tensor("inner", raw=VALUES), tensor("w", (1,), 1, floats(1)))
    function = (
        data(1, "f")
        + data(10, "d")
        + data(7, node(attributes=attribute("value", 5, tensor("", (1,), 1, floats(1)))))
    )
    return model(
        tensor("w", raw=VALUES),
        tensor("typed", (2,), 1, more=data(4, floats(2))),
        tensor("codes", (3,), 3, more=data(5, varint(5) + varint(-5) + varint(100))),
        tensor("long", (2,), 7, more=data(7, varint(-1) + varint(2**40))),
        tensor("half", (3,), 22, b"\x21\x03"),
        tensor("flags", (2,), 9, b"\0\1"),
        tensor("outside", (4,), external=external),
        nodes=[
            node(output="c", attributes=attribute("value", 5, tensor("", raw=VALUES))),
            node("If", "y", "if", attribute("then_branch", 6, branch) + attribute("else_branch", 6, branch)),
        ],
        sparse=[
            data(1, tensor("s", (1,), 1, floats(1))) + data(2, tensor("i", (1,), 7, bytes(8))) + integer(3, 9)
        ],
        more=data(2, "me")
        + data(8, integer(2, 21))
        + data(14, data(1, "k") + data(2, "v"))
        + data(25, function),
    )


def test_the_valid_one(folder):
    weights = read(write_model(folder, valid()))
    with pytest.raises(FormatError, match="tensor 's': expected a dense tensor"):
        read_all(weights)
    assert list(weights) == [
        *("w", "typed", "codes", "long", "half", "flags", "outside", "s", "c", "inner", "if/then_branch/w"),
        *("if/else_branch/inner", "if/else_branch/w", "d.f/c"),
    ]


@MANY
@given(content=st.binary(max_size=300))
@example(content=b"")
def test_random_bytes(folder, content):
    read_or_refuse(folder, content)


# What any field may hold: numbers, text, values, and messages of the same.
contents = st.recursive(
    st.binary(max_size=12) | st.sampled_from([b"Constant", b"w", b"location", b"data.bin", b"8", VALUES]),
    lambda inner: st.lists(
        st.one_of(
            st.builds(data, st.integers(1, 26), inner),
            st.builds(integer, st.integers(1, 26), st.integers(-2, 30) | st.integers(0, 2**64 - 1)),
            st.builds(lambda number: varint(number << 3 | 5) + bytes(4), st.integers(1, 26)),
        ),
        max_size=6,
    ).map(b"".join),
    max_leaves=20,
)


@MANY
@given(content=contents)
def test_random_messages(folder, content):
    read_or_refuse(folder, content)
    read_or_refuse(folder, data(7, content))
    read_or_refuse(folder, data(7, data(1, content)))


@MANY
@given(content=contents, dtype=st.integers(-1, 30), shape=st.lists(st.integers(-1, 4), max_size=3))
def test_random_tensors(folder, content, dtype, shape):
    read_or_refuse(folder, model(tensor("w", shape, dtype, more=content)))


@MANY
@given(
    dtype=st.integers(1, 26),
    field=st.sampled_from([4, 5, 7, 9, 10, 11]),
    content=st.binary(max_size=40)
    | st.lists(st.integers(-300, 300), max_size=6).map(lambda v: b"".join(map(varint, v))),
    shape=st.lists(st.integers(0, 4), max_size=2),
)
def test_random_values(folder, dtype, field, content, shape):
    read_or_refuse(folder, model(tensor("w", shape, dtype, more=data(field, content))))


@MANY
@given(
    entries=st.lists(
        st.tuples(
            st.sampled_from(["location", "offset", "length", "checksum"]),
            st.sampled_from(["data.bin", "../x", "8", "16", "0", "-1", "/etc/passwd", "m.onnx"])
            | st.text(max_size=5),
        ),
        max_size=4,
    )
)
def test_random_external_data(folder, entries):
    read_or_refuse(folder, model(tensor("w", (4,), external=[("location", "data.bin"), *entries])))
    read_or_refuse(folder, model(tensor("w", (4,), external=entries)))


places = st.floats(0, 1, exclude_max=True)


@MANY
@given(flips=st.lists(st.tuples(places, st.integers(1, 255)), min_size=1, max_size=4))
def test_flipped_bytes(folder, flips):
    content = bytearray(valid())
    for place, mask in flips:
        content[int(place * len(content))] ^= mask
    read_or_refuse(folder, bytes(content))


@MANY
@given(begin=places, length=st.integers(1, 40), count=st.integers(0, 3))
def test_cut_and_repeated_bytes(folder, begin, length, count):
    content = valid()
    start = int(begin * len(content))
    read_or_refuse(
        folder, content[:start] + content[start : start + length] * count + content[start + length :]
    )


def test_truncations_are_noticed(folder):
    content = model(tensor("w", raw=VALUES), tensor("v", (2,), 9, b"\0\1"))
    for length in range(len(content)):
        with pytest.raises(FormatError, match=r"m\.onnx"):
            read_all(read(write_model(folder, content[:length])))
