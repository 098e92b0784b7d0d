"""Every row of the convolution table against NumPy: windows of all kinds, corner values, memory that ends at a wall."""

import numpy as np
import pytest

import convolution_reference as reference
from kernel_rows import every_row
from paring import _core
from paring.graph.nodes import Node
from paring.graph.windows import find_windows
from protected_page import ending_at_wall

KERNELS = _core.convolution_kernels()


def parametrize(*kinds):
    return every_row(k for k in KERNELS if k["kind"] in kinds)


def same(a, b):
    return a.shape == b.shape and a.tobytes() == b.tobytes()


def random_codes(rng, shape):
    return rng.integers(-128, 128, shape).astype(np.int8)


def shape_options(kernel=(3, 3), stride=(1, 1), dilation=(1, 1), pads=(0, 0, 0, 0)):
    return {"kernel": kernel, "stride": stride, "dilation": dilation, "pads": pads}


# Kernel, stride, dilation, pads; channels of a group, filters of a group, groups; height, width.
CASES = [
    (shape_options((1, 1)), (5, 7, 1), (4, 9)),
    (shape_options((1, 1), stride=(2, 2)), (4, 3, 1), (7, 9)),
    (shape_options(pads=(1, 1, 1, 1)), (6, 13, 1), (7, 7)),
    (shape_options(pads=(1, 1, 1, 1)), (3, 25, 1), (9, 40)),
    (shape_options(stride=(2, 2), pads=(0, 1, 2, 1)), (5, 4, 1), (11, 35)),
    (shape_options((7, 7), stride=(2, 2), pads=(3, 3, 3, 3)), (3, 8, 1), (15, 17)),
    (shape_options((2, 5), stride=(3, 1), dilation=(2, 3), pads=(1, 0, 0, 4)), (2, 3, 3), (9, 33)),
    (shape_options(pads=(1, 1, 1, 1)), (1, 1, 7), (6, 9)),
    (shape_options(pads=(1, 1, 1, 1)), (1, 1, 2), (14, 40)),
    (shape_options(stride=(2, 2), pads=(1, 1, 1, 1)), (1, 2, 5), (8, 75)),
    (shape_options((5, 5), dilation=(1, 2), pads=(2, 4, 2, 4)), (1, 1, 3), (9, 130)),
    (shape_options((1, 9), pads=(0, 8, 0, 0)), (2, 3, 1), (1, 70)),
    (shape_options((4, 1), stride=(2, 5), pads=(0, 9, 1, 0)), (3, 5, 2), (6, 1)),
]


def window_shape(options, size):
    node = Node("Conv", (), (), {
        "strides": options["stride"], "dilations": options["dilation"], "pads": options["pads"],
    }, "")  # fmt: skip
    return find_windows(node, size, options["kernel"])


def run(packed, x, windows, filters, dtype=np.float32, activation="", image_axis=0, **scales):
    images = x.shape[image_axis]
    out = np.zeros((images, filters, windows.rows.out, windows.columns.out), dtype)
    packed.run(x, image_axis, windows.shape, out, activation, **scales)
    return out


def arrays(case, rng, images=2):
    options, (channels, filters, groups), (height, width) = case
    x = rng.standard_normal((images, channels * groups, height, width)).astype(np.float32)
    bias = rng.standard_normal(filters * groups).astype(np.float32)
    shape = {name: options[name] for name in ("stride", "dilation", "pads")}
    return (
        x,
        bias,
        (filters * groups, channels, *options["kernel"]),
        window_shape(options, (height, width)),
        {"groups": groups, **shape},
    )


@parametrize("f32")
@pytest.mark.parametrize("case", CASES)
def test_float_rows_are_one_chain(kernel, case, rng, threads):
    x, bias, filter_shape, windows, options = arrays(case, rng)
    filters = rng.standard_normal(filter_shape).astype(np.float32)
    packed = _core.PackedFilters.from_floats(filters, bias, options["groups"], kernel=kernel["name"])
    expected = reference.float_convolution(x, filters, bias, **options)
    assert same(run(packed, x, windows, len(filters)), expected)
    turned = np.ascontiguousarray(x.transpose(1, 0, 2, 3))
    assert same(run(packed, turned, windows, len(filters), image_axis=1), expected)


