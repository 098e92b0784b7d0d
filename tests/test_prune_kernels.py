"""Thresholds and n of m on every row of the prune loops and every element type, against NumPy."""

import numpy as np
import pytest

import reference
from paring import _core
from protected_page import ending_at_wall
from prune_calls import DTYPES, SIZES, below, bits_of, corners, magnitudes, n_of_m, same, smallest

every_level = pytest.mark.parametrize("isa", _core.levels())
every_kind = pytest.mark.parametrize("kind", DTYPES)


@every_level
@every_kind
def test_below_equals_numpy(isa, kind, rng):
    dtype = DTYPES[kind]
    for size in SIZES:
        weight = ending_at_wall(corners(size, dtype, rng))
        before = weight.copy()
        for threshold in (0.0, 2.0**-24, 0.25, 0.5, float(magnitudes(weight[size // 2])), np.inf):
            threshold = float(np.array(threshold, dtype))
            out, gone = below(weight, threshold, isa)
            goes = magnitudes(weight) < threshold
            assert same(out, np.where(goes, dtype.type(0), weight))
            assert gone == goes.sum()
        assert same(weight, before)


@every_level
@every_kind
def test_below_keeps_and_zeroes_bit_for_bit(isa, kind):
    dtype = DTYPES[kind]
    weight = np.array([-0.0, 0.0, -0.5, 0.5, -0.25, 1.0], dtype)
    out, gone = below(weight, 0.0, isa)
    assert same(out, weight)  # nothing is below 0, so -0 stays
    assert gone == 0
    out, gone = below(weight, 0.5, isa)
    assert same(out, np.array([0.0, 0.0, -0.5, 0.5, 0.0, 1.0], dtype))
    assert gone == 3  # the two that were zero count


@every_kind
def test_below_in_place_and_on_any_thread_count(kind, threads, rng):
    dtype = DTYPES[kind]
    weight = corners(300_001, dtype, rng)
    wanted = np.where(magnitudes(weight) < 0.5, dtype.type(0), weight)
    out, gone = below(weight, 0.5)
    assert same(out, wanted)
    assert below(weight, 0.5, out=weight)[1] == gone == (magnitudes(wanted) == 0).sum()
    assert same(weight, wanted)


@every_level
@every_kind
@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf])
def test_the_first_nan_or_infinity_is_named(isa, kind, bad, rng):
    dtype = DTYPES[kind]
    for size, places in ((1, (0,)), (1000, (0, 500, 999)), (65536, (3, 40000, 65535))):
        for place in places:
            weight = rng.normal(size=(size // 4, 4) if size % 4 == 0 else (size, 1)).astype(dtype)
            weight.reshape(-1)[place:] = bad
            before = weight.copy()
            message = f"weight: NaN or infinity at index {place}$"
            with pytest.raises(ValueError, match=message):
                below(weight, 0.5, isa)
            with pytest.raises(ValueError, match=message):
                below(weight, 0.5, isa, out=weight)
            m = weight.shape[1]
            with pytest.raises(ValueError, match=message):
                n_of_m(weight, 1, m, isa)
            with pytest.raises(ValueError, match=message):
                _core.prune_n_of_m(bits_of(weight), kind, 1, m, bits_of(weight), isa=isa)
            outs = [np.ones(7, dtype), np.full_like(weight, 7)]
            with pytest.raises(ValueError, match=rf"weights\[1\]: NaN or infinity at index {place}$"):
                smallest([np.ones(7, dtype), weight], 3, isa, outs)
            assert (outs[0] == 1).all()  # refused before anything is written
            assert (outs[1] == 7).all()
            with pytest.raises(ValueError, match=rf"weights\[0\]: NaN or infinity at index {place}$"):
                smallest([weight], 1, isa, [weight])
            assert same(weight, before)


def test_the_first_nan_is_the_same_for_every_thread_count(threads):
    weight = np.zeros(1_000_000, np.float32)
    weight[[123_456, 123_460, 700_000, 999_999]] = np.nan, np.inf, np.nan, np.inf
    for out in (np.empty_like(weight), weight):
        with pytest.raises(ValueError, match=r"index 123456$"):
            below(weight, 0.5, out=out)
        with pytest.raises(ValueError, match=r"index 123456$"):
            smallest([weight], 10, outs=[out])


# Runs of 4 have their own loop, others up to 16 another, longer ones a third.
CASES = [(2, 4), (1, 4), (0, 4), (3, 4), (4, 4), (1, 2), (1, 1), (4, 8), (5, 16)]
CASES += [(3, 17), (0, 17), (17, 17), (9, 40)]


@every_level
@every_kind
@pytest.mark.parametrize(("n", "m"), CASES)
def test_n_of_m_equals_a_stable_sort(isa, kind, n, m, rng):
    dtype = DTYPES[kind]
    for runs in (1, 3, 7, 8, 9, 33, 1000):
        weight = ending_at_wall(corners(3 * runs * m, dtype, rng).reshape(3, runs * m))
        before = weight.copy()
        wanted = reference.prune_n_of_m(weight, n, m)
        assert same(n_of_m(weight, n, m, isa), wanted)
        assert same(weight, before)
        copy = weight.copy()
        _core.prune_n_of_m(bits_of(copy), kind, n, m, bits_of(copy), isa=isa)
        assert same(copy, wanted)


@every_kind
def test_two_of_four_on_any_thread_count(kind, threads, rng):
    weight = corners(400_000, DTYPES[kind], rng).reshape(100, 4000)
    assert same(n_of_m(weight, 2, 4), reference.prune_n_of_m(weight, 2, 4))
    assert same(n_of_m(weight, 3, 1000), reference.prune_n_of_m(weight, 3, 1000))


def test_all_orders_of_two_of_four():
    grid = np.indices((4, 4, 4, 4)).reshape(4, -1).T
    weight = np.where(np.arange(4) % 2, -1, 1) * grid.astype(np.float32)
    weight = np.ascontiguousarray(weight, np.float32)
    assert same(n_of_m(weight, 2, 4), reference.prune_n_of_m(weight, 2, 4))
    assert n_of_m(np.array([[1, -1, 1, 1]], np.float32), 2, 4).tolist() == [[0, 0, 1, 1]]


@every_kind
def test_no_elements(kind):
    for shape in ((0,), (0, 8), (3, 0)):
        empty = np.empty(shape, DTYPES[kind])
        assert below(empty, 0.5)[1] == 0
        if len(shape) == 2:
            assert n_of_m(empty, 2, 4).shape == shape


def test_the_table_reaches_down_to_every_cpu():
    rows = [row for row in _core.loop_kernels() if row["family"] == "prune"]
    assert rows[-1]["name"] == "prune_scalar"
    assert rows[-1]["needs"] == []
