import ml_dtypes
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import paring

F32 = np.float32


def random_sparse(shape, density=0.2, seed=0, dtype=F32):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < density, rng.integers(-64, 65, shape) / 8, 0).astype(dtype)


class TestArrays:
    @given(
        hnp.arrays(
            F32,
            hnp.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=6),
            elements=st.one_of(st.just(0.0), st.floats(-10, 10, width=32)),
        )
    )
    def test_round_trip(self, w):
        s = paring.sparsify(w)
        assert s.shape == w.shape
        assert s.scale is None
        assert s.nnz == np.count_nonzero(w)
        assert (s.data != 0).all()
        assert (s.dense() == w).all()

    @pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, F32, np.float64])
    def test_is_what_scipy_gives(self, dtype):
        w = random_sparse((17, 23), dtype=dtype)
        s = paring.sparsify(w)
        expected = scipy.sparse.csr_array(w.astype(F32))
        assert s.data.dtype == F32
        for name in ("data", "indices", "indptr"):
            got, want = getattr(s, name), getattr(expected, name)
            assert got.dtype == want.dtype
            assert got.tolist() == want.tolist()

    def test_more_axes_are_columns(self):
        w = random_sparse((4, 3, 2, 2))
        s = paring.sparsify(w)
        assert (s.rows, s.columns) == (4, 12)
        assert (s.dense() == w).all()

    def test_negative_zero_is_left_out(self):
        assert paring.sparsify(np.array([[-0.0, 1]], F32)).nnz == 1

    def test_what_float32_rounds_to_zero_is_left_out(self):
        s = paring.sparsify(np.array([[1e-300, 1]]))
        assert s.data.tolist() == [1]

    def test_any_order_of_bytes_and_axes(self):
        w = random_sparse((6, 20))
        expected = paring.sparsify(w)
        wide = np.zeros((6, 40), F32)
        wide[:, ::2] = w
        read_only = w.copy()
        read_only.flags.writeable = False
        for same in (w.astype(">f4"), np.asfortranarray(w), wide[:, ::2], w[::-1][::-1], read_only):
            assert paring.sparsify(same) == expected

    def test_does_not_share_memory(self):
        w = np.ones((2, 2), F32)
        s = paring.sparsify(w)
        w[...] = 5
        assert s.data.tolist() == [1] * 4


class TestQuantized:
    @pytest.mark.parametrize("bits", range(2, 9))
    @pytest.mark.parametrize("granularity", ["tensor", "channel"])
    @pytest.mark.parametrize("shape", [(9, 31), (4, 3, 2, 2), (0, 3), (3, 0)], ids=str)
    def test_keeps_the_codes(self, bits, granularity, shape):
        q = paring.quantize(random_sparse(shape), bits, granularity)
        s = paring.sparsify(q)
        assert s.data.dtype == np.int8
        assert s.data.tolist() == q.codes()[q.codes() != 0].tolist()
        assert s.scale.tobytes() == np.broadcast_to(q.scale, (shape[0], 1)).tobytes()
        assert (s.dense() == q.dense()).all()

    def test_survives_an_overwritten_original(self):
        q = paring.quantize(random_sparse((5, 6)))
        s = paring.sparsify(q)
        before = s.dense()
        paring.quantize(np.full((5, 6), 99, F32), out=q)
        assert (s.dense() == before).all()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"symmetric": False}, "w: csr leaves code 0 out, which means 0 in a symmetric weight only"),
            ({"granularity": "group"}, "w: csr holds one scale a row; use granularity 'channel' or 'tensor'"),
        ],
        ids=str,
    )
    def test_unfit(self, arguments, message):
        with pytest.raises(ValueError, match=message + r".*\.dense\(\)"):
            paring.sparsify(paring.quantize(random_sparse((4, 4)), **arguments))

    def test_fewer_axes(self):
        with pytest.raises(
            ValueError, match=r"w: expected two or more axes \(rows and columns\), got shape \(5,\)"
        ):
            paring.sparsify(paring.quantize(np.ones(5, F32), granularity="tensor"))


def test_sparse_weight_passes_through():
    s = paring.sparsify(random_sparse((3, 4)))
    assert paring.sparsify(s) is s


