"""Every row of the quantize loops against NumPy, through all schemes, widths and group sizes."""

from functools import cache

import numpy as np
import pytest

import reference
from paring import _core
from protected_page import ending_at_wall

F32 = np.float32
SIZES = (1, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1000)
CONVENTIONS = ("paring", "compressed-tensors")
# (per_tensor, group_size): groups that divide a row, leave a short last group, or exceed the row.
GROUPINGS = ((True, 0), (False, 0), (False, 32), (False, 7), (False, 5000))

every_level = pytest.mark.parametrize("isa", _core.levels())


@cache
def corner_weight(columns):
    """Return a weight whose rows are the values that break careless arithmetic."""
    rng = np.random.default_rng(columns)
    huge = np.finfo(F32).max
    ramp = np.arange(columns) % 256 - 128
    one_huge = rng.normal(size=columns)
    one_huge[columns // 2] = 1e30
    rows = [
        np.zeros(columns),
        np.full(columns, -0.0),
        np.full(columns, 1e-45),
        rng.normal(size=columns) * 1e-39,
        rng.normal(size=columns) * 2e-36,
        np.full(columns, 0.3),
        np.full(columns, -huge),
        np.where(ramp % 2, huge, -huge),
        ramp,
        ramp * 0.5 + 0.25,
        np.where(ramp % 2, 1.7, -1.7),
        np.where(ramp % 2, 0.5, -0.0),
        np.abs(rng.normal(size=columns)),
        -np.abs(rng.normal(size=columns)) - 3,
        one_huge,
        rng.normal(size=columns),
    ]
    return np.array(rows, np.float64).clip(-huge, huge).astype(F32)


@cache
def expected(columns, bits, per_tensor, group_size, symmetric, convention):
    weight = corner_weight(columns)
    codes, scale, zero_point = reference.quantize_weight(
        weight, bits, per_tensor, group_size, symmetric, convention
    )
    data = codes if bits == 8 else reference.pack_codes(codes, bits)
    return data, scale, None if symmetric else zero_point


def outputs_like(arrays):
    """Return arrays of these shapes, full of what no result holds, each ending at an unreadable page."""
    return [None if a is None else ending_at_wall(np.full(a.shape, 85, a.dtype)) for a in arrays]


def row_bytes(columns, bits):
    return columns if bits == 8 else 4 * -(-columns * bits // 32)


def quantize(weight, bits=8, per_tensor=False, group_size=0, symmetric=True, convention="paring", isa=""):
    rows, columns = weight.shape
    groups = -(-columns // group_size) if group_size else 1
    data = np.empty((rows, row_bytes(columns, bits)), np.int8 if bits == 8 else np.uint8)
    scale = np.empty((1, 1) if per_tensor else (rows, groups), F32)
    zero_point = None if symmetric else np.empty(scale.shape, np.int8)
    _core.quantize(
        weight, bits, per_tensor, group_size, symmetric, convention, data, scale, zero_point, isa=isa
    )
    return data, scale, zero_point


def check(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        if b is not None:
            np.testing.assert_array_equal(a, b)
            assert a.tobytes() == b.tobytes()


@every_level
@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
@pytest.mark.parametrize("bits", range(2, 9))
def test_quantize_equals_numpy(isa, bits, symmetric, convention):
    for columns in SIZES:
        weight = ending_at_wall(corner_weight(columns))
        for per_tensor, group_size in GROUPINGS:
            wanted = expected(columns, bits, per_tensor, group_size, symmetric, convention)
            found = outputs_like(wanted)
            _core.quantize(weight, bits, per_tensor, group_size, symmetric, convention, *found, isa=isa)
            check(found, wanted)
        assert weight.tobytes() == corner_weight(columns).tobytes()


@every_level
@pytest.mark.parametrize("row", range(16))
def test_one_scale_for_the_tensor_sees_every_corner_alone(isa, row):
    # Among all corners at once the huge ones decide the scale; here each decides it.
    for columns in (1, 17, 1000):
        weight = corner_weight(columns)[row : row + 1]
        for symmetric in (True, False):
            for bits in (8, 4):
                codes, scale, zero_point = reference.quantize_weight(
                    weight, bits, True, 0, symmetric, "paring"
                )
                data = codes if bits == 8 else reference.pack_codes(codes, bits)
                found = quantize(weight, bits, True, 0, symmetric, isa=isa)
                check(found, (data, scale, None if symmetric else zero_point))


@every_level
@pytest.mark.parametrize("bits", [8, 4, 3])
@pytest.mark.parametrize("per_tensor", [True, False], ids=["tensor", "channel"])
def test_long_rows_and_every_thread_count(isa, bits, per_tensor, threads, rng):
    weight = ending_at_wall(rng.normal(size=(3, 65537)).astype(F32))
    for symmetric in (True, False):
        codes, scale, zero_point = reference.quantize_weight(weight, bits, per_tensor, 0, symmetric, "paring")
        data = codes if bits == 8 else reference.pack_codes(codes, bits)
        found = quantize(weight, bits, per_tensor, 0, symmetric, isa=isa)
        check(found, (data, scale, None if symmetric else zero_point))


@pytest.mark.parametrize("bits", [8, 5])
@pytest.mark.parametrize("columns", [1, 3, 40])
def test_many_short_rows(bits, columns, threads, rng):
    weight = rng.normal(size=(70001 // columns, columns)).astype(F32)
    codes, scale, _ = reference.quantize_weight(weight, bits, True, 0, True, "paring")
    data = codes if bits == 8 else reference.pack_codes(codes, bits)
    check(quantize(weight, bits, True), (data, scale, None))
    amax = np.abs(weight).max(axis=1, keepdims=True)
    if bits == 8:
        data, scale, _ = quantize(weight)
        np.testing.assert_array_equal(scale, amax / F32(127))
        np.testing.assert_array_equal(data, np.rint(weight / scale))


def test_what_the_conventions_mean():
    weight = np.array([[-8, -3.5, 2.5, 7]], F32)
    data, scale, _ = quantize(weight, 4)
    assert scale == 1
    assert _core.unpack_codes(data, 4, 4).tolist() == [[-8, -4, 2, 7]]
    data, scale, _ = quantize(np.array([[8, -8, 4, 0]], F32), 4)  # of two magnitudes, the negative one
    assert scale == 1
    assert _core.unpack_codes(data, 4, 4).tolist() == [[7, -8, 4, 0]]
    # The largest is positive, so the scale is not.
    data, scale, _ = quantize(np.array([[8, -7, 4, 0]], F32), 4)
    assert scale == -1
    assert _core.unpack_codes(data, 4, 4).tolist() == [[-8, 7, -4, 0]]
    data, scale, _ = quantize(np.array([[127, 0.5, 1.5, -2.5, -127]], F32))
    assert scale == 1
    assert data.tolist() == [[127, 0, 2, -2, -127]]
    data, scale, zero_point = quantize(np.array([[1, 2, 255 / 64]], F32), symmetric=False)  # widened to 0
    assert (scale, zero_point) == (1 / 64, -128)
    assert data.tolist() == [[-64, 0, 127]]
    data, scale, zero_point = quantize(np.array([[-1, 0, 14]], F32), 4, symmetric=False)
    assert (scale, zero_point) == (1, -7)
    assert _core.unpack_codes(data, 4, 3).tolist() == [[-8, -7, 7]]
    data, scale, _ = quantize(np.array([[-127.5, 127.5, 1]], F32), convention="compressed-tensors")
    assert scale == 1
    assert data.tolist() == [[-128, 127, 1]]


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("value", [0.0, -0.0, 1e-45, -1e-39])
def test_zero_and_denormal_channels_have_scale_one(bits, value):
    weight = np.array([[value] * 9, [1.0] * 9], F32)
    for symmetric in (True, False):
        data, scale, zero_point = quantize(weight, bits, symmetric=symmetric)
        assert scale[0] == 1
        assert zero_point is None or zero_point[0] == 0
        assert not _core.unpack_codes(data, bits, 9)[0].any()


@every_level
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -np.nan])
@pytest.mark.parametrize("grouping", GROUPINGS)
@pytest.mark.parametrize("bits", [8, 3])
def test_the_first_nan_or_infinity_is_named(isa, bad, grouping, bits):
    for row, column in ((0, 0), (0, 32), (4, 6), (8, 0), (8, 66)):
        weight = np.ones((9, 67), F32)
        weight[row, column] = bad
        weight[row, column + 1 :] = np.inf
        weight[row + 1 :, 3] = np.nan
        before = weight.copy()
        message = f"weight: NaN or infinity at row {row}, column {column}$"
        for symmetric in (True, False):
            with pytest.raises(ValueError, match=message):
                quantize(weight, bits, *grouping, symmetric, isa=isa)
        with pytest.raises(ValueError, match=message):
            _core.ranges(weight, grouping[1], isa=isa)
        assert weight.tobytes() == before.tobytes()


@pytest.mark.parametrize("per_tensor", [True, False], ids=["tensor", "channel"])
def test_the_first_nan_is_the_same_for_every_thread_count(per_tensor, threads):
    weight = np.zeros((600, 1000), F32)
    weight[137:, 500] = np.nan
    weight[137:, 40] = np.inf
    with pytest.raises(ValueError, match=r"row 137, column 40$"):
        quantize(weight, per_tensor=per_tensor)


@pytest.mark.parametrize("shape", [(0, 5), (4, 0), (0, 0)])
@pytest.mark.parametrize("bits", [8, 4, 3])
def test_no_elements(shape, bits):
    weight = np.empty(shape, F32)
    for per_tensor, group_size in GROUPINGS:
        data, scale, zero_point = quantize(weight, bits, per_tensor, group_size, symmetric=False)
        assert data.size == 0
        assert (scale == 1).all()
        assert (zero_point == 0).all()
        out = np.empty(shape, F32)
        _core.dequantize(data, scale, zero_point, bits, group_size, out)
    smallest, largest = _core.ranges(weight, 0)
    assert smallest.shape == largest.shape == (shape[0], 1)
    assert not smallest.any()
    assert not largest.any()
    assert _core.ranges(weight, 3)[0].shape == (shape[0], -(-shape[1] // 3))


@every_level
@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
def test_dequantize_equals_numpy(isa, bits, symmetric, rng):
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1)
    for columns in (*SIZES, 65537):
        codes = rng.integers(low, high, (3, columns)).astype(np.int8)
        codes[0] = low
        codes[1, ::2] = high - 1
        data = ending_at_wall(codes if bits == 8 else _core.pack_codes(codes, bits))
        for per_tensor, group_size in GROUPINGS if columns < 65537 else GROUPINGS[:3]:
            groups = -(-columns // group_size) if group_size else 1
            shape = (1, 1) if per_tensor else (3, groups)
            scale = (rng.normal(size=shape) * 10.0 ** rng.integers(-40, 36, shape)).astype(F32)
            zero_point = None if symmetric else rng.integers(-128, 128, shape).astype(np.int8)
            out = ending_at_wall(np.full(codes.shape, np.nan, F32))
            _core.dequantize(data, scale, zero_point, bits, group_size, out, isa=isa)
            width = group_size or columns
            wide_scale, wide_zero = (
                np.broadcast_to(np.repeat(a, width, axis=1)[:, :columns], codes.shape)
                for a in (scale, np.zeros(shape, np.int8) if symmetric else zero_point)
            )
            wanted = (codes.astype(np.int32) - wide_zero).astype(F32) * wide_scale
            assert out.tobytes() == wanted.tobytes()


def test_codes_come_back_from_what_they_stand_for(threads, rng):
    weight = rng.normal(size=(37, 513)).astype(F32)
    for convention in CONVENTIONS:
        for bits in range(2, 9):
            data, scale, zero_point = quantize(weight, bits, False, 32, False, convention)
            out = np.empty_like(weight)
            _core.dequantize(data, scale, zero_point, bits, 32, out)
            assert np.abs(out - weight).max() <= scale.max() * 0.50001
            assert quantize(out, bits, False, 32, False, convention)[0].shape == data.shape


@every_level
def test_ranges_equal_numpy(isa, threads):
    for columns in (*SIZES, 65537):
        weight = ending_at_wall(corner_weight(columns))
        for group_size in (0, 7, 32, 5000):
            if columns == 65537 and group_size == 7:
                continue
            starts = np.arange(0, columns, group_size or columns)
            smallest, largest = _core.ranges(weight, group_size, isa=isa)
            np.testing.assert_array_equal(smallest, np.minimum.reduceat(weight, starts, axis=1))
            np.testing.assert_array_equal(largest, np.maximum.reduceat(weight, starts, axis=1))


def test_the_table_reaches_down_to_every_cpu():
    rows = [row for row in _core.loop_kernels() if row["family"] == "quantize"]
    assert rows[-1]["name"] == "quantize_scalar"
    assert rows[-1]["needs"] == []
