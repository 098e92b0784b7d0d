"""Views and dtypes of the tensors of PyTorch files, put together by hand in both containers."""

import tracemalloc

import ml_dtypes
import numpy as np
import pytest

from paring.formats import read, write
from torch_files import SIX, archive, save, storage, tensor, tensor_v3
from weight_files import assert_same

VALUES = SIX
CONTAINERS = ["zip", "legacy"]

TYPED = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "ComplexDoubleStorage": np.complex128,
    "ComplexFloatStorage": np.complex64,
}
UNTYPED = {
    "uint16": np.uint16,
    "uint32": np.uint32,
    "uint64": np.uint64,
    "float8_e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8_e5m2": ml_dtypes.float8_e5m2,
    "float32": np.float32,
}


def six(dtype):
    return np.arange(6).astype(dtype) if np.dtype(dtype) != bool else np.array([0, 1, 1, 0, 0, 1], bool)


def swapped(array):
    size = {np.dtype(np.complex64): 4, np.dtype(np.complex128): 8}.get(array.dtype, array.itemsize)
    return array.tobytes() if size == 1 else array.view(f"u{size}").byteswap().tobytes()


@pytest.fixture(params=CONTAINERS)
def container(request):
    return request.param


@pytest.fixture
def of(container):
    return storage(legacy=container == "legacy")


@pytest.mark.parametrize("kind", TYPED)
def test_dtypes_of_storages(tmp_path, container, kind):
    values = six(TYPED[kind])
    of = storage(kind=f"torch.{kind}", legacy=container == "legacy")
    weights = read(save(tmp_path / "w.pt", container, {"w": tensor(of=of)}, values))
    assert_same(weights["w"], values.reshape(2, 3))
    assert weights.describe("w").dtype == values.dtype.name


@pytest.mark.parametrize("name", UNTYPED)
def test_dtypes_of_tensors_over_untyped_storages(tmp_path, container, name):
    values = six(UNTYPED[name])
    raw = values.view(np.uint8)
    of = storage(size=raw.size, kind="torch.storage.UntypedStorage", legacy=container == "legacy")
    value = {"w": tensor_v3(name, (2, 3), (3, 1), of), "tail": tensor_v3(name, (2,), (1,), of, offset=4)}
    weights = read(save(tmp_path / "w.pt", container, value, raw))
    assert_same(weights["w"], values.reshape(2, 3))
    assert_same(weights["tail"], values[4:])


@pytest.mark.parametrize("kind", TYPED)
def test_big_endian_archives(tmp_path, kind):
    values = six(TYPED[kind])
    value = {
        "w": tensor(of=storage(kind=f"torch.{kind}")),
        "t": tensor((3, 2), (1, 3), of=storage(kind=f"torch.{kind}")),
    }
    (tmp_path / "w.pt").write_bytes(archive(value, {"0": swapped(values)}, byteorder=b"big"))
    weights = read(tmp_path / "w.pt")
    assert_same(weights["w"], values.reshape(2, 3))
    assert_same(weights["t"], values.reshape(2, 3).T)


VIEWS = {
    "scalar": (((), (), 2), VALUES[2]),
    "part": (((2,), (1,), 1), VALUES[1:3]),
    "transposed": (((3, 2), (1, 3), 0), VALUES.reshape(2, 3).T),
    "every-second": (((3,), (2,), 1), VALUES[1::2]),
    "column": (((2, 1), (3, 7), 2), VALUES.reshape(2, 3)[:, 2:]),
    "odd-strides-of-one": (((1, 6, 1), (99, 1, 2**62), 0), VALUES.reshape(1, 6, 1)),
    "expanded": (((4, 2), (0, 1), 4), np.broadcast_to(VALUES[4:], (4, 2))),
    "expanded-scalar": (((1000,), (0,), 5), np.full(1000, 5, np.float32)),
    "windows": (((4, 3), (1, 1), 0), np.lib.stride_tricks.sliding_window_view(VALUES, 3)),
    "empty": (((0,), (1,), 6), VALUES[:0]),
    "empty-2d": (((3, 0), (5, 1), 0), VALUES[:0].reshape(3, 0)),
}  # fmt: skip


@pytest.mark.parametrize("kind", VIEWS)
def test_views(tmp_path, container, of, kind):
    (shape, stride, offset), expected = VIEWS[kind]
    weights = read(save(tmp_path / "w.pt", container, {"w": tensor(shape, stride, offset, of)}))
    array = weights["w"]
    assert_same(array, np.asarray(expected))
    assert not array.flags.writeable
    assert weights.describe("w").nbytes == array.nbytes
    write(tmp_path / "w.safetensors", weights)
    assert_same(read(tmp_path / "w.safetensors")["w"], np.ascontiguousarray(expected).reshape(shape))


@pytest.mark.parametrize("kind", VIEWS)
def test_views_of_big_endian_archives(tmp_path, kind):
    (shape, stride, offset), expected = VIEWS[kind]
    (tmp_path / "w.pt").write_bytes(
        archive({"w": tensor(shape, stride, offset)}, {"0": swapped(VALUES)}, byteorder=b"big")
    )
    assert_same(read(tmp_path / "w.pt")["w"], np.asarray(expected))


@pytest.mark.parametrize("case", ["big-endian", "booleans"])
def test_of_values_far_apart_nothing_between_is_looked_at(tmp_path, case):
    """A million tensors of two values each may share a storage."""
    far = 1_000_000
    kind = "torch.BoolStorage" if case == "booleans" else "torch.DoubleStorage"
    values = np.zeros(far + 1, np.uint8 if case == "booleans" else ">f8")
    values[1:-1] = 7  # no boolean, were it looked at
    values[-1] = 1
    value = {"w": tensor((2,), (far,), of=storage(size=far + 1, kind=kind))}
    (tmp_path / "w.pt").write_bytes(archive(value, {"0": values.tobytes()}, byteorder=b"big"))
    weights = read(tmp_path / "w.pt")
    tracemalloc.start()
    try:
        array = weights["w"]
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert array.tolist() == [0, 1]


def test_values_are_views_of_the_file(tmp_path):
    value = {"w": tensor(), "t": tensor((3, 2), (1, 3)), "e": tensor((1000, 6), (0, 1))}
    (tmp_path / "w.pt").write_bytes(archive(value, {"0": VALUES.tobytes()}))
    weights = read(tmp_path / "w.pt")
    arrays = [weights[name] for name in "wte"]
    lowest = {array.__array_interface__["data"][0] for array in arrays}
    assert len(lowest) == 1
    assert not any(array.flags.owndata for array in arrays)
    assert arrays[2].strides == (0, 4)


def test_a_conjugate_and_a_negative_view_are_resolved(tmp_path, container):
    values = (VALUES + 1j).astype(np.complex64)
    of = storage(kind="torch.ComplexFloatStorage", legacy=container == "legacy")
    value = {
        "c": tensor(of=of, flags={"conj": True}),
        "n": tensor((), (), 1, of=of, flags={"neg": True, "conj": True}),
        "plain": tensor(of=of, flags={"conj": False}),
    }
    weights = read(save(tmp_path / "w.pt", container, value, values))
    assert_same(weights["c"], values.reshape(2, 3).conj())
    assert_same(weights["n"], np.asarray(-values[1].conj()))
    assert_same(weights["plain"], values.reshape(2, 3))
