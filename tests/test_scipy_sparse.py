"""Sparse weights and SciPy's own files: it loads what we write, we read what it writes."""

import numpy as np
import pytest
import scipy.sparse

import paring
from paring.errors import FormatError
from paring.formats import read, write
from weight_files import assert_same, random_sparse


@pytest.fixture
def path(tmp_path):
    return tmp_path / "w.npz"


def matrix(form="csr", dtype=np.float32, shape=(5, 7), seed=0):
    values = np.random.default_rng(seed).integers(-9, 10, shape)
    values[np.random.default_rng(seed + 1).random(shape) < 0.6] = 0
    return scipy.sparse.coo_array(values.astype(dtype)).asformat(form)


@pytest.mark.parametrize("name", ["w", "layer.0.weight", "", "data", "format", "ü"])
@pytest.mark.parametrize(
    "weight",
    [
        random_sparse((5, 7)),
        random_sparse((5, 7), index_dtype=np.int64),
        random_sparse((4, 6), density=0),
        random_sparse((0, 6)),
        random_sparse((3, 0)),
    ],
    ids=str,
)
def test_scipy_loads_ours(path, weight, name):
    write(path, {name: weight}, metadata={"k": "v"})
    loaded = scipy.sparse.load_npz(path)
    assert isinstance(loaded, scipy.sparse.csr_array)
    assert loaded.has_canonical_format
    assert_same(loaded.toarray(), weight.dense())
    assert_same(loaded.data, weight.data)
    weights = read(path)
    assert list(weights) == [name]
    assert_same(weights[name], weight)
    assert weights.metadata == {"k": "v"}
    assert weights.describe(name).shape == weight.shape


def test_the_keys_are_those_of_save_npz(path, tmp_path):
    weight = random_sparse((5, 7))
    write(path, {"w": weight})
    scipy.sparse.save_npz(tmp_path / "theirs.npz", scipy.sparse.csr_array(weight.dense()), compressed=False)
    with np.load(path) as ours, np.load(tmp_path / "theirs.npz") as theirs:
        assert set(ours.files) - {"__paring__"} == set(theirs.files)
        for key in theirs.files:
            assert_same(ours[key], theirs[key])


@pytest.mark.parametrize(
    "weights",
    [
        {"w": random_sparse((5, 7)), "b": np.ones(3)},
        {"w": random_sparse((5, 7)), "v": random_sparse((5, 7))},
        {"w": random_sparse((5, 7), scaled=True)},
        {"w": random_sparse((5, 2, 3))},
        {"w": paring.sparsify(np.eye(4, dtype=np.float32), axis=1)},
    ],
    ids=["with-an-array", "two", "scaled", "three-axes", "axis-1"],
)
def test_other_weights_keep_their_names(path, weights):
    write(path, weights)
    for name, weight in weights.items():
        assert_same(read(path)[name], weight)
    with np.load(path) as arrays:
        assert {"w.data", "w.indices", "w.indptr", "w.shape"} <= set(arrays.files)
        if weights["w"].scale is None and len(weights["w"].shape) == 2 and not weights["w"].axis:
            rows = scipy.sparse.csr_array(
                (arrays["w.data"], arrays["w.indices"], arrays["w.indptr"]), shape=arrays["w.shape"]
            )
            assert_same(rows.toarray(), weights["w"].dense())


def test_what_was_read_is_written_the_same(path, tmp_path):
    write(path, {"w": random_sparse((5, 7))}, metadata={"a": "b"})
    write(tmp_path / "again.npz", read(path))
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()
    write(tmp_path / "other.safetensors", read(path))
    write(tmp_path / "third.npz", read(tmp_path / "other.safetensors"), metadata={"a": "b"})
    assert (tmp_path / "third.npz").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("form", ["csr", "csc"])
@pytest.mark.parametrize("shape", [(5, 7), (1, 1), (0, 4), (4, 0)], ids=str)
def test_ours_reads_scipy(path, form, kind, compressed, shape):
    saved = matrix(form, shape=shape)
    if kind == "matrix":
        saved = getattr(scipy.sparse, f"{form}_matrix")(saved)
    scipy.sparse.save_npz(path, saved, compressed=compressed)
    weights = read(path)
    assert list(weights) == ["w"]
    weight = weights["w"]
    assert_same(weight.dense(), saved.toarray())
    assert (weight.axis, weight.shape, weight.nnz) == (form == "csc", shape, saved.nnz)
    assert weights.describe("w").tensors == ("w.data", "w.indices", "w.indptr", "w.shape")


@pytest.mark.parametrize("dtype", [np.float64, np.int8, np.int64, np.uint64, np.int16, bool])
def test_values_that_float32_has(path, dtype):
    saved = abs(matrix()).astype(dtype)
    scipy.sparse.save_npz(path, saved)
    info = read(path).describe("w")
    assert (info.dtype, info.description["shape"]) == ("float32", [5, 7])
    assert_same(read(path)["w"].dense(), saved.toarray().astype(np.float32))


def save_by_hand(path, **changes):
    saved = matrix()
    arrays = {
        "format": np.array(b"csr"),
        "shape": np.array(saved.shape),
        "data": saved.data,
        "indices": saved.indices,
        "indptr": saved.indptr,
    } | changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


@pytest.mark.parametrize("dtype", [">f8", ">f4", ">i2"])
def test_values_of_the_other_byte_order(path, dtype):
    dense = read(save_by_hand(path, data=matrix().data.astype(dtype)))["w"].dense()
    assert_same(dense, matrix().toarray())


def test_special_values(path):
    count = matrix().nnz
    values = np.zeros(count)
    values[:6] = np.nan, np.inf, -np.inf, -0.0, 2.0**-149, 3.4028234663852886e38
    dense = read(save_by_hand(path, data=values))["w"].data
    assert_same(dense, values.astype(np.float32))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.1], r"got float64 0\.1 at 0: save matrix\.astype\('float32'\) instead"),
        ([1, 2.0**24 + 1], r"got float64 16777217\.0 at 1"),
        ([1, 1e300], "got float64 1e[+]300 at 1"),
        ([1, 1e-300], "got float64 1e-300 at 1"),
        (np.array([1, 2**24 + 1]), "got int64 16777217 at 1"),
        (np.array([1, 2**63 - 1]), "got int64 9223372036854775807 at 1"),
        (np.array([1, 2**64 - 1], np.uint64), "got uint64 18446744073709551615 at 1"),
        (np.array([1j], np.complex64), "expected real numbers, got complex64"),
        (np.array(["1"]), "expected real numbers, got <U1"),
        (np.array([1], "m8[s]"), r"expected real numbers, got timedelta64\[s\]"),
    ],
    ids=str,
)
def test_values_that_float32_has_not(path, values, message):
    """That is told when the weight is looked up."""
    count = matrix().nnz
    data = np.zeros(count, np.asarray(values).dtype)
    data[: len(values)] = values
    weights = read(save_by_hand(path, data=data))
    assert weights.describe("w").shape == (5, 7)
    with pytest.raises(FormatError, match=rf"w\.npz: member 'data\.npy': .*{message}"):
        weights["w"]


def test_integers_that_float32_has(path):
    data = np.full(matrix().nnz, -(2**63))
    data[0] = 2**62
    assert_same(read(save_by_hand(path, data=data))["w"].data, data.astype(np.float32))
