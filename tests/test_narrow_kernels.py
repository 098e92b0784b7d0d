"""Rows of the gemm table that leave x in float32, over codes and 16-bit floats: the bytes of the float32 layer."""

import ml_dtypes
import numpy as np
import pytest

import reference
from gemm_cases import KERNELS, pack, parametrize, random_codes, run, same
from paring import _core
from protected_page import ending_at_wall
from shapes import gemm_shapes

LARGEST = np.finfo(np.float32).max
HALF_DTYPES = {"f16": np.float16, "bf16": ml_dtypes.bfloat16}

codes_in_float32 = parametrize("u8", "u4", compute="float32")
halves = parametrize("f16", "bf16")


def bits_of(kernel):
    return 4 if kernel["weight_type"] == "u4" else 8


def exact(kernel, codes, scale, zero_point, bits, group_size, bias=None):
    return pack(kernel, codes, scale, zero_point, bits, group_size, bias, compute="float32")


def pack_halves(kernel, weight, bias=None):
    return _core.PackedMatrix.from_halves(
        weight.view(np.uint16), bias, bfloat16=kernel["weight_type"] == "bf16", kernel=kernel["name"]
    )


def scalar_float32(weight, bias=None):
    name = next(k["name"] for k in KERNELS if k["weight_type"] == "f32" and not k["needs"])
    return _core.PackedMatrix.from_floats(weight, bias, kernel=name)


def shapes(kernel):
    """Those around a tile, and some where a single tile takes several panels at once and some are left."""
    yield from gemm_shapes(kernel)
    for m, panels in ((1, 4), (1, 6), (2, 2), (3, 3), (kernel["mr"], 2)):
        yield m, panels * kernel["nr"] + 5, 2 * kernel["kr"] + 3


