"""PackedConv as a user meets it: ranks, paddings, kinds of weight, int8 in and out, and what it refuses."""

from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np
import pytest

import convolution_reference as reference
import paring
from paring.graph.evaluation import evaluate
from paring.graph.nodes import Graph, Input, Node


@pytest.fixture
def weight(rng):
    return rng.standard_normal((6, 4, 3, 3)).astype(np.float32)


@pytest.fixture
def x(rng):
    return rng.standard_normal((2, 4, 9, 11)).astype(np.float32)


BIAS = np.arange(6, dtype=np.float32)
PLAIN = {"stride": (1, 1), "dilation": (1, 1), "pads": (0, 0, 0, 0)}


def same(a, b):
    return a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize(("options", "meant"), [
    ({}, {}),
    ({"stride": 2, "padding": 1}, {"stride": (2, 2), "pads": (1, 1, 1, 1)}),
    ({"stride": (1, 3), "padding": (0, 2), "dilation": (2, 1)},
     {"stride": (1, 3), "dilation": (2, 1), "pads": (0, 2, 0, 2)}),
    ({"padding": ((1, 0), (2, 3))}, {"pads": (1, 2, 0, 3)}),
])  # fmt: skip
def test_windows(weight, x, options, meant):
    layer = paring.PackedConv(weight, BIAS, **options)
    assert same(layer(x), reference.float_convolution(x, weight, BIAS, **{**PLAIN, **meant}))


def test_one_axis_is_an_image_of_one_row(weight, x, rng):
    line = rng.standard_normal((3, 4, 40)).astype(np.float32)
    layer = paring.PackedConv(weight[:, :, 0], BIAS, padding=((3, 0),), stride=2)
    assert layer.kernel_shape == (3,)
    meant = reference.float_convolution(
        line[:, :, None], weight[:, :, :1], BIAS, stride=(1, 2), dilation=(1, 1), pads=(0, 3, 0, 0)
    )
    assert same(layer(line), meant[:, :, 0])


def test_against_the_operator(weight, x):
    nodes = (Node("Conv", ("x", "w", "b"), ("y",), {"pads": (1, 1, 1, 1)}, "conv"),)
    model = Graph(nodes, {"w": weight, "b": BIAS}, (Input("x", (None, 4, None, None)),), ("y",))
    meant = evaluate(model, {"x": x})["y"]
    np.testing.assert_allclose(paring.PackedConv(weight, BIAS, padding=1)(x), meant, rtol=1e-5, atol=1e-5)
    assert same(paring.Session(model)(x), paring.PackedConv(weight, BIAS, padding=1)(x))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64, np.dtype(">f4")])
def test_other_floats_become_float32(weight, x, dtype):
    converted = weight.astype(dtype)
    assert same(paring.PackedConv(converted)(x), paring.PackedConv(converted.astype(np.float32))(x))


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("granularity", ["tensor", "channel"])
def test_widths_in_integers(weight, x, bits, granularity):
    for symmetric in (True, False):
        quantized = paring.quantize(weight, bits=bits, granularity=granularity, symmetric=symmetric)
        layer = paring.PackedConv(quantized, BIAS)
        points = 0 if symmetric else quantized.zero_point[:, 0].astype(np.int64)
        codes = quantized.codes() - np.reshape(points, (-1, 1, 1, 1))
        if codes.min() < -128 or codes.max() > 127:
            assert bits == 8 and layer.kernel.startswith("convolution_f32")
            assert same(layer(x), paring.PackedConv(quantized.dense(), BIAS)(x))
            continue
        assert layer.kernel.startswith("convolution_s8")
        scale = np.broadcast_to(quantized.scale[:, 0], 6)
        meant = reference.integer_convolution(reference.image_codes(x), codes, scale, BIAS, **PLAIN)
        assert same(layer(x), meant)


