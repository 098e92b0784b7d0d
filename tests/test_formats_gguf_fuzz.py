"""Random, flipped, cut and repeated bytes of GGUF files: they are read, or refused with a FormatError."""

import functools

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gguf_files import VALUE_NUMBERS, array, gguf_bytes, key, small_file, tensor
from paring.errors import FormatError
from paring.formats import read
from weight_files import read_all

MANY = settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    print_blob=True,
)

whole = functools.cache(small_file)
places = st.floats(0, 1, exclude_max=True)


def read_or_refuse(path, data):
    path.write_bytes(data)
    try:
        read_all(read(path))
    except FormatError as error:
        assert str(path) in str(error)


@MANY
@given(data=st.binary(max_size=200))
@example(data=b"")
def test_random_bytes(tmp_path, data):
    read_or_refuse(tmp_path / "a.gguf", data)


@MANY
@given(counts=st.tuples(st.integers(0, 3), st.integers(0, 3)), data=st.binary(max_size=200))
def test_random_headers(tmp_path, counts, data):
    read_or_refuse(tmp_path / "a.gguf", gguf_bytes(counts=counts)[:24] + data)


small = st.integers(0, 3) | st.integers(0, 2**64 - 1)
raw_arrays = st.builds(array, st.sampled_from([*VALUE_NUMBERS, 13]), small, st.binary(max_size=40))
raw_keys = st.builds(
    key,
    st.sampled_from(["a", "general.alignment", "paring.metadata"]),
    st.sampled_from([*VALUE_NUMBERS, 13]),
    st.binary(max_size=20) | raw_arrays,
)
raw_tensors = st.builds(
    tensor,
    st.sampled_from(["a", "b", "a_scale"]),
    st.integers(0, 45),
    st.lists(st.sampled_from([0, 1, 2, 32, 256, 2**33, 2**62]) | small, max_size=5),
    st.sampled_from([0, 32, 64, 512]) | small,
)


@MANY
@given(
    keys=st.lists(raw_keys, max_size=3),
    tensors=st.lists(raw_tensors, max_size=3),
    size=st.sampled_from([0, 32, 64, 1024]) | st.integers(0, 700),
)
def test_random_tables(tmp_path, keys, tensors, size):
    read_or_refuse(tmp_path / "a.gguf", gguf_bytes(keys, tensors, b"\x5a" * size))


@MANY
@given(kind=st.integers(0, 45), rows=st.integers(0, 3), data=st.binary(min_size=900, max_size=900))
def test_random_blocks(tmp_path, kind, rows, data):
    """Types of every number, with values whatever; the package's part of them too."""
    read_or_refuse(tmp_path / "a.gguf", gguf_bytes(tensors=[tensor("a", kind, [256, rows], 0)], data=data))


@MANY
@given(flips=st.lists(st.tuples(places, st.integers(1, 255)), min_size=1, max_size=4))
def test_flipped_bytes(tmp_path, flips):
    data = bytearray(whole())
    for place, mask in flips:
        data[int(place * len(data))] ^= mask
    read_or_refuse(tmp_path / "a.gguf", bytes(data))


@MANY
@given(place=places, length=st.integers(1, 200))
def test_missing_bytes(tmp_path, place, length):
    data, start = whole(), int(place * len(whole()))
    read_or_refuse(tmp_path / "a.gguf", data[:start] + data[start + length :])


@MANY
@given(place=places, length=st.integers(1, 64), times=st.integers(2, 9))
def test_repeated_bytes(tmp_path, place, length, times):
    data, start = whole(), int(place * len(whole()))
    again = data[start : start + length] * times
    read_or_refuse(tmp_path / "a.gguf", data[:start] + again + data[start + length :])


def test_the_file_that_is_damaged_is_read_undamaged(tmp_path):
    path = tmp_path / "a.gguf"
    path.write_bytes(whole())
    assert len(read_all(read(path))) == 9
