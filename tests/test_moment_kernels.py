"""Mean and standard deviation: the same bytes on every level and thread count, and the values of NumPy."""

import math

import numpy as np
import pytest

from paring import _core
from protected_page import ending_at_wall
from prune_calls import SIZES

every_level = pytest.mark.parametrize("isa", _core.levels())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments_equal_numpy_and_do_not_depend_on_the_machine(dtype, any_threads, rng):
    for size in (*SIZES, 16384, 16385, 300_001):
        weight = ending_at_wall((rng.normal(size=size) * 3 + 0.01).astype(dtype))
        exact = math.fsum(weight.tolist()) / size
        results = set()
        for count in (1, 2, 3):
            _core.set_num_threads(count)
            results |= {_core.moments(weight, isa=isa) for isa in _core.levels()}
        assert len(results) == 1
        mean, deviation = results.pop()
        assert mean == pytest.approx(exact, rel=1e-12, abs=1e-12 * float(np.abs(weight).mean()))
        assert deviation == pytest.approx(np.std(weight, dtype=np.float64), rel=1e-12, abs=0)


def test_moments_of_special_weights():
    assert _core.moments(np.empty(0, np.float32)) == (0, 0)
    assert _core.moments(np.full((3, 4), 0.75, np.float32)) == (0.75, 0)
    assert _core.moments(np.array([1, 3], np.float64)) == (2, 1)
    huge = float(np.finfo(np.float32).max)
    assert _core.moments(np.array([-huge, huge], np.float32)) == (0, huge)
    # 1e8 + small: one pass over the squares would lose the small part.
    weight = 1e8 + np.tile([-1.0, 1.0], 5000)
    assert _core.moments(weight) == (1e8, 1)
    beyond = np.finfo(np.float64).max
    assert _core.moments(np.array([beyond, beyond])) == (np.inf, np.inf)


@every_level
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_moments_refuse_nan_and_infinity(isa, dtype, bad):
    weight = np.ones(100, dtype)
    weight[[17, 90]] = bad, -bad
    with pytest.raises(ValueError, match=r"weight: NaN or infinity at index 17$"):
        _core.moments(weight, isa=isa)


def test_the_first_nan_is_the_same_for_every_thread_count(threads):
    weight = np.zeros(1_000_000, np.float32)
    weight[[123_456, 123_460, 700_000, 999_999]] = np.nan, np.inf, np.nan, np.inf
    with pytest.raises(ValueError, match=r"index 123456$"):
        _core.moments(weight)
