"""Every row of the window loops against plain loops: the same bytes for all instruction sets, threads and layouts."""

import numpy as np
import pytest

from paring import _core
from protected_page import ending_at_wall
from window_reference import Sliding

every_level = pytest.mark.parametrize("isa", _core.levels())
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
every_axis = pytest.mark.parametrize("image_axis", [0, 1])

# Rows of 1 to 17 windows: around the blocks of 8 and 4 elements.
WIDTHS = (1, 3, 4, 5, 7, 8, 9, 11, 12, 13, 16, 17)
SLIDING = [
    *[Sliding((3, width + 1), (2, 2)) for width in WIDTHS],
    *[Sliding((4, 2 * width), (2, 2), (2, 2)) for width in WIDTHS],
    Sliding((5, 2 * 9 + 1), (2, 2), (2, 2)),
    Sliding((6, 20), (3, 3), (2, 2), pads=(1, 1), ends=(1, 1)),
    Sliding((6, 20), (2, 2), (2, 2), pads=(1, 1), ends=(1, 1)),
    Sliding((5, 9), (3, 3), pads=(2, 2), ends=(2, 2)),
    Sliding((5, 9), (2, 4), (1, 3), (3, 1), pads=(1, 3), ends=(2, 0)),
    Sliding((5, 9), (2, 3), (3, 1), (1, 4), pads=(0, 4), ends=(1, 4)),
    Sliding((1, 30), (1, 5), (1, 2), pads=(0, 2), ends=(0, 3)),
    Sliding((4, 4), (2, 2), (1, 1), (3, 3), pads=(2, 2), ends=(3, 3)),
    Sliding((3, 3), (2, 2), pads=(2, 0), ends=(0, 2)),
    Sliding((7, 1), (3, 1), (2, 1)),
    Sliding((1, 1), (1, 1)),
]
every_sliding = pytest.mark.parametrize("sliding", SLIDING, ids=str)


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def in_order(array, image_axis):
    """Return images (N, C, H, W) in an order of memory, ending at a wall."""
    return ending_at_wall(array if image_axis == 0 else array.swapaxes(0, 1))


def from_order(array, image_axis):
    return array if image_axis == 0 else array.swapaxes(0, 1)


def images(rng, dtype, *shape):
    return rng.standard_normal(shape).astype(dtype)


