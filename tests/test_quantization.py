"""`paring.quantize`: the codes and scales it gives, and what they mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import paring
import reference

F32 = np.float32
TINY = np.finfo(F32).tiny
ALL_BITS = range(2, 9)


def assert_is_reference(q, matrix, convention="paring"):
    """`q` must hold what the reference gives for a matrix of channels, and dense() what that means."""
    codes, scales, zero_points = reference.quantize_weight(
        matrix, q.bits, q.granularity == "tensor", q.group_size or 0, q.symmetric, convention
    )
    got = np.moveaxis(q.codes(), q.axis, 0).reshape(matrix.shape)
    assert (got == codes).all()
    assert q.scale.tobytes() == scales.tobytes()
    assert q.symmetric or (q.zero_point == zero_points).all()
    if q.granularity == "group":
        scales, zero_points = (
            np.repeat(a, q.group_size, 1)[:, : matrix.shape[1]] for a in (scales, zero_points)
        )
    dense = (codes.astype(np.int32) - (0 if q.symmetric else zero_points)).astype(F32) * scales
    assert (np.moveaxis(q.dense(), q.axis, 0).reshape(matrix.shape) == dense).all()


GRANULARITIES = [("tensor", 32), ("channel", 32), ("group", 5), ("group", 16), ("group", 1000)]


@pytest.mark.parametrize("bits", ALL_BITS)
@pytest.mark.parametrize(("granularity", "group_size"), GRANULARITIES)
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("convention", ["paring", "compressed-tensors"])
class TestAgainstReference:
    def test_matrix(self, bits, granularity, group_size, symmetric, convention, rng):
        w = rng.standard_normal((7, 37)).astype(F32)
        w[1] = np.abs(w[1]) + 3  # one side of zero
        w[2] = 0
        w[3] = w[3] * F32(1e-40)  # denormal
        w[4] = rng.integers(-8, 8, 37)  # half-way cases
        q = paring.quantize(w, bits, granularity, group_size, symmetric, convention=convention)
        assert (q.bits, q.granularity, q.symmetric, q.axis, q.shape) == (
            bits,
            granularity,
            symmetric,
            0,
            (7, 37),
        )
        assert q.group_size == (group_size if granularity == "group" else None)
        assert_is_reference(q, w, convention)

    @pytest.mark.parametrize("axis", [0, 1, 2, 3, -1, -4])
    def test_axis(self, bits, granularity, group_size, symmetric, convention, axis, rng):
        w = rng.standard_normal((2, 3, 4, 3)).astype(F32)
        q = paring.quantize(w, bits, granularity, group_size, symmetric, axis, convention)
        assert q.axis == axis % 4
        assert q.shape == w.shape == q.dense().shape
        assert_is_reference(q, np.moveaxis(w, axis, 0).reshape(w.shape[axis], -1), convention)


class TestMeaning:
    def test_symmetric_8_bits(self):
        q = paring.quantize(np.array([[-2.54, 1.27, 0.01, 0.02]], F32))
        assert q.scale[0, 0] == F32(2.54) / F32(127)
        assert q.codes().tolist() == [[-127, 64, 0, 1]]  # of 63.5 and 0.5 the even neighbours

    @pytest.mark.parametrize("sign", [1, -1])
    def test_symmetric_4_bits_uses_all_codes(self, sign):
        w = F32(sign) * np.array([[-8, 7.9, 3, -3]], F32)
        q = paring.quantize(w, 4)
        assert q.scale[0, 0] == sign
        assert q.codes().tolist() == [[-8, 7, 3, -3]]

    def test_tie_of_largest_magnitudes_is_exact_at_the_negative_one(self):
        q = paring.quantize(np.array([[4, -4, 1]], F32), 4)
        assert q.scale[0, 0] == 0.5
        assert q.codes().tolist() == [[7, -8, 2]]

    @pytest.mark.parametrize("bits", ALL_BITS)
    def test_asymmetric_keeps_zero(self, bits, rng):
        w = rng.uniform(-0.3, 1, (20, 33)).astype(F32)
        w[rng.random(w.shape) < 0.3] = 0
        q = paring.quantize(w, bits, symmetric=False)
        assert (q.dense()[w == 0] == 0).all()

    def test_asymmetric_is_better_on_one_side(self, rng):
        w = rng.uniform(2, 3, (20, 33)).astype(F32)
        errors = [np.abs(paring.quantize(w, 4, symmetric=s).dense() - w).max() for s in (True, False)]
        assert errors[1] < errors[0]

    @given(
        hnp.arrays(
            F32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.floats(-100, 100, width=32)
        ),
        st.sampled_from(ALL_BITS),
        st.sampled_from(GRANULARITIES),
        st.booleans(),
    )
    def test_error_is_half_a_scale_inside_the_range(self, w, bits, how, symmetric):
        q = paring.quantize(w, bits, *how, symmetric=symmetric)
        scale = np.repeat(q.scale, q.group_size, 1)[:, : w.shape[1]] if q.group_size else q.scale
        zero_point = 0
        if not symmetric:
            zero_point = q.zero_point.astype(int)
            zero_point = (
                np.repeat(zero_point, q.group_size, 1)[:, : w.shape[1]] if q.group_size else zero_point
            )
        exact = w.astype(np.float64) / scale.astype(np.float64) + zero_point
        low = -127 if symmetric and bits == 8 else -(2 ** (bits - 1))
        inside = (exact >= low - 0.5) & (exact <= 2 ** (bits - 1) - 0.5)
        error = np.abs(w.astype(np.float64) - q.dense().astype(np.float64))
        # Two roundings of float32: of the quotient and of the product.
        bound = np.abs(scale.astype(np.float64)) / 2 + 2 * np.finfo(F32).eps * (np.abs(w) + np.abs(scale))
        assert (error <= bound)[inside].all()
        # Outside lies what the short side of an even number of codes cuts off.
        assert (error <= 1.01 * np.abs(scale.astype(np.float64)) + 1e-30).all()


class TestDenormal:
    @pytest.mark.parametrize("bits", ALL_BITS)
    @pytest.mark.parametrize("symmetric", [True, False])
    @pytest.mark.parametrize("value", [0.0, -0.0, 1e-45, -1e-45, 1e-40, float(TINY)])
    def test_scale_is_one(self, bits, symmetric, value):
        w = np.ones((3, 16), F32)
        w[1] = F32(value)
        q = paring.quantize(w, bits, symmetric=symmetric)
        assert q.scale[1, 0] == 1
        assert (q.codes()[1] == 0).all()
        assert (q.dense()[1] == 0).all()
        assert np.isfinite(q.scale).all()

    @pytest.mark.parametrize("bits", ALL_BITS)
    @pytest.mark.parametrize("symmetric", [True, False])
    def test_whole_range(self, bits, symmetric):
        largest = np.finfo(F32).max
        w = np.array([[largest, -largest, 0, 1]], F32)
        q = paring.quantize(w, bits, symmetric=symmetric)
        codes, scales, zero_points = reference.quantize_weight(w, bits, False, 0, symmetric, "paring")
        assert np.isfinite(q.scale).all()
        assert q.scale.tobytes() == scales.tobytes()
        assert (q.codes() == codes).all()
        assert symmetric or (q.zero_point == zero_points).all()


@pytest.mark.parametrize("bits", ALL_BITS)
@pytest.mark.parametrize("symmetric", [True, False])
def test_next_to_the_largest_float32_every_code_decodes_to_a_finite_value(bits, symmetric):
    huge = float(np.finfo(F32).max)
    for w in ([[-huge, -huge]], [[huge, -huge]], [[huge, 0.0]], [[3e38, -3e38]], [[huge, huge / 3]]):
        dense = paring.quantize(np.array(w, F32), bits, symmetric=symmetric).dense()
        assert np.isfinite(dense).all()
        assert np.abs(dense.astype(np.float64) - w).max() <= 2 * huge / (2**bits - 2)
