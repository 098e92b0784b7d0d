"""`paring.prune`: which weights go."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import paring
import reference
from compression_cases import BFLOAT16, FLOAT_DTYPES, assert_same_bits, random_weights

SHAPES = [(), (0,), (1,), (7,), (3, 5), (0, 4), (2, 3, 4), (70, 33)]


def prune_smallest(w, count):
    return reference.prune_smallest([np.asarray(w)], count)[0]


@pytest.mark.parametrize("dtype", FLOAT_DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
class TestCriteria:
    def test_threshold(self, dtype, shape):
        w = random_weights(shape, dtype)
        expected = np.where(np.abs(w.astype(np.float64)) < 1.25, np.zeros((), dtype), w)
        assert_same_bits(paring.prune(w, threshold=1.25), expected)

    @pytest.mark.parametrize("sparsity", [0, 0.1, 0.5, 0.77, 1])
    def test_sparsity(self, dtype, shape, sparsity):
        w = random_weights(shape, dtype)
        got = paring.prune(w, sparsity=sparsity)
        assert_same_bits(got, prune_smallest(w, round(sparsity * w.size)))

    def test_threshold_std(self, dtype, shape):
        w = random_weights(shape, dtype)
        threshold = 0.7 * w.astype(np.float64).std() if w.size else 0
        expected = np.where(np.abs(w.astype(np.float64)) < threshold, np.zeros((), dtype), w)
        assert_same_bits(paring.prune(w, threshold_std=0.7), expected)

    @pytest.mark.parametrize("structure", ["1:2", "2:4", "3:4", "4:8", "1:3"])
    def test_structure(self, dtype, shape, structure):
        n, m = map(int, structure.split(":"))
        w = random_weights((*shape, 2 * m), dtype)
        assert_same_bits(paring.prune(w, structure=structure), reference.prune_n_of_m(w, n, m))

    def test_input_is_not_changed(self, dtype, shape):
        w = random_weights(shape, dtype)
        before = w.tobytes()
        for criterion in ({"threshold": 1}, {"sparsity": 0.5}, {"threshold_std": 1}):
            assert not np.shares_memory(paring.prune(w, **criterion), w)
        assert w.tobytes() == before


class TestThreshold:
    @pytest.mark.parametrize("dtype", FLOAT_DTYPES, ids=str)
    def test_equal_stays(self, dtype):
        w = np.array([0.1, -0.1, 0.3, -0.3, 0], dtype)
        for i in range(4):
            kept = paring.prune(w, threshold=abs(float(w[i])))
            assert_same_bits(kept, np.where(np.abs(w.astype(float)) < abs(float(w[i])), dtype.type(0), w))
            assert kept[i] == w[i]

    @pytest.mark.parametrize("dtype", FLOAT_DTYPES, ids=str)
    def test_is_the_real_number_given_and_not_its_rounding(self, dtype):
        w = np.array([1, 1], dtype)
        step = float(np.finfo(dtype).eps if dtype != BFLOAT16 else ml_dtypes.finfo(BFLOAT16).eps)
        if dtype != np.float64:
            assert paring.prune(w, threshold=1 + step / 1024).tolist() == [0, 0]
            assert paring.prune(w, threshold=1 - step / 1024).tolist() == [1, 1]
        assert paring.prune(w, threshold=1 + step).tolist() == [0, 0]

    @pytest.mark.parametrize("dtype", FLOAT_DTYPES, ids=str)
    def test_corners(self, dtype):
        info = ml_dtypes.finfo(dtype)
        tiny, largest = float(info.smallest_subnormal), float(info.max)
        w = np.array([0, tiny, -tiny, 1, largest, -largest], dtype)
        assert paring.prune(w, threshold=0).tobytes() == w.tobytes()
        assert paring.prune(w, threshold=-0.0).tobytes() == w.tobytes()
        assert paring.prune(w, threshold=tiny).tobytes() == w.tobytes()
        assert paring.prune(w, threshold=2 * tiny).tolist() == [0, 0, 0, 1, largest, -largest]
        assert paring.prune(w, threshold=largest).tolist() == [0, 0, 0, 0, largest, -largest]
        if dtype != np.float64:
            assert paring.prune(w, threshold=2 * largest).tolist() == [0] * 6
            assert paring.prune(w, threshold=1e300).tolist() == [0] * 6
            assert paring.prune(w, threshold=5e-324).tobytes() == w.tobytes()

    def test_negative_zero_stays_where_nothing_goes_and_becomes_zero_where_it_goes(self):
        w = np.array([-0.0, 1], np.float32)
        assert np.signbit(paring.prune(w, threshold=0))[0]
        assert not np.signbit(paring.prune(w, threshold=0.5))[0]

    @pytest.mark.parametrize("dtype", FLOAT_DTYPES[:3], ids=str)
    def test_between_any_two_neighbours(self, dtype):
        rng = np.random.default_rng(0)
        finite = 0x7C00 if dtype == np.float16 else 0x7F80
        shift = 8 * (dtype.itemsize - 2)
        bits = (rng.integers(0, finite, 500) << shift) + rng.integers(0, 1 << shift, 500)
        lower, upper = (bits.astype(f"u{dtype.itemsize}") + i for i in (0, 1))
        for low, high in zip(lower.view(dtype), upper.view(dtype), strict=True):
            if not np.isfinite(high):
                continue
            a, b = float(low), float(high)
            for threshold in (a + (b - a) / 4, (a + b) / 2, np.nextafter(a, b), np.nextafter(b, a)):
                kept = paring.prune(np.array([low, high], dtype), threshold=float(threshold))
                assert kept.astype(float).tolist() == [0, b]

    @given(
        hnp.arrays(np.float32, st.integers(0, 40), elements=st.floats(-4, 4, width=32)),
        st.floats(0, 5, allow_subnormal=True),
    )
    def test_against_numpy(self, w, threshold):
        expected = np.where(np.abs(w.astype(np.float64)) < threshold, np.float32(0), w)
        assert_same_bits(paring.prune(w, threshold=threshold), expected)


class TestSparsity:
    @given(
        hnp.arrays(np.float32, st.integers(0, 60), elements=st.floats(-3, 3, width=16)),
        st.floats(0, 1),
    )
    def test_exact_count_and_ties(self, w, sparsity):
        count = round(sparsity * w.size)
        got = paring.prune(w, sparsity=sparsity)
        assert_same_bits(got, prune_smallest(w, count))
        zeros_before = int(np.count_nonzero(w == 0))
        assert np.count_nonzero(got == 0) == max(count, zeros_before)

    def test_half_goes_to_even(self):
        w = np.arange(1, 6, dtype=np.float32)
        assert np.count_nonzero(paring.prune(w, sparsity=0.5)) == 3  # round(2.5) == 2 go
        assert np.count_nonzero(paring.prune(w[:3], sparsity=0.5)) == 1  # round(1.5) == 2 go

    def test_ties_go_in_order(self):
        w = np.array([1, -1, 1, -1, 2], np.float32)
        assert paring.prune(w, sparsity=0.4).tolist() == [0, 0, 1, -1, 2]

    def test_zeros_count(self):
        w = np.array([0, 5, -0.0, 6, 7, 8], np.float32)
        assert paring.prune(w, sparsity=0.5).tolist() == [0, 0, 0, 6, 7, 8]

    def test_row_major_order_of_the_array_not_of_its_memory(self):
        w = np.asfortranarray(np.ones((2, 3), np.float32))
        assert paring.prune(w, sparsity=0.5).tolist() == [[0, 0, 0], [1, 1, 1]]


class TestStructure:
    def test_last_axis_of_any_array(self):
        w = np.array([[[1, 2], [4, 3]], [[-5, 6], [7, -8]]], np.float32)
        assert paring.prune(w, structure="1:2").tolist() == [[[0, 2], [4, 0]], [[0, 6], [0, -8]]]

    def test_equal_ones_go_in_order(self):
        assert paring.prune(np.ones(4, np.float32), structure="2:4").tolist() == [0, 0, 1, 1]

    def test_indivisible(self):
        with pytest.raises(
            ValueError, match=r"w: structure: expected a last axis divisible by 4, got shape \(3, 6\)"
        ):
            paring.prune(np.ones((3, 6), np.float32), structure="2:4")
        with pytest.raises(ValueError, match=r"w: structure: .* got shape \(\)"):
            paring.prune(np.float32(1), structure="2:4")

    @pytest.mark.parametrize(
        "structure", ["2", "4:4", "0:4", "5:4", "2:4:8", "-1:4", "a:b", "2 : 4", "", "٢:٤"]
    )
    def test_bad_text(self, structure):
        with pytest.raises(ValueError, match="structure: expected 'n:m' with 1 <= n < m, such as '2:4', got"):
            paring.prune(np.ones(8, np.float32), structure=structure)

    def test_not_text(self):
        with pytest.raises(TypeError, match=r"structure: expected a str such as '2:4', got tuple \(2, 4\)"):
            paring.prune(np.ones(8, np.float32), structure=(2, 4))


class TestThresholdStd:
    def test_constant_weights_have_none(self):
        w = np.full(9, 0.5, np.float32)
        assert paring.prune(w, threshold_std=3).tobytes() == w.tobytes()

    def test_beyond_float64(self):
        with pytest.raises(
            ValueError, match=r"w: threshold_std: the variance is beyond float64; give threshold"
        ):
            paring.prune(np.array([1e300, -1e300]), threshold_std=1)
        with pytest.raises(
            ValueError, match=r"'a': threshold_std: the variance is beyond float64; give threshold"
        ):
            paring.prune({"a": np.array([1e300]), "b": np.array([-1e300])}, threshold_std=1, scope="global")

    def test_global_is_of_all_weights(self):
        w = {
            "a": random_weights((5, 7)),
            "b": 100 * random_weights((6,), seed=1),
            "c": np.zeros((0,), np.float32),
        }
        together = np.concatenate([a.ravel() for a in w.values()]).astype(np.float64)
        for multiple in (0.01, 0.3, 1):
            got = paring.prune(w, threshold_std=multiple, scope="global")
            for name, array in w.items():
                expected = np.where(np.abs(array) < multiple * together.std(), np.float32(0), array)
                assert_same_bits(got[name], expected)