@every_level
@every_dtype
@every_axis
@every_sliding
def test_gather_and_scatter(sliding, image_axis, dtype, isa, rng):
    x = images(rng, dtype, 3, 2, *sliding.size)
    wanted = sliding.gather(x)
    rows = 2 * sliding.kernel[0] * sliding.kernel[1]
    for first, last in ((0, 3), (1, 2), (2, 2)):
        for top, bottom in ((0, sliding.out[0]), (sliding.out[0] // 2, sliding.out[0])):
            chunk = wanted[:, :, :, first:last, top:bottom]
            columns = ending_at_wall(np.full((rows, chunk.size // rows), 7, dtype))
            place = (sliding.shape(), (first, last), (top, bottom))
            _core.gather_columns(in_order(x, image_axis), image_axis, *place, columns, isa=isa)
            assert same(columns, chunk.reshape(columns.shape))
            spread = np.zeros_like(wanted)
            spread[:, :, :, first:last, top:bottom] = images(rng, dtype, *chunk.shape)
            columns = ending_at_wall(spread[:, :, :, first:last, top:bottom].reshape(columns.shape))
            dx = in_order(np.zeros_like(x), image_axis)
            _core.scatter_columns(columns, *place, dx, image_axis, isa=isa)
            assert same(from_order(dx, image_axis).copy(), sliding.scatter(spread))


def test_scatter_adds_to_what_is_there(rng):
    sliding = Sliding((4, 5), (2, 3))
    x = images(rng, np.float64, 1, 2, 4, 5)
    dx = x.copy()
    columns = np.ones((12, 9))
    _core.scatter_columns(columns, sliding.shape(), (0, 1), (0, 3), dx, 0)
    _core.scatter_columns(-columns, sliding.shape(), (0, 1), (0, 3), dx, 0)
    np.testing.assert_allclose(dx, x, rtol=1e-13)


@every_level
@every_dtype
@every_axis
@pytest.mark.parametrize("multiplier", [1, 3])
@every_sliding
def test_depthwise(sliding, multiplier, image_axis, dtype, isa, rng):
    x = images(rng, dtype, 2, 2, *sliding.size)
    filters = images(rng, dtype, 2 * multiplier, *sliding.kernel)
    for bias in (None, images(rng, dtype, 2 * multiplier)):
        wanted = sliding.depthwise(x, filters, bias)
        y = in_order(np.full_like(wanted, 7), image_axis)
        walled = [None if a is None else ending_at_wall(a) for a in (filters, bias)]
        _core.depthwise(in_order(x, image_axis), image_axis, *walled, sliding.shape(), y, image_axis, isa=isa)
        assert same(from_order(y, image_axis).copy(), wanted)
    dy = images(rng, dtype, *wanted.shape)
    dx = in_order(np.full_like(x, 7), image_axis)
    _core.depthwise_input_gradient(
        in_order(dy, 1 - image_axis), 1 - image_axis, walled[0], sliding.shape(), dx, image_axis, isa=isa
    )
    assert same(from_order(dx, image_axis).copy(), sliding.depthwise_input_gradient(dy, filters, 2))
    found = ending_at_wall(np.full_like(filters, 7))
    _core.depthwise_filter_gradient(
        in_order(x, image_axis), image_axis, in_order(dy, 0), 0, sliding.shape(), found, isa=isa
    )
    exact = sliding.depthwise_filter_gradient(x, dy)
    size = sliding.depthwise_filter_gradient(np.abs(x), np.abs(dy))
    # At most as many roundings as there are terms in one of 8 sums, and a few for the rest.
    terms = wanted[0, 0].size / 8 + 8
    assert (np.abs(found - exact) <= terms * np.finfo(dtype).eps * size).all()


@every_dtype
@every_sliding
def test_depthwise_filter_gradient_is_the_same_everywhere(sliding, dtype, any_threads, rng):
    x = images(rng, dtype, 3, 4, *sliding.size)
    dy = images(rng, dtype, 3, 4, *sliding.out)
    results = set()
    for count in (1, 3):
        _core.set_num_threads(count)
        for isa in _core.levels():
            for image_axis in (0, 1):
                filters = np.empty((4, *sliding.kernel), dtype)
                args = (in_order(x, image_axis), image_axis, in_order(dy, 1 - image_axis), 1 - image_axis)
                _core.depthwise_filter_gradient(*args, sliding.shape(), filters, isa=isa)
                results.add(filters.tobytes())
    assert len(results) == 1


def corners(rng, dtype, *shape):
    """Return values with many ties, zeros of both signs, infinities and NaN."""
    special = np.array([0.0, -0.0, 1.0, 1.0, -1.0, np.inf, -np.inf, np.nan])
    values = rng.integers(-2, 3, shape).astype(np.float64)
    places = rng.random(shape) < 0.3
    values[places] = rng.choice(special, places.sum())
    return values.astype(dtype)


@every_level
@every_dtype
@every_axis
@every_sliding
def test_max_pool(sliding, image_axis, dtype, isa, rng):
    if meets_nothing(sliding):
        with pytest.raises(
            ValueError, match="windows: expected each to meet the input, got one that is padding"
        ):
            pool(np.zeros((1, 1, *sliding.size), dtype), sliding, image_axis, isa)
        return
    for x in (images(rng, dtype, 2, 3, *sliding.size), corners(rng, dtype, 2, 3, *sliding.size)):
        wanted, wanted_places = sliding.max_pool(x)
        y, places = pool(x, sliding, image_axis, isa)
        assert same(y, wanted)
        assert same(places, wanted_places)
        assert same(pool(x, sliding, image_axis, isa, with_places=False)[0], wanted)
        dy = images(rng, dtype, *y.shape)
        dx = in_order(np.full_like(x, 7), image_axis)
        _core.max_pool_gradient(
            in_order(dy, 1 - image_axis),
            1 - image_axis,
            in_order(places, image_axis),
            image_axis,
            sliding.shape(),
            dx,
        )
        assert same(from_order(dx, image_axis).copy(), sliding.max_pool_gradient(dy, places))


def meets_nothing(sliding):
    return len({output for _, output, _ in sliding.meetings()}) < sliding.out[0] * sliding.out[1]


def pool(x, sliding, image_axis, isa, with_places=True):
    y = in_order(np.full((*x.shape[:2], *sliding.out), 7, x.dtype), image_axis)
    places = in_order(np.full((*x.shape[:2], *sliding.out), 7, np.int32), image_axis) if with_places else None
    _core.max_pool(in_order(x, image_axis), image_axis, sliding.shape(), y, places, isa=isa)
    return from_order(y, image_axis).copy(), None if places is None else from_order(places, image_axis).copy()


def test_a_window_that_is_padding_only_is_among_the_cases():
    assert any(map(meets_nothing, SLIDING))
    assert not all(map(meets_nothing, SLIDING))


@every_dtype
def test_many_planes_give_the_same_bytes_on_all_threads(dtype, any_threads, rng):
    sliding = Sliding((20, 21), (3, 3), (1, 1), pads=(1, 1), ends=(1, 1))
    x, filters = images(rng, dtype, 13, 17, 20, 21), images(rng, dtype, 17, 3, 3)
    results = {}
    for count in (1, 2, 3):
        _core.set_num_threads(count)
        columns = np.empty((17 * 9, 13 * 420), dtype)
        place = (sliding.shape(), (0, 13), (0, 20))
        _core.gather_columns(x, 0, *place, columns)
        dx = np.zeros_like(x)
        _core.scatter_columns(columns, *place, dx, 0)
        y, back, dw = np.empty_like(x), np.empty_like(x), np.empty_like(filters)
        _core.depthwise(x, 0, filters, None, sliding.shape(), y, 0)
        _core.depthwise_input_gradient(y, 0, filters, sliding.shape(), back, 0)
        _core.depthwise_filter_gradient(x, 0, y, 0, sliding.shape(), dw)
        best, places = np.empty_like(x), np.empty(x.shape, np.int32)
        _core.max_pool(x, 0, sliding.shape(), best, places)
        spread = np.empty_like(x)
        _core.max_pool_gradient(y, 0, places, 0, sliding.shape(), spread)
        results[count] = [a.tobytes() for a in (columns, dx, y, back, dw, best, places, spread)]
    assert results[1] == results[2] == results[3]


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
def test_no_images(shape):
    sliding = Sliding((4, 5), (2, 2))
    x, y = np.empty((*shape, 4, 5)), np.empty((*shape, 3, 4))
    columns = np.empty((shape[1] * 4, shape[0] * 12))
    _core.gather_columns(x, 0, sliding.shape(), (0, shape[0]), (0, 3), columns)
    _core.scatter_columns(columns, sliding.shape(), (0, shape[0]), (0, 3), x, 0)
    places = np.empty(y.shape, np.int32)
    _core.max_pool(x, 0, sliding.shape(), y, places)
    _core.max_pool_gradient(y, 0, places, 0, sliding.shape(), x)
    if shape[1]:
        filters = np.ones((shape[1], 2, 2))
        _core.depthwise(x, 0, filters, None, sliding.shape(), y, 0)
        _core.depthwise_input_gradient(y, 0, filters, sliding.shape(), x, 0)
        _core.depthwise_filter_gradient(x, 0, y, 0, sliding.shape(), filters)
        assert (filters == 0).all()


def test_the_table_reaches_down_to_every_cpu():
    rows = [row for row in _core.loop_kernels() if row["family"] == "windows"]
    assert rows[-1]["name"] == "windows_scalar"
    assert rows[-1]["needs"] == []
