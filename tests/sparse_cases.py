"""Sparse weights to try the kernels on, and the dense layer each must equal."""

import numpy as np
import pytest

import reference
from kernel_rows import every_row
from paring import _core

KERNELS = _core.sparse_kernels()
INDEX_TYPES = pytest.mark.parametrize("index_type", [np.int32, np.int64])
PATTERNS = ("tenth", "half", "full", "none", "one", "ragged")


def parametrize(*value_types):
    return every_row(k for k in KERNELS if k["value_type"] in value_types)


def same(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def sparse_matrix(rng, n, k, pattern):
    """Return float32 (n, k) whose non-zeros lie by ``pattern``; magnitudes from 0.1 up."""
    w = rng.uniform(0.1, 2.0, (n, k)) * rng.choice([-1, 1], (n, k))
    keep = {
        "tenth": lambda: rng.random((n, k)) < 0.1,
        "half": lambda: rng.random((n, k)) < 0.5,
        "full": lambda: np.ones((n, k), bool),
        "none": lambda: np.zeros((n, k), bool),
        "one": lambda: np.arange(n * k).reshape(n, k) == n * k - 1,
        # empty and full rows side by side, and everything between
        "ragged": lambda: rng.random((n, k)) < rng.choice([0, 0, 0.05, 0.5, 1], n)[:, None],
    }[pattern]()
    return np.where(keep, w, 0).astype(np.float32)


class Layer:
    """A sparse weight for one row of the table, the dense layer it must equal, and the same in NumPy."""

    def __init__(self, kernel, rng, n, k, pattern, bias=True):
        self.n = n
        weight = sparse_matrix(rng, n, k, pattern)
        self.bias = rng.standard_normal(n).astype(np.float32) if bias else None
        if kernel["value_type"] == "f32":
            self.weight, self.scale = weight, None
            self.dense = _core.PackedMatrix.from_floats(weight, self.bias)
        else:
            self.weight = (weight * 64).clip(-128, 127).astype(np.int8)
            self.scale = (rng.standard_normal(n) * 0.1).astype(np.float32)
            self.dense = _core.PackedMatrix.from_codes(
                self.weight, self.scale[:, None], None, 8, k, 0, self.bias
            )
        self.sparse = _core.PackedCsr.from_csr(
            *_core.dense_to_csr(self.weight), self.scale, k, self.bias, kernel=kernel["name"]
        )

    def numpy(self, x):
        if self.scale is None:
            return reference.float_linear(x, self.weight, self.bias)
        return reference.quantized_linear(x, self.weight, self.scale[:, None], None, 0, self.bias)


def run(packed, x, n, activation=""):
    out = np.full((len(x), n), np.nan, np.float32)
    packed.run(x, out, activation)
    return out
