"""convention="gguf": codes and scales bit for bit as the package `gguf` gives them, and what it refuses."""

import gguf.quants
import ml_dtypes
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import paring
from paring.compression import gguf_convention

F32 = np.float32
TYPES = {8: Type.Q8_0, 4: Type.Q4_0}
LIMITS = {8: 65_520 * 127, 4: 65_520 * 8}
bits_8_and_4 = pytest.mark.parametrize("bits", TYPES)


def quantize(w, bits, **options):
    return paring.quantize(w, bits, "group", 32, convention="gguf", **options)


def reference(w, bits):
    """Codes and scales by the package, of the shapes that a QuantizedWeight has."""
    with np.errstate(all="ignore"):
        blocks = gguf.quants.quantize(w, TYPES[bits]).reshape(-1, gguf.GGML_QUANT_SIZES[TYPES[bits]][1])
    scale = blocks[:, :2].copy().view("<f2").astype(F32)
    codes = blocks[:, 2:].view(np.int8)
    if bits == 4:
        codes = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], 1).astype(np.int8) - np.int8(8)
    return codes.reshape(w.shape), scale.reshape(w.shape[0], -1)


def assert_is_reference(w, bits):
    q = quantize(w, bits)
    codes, scale = reference(w, bits)
    assert (q.codes() == codes).all()
    assert q.scale.tobytes() == scale.tobytes()
    expected = gguf.quants.dequantize(gguf.quants.quantize(w, TYPES[bits]), TYPES[bits])
    assert q.dense().tobytes() == expected.tobytes()
    assert (q.bits, q.granularity, q.group_size, q.symmetric) == (bits, "group", 32, True)


def corner_cases():
    rng = np.random.default_rng(11)
    normal = rng.standard_normal((64, 96)).astype(F32)
    halves = (rng.integers(-254, 255, (64, 96)) / 2).astype(F32)
    halves[:, ::32] = 127
    eighths = (rng.integers(-64, 65, (64, 96)) / 8).astype(F32)
    eighths[:, ::32] = -8
    ties = rng.integers(-3, 4, (64, 96)).astype(F32)  # of the largest, with either sign
    return {
        "normal": normal,
        "uniform": rng.random((64, 96), F32),
        "wide": normal * np.exp(rng.uniform(-30, 12, (64, 96))).astype(F32),
        "halves": halves,
        "eighths": eighths,
        "ties": ties,
        "zeros": np.zeros((2, 64), F32),
        "negative zeros": np.full((2, 64), -0.0, F32),
        "one": np.pad(F32([[1]]), ((0, 0), (17, 14))),
        "largest last": np.pad(F32([[-3]]), ((0, 0), (31, 0)), constant_values=1),
        "scales without a bit in float16": normal * F32(1e-7),
        "scales that are zero in float16": normal * F32(1e-9),
        "small": normal * F32(1e-30),
        "large": np.clip(normal, -3, 3) * F32(170_000),
        "four axes": normal.reshape(4, 16, 3, 32),
    }


CASES = corner_cases()


@bits_8_and_4
@pytest.mark.parametrize("case", CASES)
def test_corners(bits, case):
    assert_is_reference(CASES[case], bits)


@bits_8_and_4
@settings(max_examples=300, deadline=None)
@given(
    w=hnp.arrays(
        F32,
        st.tuples(st.integers(1, 3), st.sampled_from([32, 64])),
        elements=st.floats(-500_000, 500_000, width=32, allow_subnormal=False),
        fill=st.sampled_from([0.0, 1.0, -8.0, 127.0, 0.5]).map(F32),
    )
)
def test_any_weights(bits, w):
    # Below that the package divides by what has no reciprocal in float32.
    w[np.abs(w) < F32(2**-118)] = 0
    assert_is_reference(w, bits)


@bits_8_and_4
def test_no_reciprocal(bits):
    """The package gives whatever there; ours are codes and scales of zero."""
    w = np.full((1, 32), 1e-40, F32)
    w[0, 3] = -3e-40
    q = quantize(w, bits)
    assert (q.codes() == 0).all() and (q.scale == 0).all() and (q.dense() == 0).all()


@bits_8_and_4
def test_zeros_between_others(bits, rng):
    w = rng.standard_normal((3, 96)).astype(F32)
    w[1, 32:64] = 0
    q = quantize(w, bits)
    assert (q.dense()[1, 32:64] == 0).all() and q.scale[1, 1] == 0
    assert (q.scale[0] != 0).all()