def test_groups_of_columns_are_computed_in_floats(weight, x):
    quantized = paring.quantize(weight, bits=4, granularity="group", group_size=12)
    layer = paring.PackedConv(quantized, activation="relu")
    assert same(layer(x), paring.PackedConv(quantized.dense(), activation="relu")(x))


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
def test_activations_and_residuals(weight, x, rng, activation):
    residual = rng.standard_normal((2, 6, 7, 9)).astype(np.float32)
    for given in (weight, paring.quantize(weight)):
        plain = paring.PackedConv(given, BIAS)(x)
        identity = paring.PackedLinear(np.eye(9, dtype=np.float32), activation=activation)
        layer = paring.PackedConv(given, BIAS, activation)
        assert same(layer(x, residual=residual), identity(plain + residual))
        out = np.empty_like(residual)
        assert layer(x, out) is out and same(out, identity(plain))


def test_layers_that_hand_int8_on(weight, x, rng):
    first_scale = paring.ActivationScale.of(x)
    between = paring.ActivationScale(0.08, -128)
    first = paring.PackedConv(
        paring.quantize(weight), BIAS, "relu", padding=1, input_scale=first_scale, output_scale=between
    )
    second = paring.PackedConv(paring.quantize(weight[:, :1]), groups=6, padding=1, input_scale=between)
    plain = paring.PackedConv(paring.quantize(weight), BIAS, "relu", padding=1, input_scale=first_scale)
    codes = first(first_scale.quantize(x))
    assert codes.dtype == np.int8 and np.array_equal(codes, between.quantize(plain(x)))
    assert same(second(codes), second(between.dequantize(codes)))
    meant = reference.float_convolution(
        between.dequantize(codes), paring.quantize(weight[:, :1]).dense(), 0 * BIAS, groups=6,
        stride=(1, 1), dilation=(1, 1), pads=(1, 1, 1, 1),
    )  # fmt: skip
    np.testing.assert_allclose(second(codes), meant, rtol=1e-5, atol=1e-4)


def test_bytes_do_not_depend_on_threads_or_batch(rng, any_threads):
    x = rng.standard_normal((5, 24, 33, 35)).astype(np.float32)
    layers = [
        paring.PackedConv(form(rng.standard_normal(shape).astype(np.float32)), groups=groups, padding=1)
        for form in (np.asarray, paring.quantize)
        for shape, groups in (((40, 24, 3, 3), 1), ((24, 1, 3, 3), 24), ((36, 8, 3, 3), 3))
    ]
    for layer in layers:
        results = []
        for threads in (1, 2, 5):
            paring.set_num_threads(threads)
            results.append(layer(x))
        assert all(same(results[0], other) for other in results[1:])
        assert same(results[0][3:4], layer(x[3:4]))
        with ThreadPoolExecutor(4) as pool:
            assert all(same(results[0], other) for other in pool.map(lambda _: layer(x), range(8)))  # noqa: B023


def test_an_image_larger_than_what_threads_keep():
    x = np.ones((1, 1, 4100, 4100), np.float32)
    y = paring.PackedConv(np.full((1, 1, 1, 1), 3, np.float32), padding=(0, 1))(x)
    assert y.shape == (1, 1, 4100, 4102)
    assert (y[..., 1:-1] == 3).all() and not y[..., [0, -1]].any()


def test_no_images(weight):
    assert paring.PackedConv(weight)(np.zeros((0, 4, 5, 5), np.float32)).shape == (0, 6, 3, 3)


def test_the_layer_tells_what_it_is(weight):
    layer = paring.PackedConv(paring.quantize(weight), activation="relu")
    assert repr(layer) == (
        "PackedConv(in_channels=4, out_channels=6, kernel_shape=(3, 3), groups=1, activation='relu', "
        f"kernel={layer.kernel!r}, nbytes={layer.nbytes})"
    )
    names = [kernel["name"] for kernel in paring.kernel_info()["kernels"] if kernel["chosen"]]
    assert layer.kernel in names


WEIGHT = np.ones((6, 4, 3, 3), np.float32)


