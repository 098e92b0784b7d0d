"""Random, flipped and missing bytes: a file is read or refused with a FormatError, and nothing else happens."""

import functools
import io
import json
import struct
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from paring.errors import FormatError
from paring.formats import read, write
from weight_files import (
    framed,
    npy_bytes,
    random_quantized,
    random_sparse,
    read_all,
)

MANY = settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    print_blob=True,
)


def read_or_refuse(path, data):
    path.write_bytes(data)
    try:
        read_all(read(path))
    except FormatError as error:
        assert str(path) in str(error)


@functools.cache
def valid(suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"w{suffix}"
        write(path, weights_of(suffix))
        return path.read_bytes()


@functools.cache
def valid_deflated():
    file = io.BytesIO()
    np.savez_compressed(file, a=np.arange(50), b=np.array([True]))
    return file.getvalue()


def weights_of(suffix):
    array = np.arange(6, dtype=np.float32)
    if suffix == ".npy":
        return {"w": array}
    weights = {
        "w": array.reshape(2, 3),
        "flags": np.array([True, False]),
        "q": random_quantized((3, 5), 4, "group", 2, symmetric=False),
        "s": random_sparse((4, 5)),
    }
    return weights | ({"text": np.array(["a", "é"])} if suffix == ".npz" else {})


@MANY
@given(data=st.binary(max_size=300))
@example(data=b"")
@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".npy", ".index.json"])
def test_random_bytes(tmp_path, suffix, data):
    read_or_refuse(tmp_path / f"random{suffix}", data)


@MANY
@given(header=st.binary(max_size=200), data=st.binary(max_size=50))
@pytest.mark.parametrize("suffix", [".safetensors", ".npy"])
def test_random_headers(tmp_path, suffix, header, data):
    framing = framed if suffix == ".safetensors" else npy_bytes
    read_or_refuse(tmp_path / f"random{suffix}", framing(b"{" + header, data))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["F32", "U8"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@MANY
@given(
    header=st.dictionaries(
        st.sampled_from(["w", "v", "__metadata__"]),
        json_values
        | st.fixed_dictionaries({"dtype": json_values, "shape": json_values, "data_offsets": json_values}),
    ),
    data=st.binary(max_size=20),
)
def test_random_json(tmp_path, header, data):
    read_or_refuse(tmp_path / "random.safetensors", framed(json.dumps(header).encode(), data))


@MANY
@given(
    description=st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["quantized", "sparse"]),
            "bits": st.sampled_from([8, 4, 3]) | json_values,
            "shape": st.lists(st.integers(0, 6), max_size=3) | json_values,
            "granularity": st.sampled_from(["tensor", "channel", "group"]) | json_values,
            "group_size": st.none() | st.integers(-1, 5) | json_values,
            "axis": st.integers(-2, 3) | json_values,
        }
    )
)
@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_random_descriptions(tmp_path, suffix, description):
    document = {"version": 1, "weights": {"q": description}}
    q = random_quantized((3, 5), 4, "group", 2, symmetric=False)
    arrays = {f"q{s}": a for s, a in q.tensors().items()} | {
        f"q{s}": a for s, a in random_sparse((3, 5)).tensors().items()
    }
    arrays["q"] = random_quantized((3, 5)).data
    path = tmp_path / f"random{suffix}"
    if suffix == ".npz":
        np.savez(path, __paring__=np.frombuffer(json.dumps(document).encode(), np.uint8), **arrays)
    else:
        write(path, arrays)
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        header["__metadata__"] = {"paring": json.dumps(document)}
        path.write_bytes(framed(json.dumps(header).encode(), data[8 + length :]))
    read_or_refuse(path, path.read_bytes())


@MANY
@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=4)
)
@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".npy"])
def test_flipped_bytes(tmp_path, suffix, flips):
    data = bytearray(valid(suffix))
    for place, mask in flips:
        data[int(place * len(data))] ^= mask
    read_or_refuse(tmp_path / f"w{suffix}", bytes(data))


@MANY
@given(place=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
def test_flipped_bytes_of_a_deflated_archive(tmp_path, place, mask):
    data = bytearray(valid_deflated())
    data[int(place * len(data))] ^= mask
    read_or_refuse(tmp_path / "w.npz", bytes(data))


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".npy"])
def test_truncations_are_noticed(tmp_path, suffix):
    data = valid(suffix)
    for length in (*range(0, len(data) - 64, 13), *range(len(data) - 64, len(data))):
        (tmp_path / f"w{suffix}").write_bytes(data[:length])
        with pytest.raises(FormatError, match=f"w{suffix}"):
            read_all(read(tmp_path / f"w{suffix}"))


@pytest.mark.parametrize("place", ["w", "q_packed", "__paring__"])
def test_a_flipped_value_in_npz_is_noticed(tmp_path, place):
    data = bytearray(valid(".npz"))
    with zipfile.ZipFile(io.BytesIO(data)) as zipped:
        member = zipped.getinfo(f"{place}.npy")
    name_bytes, extra_bytes = struct.unpack_from("<2H", data, member.header_offset + 26)
    data[member.header_offset + 30 + name_bytes + extra_bytes + member.file_size - 1] ^= 1
    (tmp_path / "w.npz").write_bytes(data)
    with pytest.raises(FormatError, match=rf"member '{place}.npy': expected the checksum"):
        read_all(read(tmp_path / "w.npz"))
