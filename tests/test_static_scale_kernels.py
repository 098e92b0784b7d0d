"""Integer layers whose activations have one scale: int8 in, int8 out, residuals, zero points, and what they refuse."""

import numpy as np
import pytest

import paring
import reference
from paring import _core
from protected_page import ending_at_wall
from shapes import gemm_shapes
from test_gemm_kernels import pack, parametrize, random_codes, same


def run_scaled(packed, x, n, dtype=np.float32, activation="", **options):
    out = np.zeros((len(x), n), dtype)
    packed.run_scaled(x, out, activation, **options)
    return out


@pytest.fixture
def weight(rng):
    return rng.standard_normal((7, 12)).astype(np.float32)


@pytest.fixture
def x(rng):
    return rng.standard_normal((5, 12)).astype(np.float32)


@parametrize("u8", "u4")
@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
def test_kernels_equal_numpy(kernel, symmetric, rng):
    bits = 4 if kernel["weight_type"] == "u4" else 8
    for m, n, k in gemm_shapes(kernel):
        for group_size in (0, 32):
            groups = -(-k // group_size) if group_size else 1
            codes = random_codes(rng, n, k, bits)
            scale = (rng.standard_normal((n, groups)) * 0.1).astype(np.float32)
            zero_point = None if symmetric else random_codes(rng, n, groups, bits)
            bias = rng.standard_normal(n).astype(np.float32)
            packed = pack(kernel, codes, scale, zero_point, bits, group_size, bias)
            x = (rng.standard_normal((m, k)) * 3).astype(np.float32)
            rows = reference.quantize_rows_by(x, 0.03, 0)
            plain = reference.integer_linear(rows, codes, scale, zero_point, group_size, bias)
            place = (m, n, k, group_size)
            assert same(run_scaled(packed, x, n, input_scale=(0.03, 0)), plain), place
            x_codes = rows[0].astype(np.int8)
            assert same(run_scaled(packed, x_codes, n, input_scale=(0.03, 0)), plain), place
            residual = rng.standard_normal((m, n)).astype(np.float32)
            added = plain + residual + np.float32(0)
            assert same(run_scaled(packed, x_codes, n, input_scale=(0.03, 0), residual=residual), added), (
                place
            )
            out = run_scaled(
                packed, x_codes, n, np.int8, "relu",
                input_scale=(0.03, 0), residual=residual, output_scale=(0.07, -5),
            )  # fmt: skip
            assert np.array_equal(out, reference.quantize_by(np.maximum(added, 0), 0.07, -5)), place


@parametrize("u8", "u4")
def test_corner_values_do_not_saturate(kernel):
    bits = 4 if kernel["weight_type"] == "u4" else 8
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    n, k = kernel["nr"] + 1, 40 * kernel["kr"]
    for x_code in (-128, 127):
        for code, point in ((low, None), (high, None), (low, high), (high, low)):
            codes = np.full((n, k), code, np.int8)
            points = None if point is None else np.full((n, 1), point, np.int8)
            packed = pack(kernel, codes, np.ones((n, 1), np.float32), points, bits, 0)
            for rows in (1, 2, kernel["mr"]):
                out = run_scaled(packed, np.full((rows, k), x_code, np.int8), n, input_scale=(1.0, 0))
                assert (out == k * x_code * (code - (point or 0))).all()


@parametrize("u8")
def test_longest_sum_of_the_lowest_code_fits(kernel):
    codes = np.full((1, 65536), -128, np.int8)
    points = np.full((1, 1), 127, np.int8)
    packed = pack(kernel, codes, np.ones((1, 1), np.float32), points, 8, 0)
    out = run_scaled(packed, np.full((2, 65536), -128, np.int8), 1, input_scale=(1.0, 0))
    assert (out == 65536 * 128 * 255).all()


@parametrize("u8", "u4")
def test_values_beyond_the_ends(kernel):
    bits = 4 if kernel["weight_type"] == "u4" else 8
    packed = pack(kernel, np.eye(5, dtype=np.int8), np.ones((5, 1), np.float32), None, bits, 0)
    x = np.array([[1e30, -1e30, 0.5, 1.5, -0.0]] * 3, np.float32)
    x[1, 3], x[2, 0] = np.nan, np.inf
    out = run_scaled(packed, x, 5, input_scale=(1.0, 3))
    assert np.array_equal(out[0], [127, -128, 3, 5, 3])  # without the zero point's share of the bias
    assert np.isnan(out[1:]).all()
    codes = run_scaled(packed, x, 5, np.int8, input_scale=(1.0, 3), output_scale=(2.0**-60, 1))
    assert np.array_equal(codes, [[127, -128, 127, 127, 127], [-128] * 5, [-128] * 5])


@parametrize("u8", "u4")
def test_memory_that_ends_at_a_wall(kernel, rng):
    bits = 4 if kernel["weight_type"] == "u4" else 8
    for m, n, k in [(1, 1, 1), (3, 5, 7), (kernel["mr"] + 1, kernel["nr"] + 1, 4 * kernel["kr"] + 1)]:
        codes = random_codes(rng, n, k, bits)
        packed = pack(kernel, codes, np.ones((n, 1), np.float32), None, bits, 0)
        x = ending_at_wall(rng.integers(-128, 128, (m, k)).astype(np.int8))
        residual = ending_at_wall(np.ones((m, n), np.float32))
        out = ending_at_wall(np.zeros((m, n), np.int8))
        packed.run_scaled(x, out, "relu", input_scale=(0.01, 0), residual=residual, output_scale=(0.1, 0))
        expected = np.maximum(
            (x.astype(int) @ codes.T.astype(int)).astype(np.float32) * np.float32(0.01) + 1, 0
        )
        assert np.abs(np.array(out) - np.rint(expected / 0.1).clip(-128, 127)).max() <= 1


@parametrize("f32")
def test_float_rows_add_a_residual(kernel, rng):
    for m, n, k in [(1, 3, 5), (kernel["mr"] + 1, 2 * kernel["nr"] + 3, 2500)]:
        weight, x = (
            rng.standard_normal((n, k)).astype(np.float32),
            rng.standard_normal((m, k)).astype(np.float32),
        )
        packed = _core.PackedMatrix.from_floats(weight, None, kernel=kernel["name"])
        residual = rng.standard_normal((m, n)).astype(np.float32)
        plain = run_scaled(packed, x, n)
        expected = np.maximum(plain + residual, 0) + np.float32(0)
        assert same(run_scaled(packed, x, n, activation="relu", residual=residual), expected)
        with pytest.raises(ValueError, match="input_scale, output_scale: this kernel computes in floats"):
            run_scaled(packed, x, n, input_scale=(1.0, 0))


@pytest.mark.parametrize("options", [
    {}, {"symmetric": False}, {"bits": 4}, {"bits": 3, "granularity": "group", "group_size": 5, "symmetric": False},
    {"granularity": "tensor"},
])  # fmt: skip
def test_a_zero_point_of_the_activations_belongs_to_the_bias(weight, x, rng, options):
    quantized = paring.quantize(weight, **options)
    bias = rng.standard_normal(7).astype(np.float32)
    scale = paring.ActivationScale.of(x + 2)
    assert scale.zero_point < -100
    layer = paring.PackedLinear(quantized, bias, input_scale=scale)
    codes = scale.quantize(x + 2)
    meant = scale.dequantize(codes).astype(np.float64) @ quantized.dense().T.astype(np.float64) + bias
    np.testing.assert_allclose(layer(x + 2), meant, rtol=2e-6, atol=2e-5)
    assert same(layer(codes), layer(x + 2))


def test_layers_that_hand_int8_on(weight, rng, any_threads):
    first_scale, between = paring.ActivationScale(0.05, 3), paring.ActivationScale(0.04, -128)
    first = paring.PackedLinear(
        paring.quantize(weight), activation="relu", input_scale=first_scale, output_scale=between
    )
    second = paring.PackedLinear(paring.quantize(weight.T.copy(), bits=4), input_scale=between)
    x = rng.standard_normal((2, 300, 12)).astype(np.float32)
    results = []
    for threads in (1, 3):
        paring.set_num_threads(threads)
        codes = first(x)
        results.append(second(codes))
    assert codes.dtype == np.int8 and codes.shape == (2, 300, 7)
    assert same(results[0], results[1])
    alone = np.concatenate([second(first(x[i, j : j + 1])) for i in range(2) for j in range(300)])
    assert same(alone, results[0].reshape(600, 12))
    plain = paring.PackedLinear(paring.quantize(weight), activation="relu", input_scale=first_scale)(x)
    assert np.array_equal(codes, between.quantize(plain))


def test_residuals_of_layers(weight, x, rng):
    residual = rng.standard_normal((5, 7)).astype(np.float32)
    for packed in (weight, paring.quantize(weight)):
        plain = paring.PackedLinear(packed)(x)
        layer = paring.PackedLinear(packed, activation="relu")
        assert same(layer(x, residual=residual), np.maximum(plain + residual, 0) + np.float32(0))
        out = np.empty((5, 7), np.float32)
        assert layer(x, out, residual=residual[:, ::-1]) is out


@pytest.mark.parametrize(("scale", "zero_point", "error", "message"), [
    ("1", 0, TypeError, "scale: expected a number, got str"),
    (0.0, 0, ValueError, "scale: expected a positive normal float32, got 0.0"),
    (-1.0, 0, ValueError, "scale: expected a positive normal float32, got -1.0"),
    (float("nan"), 0, ValueError, "scale: expected a positive normal float32, got nan"),
    (1e-39, 0, ValueError, "scale: expected a positive normal float32, got 1e-39"),
    (1e39, 0, ValueError, "scale: expected a positive normal float32, got 1e\\+39"),
    (1.0, 128, ValueError, "zero_point: expected -128 to 127, got 128"),
    (1.0, 0.5, TypeError, "zero_point: expected an integer, got float"),
])  # fmt: skip
def test_scales_that_are_none(scale, zero_point, error, message):
    with pytest.raises(error, match=message):
        paring.ActivationScale(scale, zero_point)


def test_scales_of_values():
    assert paring.ActivationScale.of(iter([np.zeros(2, np.float32), np.zeros(0)])).scale > 0
    assert paring.ActivationScale.of(np.array([-2.54, 1.0]), symmetric=True) == paring.ActivationScale(0.02)
    scale = paring.ActivationScale.of([np.array([1.0]), np.array([5.1])])
    assert (scale.scale, scale.zero_point) == (np.float32(0.02), -128)
    with pytest.raises(ValueError, match="batches: expected at least one value, got none"):
        paring.ActivationScale.of([])
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="batches: expected finite numbers, got NaN or infinity"):
            paring.ActivationScale.of(np.array([0.0, value]))


