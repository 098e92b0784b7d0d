"""The error function and the normal distribution of NumPy arrays, against Python's math."""

import math

import ml_dtypes
import numpy as np
import pytest

from paring.graph.normal_distribution import erf, normal_cdf, normal_density

POINTS = np.concatenate([np.linspace(-8, 8, 40001), np.logspace(-30, -1, 300), -np.logspace(-30, -1, 300)])


def exact_erf(x):
    return np.array([math.erf(value) for value in x.astype(np.float64).tolist()])


def exact_cdf(x):
    return np.array([math.erfc(-value / math.sqrt(2)) / 2 for value in x.astype(np.float64).tolist()])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_erf(dtype):
    x = POINTS.astype(dtype)
    y, exact = erf(x), exact_erf(x)
    assert y.dtype == dtype
    # Relative, also next to 0.
    assert np.max(np.abs(y - exact) / np.maximum(np.abs(exact), 1e-300)) <= 2 * np.finfo(dtype).eps
    assert np.array_equal(erf(-x), -y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal_cdf(dtype):
    x = POINTS.astype(dtype)
    y, exact = normal_cdf(x), exact_cdf(x)
    assert y.dtype == dtype
    eps = np.finfo(dtype).eps
    # exp(-x*x/2) has a relative error of x*x/2 roundings.
    assert np.max(np.abs(y - exact) / exact / (10 + x.astype(np.float64) ** 2)) <= eps


def test_normal_density():
    x = np.linspace(-8, 8, 1001)
    exact = [math.exp(-value * value / 2) / math.sqrt(2 * math.pi) for value in x.tolist()]
    np.testing.assert_allclose(normal_density(x), exact, rtol=1e-14)
    assert normal_density(x.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("function", [erf, normal_cdf])
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_short_floats_are_rounded_once(function, dtype):
    x = np.linspace(-3, 3, 101).astype(dtype)
    wanted = function(x.astype(np.float32)).astype(dtype)
    assert function(x).dtype == dtype
    assert function(x).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("function", [erf, normal_cdf])
def test_blocks_and_strides_change_nothing(function):
    x = np.random.default_rng(0).standard_normal((3, 5, 20001)).astype(np.float32)
    y = function(x)
    assert y.shape == x.shape
    assert np.array_equal(function(x[:, ::2, ::3]), y[:, ::2, ::3])
    assert np.array_equal(function(x.T), y.T)
    assert function(x[:0]).shape == (0, 5, 20001)
    assert function(x[0, 0, 0].reshape(())).shape == ()