@parametrize("s8")
@pytest.mark.parametrize("case", CASES)
def test_integer_rows_equal_numpy(kernel, case, rng, threads):
    x, bias, filter_shape, windows, options = arrays(case, rng)
    codes, scale = random_codes(rng, filter_shape), rng.random(filter_shape[0]).astype(np.float32)
    packed = _core.PackedFilters.from_codes(codes, scale, bias, options["groups"], kernel=kernel["name"])
    expected = reference.integer_convolution(reference.image_codes(x), codes, scale, bias, **options)
    assert same(run(packed, x, windows, len(codes)), expected)
    quantized = reference.image_codes(x, 0.02, -37)
    expected = reference.integer_convolution(quantized, codes, scale, bias, **options)
    assert same(run(packed, x, windows, len(codes), input_scale=(0.02, -37)), expected)
    x_codes = quantized[0].astype(np.int8)
    assert same(run(packed, x_codes, windows, len(codes), input_scale=(0.02, -37)), expected)
    residual = rng.standard_normal(expected.shape).astype(np.float32)
    added = np.maximum(expected + residual, 0) + np.float32(0)
    options = {"activation": "relu", "input_scale": (0.02, -37), "residual": residual}
    assert same(run(packed, x, windows, len(codes), **options), added)
    found = run(packed, x, windows, len(codes), np.int8, output_scale=(5.0, 100), **options)
    assert np.array_equal(found, reference.reference.quantize_by(added, 5.0, 100))


@parametrize("s8")
def test_corner_values_do_not_saturate(kernel):
    for channels, size in ((1, 3), (4, 1), (9, 3)):
        windows = window_shape(shape_options((size, size), pads=(1, 1, 1, 1)), (5, 6))
        for code in (-128, 127):
            for x_code in (-128, 127):
                for zero_point in (-128, 0, 127):
                    codes = np.full((2, channels, size, size), code, np.int8)
                    ones, none = np.ones(2, np.float32), np.zeros(2, np.float32)
                    packed = _core.PackedFilters.from_codes(codes, ones, none, 1, kernel=kernel["name"])
                    x = np.full((1, channels, 5, 6), x_code, np.int8)
                    expected = reference.integer_convolution(
                        (x.astype(np.int64), ones[:1], zero_point), codes, ones, none,
                        stride=(1, 1), dilation=(1, 1), pads=(1, 1, 1, 1),
                    )  # fmt: skip
                    assert same(run(packed, x, windows, 2, input_scale=(1.0, zero_point)), expected)


@parametrize("s8")
def test_deepest_filter_fits_and_one_more_is_refused(kernel):
    codes, one = np.full((1, 16384, 2, 2), 127, np.int8), np.ones(1, np.float32)
    packed = _core.PackedFilters.from_codes(codes, one, None, 1, kernel=kernel["name"])
    windows = window_shape(shape_options((2, 2)), (2, 2))
    x = np.full((1, 16384, 2, 2), 127, np.int8)
    out = run(packed, x, windows, 1, input_scale=(1.0, -128))
    assert out.item() == np.float32(65536 * 127 * 255)
    with pytest.raises(
        ValueError, match="filters: integer sums of more than 65536 products do not fit 32 bits"
    ):
        _core.PackedFilters.from_codes(
            np.zeros((1, 16385, 2, 2), np.int8), one, None, 1, kernel=kernel["name"]
        )


@parametrize("s8")
def test_images_that_cannot_be_rounded(kernel):
    codes, one = np.full((1, 2, 1, 1), 3, np.int8), np.ones(1, np.float32)
    packed = _core.PackedFilters.from_codes(codes, one, one, 1, kernel=kernel["name"])
    windows = window_shape(shape_options((1, 1)), (2, 2))
    x = np.ones((5, 2, 2, 2), np.float32)
    x[0, 1, 1, 1], x[1, 0, 0, 0], x[2], x[3] = np.nan, -np.inf, 0, 1e-40
    out = run(packed, x, windows, 1)
    assert np.isnan(out[:2]).all() and (out[2:4] == 1).all() and np.allclose(out[4], 7)


