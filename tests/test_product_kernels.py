"""Products of two matrices that are packed on the way, on every float row of the gemm table, against float64."""

import numpy as np
import pytest

import paring
from paring import _core
from protected_page import ending_at_wall

BLOCK_DEPTH = 512  # of csrc/products/product.h
ROWS = [k for k in _core.gemm_kernels() if k["weight_type"] == "f32"]
KERNELS = [k["name"] for k in ROWS if set(k["needs"]) <= set(_core.features())]
every_kernel = pytest.mark.parametrize("kernel", KERNELS)

# Around tiles of 4, 6 and 12 rows, panels of 16 and 32 columns, squares of 4, and blocks of k.
SIZES = (1, 3, 4, 5, 7, 12, 13, 16, 17, 31, 32, 33, 50)
DEPTHS = (1, 2, 4, 7, 8, BLOCK_DEPTH - 1, BLOCK_DEPTH, BLOCK_DEPTH + 1, 2 * BLOCK_DEPTH + 3)


def floats(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def multiply(a, b, kernel="", **start):
    out = np.full((a.shape[0], b.shape[1]), np.nan, np.float32)
    _core.matrix_product(a, b, out, kernel=kernel, **start)
    return out


def check_close(got, a, b, start=0.0):
    """Compare with float64: every fused multiply-add, and every addition of a block, may round once."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    steps = a.shape[1] + a.shape[1] // BLOCK_DEPTH + 2
    bound = steps * 2.0**-24 * (np.abs(a) @ np.abs(b) + np.abs(start)) + 1e-38
    assert (np.abs(got - (a @ b + start)) <= bound).all()


@every_kernel
@pytest.mark.parametrize("m", SIZES)
@pytest.mark.parametrize("n", SIZES)
def test_shapes_around_the_tile(m, n, kernel, rng):
    for k in (1, 5, 16, 33):
        a, b = floats(rng, m, k), floats(rng, k, n)
        got = multiply(a, b, kernel)
        check_close(got, a, b)
        assert got.tobytes() == multiply(a, b, KERNELS[-1]).tobytes()


@every_kernel
@pytest.mark.parametrize("k", DEPTHS)
@pytest.mark.parametrize(("m", "n"), [(3, 50), (50, 3), (13, 33), (40, 40)])
def test_depths_around_the_block(m, n, k, kernel, rng):
    a, b = floats(rng, m, k), floats(rng, k, n)
    got = multiply(a, b, kernel)
    check_close(got, a, b)
    assert got.tobytes() == multiply(a, b, KERNELS[-1]).tobytes()


@every_kernel
@pytest.mark.parametrize(
    "order", ["rows", "columns", "every other row", "every other value", "one row again"]
)
@pytest.mark.parametrize("side", ["a", "b", "out"])
def test_strides_change_no_byte(side, order, kernel, rng):
    m, k, n = 29, 530, 45
    arrays = {"a": floats(rng, m, k), "b": floats(rng, k, n)}
    if order == "one row again" and side != "out":
        arrays[side][:] = arrays[side][0]
    expected = multiply(arrays["a"], arrays["b"], kernel)
    out = np.full((m, n), np.nan, np.float32)
    if side != "out":
        arrays[side] = in_order(arrays[side], order)
    elif order in ("rows", "columns", "every other row"):
        out = in_order(out, order)
    _core.matrix_product(arrays["a"], arrays["b"], out, kernel=kernel)
    np.testing.assert_array_equal(out, expected)


def in_order(array, order):
    """Return an array equal to this one, with other strides."""
    rows, columns = array.shape
    if order == "columns":
        return np.asfortranarray(array)
    if order == "every other row":
        wide = np.zeros((2 * rows, columns + 3), np.float32)
        view = wide[::2, 1 : columns + 1]
    elif order == "every other value":
        view = np.zeros((rows, 2 * columns), np.float32)[:, ::2]
    elif order == "one row again":
        return np.broadcast_to(array[0], array.shape)
    else:
        return array
    view[...] = array
    return view


@every_kernel
@pytest.mark.parametrize("k", [0, 7, BLOCK_DEPTH + 1])
@pytest.mark.parametrize(("m", "n"), [(5, 40), (40, 5)])
def test_what_is_added(m, n, k, kernel, rng):
    a, b = floats(rng, m, k), floats(rng, k, n)
    rows, columns, before = floats(rng, m), floats(rng, n), floats(rng, m, n)
    check_close(multiply(a, b, kernel, rows=rows), a, b, rows[:, None].astype(np.float64))
    check_close(multiply(a, b, kernel, columns=columns), a, b, columns.astype(np.float64))
    out = before.copy()
    _core.matrix_product(a, b, out, add=True, kernel=kernel)
    check_close(out, a, b, before.astype(np.float64))
    turned = np.asfortranarray(before)
    _core.matrix_product(a, b, turned, add=True, kernel=kernel)
    np.testing.assert_array_equal(turned, out)


@every_kernel
@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)])
def test_nothing_in_a_size(shape, kernel):
    m, k, n = shape
    got = multiply(np.ones((m, k), np.float32), np.ones((k, n), np.float32), kernel)
    np.testing.assert_array_equal(got, np.zeros((m, n), np.float32))


@every_kernel
def test_corner_values(kernel):
    """As IEEE has them, and no output is -0."""
    tiny, huge = np.float32(1e-45), np.finfo(np.float32).max
    a = np.float32([[np.inf, 1], [np.nan, 1], [tiny, 0], [huge, huge], [-0.0, -0.0], [-1, 0]])
    b = np.float32([[1, 0, -1], [1, 1, 1]])
    got = multiply(a, b, kernel)
    with np.errstate(all="ignore"):
        expected = (a.astype(np.float64) @ b.astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(got, expected)
    assert not np.signbit(got[got == 0]).any()


@every_kernel
def test_memory_ends_at_a_wall(kernel, rng):
    for m, k, n in ((1, 1, 1), (13, 17, 33), (6, BLOCK_DEPTH + 5, 16)):
        a, b, out = floats(rng, m, k), floats(rng, k, n), np.zeros((m, n), np.float32)
        expected = multiply(a, b, kernel)
        sides = [ending_at_wall(x) for x in (a, b, out)]
        _core.matrix_product(*sides, kernel=kernel)
        np.testing.assert_array_equal(sides[2], expected)
        turned = [ending_at_wall(np.ascontiguousarray(x.T)).T for x in (a, b, out)]
        _core.matrix_product(*turned, kernel=kernel)
        np.testing.assert_array_equal(turned[2], expected)


@pytest.mark.parametrize(
    ("m", "k", "n"),
    [(64, 784, 300), (20, 9000, 25), (500, 64, 10), (1000, 600, 31), (3, 5000, 3), (600, 5000, 40)],
)
def test_threads_change_no_byte(m, k, n, rng):
    """Few columns make threads share the blocks of k, many rows make them share panels."""
    a, b, before = floats(rng, m, k), floats(rng, k, n), floats(rng, m, n)
    results = []
    for threads in (1, 2, 3, 8):
        with paring.set_num_threads(threads):
            out = before.copy()
            _core.matrix_product(a, b, out, add=True)
            results.append((multiply(a, b).tobytes(), out.tobytes(), multiply(b.T, a.T).T.tobytes()))
    assert len(set(results)) == 1
    check_close(multiply(a, b), a, b)


def test_rows_do_not_depend_on_their_neighbours(rng):
    a, b = floats(rng, 70, 600), floats(rng, 600, 90)
    whole = multiply(a, b)
    for rows in (slice(0, 1), slice(3, 20), slice(60, 70)):
        np.testing.assert_array_equal(multiply(a[rows], b), whole[rows])
    np.testing.assert_array_equal(multiply(a, b[:, 40:43]), whole[:, 40:43])


@every_kernel
@pytest.mark.parametrize("count", [0, 1, 2, 5])
@pytest.mark.parametrize("order", ["C", "turned", "one for all"])
def test_stacks(count, order, kernel, rng):
    """Each matrix of a stack has the bytes that it has alone."""
    a, b = floats(rng, count, 7, 33), floats(rng, count, 33, 18)
    if order == "turned":
        a, b = (np.ascontiguousarray(x.swapaxes(1, 2)).swapaxes(1, 2) for x in (a, b))
    elif order == "one for all":
        b = np.broadcast_to(floats(rng, 33, 18), b.shape)
    out = np.full((count, 7, 18), np.nan, np.float32)
    _core.matrix_products(a, b, out, kernel)
    for place in range(count):
        assert out[place].tobytes() == multiply(a[place], b[place], kernel).tobytes()


def test_stacks_and_threads(rng):
    a, b = floats(rng, 37, 40, 64), floats(rng, 37, 64, 40)
    results = set()
    for threads in (1, 2, 3, 8):
        with paring.set_num_threads(threads):
            out = np.empty((37, 40, 40), np.float32)
            _core.matrix_products(a, b, out)
            results.add(out.tobytes())
    assert len(results) == 1


def test_stacks_that_are_refused(rng):
    a, b, out = floats(rng, 3, 4, 5), floats(rng, 3, 5, 6), np.empty((3, 4, 6), np.float32)
    for arrays, error, message in (
        (
            (a[:2], b, out),
            TypeError,
            r"a: expected a stack of 3 matrices .*, got shape \(2, 4, 5\)",
        ),
        ((a, b[0], out), TypeError, "b: expected a stack of 3 matrices"),
        ((a[::-1], b, out), TypeError, "a: expected a stack of 3 matrices without negative strides"),
        (
            (a[:, :, ::-1], b, out),
            TypeError,
            "a: expected an aligned float32 matrix without negative strides",
        ),
        (
            (a, b[:, :4], out),
            ValueError,
            r"expected shapes \(s, m, k\), \(s, k, n\) and \(s, m, n\), got \(3, 4, 5\)",
        ),
        ((a, b, out[:, :, ::2]), TypeError, "out: expected a C-contiguous float32 array of 3 axes"),
    ):
        with pytest.raises(error, match=message):
            _core.matrix_products(*arrays)
    memory = floats(rng, 6, 4, 4)
    with pytest.raises(ValueError, match="out: overlaps b"):
        _core.matrix_products(floats(rng, 3, 4, 4), memory[2:5], memory[:3])


EYE = np.eye(4, dtype=np.float32)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"a": EYE.astype(np.float64)},
            TypeError,
            r"a: expected an aligned float32 matrix .*, got float64 \(4, 4\)",
        ),
        (
            {"b": EYE[0]},
            TypeError,
            r"b: expected an aligned float32 matrix without negative strides, got float32 \(4\)",
        ),
        ({"b": EYE[::-1]}, TypeError, "b: expected an aligned float32 matrix without negative strides"),
        ({"a": EYE.astype(">f4")}, TypeError, "a: expected an aligned float32 matrix"),
        (
            {"a": EYE[:, :3]},
            ValueError,
            r"expected shapes \(m, k\), \(k, n\) and \(m, n\), got \(4, 3\), \(4, 4\)",
        ),
        ({"out": np.zeros((4, 5), np.float32)}, ValueError, r"expected shapes .* and \(4, 5\)"),
        (
            {"out": np.zeros((4, 8), np.float32)[:, ::2]},
            ValueError,
            "out: expected contiguous rows or columns",
        ),
        ({"rows": np.zeros(3, np.float32)}, ValueError, r"rows: expected 4 elements, got \(3\)"),
        ({"columns": np.zeros(5, np.float32)}, ValueError, r"columns: expected 4 elements, got \(5\)"),
        ({"rows": EYE[0], "add": True}, ValueError, "expected one of add, rows and columns, got several"),
        ({"kernel": "nope"}, ValueError, "kernel: unknown name 'nope'"),
    ],
)
def test_refused(arguments, error, message):
    given = {"a": EYE, "b": EYE, "out": np.zeros((4, 4), np.float32), **arguments}
    with pytest.raises(error, match=message):
        _core.matrix_product(given.pop("a"), given.pop("b"), given.pop("out"), **given)


def test_outputs_that_cannot_be_written():
    memory = np.zeros((8, 4), np.float32)
    with pytest.raises(ValueError, match="out: overlaps a"):
        _core.matrix_product(memory[:4], EYE, memory[2:6])
    with pytest.raises(ValueError, match="out: overlaps b"):
        _core.matrix_product(EYE, memory[:4], memory[2:6])
    with pytest.raises(ValueError, match="out: expected contiguous rows or columns, got others"):
        _core.matrix_product(EYE, EYE, np.lib.stride_tricks.as_strided(memory, (4, 4), (4, 4)))
    memory.flags.writeable = False
    with pytest.raises(ValueError, match="out: expected a writeable array"):
        _core.matrix_product(EYE, EYE, memory[:4])
