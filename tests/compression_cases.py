"""What the tests of compression share: weights of every float dtype, equality to the bit, what a kept weight is."""

import math

import ml_dtypes
import numpy as np

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOAT_DTYPES = [np.dtype(np.float16), BFLOAT16, np.dtype(np.float32), np.dtype(np.float64)]


def random_weights(shape, dtype=np.float32, seed=0):
    """Small integers over eight: exact in every dtype, with many ties, zeros of both signs among them."""
    rng = np.random.default_rng(seed)
    sign = rng.choice([-1.0, 1.0], shape)
    return np.asarray(sign * rng.integers(0, 20, shape) / 8).astype(dtype)


def assert_same_bits(got, expected):
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    assert got.tobytes() == expected.tobytes()


def assert_kept(compressed, weights, names):
    for name in names:
        assert compressed[name] is weights[name]
        entry = compressed.report[name]
        assert entry.actions == ("kept",)
        assert entry.reason
        assert entry.bytes_before == entry.bytes_after == weights[name].nbytes
        assert (entry.max_error, entry.mean_error, entry.sqnr_db) == (0, 0, math.inf)