@parametrize("f32")
def test_float_rows_follow_ieee(kernel):
    filters = np.array([[[[np.float32(2), 3]]]], np.float32)
    packed = _core.PackedFilters.from_floats(filters, None, 1, kernel=kernel["name"])
    windows = window_shape(shape_options((1, 2), pads=(0, 1, 0, 0)), (1, 6))
    x = np.array([[[[np.inf, 1, np.nan, 1, -0.0, -np.inf]]]], np.float32)
    out = run(packed, x, windows, 1)[0, 0, 0]
    assert np.array_equal(out, [np.inf, np.inf, np.nan, np.nan, 2, -np.inf], equal_nan=True)
    assert not np.signbit(run(packed, np.full_like(x, -0.0), windows, 1)).any()


@parametrize("s8", "f32")
def test_memory_that_ends_at_a_wall(kernel, rng):
    for case in CASES[:8]:
        x, bias, filter_shape, windows, options = arrays(case, rng, images=1)
        wall_x, wall_bias = ending_at_wall(x), ending_at_wall(bias)
        out = ending_at_wall(
            np.zeros((1, filter_shape[0], windows.rows.out, windows.columns.out), np.float32)
        )
        if kernel["kind"] == "f32":
            filters = ending_at_wall(rng.standard_normal(filter_shape).astype(np.float32))
            packed = _core.PackedFilters.from_floats(
                filters, wall_bias, options["groups"], kernel=kernel["name"]
            )
            expected = reference.float_convolution(x, np.array(filters), bias, **options)
        else:
            codes, scale = random_codes(rng, filter_shape), np.ones(filter_shape[0], np.float32)
            packed = _core.PackedFilters.from_codes(
                ending_at_wall(codes),
                ending_at_wall(scale),
                wall_bias,
                options["groups"],
                kernel=kernel["name"],
            )
            expected = reference.integer_convolution(reference.image_codes(x), codes, scale, bias, **options)
        packed.run(wall_x, 0, windows.shape, out, "")
        assert same(np.array(out), expected)


def test_what_rows_refuse():
    filters = np.zeros((2, 3, 1, 1), np.float32)
    names = {kernel["kind"]: kernel["name"] for kernel in KERNELS}
    with pytest.raises(ValueError, match=f"kernel: '{names['s8']}' is for another kind of filters"):
        _core.PackedFilters.from_floats(filters, None, 1, kernel=names["s8"])
    with pytest.raises(ValueError, match="kernel: unknown name 'x'"):
        _core.PackedFilters.from_floats(filters, None, 1, kernel="x")
    with pytest.raises(ValueError, match="groups: expected a number that divides 2 filters, got 3"):
        _core.PackedFilters.from_floats(filters, None, 3)
    with pytest.raises(ValueError, match="filters: expected no axis of 0"):
        _core.PackedFilters.from_floats(filters[:, :0], None, 1)
    packed = _core.PackedFilters.from_floats(filters, None, 1)
    windows = window_shape(shape_options((1, 1)), (4, 5))
    x, out = np.zeros((1, 3, 4, 5), np.float32), np.zeros((1, 2, 4, 5), np.float32)
    for arguments, message in [
        ((x[:, :2].copy(), 0, windows.shape, out, ""), "x: expected 3 channels"),
        ((x, 0, windows.shape, out[:, :1].copy(), ""), "out: expected 1 images of 2 planes"),
        ((x, 0, windows.shape, x, ""), "out: expected 1 images of 2 planes"),
        (
            (x, 0, window_shape(shape_options((1, 2)), (4, 5)).shape, out, ""),
            "shape: expected windows of 1 x 1",
        ),
        ((x, 2, windows.shape, out, ""), "image axis: expected 0 or 1"),
        ((x, 0, windows.shape, out, "tanh"), "activation: expected relu, gelu, silu"),
    ]:
        with pytest.raises(ValueError, match=message):
            packed.run(*arguments)
    with pytest.raises(ValueError, match="input_scale, output_scale: this kernel computes in floats"):
        packed.run(x, 0, windows.shape, out, "", input_scale=(1.0, 0))
    memory = np.zeros(100, np.float32)
    with pytest.raises(ValueError, match="out: overlaps x"):
        packed.run(memory[:60].reshape(1, 3, 4, 5), 0, windows.shape, memory[20:60].reshape(1, 2, 4, 5), "")
