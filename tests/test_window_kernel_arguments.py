"""What the kernels of windows refuse, and how they say so."""

import numpy as np
import pytest

from paring import _core

SHAPE = _core.WindowShape((4, 5), (2, 3), (1, 1), (1, 1), (0, 0), (3, 3))
RANGES = ((0, 2), (0, 3))


def x(dtype=np.float32, shape=(2, 3, 4, 5)):
    return np.zeros(shape, dtype)


def y(dtype=np.float32, shape=(2, 3, 3, 3)):
    return np.zeros(shape, dtype)


def columns(dtype=np.float32, shape=(18, 18)):
    return np.zeros(shape, dtype)


def filters(dtype=np.float32, shape=(3, 2, 3)):
    return np.zeros(shape, dtype)


def read_only(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (0, (4, 2**31 + 1), r"size: expected numbers from 0 to 2\*\*31, got 2147483649"),
        (1, (0, 3), r"kernel: expected numbers from 1 to 2\*\*31, got 0"),
        (2, (1, 0), r"strides: expected numbers from 1"),
        (3, (0, 1), r"dilations: expected numbers from 1"),
        (4, (2**40, 0), r"pads: expected numbers from 0"),
        (5, (3, 2**32), r"out: expected numbers from 0"),
    ],
)
def test_bad_numbers_of_windows_are_refused(position, value, message):
    numbers = [(4, 5), (2, 3), (1, 1), (1, 1), (0, 0), (3, 3)]
    numbers[position] = value
    with pytest.raises(ValueError, match=message):
        _core.WindowShape(*numbers)


@pytest.mark.parametrize(
    ("function", "arguments", "error", "message"),
    [
        (
            "gather_columns",
            (x(np.int32), 0, SHAPE, *RANGES, columns()),
            TypeError,
            "x: expected a C-contiguous float32",
        ),
        (
            "gather_columns",
            (x()[:, ::2], 0, SHAPE, *RANGES, columns()),
            TypeError,
            "x: expected a C-contiguous",
        ),
        ("gather_columns", (x(shape=(4, 5)), 0, SHAPE, *RANGES, columns()), TypeError, "x: .*4 axes"),
        (
            "gather_columns",
            (x(), 2, SHAPE, *RANGES, columns()),
            ValueError,
            "image axis: expected 0 or 1, got 2",
        ),
        (
            "gather_columns",
            (x(shape=(2, 3, 5, 4)), 0, SHAPE, *RANGES, columns()),
            ValueError,
            r"x: expected planes of 4 x 5, got \(2, 3, 5, 4\)",
        ),
        ("gather_columns", (x(), 0, SHAPE, *RANGES, columns(np.float64)), TypeError, "columns: .*float32"),
        (
            "gather_columns",
            (x(), 0, SHAPE, *RANGES, read_only(columns())),
            ValueError,
            "columns: expected a writeable",
        ),
        (
            "gather_columns",
            (x(), 0, SHAPE, *RANGES, columns(shape=(18, 17))),
            ValueError,
            "columns: expected 18 x 18",
        ),
        (
            "gather_columns",
            (x(), 0, SHAPE, *RANGES, columns(shape=(17, 18))),
            ValueError,
            "columns: expected 18 x 18",
        ),
        (
            "gather_columns",
            (x(), 0, SHAPE, (0, 3), (0, 3), columns()),
            ValueError,
            "images: .*within 2, got 0 to 3",
        ),
        ("gather_columns", (x(), 0, SHAPE, (2, 1), (0, 3), columns()), ValueError, "images: .*got 2 to 1"),
        (
            "gather_columns",
            (x(), 0, SHAPE, (0, 2), (0, 4), columns()),
            ValueError,
            "rows: .*within 3, got 0 to 4",
        ),
        ("scatter_columns", (columns(), SHAPE, *RANGES, x(np.float64), 0), TypeError, "x: .*float32"),
        (
            "scatter_columns",
            (columns(), SHAPE, *RANGES, read_only(x()), 0),
            ValueError,
            "x: expected a writeable",
        ),
        (
            "scatter_columns",
            (columns(shape=(18, 9)), SHAPE, *RANGES, x(), 0),
            ValueError,
            "columns: expected 18 x 18",
        ),
        ("max_pool", (x(), 0, SHAPE, y(shape=(2, 3, 3, 4)), None), ValueError, "y: expected planes of 3 x 3"),
        (
            "max_pool",
            (x(), 0, SHAPE, y(shape=(3, 2, 3, 3)), None),
            ValueError,
            "y: expected 2 images of 3 channels, got 3 of 2",
        ),
        ("max_pool", (x(), 0, SHAPE, y(), y(np.int64)), TypeError, "places: expected a C-contiguous int32"),
        (
            "max_pool",
            (x(), 0, SHAPE, y(), y(np.int32, (2, 4, 3, 3))),
            ValueError,
            "places: expected 2 images of 3",
        ),
        (
            "max_pool_gradient",
            (y(), 0, y(np.int32), 0, SHAPE, x(shape=(1, 3, 4, 5))),
            ValueError,
            "dx: expected 2",
        ),
        (
            "max_pool_gradient",
            (y(), 1, y(np.int32), 0, SHAPE, x()),
            ValueError,
            "places: expected 3 images of 2",
        ),
        (
            "depthwise",
            (x(), 0, filters(shape=(3, 3, 2)), None, SHAPE, y(), 0),
            ValueError,
            r"filters: .*\(3, 2, 3\)",
        ),
        ("depthwise", (x(), 0, filters(np.float64), None, SHAPE, y(), 0), TypeError, "filters: .*float32"),
        (
            "depthwise",
            (x(), 0, filters(), np.zeros(2, np.float32), SHAPE, y(), 0),
            ValueError,
            "bias: expected 3",
        ),
        (
            "depthwise",
            (x(), 0, filters(shape=(4, 2, 3)), None, SHAPE, y(shape=(2, 4, 3, 3)), 0),
            ValueError,
            "a multiple of 3 channels, on both sides, got 2 and 2 images and 4 channels",
        ),
        (
            "depthwise",
            (x(shape=(2, 0, 4, 5)), 0, filters(), None, SHAPE, y(), 0),
            ValueError,
            "a multiple of 0 channels",
        ),
        (
            "depthwise_input_gradient",
            (y(shape=(1, 3, 3, 3)), 0, filters(), SHAPE, x(), 0),
            ValueError,
            "expected as many images",
        ),
        (
            "depthwise_filter_gradient",
            (x(), 0, y(), 0, SHAPE, read_only(filters())),
            ValueError,
            "filters: expected a writeable array",
        ),
    ],
)
def test_bad_arguments_are_refused(function, arguments, error, message):
    with pytest.raises(error, match=message):
        getattr(_core, function)(*arguments)


