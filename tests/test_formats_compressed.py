"""Compressed weights in files: written as tensors, grouped again, described without decoding."""

import numpy as np
import pytest

import paring
from paring.formats import WeightInfo, read, write
from weight_files import (
    COMPRESSED,
    DATA,
    KEPT,
    KEPT_METADATA,
    assert_same,
    kept_weights,
    random_quantized,
    random_sparse,
)

SUFFIXES = (".safetensors", ".npz")


@pytest.fixture(params=SUFFIXES)
def path(request, tmp_path):
    return tmp_path / f"model{request.param}"


@pytest.mark.parametrize("weight", COMPRESSED.values(), ids=COMPRESSED)
def test_round_trip(path, weight):
    write(path, {"layer.weight": weight, "layer.bias": np.arange(3, dtype=np.float16)})
    weights = read(path)
    assert set(weights) == {"layer.weight", "layer.bias"}
    got = weights["layer.weight"]
    assert_same(got, weight)
    assert got.shape == weight.shape
    assert got.nbytes == weight.nbytes
    for suffix, part in weight.tensors().items():
        assert_same(got.tensors()[suffix], part)
    assert_same(weights["layer.bias"], np.arange(3, dtype=np.float16))


@pytest.mark.parametrize("weight", COMPRESSED.values(), ids=COMPRESSED)
def test_what_was_read_can_be_used(path, weight):
    """The kernels take arrays that are read-only views of a file."""
    write(path, {"w": weight})
    assert_same(read(path)["w"].dense(), weight.dense())


@pytest.mark.parametrize("bits", [8, 4, 3])
@pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("axis", [0, 1])
def test_from_the_public_functions(path, bits, granularity, symmetric, axis):
    array = np.random.default_rng(bits).standard_normal((9, 70)).astype(np.float32)
    weight = paring.quantize(array, bits, granularity, symmetric=symmetric, axis=axis)
    sparse = paring.sparsify(paring.prune(array, sparsity=0.8))
    write(path, {"q": weight, "s": sparse})
    assert_same(read(path)["q"], weight)
    assert_same(read(path)["s"], sparse)


def test_everything_at_once(path):
    write(path, COMPRESSED | {"ids": np.arange(4)}, metadata={"k": "v"})
    weights = read(path)
    assert set(weights) == {*COMPRESSED, "ids"}
    for name, weight in COMPRESSED.items():
        assert_same(weights[name], weight)
    assert weights.metadata["k"] == "v"
    assert "paring" not in weights.metadata


def test_parts_are_not_copied(path):
    write(path, {"q": random_quantized((8, 100), bits=4), "s": random_sparse((20, 30))})
    weights = read(path)
    for array in (weights["q"].data, weights["q"].scale, weights["s"].data, weights["s"].indices):
        assert not array.flags.writeable
        assert not array.flags.owndata
        assert array.flags.aligned


def test_rewriting_a_file_gives_the_same_bytes(path):
    write(path, COMPRESSED | {"ids": np.arange(4)}, metadata={"k": "v"})
    first = path.read_bytes()
    write(path, read(path))
    assert path.read_bytes() == first


def test_from_one_format_to_the_other(tmp_path):
    weights = COMPRESSED | {"b": np.ones(2, np.float32)}
    write(tmp_path / "a.safetensors", weights, metadata={"k": "v"})
    write(tmp_path / "b.npz", read(tmp_path / "a.safetensors"))
    write(tmp_path / "c.safetensors", read(tmp_path / "b.npz"))
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "c.safetensors").read_bytes()


def test_describe(path):
    weights = {
        "q": random_quantized((6, 10), bits=4, granularity="group", group_size=4),
        "s": random_sparse((5, 7), scaled=True),
        "b": np.ones((2, 3), np.float32),
    }
    write(path, weights)
    file = read(path)
    assert file.describe("b") == WeightInfo("array", "float32", (2, 3), 24, ("b",))
    info = file.describe("q")
    assert (info.kind, info.dtype, info.shape) == ("quantized", "int4", (6, 10))
    assert info.nbytes == weights["q"].nbytes + 2 * 8  # and the shape
    assert info.tensors == ("q_packed", "q_shape", "q_scale")
    assert info.description == weights["q"].describe()
    info = file.describe("s")
    assert (info.kind, info.dtype, info.shape) == ("sparse", "int8", (5, 7))
    assert info.tensors == ("s.data", "s.indices", "s.indptr", "s.shape", "s_scale")
    with pytest.raises(KeyError, match="nobody"):
        file.describe("nobody")
    assert f"model{path.suffix}': 3 weights, 2 of them compressed, " in repr(file)


@pytest.mark.parametrize(
    ("weights", "tensor", "first", "second"),
    [
        ({"a": random_quantized((2, 3)), "a_scale": np.ones(1)}, "a_scale", "a", "a_scale"),
        ({"a_scale": np.ones(1), "a": random_quantized((2, 3))}, "a_scale", "a_scale", "a"),
        ({"a": random_quantized((2, 3), bits=4), "a_shape": np.ones(1)}, "a_shape", "a", "a_shape"),
        ({"a": random_sparse((2, 3)), "a.data": random_quantized((2, 3))}, "a.data", "a", "a.data"),
        # Symmetric: it has no zero point, but a reader would take this array for one.
        ({"a": random_quantized((2, 3)), "a_zero_point": np.ones(1)}, "a_zero_point", "a", "a_zero_point"),
        ({"a": random_sparse((2, 3)), "a_scale": np.ones(1)}, "a_scale", "a", "a_scale"),
    ],
)
def test_names_that_collide(path, weights, tensor, first, second):
    path.write_bytes(b"old")
    with pytest.raises(
        ValueError, match=f"tensor name '{tensor}' is needed by both '{first}' and '{second}'"
    ):
        write(path, weights)
    assert path.read_bytes() == b"old"


def test_names_that_only_look_alike(path):
    weights = {"a": random_quantized((2, 3), bits=4), "a.data": np.ones(1), "a_packed_scale": np.ones(2)}
    write(path, weights)
    assert set(read(path)) == set(weights)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("stem", KEPT)
def test_files_of_older_releases_stay_readable(stem, suffix):
    weights = read(DATA / f"{stem}{suffix}")
    expected = kept_weights()
    assert set(weights) == set(expected)
    for name, weight in expected.items():
        assert_same(weights[name], weight)
    assert KEPT_METADATA.items() <= weights.metadata.items()


def test_the_bytes_are_those_of_this_release(tmp_path):
    write(tmp_path / "w.safetensors", kept_weights(), metadata=KEPT_METADATA)
    assert (tmp_path / "w.safetensors").read_bytes() == (DATA / f"{KEPT[-1]}.safetensors").read_bytes()


def test_old_files_are_written_anew_in_the_new_form(tmp_path):
    write(tmp_path / "w.safetensors", read(DATA / "weights_v1.safetensors"))
    assert (tmp_path / "w.safetensors").read_bytes() == (DATA / "weights_v2.safetensors").read_bytes()


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
@pytest.mark.parametrize(("shape", "axis"), [((0, 4), 0), ((4, 0), 0), ((4, 0), 1), ((0, 3, 2), 0)])
@pytest.mark.parametrize("bits", [8, 4])
def test_weights_without_values_come_back(shape, axis, bits, suffix, tmp_path):
    quantized = paring.quantize(np.zeros(shape, np.float32), bits=bits, axis=axis)
    paring.write(tmp_path / f"w{suffix}", {"w": quantized})
    assert paring.read(tmp_path / f"w{suffix}")["w"] == quantized