class TestScipy:
    @pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr"])
    @pytest.mark.parametrize("kind", ["array", "matrix"])
    @pytest.mark.parametrize("dtype", [F32, np.float64])
    def test_forms(self, form, kind, dtype):
        w = random_sparse((8, 10), dtype=dtype)
        s = paring.sparsify(getattr(scipy.sparse, f"{form}_{kind}")(w))
        assert s == paring.sparsify(w)

    @pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1)], ids=str)
    def test_empty(self, shape):
        assert paring.sparsify(scipy.sparse.csr_array(shape, dtype=F32)) == paring.sparsify(
            np.zeros(shape, F32)
        )

    def test_unsorted_duplicates_and_stored_zeros(self):
        data, indices = np.array([1, 2, 3, 4, 0, 5, -5], F32), np.array([3, 0, 3, 1, 2, 1, 1])
        csr = scipy.sparse.csr_array((data, indices, np.array([0, 3, 3, 7])), shape=(3, 4))
        s = paring.sparsify(csr)
        assert s.data.tolist() == [2, 4, 4]
        assert s.indices.tolist() == [0, 3, 1]
        assert s.indptr.tolist() == [0, 2, 2, 3]
        assert csr.data.tolist() == data.tolist()  # not sorted in place

    def test_int64_indices_are_narrowed(self):
        csr = scipy.sparse.csr_array(random_sparse((8, 10)))
        csr.indices, csr.indptr = csr.indices.astype(np.int64), csr.indptr.astype(np.int64)
        assert paring.sparsify(csr).indices.dtype == np.int32

    def test_huge_column_takes_int64(self):
        coo = scipy.sparse.coo_array((np.ones(2, F32), ([0, 1], [5, 2**31 + 7])), shape=(2, 2**31 + 8))
        s = paring.sparsify(coo)
        assert s.indices.dtype == s.indptr.dtype == np.int64
        assert s.indices.tolist() == [5, 2**31 + 7]

    @pytest.mark.parametrize(("value", "text"), [(np.nan, "nan"), (np.inf, "inf"), (1e39, r"1e\+39")])
    def test_not_finite(self, value, text):
        coo = scipy.sparse.coo_array(([1, 2, value], ([0, 2, 2], [1, 0, 3])), shape=(4, 5))
        with pytest.raises(
            ValueError, match=rf"w: expected finite values in the range of float32, got {text} at \[2, 3\]"
        ):
            paring.sparsify(coo)

    def test_misfits(self):
        with pytest.raises(TypeError, match="w: expected a sparse array of floats, got int64"):
            paring.sparsify(scipy.sparse.eye_array(3, dtype=np.int64))
        with pytest.raises(ValueError, match=r"w: expected two axes, got shape \(5,\)"):
            paring.sparsify(scipy.sparse.coo_array(np.ones(5, F32)))


class TestBadInput:
    @pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, F32, np.float64])
    @pytest.mark.parametrize(
        ("value", "name"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "-infinity")], ids=str
    )
    def test_not_finite(self, dtype, value, name):
        w = random_sparse((5, 6)).astype(dtype)
        w[3, 4] = value
        before = w.tobytes()
        with pytest.raises(ValueError, match=rf"w: expected finite values, got {name} at \[3, 4\]"):
            paring.sparsify(w)
        assert w.tobytes() == before

    def test_beyond_float32(self):
        with pytest.raises(
            ValueError, match=r"w: expected values in the range of float32.*got -1e\+300 at \[0, 1\]"
        ):
            paring.sparsify(np.array([[0, -1e300]]))

    @pytest.mark.parametrize("shape", [(), (3,)], ids=str)
    def test_fewer_axes(self, shape):
        with pytest.raises(ValueError, match=r"w: expected two or more axes \(rows and columns\), got shape"):
            paring.sparsify(np.ones(shape, F32))

    @pytest.mark.parametrize("w", [np.ones((2, 2), int), np.ones((2, 2), bool), [[1.0]], None], ids=repr)
    def test_not_floats(self, w):
        with pytest.raises(TypeError, match="w: expected a"):
            paring.sparsify(w)