@pytest.mark.parametrize("place", [20, -1, 2**31 - 1])
def test_a_place_beyond_the_plane_is_refused(place, threads):
    places = y(np.int32)
    places[1, 2, 0, 1] = place
    with pytest.raises(ValueError, match="places: expected places below 20, got another at output 46"):
        _core.max_pool_gradient(y(), 0, places, 0, SHAPE, x())


def test_numbers_that_overflow_do_not_pass():
    """Products of the largest numbers allowed, which would wrap to the size of the columns."""
    shape = _core.WindowShape((0, 0), (1, 1), (1, 1), (1, 1), (0, 0), (2**31, 2**31))
    images = np.empty((4, 1, 0, 0), np.float32)
    with pytest.raises(ValueError, match=r"columns: expected 1 x .*, got \(1, 0\)"):
        _core.gather_columns(images, 0, shape, (0, 4), (0, 2**31), np.empty((1, 0), np.float32))
    shape = _core.WindowShape((4, 5), (2**31, 2**31), (1, 1), (1, 1), (0, 0), (3, 3))
    with pytest.raises(ValueError, match=r"kernel: expected at most 2\*\*31 taps"):
        _core.gather_columns(x(), 0, shape, *RANGES, columns())


def test_outputs_overlap_nothing():
    memory = np.zeros(2000, np.float32)
    inside = memory[:120].reshape(2, 3, 4, 5)
    with pytest.raises(ValueError, match="columns: overlaps x"):
        _core.gather_columns(inside, 0, SHAPE, *RANGES, memory[119 : 119 + 324].reshape(18, 18))
    with pytest.raises(ValueError, match="x: overlaps columns"):
        _core.scatter_columns(memory[:324].reshape(18, 18), SHAPE, *RANGES, inside, 0)
    out = memory[100:154].reshape(2, 3, 3, 3)
    with pytest.raises(ValueError, match="y: overlaps x"):
        _core.max_pool(inside, 0, SHAPE, out, None)
    with pytest.raises(ValueError, match="y: overlaps x"):
        _core.depthwise(inside, 0, filters(), None, SHAPE, out, 0)
    with pytest.raises(ValueError, match="dx: overlaps dy"):
        _core.depthwise_input_gradient(out, 0, filters(), SHAPE, inside, 0)
    with pytest.raises(ValueError, match="dx: overlaps dy"):
        _core.max_pool_gradient(out, 0, y(np.int32), 0, SHAPE, inside)
    with pytest.raises(ValueError, match="filters: overlaps x"):
        _core.depthwise_filter_gradient(inside, 0, y(), 0, SHAPE, memory[:18].reshape(3, 2, 3))


@pytest.mark.parametrize("function", ["gather_columns", "max_pool"])
def test_an_unknown_level_is_refused(function):
    arguments = (*RANGES, columns()) if function == "gather_columns" else (y(), None)
    with pytest.raises(ValueError, match="unknown name 'avx9'; usable here: scalar"):
        getattr(_core, function)(x(), 0, SHAPE, *arguments, isa="avx9")
