"""The .npz and .npy formats: NumPy as oracle, every dtype, views, alignment, what they cannot hold."""

import io
import mmap
import zipfile

import ml_dtypes
import numpy as np
import pytest

from paring.errors import FormatError
from paring.formats import archive, read, write
from weight_files import SAFETENSORS_DTYPES, SHAPES, assert_same, random_array, random_quantized

PLAIN = {name: dtype for name, dtype in SAFETENSORS_DTYPES.items() if dtype.type.__module__ == "numpy"}
EXTENSION = {name: dtype for name, dtype in SAFETENSORS_DTYPES.items() if name not in PLAIN}
OTHER = ["<U3", "S4", "V2", "V7", "c16", "M8[ns]", "m8[D]", "longdouble", [("x", "<f4"), ("y", "<i2", (2,))]]


def text_or_random(dtype, shape):
    array = random_array(dtype, shape)
    if array.dtype.kind == "U":
        array = np.array(["", "a", "重み", "🙂é"] * 10)[: array.size].astype(dtype).reshape(shape)
    return array


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


@pytest.mark.parametrize("dtype", [*SAFETENSORS_DTYPES.values(), *OTHER], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_round_trip(path, dtype, shape):
    array = text_or_random(dtype, shape)
    write(path, {"a": array})
    weights = read(path)
    assert list(weights) == ["a"]
    assert_same(weights["a"], array)
    info = weights.describe("a")
    assert (info.kind, info.shape, info.nbytes) == ("array", shape, array.nbytes)


@pytest.mark.parametrize("dtype", [*PLAIN.values(), *OTHER], ids=str)
def test_numpy_reads_what_we_write(path, dtype):
    arrays = {str(shape): text_or_random(dtype, shape) for shape in SHAPES}
    write(path, arrays)
    with np.load(path) as loaded:
        assert loaded.files == list(arrays)
        for name, array in arrays.items():
            assert_same(loaded[name], array)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", [*PLAIN.values(), *OTHER], ids=str)
def test_numpy_writes_what_we_read(path, save, dtype):
    arrays = {str(shape): text_or_random(dtype, shape) for shape in SHAPES}
    save(path, **arrays)
    weights = read(path)
    assert list(weights) == list(arrays)
    for name, array in arrays.items():
        assert_same(weights[name], array)
        assert not weights[name].flags.writeable
        assert weights[name].flags.aligned


@pytest.mark.parametrize("dtype", EXTENSION.values(), ids=EXTENSION)
def test_extension_dtypes_are_void_to_numpy(path, dtype):
    array = random_array(dtype, (3, 5))
    write(path, {"a": array})
    with np.load(path) as loaded:
        assert loaded["a"].dtype == np.dtype(f"V{dtype.itemsize}")
        assert loaded["a"].tobytes() == array.tobytes()
    assert read(path).describe("a").dtype == dtype.name


def test_void_of_somebody_else_stays_void(path):
    array = random_array(ml_dtypes.bfloat16, (4,))
    np.savez(path, a=array)
    got = read(path)["a"]
    assert got.dtype == np.dtype("V2")
    assert got.tobytes() == array.tobytes()


def test_a_plain_file_has_no_additional_member(path):
    write(path, {"a": np.ones(2)})
    assert zipfile.ZipFile(path).namelist() == ["a.npy"]
    write(path, {"a": np.ones(2)}, metadata={"k": "v"})
    assert zipfile.ZipFile(path).namelist() == ["a.npy", "__paring__.npy"]
    assert read(path).metadata == {"k": "v"}
    assert list(read(path)) == ["a"]


def test_stored_members_are_aligned_views(path):
    arrays = {"a" * n: random_array(np.float64, (n,), n) for n in range(1, 80, 7)}
    write(path, arrays)
    for name, got in read(path).items():
        assert_same(got, arrays[name])
        assert got.ctypes.data % 64 == 0
        base = got
        while isinstance(base, np.ndarray):
            base = base.base
        assert isinstance(base, mmap.mmap)
        assert not got.flags.writeable


def test_large_members_are_aligned_too(path, monkeypatch):
    monkeypatch.setattr(archive, "LARGE_MEMBER_BYTES", 1000)
    arrays = {"small": np.ones(3), "large": random_array(np.float64, (300,)), "last": np.ones(2)}
    write(path, arrays)
    with zipfile.ZipFile(path) as zipped, np.load(path) as loaded:
        assert zipped.testzip() is None
        for name, array in arrays.items():
            assert_same(loaded[name], array)
    for name, got in read(path).items():
        assert_same(got, arrays[name])
        assert got.ctypes.data % 64 == 0


def test_bytes_are_the_same_every_time(path, monkeypatch):
    arrays = {"a": random_array(np.float32, (5, 5)), "w": random_quantized((4, 6), bits=4)}
    write(path, arrays, metadata={"b": "2", "a": "1"})
    first = path.read_bytes()
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    write(path, arrays, metadata={"a": "1", "b": "2"})
    assert path.read_bytes() == first


def test_nothing_is_decoded_until_asked(path, monkeypatch):
    np.savez_compressed(path, a=np.ones((1000, 1000)), b=np.arange(3))
    weights = read(path)
    with monkeypatch.context() as patch:
        patch.setattr("paring.formats.archive.Archive.content", None)
        assert weights.describe("a").shape == (1000, 1000)
        with pytest.raises(TypeError):
            weights["b"]
    assert weights["b"].tolist() == [0, 1, 2]


def test_a_large_deflated_member(path):
    array = np.random.default_rng(0).integers(0, 4, 500_000)
    np.savez_compressed(path, a=array)
    assert_same(read(path)["a"], array)


def test_fortran_order_and_big_endian(path):
    matrix = np.arange(12, dtype=np.float32).reshape(3, 4)
    big = np.array([0x7F800001], ">u4").view(">f4")
    np.savez(path, fortran=np.asfortranarray(matrix), big=big, text=np.array(["é"], ">U1"))
    weights = read(path)
    assert_same(weights["fortran"], matrix)
    assert weights["fortran"].flags.f_contiguous
    assert weights["big"].dtype.isnative
    assert weights["big"].view(np.uint32).tolist() == [0x7F800001]
    assert_same(weights["text"], np.array(["é"]))
    write(path, weights)
    assert_same(read(path)["fortran"], matrix)
    assert read(path)["fortran"].flags.c_contiguous


def test_member_names(path):
    arrays = {name: np.full(1, i) for i, name in enumerate(["", "a/b", "ünïcode.重み", "x.npy", "x", " "])}
    write(path, arrays)
    weights = read(path)
    assert list(weights) == list(arrays)
    assert [int(weights[name][0]) for name in arrays] == list(range(len(arrays)))


def test_foreign_members(path):
    plain = io.BytesIO()
    np.save(plain, np.arange(3))
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.mkdir("folder") if hasattr(zipped, "mkdir") else zipped.writestr("folder/", b"")
        zipped.writestr("no_suffix", plain.getvalue())
        zipped.writestr("README.txt", b"hello, this is no array")
    weights = read(path)
    assert list(weights) == ["no_suffix", "README.txt"]
    assert weights["no_suffix"].tolist() == [0, 1, 2]
    with pytest.raises(
        FormatError, match=r"member 'README.txt': expected an array that begins with .*b'hello,'"
    ):
        weights["README.txt"]


def test_empty_file(path):
    write(path, {})
    assert len(read(path)) == 0
    np.savez(path)
    assert len(read(path)) == 0


def test_python_2_headers(tmp_path):
    path = tmp_path / "old.npy"
    header = b"{'descr': '<i4', 'fortran_order': False, 'shape': (2L, 1L), }".ljust(117) + b"\n"
    path.write_bytes(
        b"\x93NUMPY\x01\x00"
        + len(header).to_bytes(2, "little")
        + header
        + np.arange(2, dtype="<i4").tobytes()
    )
    assert read(path)["old"].tolist() == [[0], [1]]


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_header_versions(tmp_path, version):
    path = tmp_path / "w.npy"
    array = np.array([(1.0, 2)], [("x", "<f4"), ("重み" if version == (3, 0) else "y", "<i2")])
    with path.open("wb") as file:
        np.lib.format.write_array(file, array, version=version)
    assert_same(read(path)["w"], array)


@pytest.mark.parametrize("name", ["__paring__", "nul\0byte", "x" * 65532])
def test_names_it_cannot_hold(path, name):
    with pytest.raises(ValueError, match=r"model.npz: name of a weight: .*(reserved|zip member)"):
        write(path, {name: np.ones(1)})
    assert not path.exists()


def test_dtypes_it_cannot_hold(path):
    with pytest.raises(ValueError, match=r"'codes': the .npy format has no name for dtype int4"):
        write(path, {"codes": np.zeros(3, ml_dtypes.int4)})
    assert not path.exists()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [*PLAIN.values(), *OTHER], ids=str)
