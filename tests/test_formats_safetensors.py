"""The safetensors format: every dtype, the reference package as oracle, layout, views, limits."""

import gc
import itertools
import json
import mmap

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from paring.errors import FormatError
from paring.formats import naming, read, write
from weight_files import (
    SAFETENSORS_DTYPES,
    SHAPES,
    assert_same,
    framed,
    random_array,
    random_quantized,
    safetensors_bytes,
)

EVERY = {
    f"{name}.{'x'.join(map(str, shape)) or 'scalar'}": random_array(dtype, shape, seed)
    for seed, (name, dtype) in enumerate(SAFETENSORS_DTYPES.items())
    for shape in SHAPES
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def header_of(path):
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + length]), 8 + length


@pytest.mark.parametrize("dtype", SAFETENSORS_DTYPES.values(), ids=SAFETENSORS_DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_round_trip(path, dtype, shape):
    array = random_array(dtype, shape)
    write(path, {"a": array})
    weights = read(path)
    assert list(weights) == ["a"]
    assert_same(weights["a"], array)
    info = weights.describe("a")
    assert (info.kind, info.dtype, info.shape, info.nbytes) == ("array", dtype.name, shape, array.nbytes)


def test_reference_reads_what_we_write(path):
    write(path, EVERY, metadata={"made": "here"})
    tensors = dict(safetensors.deserialize(path.read_bytes()))
    assert set(tensors) == set(EVERY)
    for name, array in EVERY.items():
        assert tensors[name]["dtype"] == name.split(".")[0]
        assert tuple(tensors[name]["shape"]) == array.shape
        assert bytes(tensors[name]["data"]) == array.tobytes()
    with safetensors.safe_open(path, framework="np") as file:
        assert file.metadata() == {"format": "pt", "made": "here"}


def test_reference_writes_what_we_read(path):
    known = {name: array for name, array in EVERY.items() if name.split(".")[0] in safetensors.numpy._TYPES}
    assert len(known) >= 13 * len(SHAPES)
    safetensors.numpy.save_file(known, path, metadata={"by": "the reference"})
    weights = read(path)
    assert weights.metadata == {"by": "the reference"}
    assert set(weights) == set(known)
    for name, array in known.items():
        assert_same(weights[name], array)


def test_reference_reads_compressed_weights(path):
    quantized = random_quantized((4, 10), bits=4)
    write(path, {"w": quantized})
    tensors = safetensors.numpy.load_file(path)
    assert tensors["w_packed"].shape == (4, 2)
    assert tensors["w_packed"].dtype == np.int32
    assert tensors["w_shape"].tolist() == [4, 10]
    assert_same(tensors["w_scale"], quantized.scale)
    with safetensors.safe_open(path, framework="np") as file:
        note = json.loads(file.metadata()["paring"])
    assert note == {"version": 1, "weights": {"w": quantized.describe()}}


def test_bytes_do_not_depend_on_order(path):
    names = {f"{dtype}.{n}": random_array(dtype, (n,)) for dtype in ("f8", "f4", "i1", "u2") for n in (1, 3)}
    files = set()
    for order in itertools.islice(itertools.permutations(names), 0, 40_000, 4_000):
        write(path, {name: names[name] for name in order}, metadata={"b": "2", "a": "1"})
        files.add(path.read_bytes())
    write(path, names, metadata={"a": "1", "b": "2"})
    assert files == {path.read_bytes()}


def test_layout(path):
    arrays = {"b": np.ones(3, np.int8), "a": np.ones(1, np.int8), "d": np.ones(3, np.float64)}
    write(path, arrays | {"c": np.ones(1, np.float16), "e": np.ones(2, np.float16)})
    header, start = header_of(path)
    assert start % 64 == 0
    assert list(header) == ["__metadata__", "d", "c", "e", "a", "b"]
    assert path.stat().st_size == start + 3 * 8 + 2 + 4 + 1 + 3
    assert all(array.flags.aligned for array in read(path).values())


def test_keys_come_in_file_order(path):
    path.write_bytes(
        safetensors_bytes({"z": ("U8", [1], [1, 2]), "a": ("U8", [1], [0, 1])}, b"\x05\x06", {"k": "v"})
    )
    weights = read(path)
    assert list(weights) == ["z", "a"]
    assert (weights["z"][0], weights["a"][0]) == (6, 5)


def base_of(array):
    while isinstance(array, np.ndarray):
        array = array.base
    return array


def test_arrays_are_read_only_views_that_outlive_everything(path):
    array = random_array(np.float32, (100, 7))
    write(path, {"w": array})
    view = read(path)["w"]
    base = base_of(view)
    assert isinstance(base, mmap.mmap)
    assert not view.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 0
    del base
    gc.collect()
    path.unlink()
    assert_same(view, array)


def test_nothing_is_decoded_until_asked(path, monkeypatch):
    write(path, {"w": np.ones(3, np.float32)})

    def fail(*args):
        raise AssertionError("decoded")

    monkeypatch.setattr("paring.formats.safetensors.array_at", fail)
    weights = read(path)
    assert weights.describe("w").nbytes == 12
    assert "1 weights" in repr(weights)
    with pytest.raises(AssertionError, match="decoded"):
        weights["w"]


def test_misaligned_data_is_copied_and_aligned(path):
    array = np.arange(5, dtype=np.float64)
    for padding in range(1, 8):
        header = json.dumps({"w": {"dtype": "F64", "shape": [5], "data_offsets": [0, 40]}})
        header += " " * ((-len(header)) % 8 + padding)
        path.write_bytes(framed(header.encode(), array.tobytes()))
        got = read(path)["w"]
        assert got.flags.aligned
        assert not got.flags.writeable
        assert_same(got, array)


def test_unknown_dtype_leaves_the_rest_readable(path):
    path.write_bytes(
        safetensors_bytes(
            {"a": ("F8_E8M0", [2, 3], [0, 6]), "b": ("U8", [2], [6, 8]), "c": ("F4", [2], [8, 9])},
            bytes(range(9)),
        )
    )
    weights = read(path)
    assert list(weights) == ["a", "b", "c"]
    assert weights["b"].tolist() == [6, 7]
    info = weights.describe("a")
    assert (info.dtype, info.shape, info.nbytes) == ("F8_E8M0", (2, 3), 6)
    with pytest.raises(
        FormatError, match=r"model.safetensors: tensor 'a': expected a dtype of BOOL, .*'F8_E8M0'"
    ):
        weights["a"]
    with pytest.raises(FormatError, match=r"tensor 'c': .*got 'F4' \(data at byte \d+\)"):
        weights["c"]


def test_converted_inputs(path):
    matrix = np.arange(24, dtype=np.float32).reshape(4, 6)
    big = np.array([0x7F800001, 0x3F800000], ">u4").view(">f4")  # a signalling NaN keeps its bits
    write(path, {"strided": matrix[::2, ::-3], "fortran": np.asfortranarray(matrix), "big": big})
    weights = read(path)
    assert_same(weights["strided"], np.ascontiguousarray(matrix[::2, ::-3]))
    assert_same(weights["fortran"], matrix)
    assert weights["big"].dtype == np.dtype("<f4")
    assert weights["big"].view("<u4").tolist() == [0x7F800001, 0x3F800000]


def test_read_only_and_subclass_inputs(path):
    array = np.arange(3.0)
    array.flags.writeable = False
    write(path, {"read_only": array, "matrix": np.arange(4.0).reshape(2, 2).view(np.recarray)})
    assert read(path)["read_only"].tolist() == [0, 1, 2]
    assert type(read(path)["matrix"]) is np.ndarray


def test_large_tensors_are_written_in_chunks(path, monkeypatch):
    monkeypatch.setattr(naming, "CHUNK_BYTES", 16)
    arrays = {str(n): random_array(np.uint8, (n,), n) for n in (0, 1, 15, 16, 17, 32, 100)}
    write(path, arrays)
    for name, array in arrays.items():
        assert_same(read(path)[name], array)


def test_names_of_any_text(path):
    names = ["", " ", "ünïcode.重み", 'quote"\\', "new\nline", "a/b", "nul\0", "🙂"]
    write(path, {name: np.full(1, i, np.int32) for i, name in enumerate(names)})
    weights = read(path)
    assert {name: int(weights[name][0]) for name in names} == {name: i for i, name in enumerate(names)}
    assert set(dict(safetensors.deserialize(path.read_bytes()))) == set(names)


def test_empty_file(path):
    write(path, {})
    assert dict(read(path)) == {}
    assert safetensors.deserialize(path.read_bytes()) == []
    path.write_bytes(framed(b"{}"))
    assert len(read(path)) == 0
    assert read(path).metadata == {}


@pytest.mark.parametrize(
    "array", [np.array(["a", "bc"]), np.array([b"a"]), np.ones(2, np.complex128), np.zeros(2, "V2")], ids=str
)
def test_dtypes_it_cannot_hold(path, array):
    with pytest.raises(
        ValueError, match=r"model.safetensors: tensor 'vocab': safetensors stores BOOL.*\.npz"
    ):
        write(path, {"vocab": array})
    assert not path.exists()


def test_reserved_name(path):
    with pytest.raises(ValueError, match="'__metadata__' is reserved"):
        write(path, {"__metadata__": np.ones(1)})


def test_header_limit(path, monkeypatch):
    monkeypatch.setattr("paring.formats.safetensors.MAX_HEADER_BYTES", 200)
    with pytest.raises(ValueError, match="expected a header of at most 200 bytes, got 248"):
        write(path, {"a" * 130: np.ones(1)})
    assert not path.exists()
