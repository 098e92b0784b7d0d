"""Every row of the gemm table against NumPy: shapes around its tile, corner values, memory that ends at a wall."""

import numpy as np
import pytest

import reference
from gemm_cases import KERNELS, pack, parametrize, random_codes, run, same
from paring import _core
from protected_page import ending_at_wall
from shapes import gemm_shapes

ACTIVATIONS = ("relu", "gelu", "silu")


def allowed_error(plain, truth, activation):
    """Bound of an activation's error: some ulp of the result; gelu's tail adds the rounding of z*z/2 in exp(-z*z/2),
    and results whose magnitude is below 1e-33 may be replaced by others below it.
    """
    relative = {"relu": 0.0, "silu": 4e-7, "gelu": 5e-7 + 2**-23 * np.square(plain, dtype=np.float64) / 2}
    return relative[activation] * np.abs(truth) + 1e-33


def test_every_level_has_a_row_of_each_kind():
    kinds = {(k["weight_type"], k["compute"]) for k in KERNELS if not k["needs"]}
    assert kinds == {("u8", "int8"), ("u4", "int8")} | {
        (weight_type, "float32") for weight_type in ("u8", "u4", "f32", "f16", "bf16")
    }


@parametrize("u8", "u4")
@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
def test_integer_kernel_equals_numpy(kernel, symmetric, rng):
    widths = (4, 3, 2) if kernel["weight_type"] == "u4" else (8, 5)
    for m, n, k in gemm_shapes(kernel):
        for bits in widths:
            for group_size in (0, 3, 32):
                groups = -(-k // group_size) if group_size else 1
                codes = random_codes(rng, n, k, bits)
                scale = (rng.standard_normal((n, groups)) * 0.1).astype(np.float32)
                zero_point = None if symmetric else random_codes(rng, n, groups, bits)
                bias = rng.standard_normal(n).astype(np.float32) if n % 2 else None
                x = (rng.standard_normal((m, k)) * 3).astype(np.float32)
                packed = pack(kernel, codes, scale, zero_point, bits, group_size, bias)
                expected = reference.quantized_linear(x, codes, scale, zero_point, group_size, bias)
                assert same(run(packed, x, n), expected), (m, n, k, bits, group_size)


@parametrize("u8", "u4")
def test_corner_values_do_not_saturate(kernel, rng):
    bits = 4 if kernel["weight_type"] == "u4" else 8
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    n, k = kernel["nr"] + 1, 40 * kernel["kr"]
    scale = np.ones((n, 1), np.float32)
    for x_value in (-1.0, 1.0):
        for code in (low, high):
            for zero_point in (None, low, high):
                codes = np.full((n, k), code, np.int8)
                points = None if zero_point is None else np.full((n, 1), zero_point, np.int8)
                x = np.full((2, k), x_value, np.float32)
                expected = reference.quantized_linear(x, codes, scale, points, 0)
                assert same(run(pack(kernel, codes, scale, points, bits, 0), x, n), expected)
    one_hot = np.zeros((k, k), np.float32)
    np.fill_diagonal(one_hot, 1.0)
    codes = random_codes(rng, n, k, bits)
    out = run(pack(kernel, codes, scale, None, bits, 0), one_hot, n)
    assert np.array_equal(out, reference.quantized_linear(one_hot, codes, scale, None, 0))


@parametrize("u8")
def test_longest_sum_fits_and_one_more_is_refused(kernel):
    k = 65536
    codes = np.full((1, k), -128, np.int8)
    scale, points = np.ones((1, 1), np.float32), np.full((1, 1), 127, np.int8)
    x = np.ones((1, k), np.float32)
    expected = reference.quantized_linear(x, codes, scale, points, 0)
    assert same(run(pack(kernel, codes, scale, points, 8, 0), x, 1), expected)
    with pytest.raises(ValueError, match="in_features: integer sums of more than 65536 columns"):
        pack(kernel, np.zeros((1, k + 1), np.int8), scale, None, 8, 0)


@parametrize("f32")
def test_float_kernel_is_one_chain_of_fused_multiply_adds(kernel, rng):
    for m, n, k in gemm_shapes(kernel):
        x = rng.standard_normal((m, k)).astype(np.float32)
        weight = rng.standard_normal((n, k)).astype(np.float32)
        bias = rng.standard_normal(n).astype(np.float32) if n % 2 else None
        packed = _core.PackedMatrix.from_floats(weight, bias, kernel=kernel["name"])
        assert same(run(packed, x, n), reference.float_linear(x, weight, bias)), (m, n, k)


@parametrize("f32")
def test_float_kernel_follows_ieee(kernel):
    weight = np.array([[1.0, 1e30, -0.0]], np.float32)
    packed = _core.PackedMatrix.from_floats(weight, None, kernel=kernel["name"])
    x = np.array([[np.nan, 0, 0], [np.inf, 0, 0], [0, 1e30, 0], [-0.0, 0, 1]], np.float32)
    out = run(packed, x, 1).ravel()
    assert np.isnan(out[0]) and out[1] == np.inf and out[2] == np.inf
    assert out[3] == 0 and not np.signbit(out[3])  # the epilogue adds +0


@parametrize("u8", "u4", "f32")
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activation_is_the_same_on_every_level_and_accurate(kernel, activation, rng):
    n, k, m = 5, 16, 400
    codes = random_codes(rng, n, k, 4)
    scale = np.full((n, 1), 0.05, np.float32)
    x = (rng.standard_normal((m, k)) * np.geomspace(1e-3, 12, m)[:, None]).astype(np.float32)

    def layer(row):
        if kernel["weight_type"] == "f32":
            return _core.PackedMatrix.from_floats(codes * scale, None, kernel=row["name"])
        return pack(row, codes, scale, None, 4 if kernel["weight_type"] == "u4" else 8, 0)

    plain, out = run(layer(kernel), x, n), run(layer(kernel), x, n, activation)
    truth = reference.activate(plain, activation)
    assert np.all(np.abs(out - truth) <= allowed_error(plain, truth, activation))
    kind = (kernel["weight_type"], kernel["compute"])
    scalar = next(k for k in KERNELS if (k["weight_type"], k["compute"]) == kind and not k["needs"])
    assert same(out, run(layer(scalar), x, n, activation))


@parametrize("f32")
def test_activations_at_the_ends_of_the_range(kernel):
    packed = _core.PackedMatrix.from_floats(np.ones((1, 1), np.float32), None, kernel=kernel["name"])
    x = np.array([-np.inf, -1e30, -200, -0.0, 0, 1e-40, 200, 1e30, np.inf, np.nan], np.float32)[:, None]
    for activation in ACTIVATIONS:
        out = run(packed, x, 1, activation).ravel()
        assert np.all(np.abs(out[:5]) < 1e-30) and np.isfinite(out[:5]).all()
        assert np.array_equal(out[6:9], x.ravel()[6:9])
        assert np.isnan(out[9])


@parametrize("u8", "u4")
def test_rows_that_cannot_be_quantized(kernel):
    codes = np.array([[1, -2, 3, 4, 5]], np.int8)
    packed = pack(
        kernel, codes, np.ones((1, 1), np.float32), None, 4 if kernel["weight_type"] == "u4" else 8, 0
    )
    x = np.zeros((6, 5), np.float32)
    x[1, 2], x[2, 0], x[3, 4] = np.nan, np.inf, -np.inf
    x[4, :3] = 2e-44, 1e-44, 1e-44
    x[5, :3] = 1.5e-36, 1e-36, 1.5e-36
    out = run(packed, x, 1).ravel()
    assert out[0] == 0 and not np.signbit(out[0])
    assert np.isnan(out[1:4]).all()
    assert out[4] == np.float32(2e-44)  # the exact value; the scale of the others would be denormal
    assert same(out[5:, None], reference.quantized_linear(x[5:], codes, np.ones((1, 1), np.float32), None, 0))


@parametrize("u8", "u4", "f32")
def test_packing_is_reversible(kernel, rng):
    for _, n, k in gemm_shapes(kernel):
        if kernel["weight_type"] == "f32":
            weight = rng.standard_normal((n, k)).astype(np.float32)
            packed = _core.PackedMatrix.from_floats(weight, None, kernel=kernel["name"])
            assert same(packed.unpack_floats(), weight)
            continue
        bits = 4 if kernel["weight_type"] == "u4" else 8
        for group_size in (0, 5, 32):
            codes = random_codes(rng, n, k, bits)
            scale = np.ones((n, -(-k // group_size) if group_size else 1), np.float32)
            packed = pack(kernel, codes, scale, None, bits, group_size)
            assert np.array_equal(packed.unpack_codes(), codes.astype(np.int16) + 2 ** (bits - 1))


@parametrize("u8", "u4", "f32")
def test_memory_that_ends_at_a_wall(kernel, rng):
    for m, n, k in [(1, 1, 1), (3, 5, 7), (kernel["mr"] + 1, kernel["nr"] + 1, 4 * kernel["kr"] + 1)]:
        x = ending_at_wall(rng.standard_normal((m, k)).astype(np.float32))
        out = ending_at_wall(np.zeros((m, n), np.float32))
        bias = ending_at_wall(np.ones(n, np.float32))
        if kernel["weight_type"] == "f32":
            weight = ending_at_wall(rng.standard_normal((n, k)).astype(np.float32))
            packed = _core.PackedMatrix.from_floats(weight, bias, kernel=kernel["name"])
            expected = reference.float_linear(x, weight, bias)
        else:
            bits = 4 if kernel["weight_type"] == "u4" else 8
            codes = random_codes(rng, n, k, bits)
            scale = ending_at_wall(np.ones((n, 1), np.float32))
            data = ending_at_wall(codes if bits == 8 else _core.pack_codes(codes, bits))
            packed = _core.PackedMatrix.from_codes(data, scale, None, bits, k, 0, bias, kernel=kernel["name"])
            expected = reference.quantized_linear(x, codes, scale, None, 0, bias)
        packed.run(x, out, "")
        assert same(np.array(out), expected)


@parametrize("u8", "u4", "f32")
def test_bytes_do_not_depend_on_threads_or_batch(kernel, rng):
    m, n, k = 67, 3 * kernel["nr"] + 5, 301
    x = rng.standard_normal((m, k)).astype(np.float32)
    if kernel["weight_type"] == "f32":
        packed = _core.PackedMatrix.from_floats(
            rng.standard_normal((n, k)).astype(np.float32), None, kernel=kernel["name"]
        )
    else:
        bits = 4 if kernel["weight_type"] == "u4" else 8
        scale = rng.random((n, 10)).astype(np.float32)
        packed = pack(kernel, random_codes(rng, n, k, bits), scale, None, bits, 32)
    before = _core.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3, 7):
            _core.set_num_threads(threads)
            results.append(run(packed, x, n, "gelu"))
    finally:
        _core.set_num_threads(before)
    assert all(same(results[0], other) for other in results[1:])
    for rows in (1, 2, 5):
        assert same(results[0][:rows], run(packed, x[:rows].copy(), n, "gelu"))


def test_zero_sizes():
    packed = _core.PackedMatrix.from_floats(np.zeros((3, 0), np.float32), np.arange(3, dtype=np.float32))
    assert np.array_equal(run(packed, np.zeros((2, 0), np.float32), 3), [[0, 1, 2]] * 2)
    packed = _core.PackedMatrix.from_floats(np.zeros((0, 4), np.float32), None)
    assert run(packed, np.zeros((2, 4), np.float32), 0).shape == (2, 0)
    packed = pack({"name": ""}, np.zeros((3, 0), np.int8), np.ones((3, 1), np.float32), None, 8, 0)
    assert np.array_equal(run(packed, np.zeros((2, 0), np.float32), 3), np.zeros((2, 3)))
    assert run(packed, np.zeros((0, 0), np.float32), 3).shape == (0, 3)


def test_a_kernel_refuses_what_is_not_its_own():
    f32 = next(k["name"] for k in KERNELS if k["weight_type"] == "f32")
    with pytest.raises(ValueError, match=f"kernel: '{f32}' is for another kind of weight"):
        pack({"name": f32}, np.zeros((1, 1), np.int8), np.ones((1, 1), np.float32), None, 8, 0)
    for compute, other in (("int8", "float32"), ("float32", "int8")):
        row = next(k["name"] for k in KERNELS if k["weight_type"] == "u8" and k["compute"] == other)
        with pytest.raises(ValueError, match=f"kernel: '{row}' multiplies x as {other}"):
            pack(
                {"name": row},
                np.zeros((1, 1), np.int8),
                np.ones((1, 1), np.float32),
                None,
                8,
                0,
                compute=compute,
            )
    with pytest.raises(ValueError, match="compute: expected float32 or int8, got 'int4'"):
        pack({"name": ""}, np.zeros((1, 1), np.int8), np.ones((1, 1), np.float32), None, 8, 0, compute="int4")
    with pytest.raises(ValueError, match="kernel: unknown name 'gemm_x'"):
        _core.PackedMatrix.from_floats(np.zeros((1, 1), np.float32), None, kernel="gemm_x")
    with pytest.raises(
        TypeError, match="weight: expected a C-contiguous float32 array of 2 axes, got float64"
    ):
        _core.PackedMatrix.from_floats(np.zeros((1, 1)), None)