def test_npy_round_trip(tmp_path, dtype, shape):
    path = tmp_path / "layer.weight.npy"
    array = text_or_random(dtype, shape)
    write(path, {"any name": array})
    weights = read(path)
    assert list(weights) == ["layer.weight"]
    assert_same(weights["layer.weight"], array)
    assert_same(np.load(path), array)
    assert not weights["layer.weight"].flags.writeable
    np.save(path, array)
    assert_same(read(path)["layer.weight"], array)
    assert read(path).describe("layer.weight").shape == shape


def test_npy_is_a_view(tmp_path):
    np.save(tmp_path / "w.npy", np.asfortranarray(np.ones((4, 5))))
    got = read(tmp_path / "w.npy")["w"]
    assert isinstance(got.base, mmap.mmap)
    assert got.flags.f_contiguous


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        ({}, {}, "a .npy file holds one array, got 0: write .safetensors or .npz"),
        ({"a": np.ones(1), "b": np.ones(1)}, {}, "a .npy file holds one array, got 2"),
        ({"w": random_quantized((2, 3))}, {}, "holds one plain array, got a compressed weight 'w'"),
        (
            {"w": random_array(ml_dtypes.bfloat16, (3,))},
            {},
            "'w': a .npy file cannot say that it holds bfloat16",
        ),
        ({"w": np.ones(1)}, {"metadata": {"k": "v"}}, "a .npy file has no place for metadata"),
    ],
)
def test_what_npy_cannot_hold(tmp_path, weights, options, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "w.npy", weights, **options)
    assert list(tmp_path.iterdir()) == []