@codes_in_float32
@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
def test_codes_give_the_bytes_of_the_float32_layer(kernel, symmetric, rng):
    widths = (4, 3, 2) if kernel["weight_type"] == "u4" else (8, 5)
    for m, n, k in shapes(kernel):
        for bits in widths:
            for group_size in (0, 3, 8, 13, 32):
                groups = -(-k // group_size) if group_size else 1
                codes = random_codes(rng, n, k, bits)
                scale = (rng.standard_normal((n, groups)) * 0.1).astype(np.float32)
                zero_point = None if symmetric else random_codes(rng, n, groups, bits)
                bias = rng.standard_normal(n).astype(np.float32) if n % 2 else None
                x = (rng.standard_normal((m, k)) * 3).astype(np.float32)
                out = run(exact(kernel, codes, scale, zero_point, bits, group_size, bias), x, n)
                weight = reference.dense(codes, scale, zero_point, group_size)
                assert same(out, run(scalar_float32(weight, bias), x, n)), (m, n, k, bits, group_size)
                if group_size in (0, 13):  # NumPy takes its time
                    assert same(out, reference.float_linear(x, weight, bias)), (m, n, k, bits, group_size)


@codes_in_float32
@pytest.mark.parametrize("group_size", [0, 7, 100, 1500])
def test_blocks_of_k_may_cut_groups(kernel, group_size, rng):
    n, k = 2 * kernel["nr"] + 3, 2085
    groups = -(-k // group_size) if group_size else 1
    codes = random_codes(rng, n, k, bits_of(kernel))
    scale = rng.standard_normal((n, groups)).astype(np.float32)
    for zero_point in (None, random_codes(rng, n, groups, bits_of(kernel))):
        packed = exact(kernel, codes, scale, zero_point, bits_of(kernel), group_size)
        dense = scalar_float32(reference.dense(codes, scale, zero_point, group_size))
        for m in (1, 3 * kernel["mr"] + 1):
            x = rng.standard_normal((m, k)).astype(np.float32)
            assert same(run(packed, x, n), run(dense, x, n)), (m, zero_point is None)


@codes_in_float32
def test_corner_values_of_scales_and_x(kernel, rng):
    """Codes of -1 to 1, so that the largest scale gives finite weights; what pads a group would give infinite ones."""
    n, group_size, corners = (
        3 * kernel["nr"] + 1,
        5,
        [LARGEST, -LARGEST, 1e-45, -1e-40, 1.2e-38, -0.0, 0.0, 1.0],
    )
    k = group_size * len(corners) - 2
    codes = rng.integers(-1, 2, (n, k)).astype(np.int8)
    scale = np.stack([rng.permutation(corners) for _ in range(n)]).astype(np.float32)
    zero_point = random_codes(rng, n, len(corners), 2) // 2
    for points in (None, zero_point, np.ones_like(zero_point)):
        spread = codes if points is None else np.clip(codes + points.repeat(group_size, 1)[:, :k], -2, 1)
        spread = spread.astype(np.int8)
        packed = exact(kernel, spread, scale, points, bits_of(kernel), group_size)
        weight = reference.dense(spread, scale, points, group_size)
        assert np.isfinite(weight).all()
        for m in (1, 2, kernel["mr"] + 1):
            x = rng.choice([0.0, -0.0, 1e-45, -1e-39, 1e-3, -1.0, 2.0], (m, k)).astype(np.float32)
            assert np.array_equal(run(packed, x, n), reference.float_linear(x, weight), equal_nan=True), m
            x[0, 3], x[-1, 0] = np.inf, LARGEST
            assert np.array_equal(run(packed, x, n), run(scalar_float32(weight), x, n), equal_nan=True), m


@codes_in_float32
def test_a_group_may_be_longer_than_integer_sums_allow(kernel):
    k = 65537
    x = np.zeros((1, k), np.float32)
    x[0, [0, -1]] = 1e30, 3.0
    packed = exact(
        kernel, np.full((1, k), -2, np.int8), np.ones((1, 1), np.float32), None, bits_of(kernel), 0
    )
    assert run(packed, x, 1) == np.float32(-2e30)


@halves
def test_halves_give_the_bytes_of_the_float32_layer(kernel, rng):
    for m, n, k in shapes(kernel):
        weight = rng.standard_normal((n, k)).astype(HALF_DTYPES[kernel["weight_type"]])
        bias = rng.standard_normal(n).astype(np.float32) if n % 2 else None
        x = rng.standard_normal((m, k)).astype(np.float32)
        expected = reference.float_linear(x, weight.astype(np.float32), bias)
        assert same(run(pack_halves(kernel, weight, bias), x, n), expected), (m, n, k)
    m, n, k = 2 * kernel["mr"] + 1, kernel["nr"] + 1, 2085
    weight = rng.standard_normal((n, k)).astype(HALF_DTYPES[kernel["weight_type"]])
    x = rng.standard_normal((m, k)).astype(np.float32)
    assert same(run(pack_halves(kernel, weight), x, n), run(scalar_float32(weight.astype(np.float32)), x, n))


@halves
def test_every_finite_half_is_widened_exactly(kernel):
    values = np.arange(65536, dtype=np.uint16).view(HALF_DTYPES[kernel["weight_type"]])
    values = values[np.isfinite(values.astype(np.float32))].reshape(-1, 1)
    packed = pack_halves(kernel, values)
    for m in (1, 2, kernel["mr"] + 1):
        out = run(packed, np.ones((m, 1), np.float32), len(values))
        assert same(out, np.repeat(values.astype(np.float32).T + np.float32(0), m, axis=0))


@halves
def test_packing_halves_is_reversible(kernel, rng):
    for _, n, k in gemm_shapes(kernel):
        weight = rng.integers(0, 65536, (n, k)).astype(np.uint16)
        packed = pack_halves(kernel, weight)
        assert same(packed.unpack_halves(), weight)
        assert packed.nbytes <= 2 * (-(-n // kernel["nr"]) * kernel["nr"] * (k + 96))
        with pytest.raises(ValueError, match="unpack_floats: this matrix holds no float32"):
            packed.unpack_floats()
        with pytest.raises(ValueError, match="unpack_codes: this matrix holds floats"):
            packed.unpack_codes()


@codes_in_float32
def test_packing_codes_is_reversible(kernel, rng):
    bits = bits_of(kernel)
    for _, n, k in gemm_shapes(kernel):
        codes = random_codes(rng, n, k, bits)
        packed = exact(kernel, codes, np.ones((n, -(-k // 5)), np.float32), None, bits, 5)
        assert np.array_equal(packed.unpack_codes(), codes.astype(np.int16) + 2 ** (bits - 1))
    with pytest.raises(ValueError, match="unpack_halves: this matrix holds no 16-bit floats"):
        packed.unpack_halves()


@parametrize("u8", "u4", "f16", "bf16", compute="float32")
def test_memory_that_ends_at_a_wall(kernel, rng):
    for m, n, k in [(1, 1, 1), (3, 5, 7), (kernel["mr"] + 1, kernel["nr"] + 1, 4 * kernel["kr"] + 1)]:
        x = ending_at_wall(rng.standard_normal((m, k)).astype(np.float32))
        out = ending_at_wall(np.zeros((m, n), np.float32))
        bias = ending_at_wall(np.ones(n, np.float32))
        if kernel["weight_type"] in HALF_DTYPES:
            half = rng.standard_normal((n, k)).astype(HALF_DTYPES[kernel["weight_type"]])
            packed = pack_halves(kernel, ending_at_wall(half.view(np.uint16)), bias)
            weight = half.astype(np.float32)
        else:
            codes = random_codes(rng, n, k, bits_of(kernel))
            scale = ending_at_wall(rng.random((n, -(-k // 3))).astype(np.float32))
            data = codes if bits_of(kernel) == 8 else _core.pack_codes(codes, 4)
            packed = _core.PackedMatrix.from_codes(
                ending_at_wall(data),
                scale,
                None,
                bits_of(kernel),
                k,
                3,
                bias,
                compute="float32",
                kernel=kernel["name"],
            )
            weight = reference.dense(codes, scale, None, 3)
        packed.run(x, out, "")
        assert same(np.array(out), reference.float_linear(x, weight, bias))


@parametrize("u8", "u4", "f16", "bf16", compute="float32")
def test_bytes_do_not_depend_on_threads_or_batch(kernel, rng, any_threads):
    m, n, k = 67, 9 * kernel["nr"] + 5, 301
    x = rng.standard_normal((m, k)).astype(np.float32)
    if kernel["weight_type"] in HALF_DTYPES:
        packed = pack_halves(kernel, rng.standard_normal((n, k)).astype(HALF_DTYPES[kernel["weight_type"]]))
    else:
        scale = rng.random((n, 10)).astype(np.float32)
        packed = exact(kernel, random_codes(rng, n, k, bits_of(kernel)), scale, None, bits_of(kernel), 32)
    results = []
    for threads in (1, 2, 3, 7):
        _core.set_num_threads(threads)
        results.append(run(packed, x, n, "gelu"))
        for rows in (1, 2, 3, 5, kernel["mr"]):
            assert same(results[0][:rows], run(packed, x[:rows].copy(), n, "gelu"))
    assert all(same(results[0], other) for other in results[1:])


def test_zero_sizes():
    for n, k in ((3, 0), (0, 4)):
        x, expected = np.zeros((2, k), np.float32), np.zeros((2, n), np.float32)
        halves_packed = _core.PackedMatrix.from_halves(np.zeros((n, k), np.uint16), None, bfloat16=False)
        assert same(run(halves_packed, x, n), expected)
        codes = exact({"name": ""}, np.zeros((n, k), np.int8), np.ones((n, 1), np.float32), None, 8, 0)
        assert same(run(codes, x, n), expected)


def test_what_is_no_half_is_refused():
    row = next(k["name"] for k in KERNELS if k["weight_type"] == "bf16")
    with pytest.raises(ValueError, match=f"kernel: '{row}' is for another kind of weight"):
        _core.PackedMatrix.from_halves(np.zeros((1, 1), np.uint16), None, bfloat16=False, kernel=row)
    with pytest.raises(
        TypeError, match="weight: expected a C-contiguous uint16 array of 2 axes, got float32"
    ):
        _core.PackedMatrix.from_halves(np.zeros((1, 1), np.float32), None, bfloat16=False)