def test_what_layers_refuse(weight, x):
    scale, quantized = paring.ActivationScale(0.1), paring.quantize(weight)
    sparse = paring.sparsify(weight)
    for name in ("input_scale", "output_scale"):
        with pytest.raises(TypeError, match=f"{name}: expected a paring.ActivationScale, got float"):
            paring.PackedLinear(quantized, **{name: 0.1})
        for other, kind in ((weight, "float32 numbers"), (sparse, "a sparse one")):
            with pytest.raises(
                ValueError, match=f"{name}: expected a quantized weight beside it, got {kind}"
            ):
                paring.PackedLinear(other, **{name: scale})
    layer = paring.PackedLinear(quantized, input_scale=scale, output_scale=scale)
    codes, residual = scale.quantize(x), np.zeros((5, 7), np.float32)
    with pytest.raises(TypeError, match="x: expected a float32 or int8 array, got float64"):
        layer(x.astype(np.float64))
    with pytest.raises(TypeError, match="x: expected a float32 array, got int8"):
        paring.PackedLinear(quantized)(codes)
    with pytest.raises(TypeError, match="out: expected an int8 array, got float32"):
        layer(codes, np.zeros((5, 7), np.float32))
    with pytest.raises(ValueError, match=r"out: expected shape \(5, 7\), got \(5, 8\)"):
        layer(codes, np.zeros((5, 8), np.int8))
    with pytest.raises(TypeError, match="residual: expected a float32 array, got float64"):
        layer(codes, residual=residual.astype(np.float64))
    with pytest.raises(ValueError, match=r"residual: expected shape \(5, 7\), got \(4, 7\)"):
        layer(codes, residual=residual[:4])
    with pytest.raises(ValueError, match="out: overlaps residual"):
        paring.PackedLinear(quantized)(x, residual, residual=residual)
    with pytest.raises(ValueError, match="residual: a sparse layer adds none"):
        paring.PackedLinear(sparse)(x, residual=residual)
    memory = np.zeros(200, np.int8)
    with pytest.raises(ValueError, match="out: overlaps x"):
        layer(memory[:60].reshape(5, 12), memory[30:65].reshape(5, 7))