@bits_8_and_4
@pytest.mark.parametrize("columns", [1, 31, 33, 63, 70])
def test_the_last_group_may_be_shorter(bits, columns, rng):
    w = rng.standard_normal((5, columns)).astype(F32)
    padded = np.zeros((5, -(-columns // 32) * 32), F32)
    padded[:, :columns] = w
    codes, scale = reference(padded, bits)
    q = quantize(w, bits)
    assert (q.codes() == codes[:, :columns]).all() and q.scale.tobytes() == scale.tobytes()


@bits_8_and_4
def test_pieces(bits, rng, monkeypatch):
    """Rows and parts of a row, whatever the size of a piece."""
    w = rng.standard_normal((7, 150)).astype(F32)
    whole = quantize(w, bits)
    for size in (32, 64, 160, 320, 1000):
        monkeypatch.setattr(gguf_convention, "PIECE_ELEMENTS", size)
        assert quantize(w, bits) == whole


@bits_8_and_4
def test_axis_and_layout(bits, rng):
    w = rng.standard_normal((64, 3, 4)).astype(F32)
    q = quantize(w, bits, axis=-1)
    assert q.axis == 2 and q.shape == w.shape
    first = quantize(np.ascontiguousarray(np.moveaxis(w, 2, 0)), bits)
    assert q.scale.tobytes() == first.scale.tobytes() and q.data.tobytes() == first.data.tobytes()
    assert quantize(w.astype(">f4")[:, ::-1], bits) == quantize(np.ascontiguousarray(w[:, ::-1]), bits)


@bits_8_and_4
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_other_floats(bits, dtype, rng):
    w = rng.standard_normal((4, 64)).astype(dtype)
    assert quantize(w, bits) == quantize(w.astype(F32), bits)


@bits_8_and_4
@pytest.mark.parametrize("shape", [(0, 32), (4, 0), (0, 0)])
def test_nothing(bits, shape):
    q = quantize(np.empty(shape, F32), bits)
    assert q.dense().shape == shape


@bits_8_and_4
def test_out(bits, rng):
    w = rng.standard_normal((4, 70)).astype(F32)
    out = quantize(np.zeros_like(w), bits)
    assert quantize(w, bits, out=out) is out
    assert out == quantize(w, bits)


@bits_8_and_4
def test_the_largest_scale(bits):
    w = np.zeros((2, 64), F32)
    w[1, 40] = -np.nextafter(F32(LIMITS[bits]), F32(0))
    assert abs(quantize(w, bits).scale[1, 1]) == 65504


@bits_8_and_4
@pytest.mark.parametrize("rows", [2, 40_000])
def test_beyond_float16(bits, rows):
    w = np.zeros((rows, 64), F32)
    w[rows - 1, 40] = -LIMITS[bits]
    message = (
        rf"w: expected magnitudes below {LIMITS[bits]:,} for convention 'gguf', whose scales are float16, got "
        rf"{float(LIMITS[bits])} \(row {rows - 1}, columns from 32\)"
    )
    with pytest.raises(ValueError, match=message):
        quantize(w, bits)
    with pytest.raises(ValueError, match=message):
        quantize(np.asfortranarray(w), bits)


@bits_8_and_4
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, r"w: expected finite values, got NaN at \[1, 33\]"),
        (np.inf, r"w: expected finite values, got infinity at \[1, 33\]"),
        (-np.inf, r"w: expected finite values, got -infinity at \[1, 33\]"),
        (1e300, r"w: expected values in the range of float32, up to .*, got 1e\+300 at \[1, 33\]"),
    ],
)
def test_not_finite(bits, value, message):
    w = np.ones((2, 64))
    w[1, 33] = value
    with pytest.raises(ValueError, match=message):
        quantize(w, bits)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bits": 8}, "convention 'gguf': expected granularity 'group', got 'channel'"),
        (
            {"bits": 4, "granularity": "tensor"},
            "convention 'gguf': expected granularity 'group', got 'tensor'",
        ),
        ({"bits": 5, "granularity": "group"}, "convention 'gguf': expected bits 8 or 4, got 5"),
        ({"bits": 8, "granularity": "group", "group_size": 64}, "'gguf': expected group_size 32, got 64"),
        (
            {"bits": 4, "granularity": "group", "symmetric": False},
            "'gguf': expected symmetric True, got False",
        ),
    ],
)
def test_settings_it_refuses(settings, message):
    with pytest.raises(ValueError, match=message):
        paring.quantize(np.ones((2, 32), F32), convention="gguf", **settings)
    with pytest.raises(ValueError, match=message):
        paring.QuantizeStep(convention="gguf", **settings)


def test_in_a_recipe(rng):
    weights = {"w": rng.standard_normal((64, 64)).astype(F32), "b": np.ones(64, F32)}
    step = paring.QuantizeStep(bits=4, granularity="group", convention="gguf")
    result = paring.compress(weights, paring.Recipe([step]))
    assert result["w"] == quantize(weights["w"], 4)
    assert result["b"].tolist() == [1] * 64


@bits_8_and_4
def test_memory_is_bounded(bits, rng):
    import tracemalloc

    w = rng.standard_normal((1, 1 << 22)).astype(F32)
    quantize(w[:, :64], bits)
    tracemalloc.start()
    try:
        q = quantize(w, bits)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The codes of one row before they are packed, and pieces of a megabyte each.
    assert peak < q.nbytes + w.size + 12 * 4 * gguf_convention.PIECE_ELEMENTS
