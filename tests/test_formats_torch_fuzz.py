"""Random, flipped, cut and repeated bytes of PyTorch files: one is read or refused with a FormatError."""

import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from paring.errors import FormatError
from paring.formats import read
from torch_files import (
    LEGACY_MAGIC,
    archive,
    legacy,
    numpy_array,
    opcodes,
    pickled,
    storage,
    tensor,
    tensor_v3,
)
from weight_files import read_all

MANY = settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    print_blob=True,
)
FLOATS = np.arange(6, dtype=np.float32).tobytes()
BYTES = bytes(range(24))


def value(old):
    of = storage(legacy=old)
    raw = storage("1", 24, "torch.storage.UntypedStorage", legacy=old)
    flags = storage("2", 2, "torch.BoolStorage", legacy=old)
    return {
        "w": tensor(of=of),
        "model": {"t": tensor((3, 2), (1, 3), of=of), "e": [tensor((9, 3), (0, 1), 3, of=of)]},
        "flags": tensor((2,), (1,), of=flags),
        "bf16": tensor_v3("bfloat16", (3, 4), (4, 1), raw),
        "array": numpy_array((3,), "f4", BYTES[:12]),
        "epoch": 3,
    }


VALID = {
    "zip": archive(value(False), {"0": FLOATS, "1": BYTES, "2": b"\0\1"}, byteorder=b"little"),
    "big": archive(value(False), {"0": FLOATS, "1": BYTES, "2": b"\0\1"}, byteorder=b"big"),
    "deflated": archive(value(False), {"0": FLOATS, "1": BYTES, "2": b"\0\1"}, method=zipfile.ZIP_DEFLATED),
    "legacy": legacy(value(True), [("0", 6, FLOATS), ("1", 24, BYTES), ("2", 2, b"\0\1")]),
}
PICKLES = {"zip": pickled(value(False)), "legacy": pickled(value(True))}


def read_or_refuse(tmp_path, data):
    path = tmp_path / "w.pt"
    path.write_bytes(data)
    try:
        for array in read_all(read(path)).values():
            np.asarray(array).tobytes()  # touches every value, where a wrong view would end the process
    except FormatError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("kind", VALID)
def test_the_files_are_valid(tmp_path, kind):
    (tmp_path / "w.pt").write_bytes(VALID[kind])
    assert list(read_all(read(tmp_path / "w.pt"))) == ["w", "model.t", "model.e.0", "flags", "bf16", "array"]


@MANY
@given(data=st.binary(max_size=300))
@example(data=b"")
@pytest.mark.parametrize("head", [b"", b"PK\x03\x04", pickled(LEGACY_MAGIC)], ids=["none", "zip", "legacy"])
def test_random_bytes(tmp_path, head, data):
    read_or_refuse(tmp_path, head + data)


@MANY
@given(data=st.binary(max_size=100))
@pytest.mark.parametrize("container", [archive, legacy])
def test_random_pickles(tmp_path, container, data):
    file = container(data) if container is archive else container({}).replace(pickled({}), data)
    read_or_refuse(tmp_path, file)


places = st.floats(0, 1, exclude_max=True)


@MANY
@given(flips=st.lists(st.tuples(places, st.integers(1, 255)), min_size=1, max_size=4))
@pytest.mark.parametrize("kind", VALID)
def test_flipped_bytes(tmp_path, kind, flips):
    data = bytearray(VALID[kind])
    for place, mask in flips:
        data[int(place * len(data))] ^= mask
    read_or_refuse(tmp_path, bytes(data))


@MANY
@given(place=places, cut=st.integers(0, 30), again=st.integers(0, 5))
@pytest.mark.parametrize("kind", VALID)
def test_cut_and_repeated_bytes(tmp_path, kind, place, cut, again):
    data = VALID[kind]
    at = int(place * len(data))
    read_or_refuse(tmp_path, data[:at] + data[at : at + cut] * again + data[at + cut :])


# What an attacker would do: the checksums of the archive are right, the pickle is not.
@settings(parent=MANY, max_examples=1000)
@given(
    place=places,
    cut=st.integers(0, 12),
    put=st.binary(max_size=4)
    | st.sampled_from([opcodes(n) for n in (-1, 2**31, 2**63, 2**64 - 1, True, "0", ())]),
)
def test_changed_pickles(tmp_path, place, cut, put):
    for container, pickle in PICKLES.items():
        at = int(place * len(pickle))
        changed = pickle[:at] + put + pickle[at + cut :]
        if container == "zip":
            read_or_refuse(tmp_path, archive(changed, {"0": FLOATS, "1": BYTES, "2": b"\0\1"}))
        else:
            read_or_refuse(tmp_path, VALID["legacy"].replace(pickle, changed))


counts = (
    st.sampled_from([-1, 0, 1, 2, 3, 5, 6, 7, 2**31, 2**61, 2**62, 2**63, 2**64 - 6, True, 1.0, "1"])
    | st.integers()
)


@settings(parent=MANY, max_examples=1000)
@given(
    shape=st.lists(counts, max_size=4).map(tuple),
    stride=st.lists(counts, max_size=4).map(tuple),
    offset=counts,
    size=counts,
)
@pytest.mark.parametrize("old", [False, True], ids=["zip", "legacy"])
def test_random_geometry(tmp_path, old, shape, stride, offset, size):
    made = {"w": tensor(shape, stride, offset, of=storage(size=size, legacy=old))}
    if old:
        claimed = size if type(size) is int and -(2**63) <= size < 2**63 else 6
        read_or_refuse(tmp_path, legacy(made, [("0", claimed, FLOATS)]))
    else:
        read_or_refuse(tmp_path, archive(made, {"0": FLOATS}))


@pytest.mark.parametrize("kind", VALID)
def test_truncations_are_noticed(tmp_path, kind):
    data = VALID[kind]
    for length in range(0, len(data), 7):
        (tmp_path / "w.pt").write_bytes(data[:length])
        with pytest.raises(FormatError, match=r"w\.pt"):
            read_all(read(tmp_path / "w.pt"))
