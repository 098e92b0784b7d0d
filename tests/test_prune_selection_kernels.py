"""Pruning to an exact count on every row of the prune loops, against a stable sort."""

import numpy as np
import pytest

import reference
from paring import _core
from protected_page import ending_at_wall
from prune_calls import DTYPES, SIZES, corners, same, selected, smallest

every_level = pytest.mark.parametrize("isa", _core.levels())
every_kind = pytest.mark.parametrize("kind", DTYPES)


@every_level
@every_kind
def test_smallest_equals_a_stable_sort(isa, kind, rng):
    dtype = DTYPES[kind]
    for size in SIZES:
        weight = ending_at_wall(corners(size, dtype, rng))
        before = weight.copy()
        for count in sorted({0, 1, size // 3, size // 2, size - 1, size}):
            outs, gone = smallest([weight], count, isa)
            assert same(outs[0], reference.prune_smallest([weight], count)[0])
            assert gone == [count]
        assert same(weight, before)


@every_level
def test_smallest_is_exact_to_the_last_bit(isa, rng):
    # Magnitudes that share their leading bits, in numbers that are and are not copied out of their bucket.
    for dtype, last_bit in ((np.float64, 2.0**-52), (np.float32, 2.0**-23), (np.float16, 2.0**-10)):
        for size in (5000, 70_001):
            for spread in (1, 3, 60, size):
                weight = (1 + rng.integers(0, spread, size) % 1000 * last_bit).astype(dtype)
                weight[::3] *= -1
                for count in (1, size // 2, size - 1):
                    outs, _ = smallest([weight], count, isa)
                    assert same(outs[0], reference.prune_smallest([weight], count)[0])


@every_kind
def test_smallest_of_equal_magnitudes_takes_the_earlier(kind, threads):
    dtype = DTYPES[kind]
    weights = [np.full(n, value, dtype) for n, value in ((100_000, -2.0), (0, 1.0), (50_000, 2.0))]
    for count in (0, 1, 33_000, 99_999, 100_000, 100_001, 131_072, 150_000):
        outs, gone = smallest(weights, count)
        first = min(count, 100_000)
        assert gone == [first, 0, count - first]
        assert (outs[0][:first] == 0).all()
        assert (outs[0][first:] == -2).all()
        assert (outs[2][: count - first] == 0).all()
        assert (outs[2][count - first :] == 2).all()


@every_level
def test_smallest_over_a_mixed_model_compares_values(isa, threads, rng):
    weights = [
        corners(40_000, DTYPES["float16"], rng),
        corners(777, DTYPES["bfloat16"], rng).reshape(7, 111),
        corners(33_000, DTYPES["float32"], rng).reshape(330, 100),
        np.empty((0, 3), np.float32),
        corners(5000, DTYPES["float64"], rng),
        np.array(0.5, np.float16).reshape(1),
    ]
    size = sum(w.size for w in weights)
    for count in (0, 1, 5000, size // 2, size // 2 + 1, size - 1, size):
        wanted = reference.prune_smallest(weights, count)
        outs, gone = smallest(weights, count, isa)
        assert sum(gone) == count
        for out, want, weight in zip(outs, wanted, weights, strict=True):
            assert same(out, want.reshape(weight.shape))
        outs, gone_selected = selected(weights, count, isa)
        assert gone_selected == gone
        assert all(same(a, b.reshape(a.shape)) for a, b in zip(outs, wanted, strict=True))
        copies = [w.copy() for w in weights]
        assert smallest(copies, count, isa, copies)[1] == gone
        assert all(same(a, b) for a, b in zip(copies, wanted, strict=True))


def test_smallest_of_nothing():
    assert smallest([], 0) == ([], [])
    assert smallest([np.empty(0, np.float32)], 0)[1] == [0]


def test_every_float16_magnitude_has_its_place_among_float64():
    keys = np.arange(0x7C00, dtype=np.uint16)
    halves = keys.view(np.float16)
    steps = halves.astype(np.float64) * (1 + 2.0**-40)  # just above each, and 0 itself
    for count in (1, 2, 3, 1000, 2047, 2048, 30_000, 2 * len(keys) - 1):
        outs, gone = smallest([halves, steps], count)
        assert gone == [(count + 1) // 2, count // 2]
        for out, full, number in zip(outs, (halves, steps), gone, strict=True):
            assert not out[:number].any()
            assert same(out[number:], full[number:])


@every_level
@every_kind
def test_selecting_and_writing_apart_give_the_same(isa, kind, threads, rng):
    for sizes in ((1,), (70_000, 33, 0, 65_537)):
        weights = [ending_at_wall(corners(size, DTYPES[kind], rng)) for size in sizes]
        for count in sorted({0, 1, sum(sizes) // 2, sum(sizes) - 1, sum(sizes)}):
            outs, gone = smallest(weights, count, isa)
            apart, gone_apart = selected(weights, count, isa)
            assert gone == gone_apart
            assert all(same(a, b) for a, b in zip(outs, apart, strict=True))
            copies = [w.copy() for w in weights]
            selected(copies, count, isa, copies)
            assert all(same(a, b) for a, b in zip(outs, copies, strict=True))


def test_selecting_refuses_what_smallest_refuses():
    words = np.array([1, np.nan], np.float32).view(np.uint32)
    with pytest.raises(ValueError, match=r"weights\[0\]: NaN or infinity at index 1"):
        _core.select_smallest([words], ["float32"], 1)
    with pytest.raises(ValueError, match="count: expected at most 2 elements, got 3"):
        _core.select_smallest([np.zeros(2, np.uint32)], ["float32"], 3)
    with pytest.raises(ValueError, match="kinds: expected 1, got 0"):
        _core.select_smallest([np.zeros(2, np.uint32)], [], 1)


def test_a_cut_beyond_infinity_is_refused():
    words = np.zeros(2, np.uint16)
    with pytest.raises(ValueError, match="key: expected at most that of infinity, got 65535"):
        _core.prune_selected(words, "float16", "float16", 65535, 0, words.copy())
    with pytest.raises(ValueError, match=r"kind: expected float16, .* got 'int8'"):
        _core.prune_selected(words, "float16", "int8", 0, 0, words.copy())
