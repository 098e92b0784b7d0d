"""Dense to CSR and back, on every level, against the definition and SciPy."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from paring import _core
from protected_page import ending_at_wall
from sparse_cases import INDEX_TYPES, same, sparse_matrix

LEVELS = _core.levels()


def test_every_level_has_the_loops():
    rows = [row for row in _core.loop_kernels() if row["family"] == "csr"]
    assert not rows[-1]["needs"]


def assert_is_csr_of(made, weight):
    """Compare with the definition, in NumPy."""
    data, indices, indptr = made
    rows, columns = np.nonzero(weight)  # -0 is zero, NaN is not; row by row, columns ascending
    assert same(data, weight[rows, columns])
    assert same(indices, columns.astype(np.int32))
    assert same(indptr, np.searchsorted(rows, np.arange(len(weight) + 1)).astype(np.int32))
    _core.check_csr(indices, indptr, *weight.shape)


MATRICES = st.one_of(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=40),
        elements=st.one_of(
            st.sampled_from([0.0, -0.0, np.nan, np.inf, -np.inf, 2.0**-149, -(2.0**-149)]),
            st.floats(width=32),
        ),
        fill=st.just(0.0),
    ),
    hnp.arrays(
        np.int8,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=150),
        elements=st.integers(-128, 127),
        fill=st.just(0),
    ),
)


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=60, deadline=None)
@given(weight=MATRICES, seed=st.integers(0, 2**32 - 1))
def test_round_trip(level, weight, seed):
    made = _core.dense_to_csr(weight, isa=level)
    assert_is_csr_of(made, weight)
    out = np.full(weight.shape, np.nan, np.float32)
    if weight.dtype == np.float32:
        _core.csr_to_dense(*made, None, out)
        assert same(out, np.where(weight == 0, np.float32(0), weight))
    else:
        scale = np.random.default_rng(seed).standard_normal(len(weight)).astype(np.float32)
        _core.csr_to_dense(*made, scale, out)
        product = weight.astype(np.float32) * scale[:, None]
        assert same(out, np.where(weight == 0, np.float32(0), product))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", [np.float32, np.int8])
def test_against_scipy_at_sizes_that_use_all_threads(level, dtype, rng):
    for rows, columns in ((700, 301), (3, 100003), (1, 20000), (5000, 1)):
        for pattern in ("tenth", "ragged", "full", "none"):
            weight = sparse_matrix(rng, rows, columns, pattern)
            if dtype == np.int8:
                weight = (weight * 60).astype(np.int8)
            data, indices, indptr = _core.dense_to_csr(weight, isa=level)
            theirs = scipy.sparse.csr_array(weight)
            assert same(data, theirs.data)
            assert np.array_equal(indices, theirs.indices)
            assert np.array_equal(indptr, theirs.indptr)
            out = np.empty(weight.shape, np.float32)
            scale = None if dtype == np.float32 else np.ones(rows, np.float32)
            _core.csr_to_dense(data, indices, indptr, scale, out)
            assert np.array_equal(out, theirs.toarray())


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", [np.float32, np.int8])
def test_rows_of_every_length_that_end_at_a_wall(level, dtype, rng):
    for columns in (1, 2, 3, 15, 16, 17, 31, 63, 64, 65, 127, 128, 129, 200):
        for pattern in ("half", "one", "full"):
            weight = (sparse_matrix(rng, 2, columns, pattern) * 60).astype(dtype)
            at_wall = ending_at_wall(weight)
            made = _core.dense_to_csr(at_wall, isa=level)
            assert_is_csr_of(made, weight)
            out = ending_at_wall(np.full(weight.shape, np.nan, np.float32))
            scale = None if dtype == np.float32 else ending_at_wall(np.ones(2, np.float32))
            _core.csr_to_dense(*(ending_at_wall(part) for part in made), scale, out)
            assert np.array_equal(out, weight)


@INDEX_TYPES
def test_indices_of_either_width_give_the_same(index_type, rng):
    weight = sparse_matrix(rng, 20, 30, "ragged")
    data, indices, indptr = _core.dense_to_csr(weight)
    indices, indptr = indices.astype(index_type), indptr.astype(index_type)
    out = np.empty(weight.shape, np.float32)
    _core.csr_to_dense(data, indices, indptr, None, out)
    assert same(out, weight)
    codes = np.rint(weight * 10).astype(np.int8)
    data, indices, indptr = _core.dense_to_csr(codes)
    _core.csr_to_dense(
        data, indices.astype(index_type), indptr.astype(index_type), np.ones(20, np.float32), out
    )
    assert np.array_equal(out, codes)


def test_a_row_longer_than_the_narrow_counters(rng):
    # Longer than the runs in which the loops count in bytes.
    weight = np.ones((2, 100000), np.int8)
    weight[1, ::3] = 0
    for level in LEVELS:
        assert_is_csr_of(_core.dense_to_csr(weight, isa=level), weight)


def test_indices_widen_where_a_size_passes_31_bits():
    made = _core.dense_to_csr(np.empty((0, 2**31), np.float32))
    assert [part.dtype for part in made] == [np.float32, np.int64, np.int64]
    assert made[2].tolist() == [0]
    made = _core.dense_to_csr(np.empty((0, 2**31 - 1), np.int8))
    assert [part.dtype for part in made] == [np.int8, np.int32, np.int32]


def test_columns_beyond_31_bits():
    try:
        weight = np.zeros((1, 2**31 + 8), np.int8)  # pages never written cost no memory
    except MemoryError:
        pytest.skip("this machine does not lend 2 GiB of address space")
    columns = [5, 2**31 - 1, 2**31 + 7]
    weight[0, columns] = 1, -2, 3
    data, indices, indptr = _core.dense_to_csr(weight)
    assert data.tolist() == [1, -2, 3]
    assert same(indices, np.array(columns))
    assert same(indptr, np.array([0, 3]))
    _core.check_csr(indices, indptr, 1, weight.shape[1])