@pytest.mark.parametrize(("arguments", "options", "error", "message"), [
    ((WEIGHT[0],), {}, None, None),
    ((WEIGHT[0, 0],), {}, ValueError, r"weight: expected \(out_channels, in_channels / groups, length\) or "),
    ((WEIGHT[:, :0],), {}, ValueError, r"without zeros, got shape \(6, 0, 3, 3\)"),
    ((np.full_like(WEIGHT, np.nan),), {}, ValueError, "weight: .*NaN"),
    ((WEIGHT.astype(int),), {}, TypeError, "weight: expected a dtype among .* got int64"),
    ((paring.sparsify(WEIGHT),), {}, TypeError, "weight: expected an array or a QuantizedWeight, got a SparseWeight"),
    ((WEIGHT, np.zeros(5)), {}, ValueError, r"bias: expected shape \(6,\), got \(5,\)"),
    ((WEIGHT, None, "tanh"), {}, ValueError, "activation: expected one of relu, gelu, silu or None, got 'tanh'"),
    ((WEIGHT,), {"groups": 4}, ValueError, "groups: expected one that divides 6 filters, got 4"),
    ((WEIGHT,), {"groups": 0}, ValueError, "groups: expected one that divides 6 filters, got 0"),
    ((WEIGHT,), {"stride": 0}, ValueError, "stride: expected one number of at least 1, or 2 of them, got 0"),
    ((WEIGHT,), {"stride": (1, 2, 3)}, ValueError, "stride: expected one number of at least 1, or 2 of them"),
    ((WEIGHT,), {"dilation": (1, 0.5)}, ValueError, "dilation: expected one number of at least 1, or 2"),
    ((WEIGHT,), {"padding": -1}, ValueError, "padding: expected a number of at least 0, or 2 of them or of pairs"),
    ((WEIGHT,), {"padding": ((1, 2, 3), 0)}, ValueError, "padding: expected a number of at least 0"),
    ((WEIGHT,), {"input_scale": 0.5}, TypeError, "input_scale: expected a paring.ActivationScale, got float"),
    ((WEIGHT,), {"output_scale": paring.ActivationScale(1.0)}, ValueError,
     "output_scale: expected filters that are computed in integers, got float ones"),
])  # fmt: skip
def test_what_it_refuses_to_pack(arguments, options, error, message):
    if error is None:
        assert paring.PackedConv(*arguments, **options).kernel_shape == (3,)
        return
    with pytest.raises(error, match=message):
        paring.PackedConv(*arguments, **options)


def test_what_it_refuses_to_run(weight, x):
    layer = paring.PackedConv(weight)
    with pytest.raises(TypeError, match="x: expected a float32 array, got float64; convert it"):
        layer(x.astype(np.float64))
    with pytest.raises(TypeError, match="x: expected a float32 array, got list"):
        layer([1.0])
    with pytest.raises(ValueError, match=r"x: expected shape \(n, 4, height, width\), got \(2, 3, 9, 11\)"):
        layer(x[:, :3])
    with pytest.raises(ValueError, match=r"x: expected shape \(n, 4, height, width\), got \(4, 9, 11\)"):
        layer(x[0])
    with pytest.raises(ValueError, match="x: expected at least one window to fit, got size 2"):
        layer(x[:, :, :2])
    with pytest.raises(ValueError, match=r"out: expected shape \(2, 6, 7, 9\), got \(2, 6, 7, 8\)"):
        layer(x, np.zeros((2, 6, 7, 8), np.float32))
    with pytest.raises(ValueError, match=r"residual: expected shape \(2, 6, 7, 9\), got \(1, 6, 7, 9\)"):
        layer(x, residual=np.zeros((1, 6, 7, 9), np.float32))
    memory = np.zeros(2000, np.float32)
    with pytest.raises(ValueError, match="out: overlaps x"):
        layer(memory[:792].reshape(x.shape), memory[700:1456].reshape(2, 6, 7, 9))
