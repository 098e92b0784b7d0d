"""Files that SciPy's could be, but are not: another form of matrix, wrong arrays, a wrong note."""

import json

import numpy as np
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paring.errors import FormatError
from paring.formats import read, write
from weight_files import assert_same, random_array, random_sparse, read_all


@pytest.fixture
def path(tmp_path):
    return tmp_path / "w.npz"


def matrix(form="csr", dtype=np.float32, shape=(5, 7), seed=0):
    values = np.random.default_rng(seed).integers(-9, 10, shape)
    values[np.random.default_rng(seed + 1).random(shape) < 0.6] = 0
    return scipy.sparse.coo_array(values.astype(dtype)).asformat(form)


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


@pytest.mark.parametrize("form", ["coo", "bsr", "dia"])
def test_other_forms_of_scipy(path, form):
    scipy.sparse.save_npz(path, matrix(form))
    with pytest.raises(
        FormatError,
        match=rf"w\.npz: expected a sparse matrix .* csr or csc, got {form}: save matrix\.tocsr\(\)",
    ):
        read(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": np.array([5.0, 7.0])}, r"shape: expected two integers, got float64 \(2,\)"),
        ({"shape": np.array([35])}, r"shape: expected two integers, got int64 \(1,\)"),
        ({"shape": np.array(5)}, r"shape: expected two integers, got int64 \(\)"),
        ({"shape": np.array([5, -7])}, r"weight 'w': shape: expected non-negative integers, got \[5, -7\]"),
        ({"shape": np.array([2**40, 2**40])}, r"weight 'w': shape: expected at most \d+ bytes"),
    ],
)
def test_shapes_that_cannot_be(path, changes, message):
    with pytest.raises(FormatError, match=rf"w\.npz: {message}"):
        read(save_by_hand(path, **changes))


@pytest.mark.parametrize("dtype", [np.int8, np.float64])
def test_values_that_inflate_and_widen(path, dtype):
    """Deflated zeros are a thousandth of themselves, and four times as long in float32 if they are bytes."""
    save_by_hand(path)
    with np.load(path) as saved:
        arrays = dict(saved) | {"data": np.zeros(4_000_000, dtype)}
    np.savez_compressed(path, **arrays)
    with pytest.raises(
        FormatError, match=r"'data\.npy': expected at most \d+ bytes as float32 .*, got 16000000"
    ):
        read(path)
    np.savez_compressed(path, **arrays | {"data": np.zeros(4_000_000, np.float32)})
    assert list(read(path)) == ["w"]


def reversed_rows():
    saved = matrix()
    order = np.concatenate(
        [np.arange(b - 1, a - 1, -1) for a, b in zip(saved.indptr, saved.indptr[1:], strict=False)]
    )
    return {"indices": saved.indices[order], "data": saved.data[order]}


def twice_the_first():
    saved = matrix()
    indices = saved.indices.copy()
    indices[1] = indices[0]
    return {"indices": indices}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (reversed_rows(), r"indices: expected increasing columns, got \d after \d in row 0"),
        (twice_the_first(), "indices: column 1 occurs twice in row 0"),
        ({"indices": matrix().indices + 7}, "indices: "),
        ({"indptr": matrix().indptr[:-1]}, r"indices and indptr: expected"),
        ({"indptr": matrix().indptr.astype(np.int64)}, "expected both int32 or both int64"),
        ({"indices": matrix().indices.astype(np.float32)}, "expected both int32 or both int64"),
        ({"data": matrix().data[:-1]}, "indices and indptr: expected"),
        ({"data": matrix().data[:, None]}, "data: expected one axis of float32"),
        ({"shape": np.array([6, 7])}, "indices and indptr: expected"),
        ({"shape": np.array([5, 7], np.uint8)}, r"shape: expected int64 \(2,\), got uint8 \(2,\)"),
    ],
)
def test_matrices_that_cannot_be(path, changes, message):
    weights = read(save_by_hand(path, **changes))
    with pytest.raises(FormatError, match=rf"w\.npz: weight 'w': .*{message}"):
        weights["w"]


@pytest.mark.parametrize(
    "changes",
    [
        {"format": np.array(b"abc")},
        {"format": np.array(1)},
        {"format": np.array([b"csr"])},
        {"format": np.array(b"csr".ljust(65))},
        {"more": np.ones(2)},
        {"indptr": None},
        {"format": None},
    ],
    ids=str,
)
def test_files_that_only_look_alike(path, changes):
    weights = read(save_by_hand(path, **changes))
    assert set(weights) >= {"data", "indices"}
    assert_same(weights["data"], matrix().data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scipy": 3}, "scipy: expected the name of the one weight, got 3"),
        ({"scipy": "v"}, "scipy: expected the name of the one weight, got 'v'"),
        ({"weights": {}}, "scipy: expected the name of the one weight, got 'w'"),
        ({"more": True}, "scipy: expected arrays data, indices, indptr, shape and format, _is_array"),
    ],
)
def test_a_note_that_cannot_be(path, change, message):
    write(path, {"w": random_sparse((5, 7))})
    with np.load(path) as loaded:
        arrays = dict(loaded)
    note = json.loads(arrays["__paring__"].tobytes()) | change
    arrays["__paring__"] = np.frombuffer(json.dumps(note).encode(), np.uint8)
    if "more" in change:
        arrays["w.data"] = arrays["data"]
    np.savez(path, **arrays)
    with pytest.raises(FormatError, match=rf"w\.npz: member '__paring__\.npy': {message}"):
        read(path)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    print_blob=True,
)
@given(
    key=st.sampled_from(["format", "shape", "data", "indices", "indptr", "_is_array"]),
    dtype=st.sampled_from(
        ["int8", "int32", "int64", "float32", "float64", "float16", "bool", "S3", "uint64"]
    ),
    shape=st.lists(st.integers(0, 8), max_size=2),
    seed=st.integers(0, 20),
)
def test_any_array_instead(path, key, dtype, shape, seed):
    save_by_hand(path, **{key: random_array(np.dtype(dtype), tuple(shape), seed)})
    try:
        read_all(read(path))
    except FormatError as error:
        assert str(path) in str(error)
