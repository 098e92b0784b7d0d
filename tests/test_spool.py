import mmap

import numpy as np
import pytest

from paring import compress, quantize, read, sparsify, write
from paring.jobs.spool import Spool, SpooledWeights, in_map, is_mapped
from weight_files import random_array, random_quantized, random_sparse


@pytest.fixture
def spool(tmp_path):
    with Spool(tmp_path, tmp_path) as spool:
        assert list(tmp_path.iterdir()) == []  # it has no name
        yield spool


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "bool", "complex64", "<U5", ">f4"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (5,), (3, 4, 2)])
def test_arrays_come_back(spool, dtype, shape):
    native = np.dtype(dtype).newbyteorder("=")
    array = np.full(shape, "añ") if native.kind == "U" else random_array(native, shape)
    again = spool.put(array.astype(dtype))()
    assert again.dtype == native
    assert again.tobytes() == array.astype(native).tobytes()
    assert not again.size or is_mapped(again)


def test_compressed_weights_come_back(spool):
    weights = [
        random_quantized((7, 33), 4, "group", 16, symmetric=False),
        random_quantized((7, 33), 8, axis=1),
        random_sparse((6, 9)),
        sparsify(quantize(np.eye(50, dtype=np.float32))),
    ]
    fetches = [spool.put(weight) for weight in weights]
    assert [fetch() for fetch in fetches] == weights
    assert all(in_map(fetch()) for fetch in fetches)


def test_what_was_fetched_stays_when_more_is_put_and_the_spool_is_closed(tmp_path):
    with Spool(tmp_path, tmp_path) as spool:
        first = spool.put(np.arange(100_000))()
        second = spool.put(np.arange(5, 1_000_000))()
    assert np.array_equal(first, np.arange(100_000))
    assert np.array_equal(second, np.arange(5, 1_000_000))


def test_what_is_mapped(tmp_path):
    write(tmp_path / "w.safetensors", compress({"w": np.eye(64, dtype=np.float32), "b": np.ones(5)}))
    np.savez_compressed(tmp_path / "w.npz", w=np.ones(5))
    file = read(tmp_path / "w.safetensors")
    assert is_mapped(file["b"])
    assert is_mapped(file["b"][1:])
    assert in_map(file["w"])
    assert not is_mapped(read(tmp_path / "w.npz")["w"])
    assert not is_mapped(np.ones(5))
    assert not in_map(quantize(np.ones((4, 4), np.float32)))
    assert is_mapped(np.frombuffer(mmap.mmap(-1, 10), np.uint8))


def test_spooled_weights_are_made_when_looked_up():
    calls = []
    weights = SpooledWeights({"a": lambda: calls.append("a") or np.ones(3)})
    assert list(weights) == ["a"]
    assert len(weights) == 1
    assert calls == []
    assert weights["a"].sum() == 3
    assert calls == ["a"]
