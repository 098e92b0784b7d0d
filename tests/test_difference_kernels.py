"""How far two arrays are apart: the same bytes on every level and thread count, and the values of NumPy."""

import math

import numpy as np
import pytest

from paring import _core
from protected_page import ending_at_wall

SIZES = (0, 1, 3, 15, 16, 17, 31, 32, 33, 100, 16383, 16384, 16385, 300_001)
DTYPES = [(np.float32, np.float32), (np.float64, np.float32), (np.float64, np.float64)]
every_dtype = pytest.mark.parametrize(
    "dtypes", DTYPES, ids=lambda pair: f"{pair[0].__name__}-{pair[1].__name__}"
)
every_level = pytest.mark.parametrize("isa", _core.levels())


def random_pair(size, dtypes, rng):
    a = (rng.normal(size=size) * 10.0 ** rng.integers(-3, 4, size)).astype(dtypes[0])
    b = (a * rng.choice([1, 1.01, 0, -0.0], size)).astype(dtypes[1])
    return ending_at_wall(a), ending_at_wall(b)


@every_dtype
def test_sums_equal_numpy_and_do_not_depend_on_the_machine(dtypes, any_threads, rng):
    for size in SIZES:
        a, b = random_pair(size, dtypes, rng)
        results = set()
        for count in (1, 2, 3):
            _core.set_num_threads(count)
            results |= {_core.difference_sums(a, b, isa=isa) for isa in _core.levels()}
        [(largest, total, noise, signal, zeros)] = results
        exact = a.astype(np.float64)
        error = np.abs(exact - b)
        assert largest == error.max(initial=0)
        assert zeros == size - np.count_nonzero(b)
        for got, terms in ((total, error), (noise, error * error), (signal, exact * exact)):
            assert got == pytest.approx(math.fsum(terms.tolist()), rel=1e-13, abs=0)


@every_level
@every_dtype
def test_corner_values(isa, dtypes):
    a = np.array([0.0, -0.0, 1e-40, -1e-45, 3e38, -3e38], dtypes[0])
    b = np.array([-0.0, 0.0, 0.0, -1e-45, -3e38, -3e38], dtypes[1])
    exact, other = a.astype(np.float64), b.astype(np.float64)
    error = np.abs(exact - other)
    largest, total, noise, signal, zeros = _core.difference_sums(a, b, isa=isa)
    assert (largest, zeros) == (error.max(), 3)
    assert total == math.fsum(error)
    assert noise == math.fsum(error * error)
    assert signal == math.fsum(exact * exact)


@every_level
@every_dtype
@pytest.mark.parametrize("place", [0, 5, 16, 99, 20_000])
def test_infinity_and_nan(isa, dtypes, place):
    a, b = np.ones(20_001, dtypes[0]), np.ones(20_001, dtypes[1])
    b[place] = -np.inf
    assert _core.difference_sums(a, b, isa=isa) == (np.inf, np.inf, np.inf, 20_001, 0)
    a[place] = -np.inf  # infinity from infinity
    largest, total, noise, signal, _ = _core.difference_sums(a, b, isa=isa)
    assert np.isnan([largest, total, noise]).all()
    assert signal == np.inf
    a[place], b[place] = np.nan, 0
    assert np.isnan(_core.difference_sums(a, b, isa=isa)[:4]).all()
    assert _core.difference_sums(a, b, isa=isa)[4] == 1


@every_level
def test_sums_beyond_float64(isa):
    a, b = np.full(20, 1e200), np.zeros(20)
    assert _core.difference_sums(a, b, isa=isa) == (1e200, pytest.approx(2e201), np.inf, np.inf, 20)


@pytest.mark.parametrize(
    ("a", "b", "error", "message"),
    [
        (np.zeros(3, np.float32), np.zeros(4, np.float32), ValueError, r"b: expected 3 elements, got \(4\)"),
        (np.zeros(3, np.float32), np.zeros(3), TypeError, "b: expected a C-contiguous float32 array"),
        (np.zeros(3, np.float16), np.zeros(3), TypeError, "a: expected a C-contiguous float32 array"),
        (np.zeros(6)[::2], np.zeros(3), TypeError, "a: expected a C-contiguous float64 array"),
        (np.zeros(3), np.zeros(3, np.int32), TypeError, "b: expected a C-contiguous float32 array"),
        (
            np.zeros(3, np.float32),
            np.zeros(6, np.float32)[::2],
            TypeError,
            "b: expected a C-contiguous float32",
        ),
    ],
)
def test_refused_arguments(a, b, error, message):
    with pytest.raises(error, match=message):
        _core.difference_sums(a, b)
