"""What the tests of pruning kernels share: element types, values that break careless code, calls into `_core`."""

import ml_dtypes
import numpy as np

from paring import _core
from protected_page import ending_at_wall

SIZES = (1, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1000, 65537)
DTYPES = {
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
}


def bits_of(array):
    return array.view(f"u{array.itemsize}")


def kind_of(array):
    return array.dtype.name


def corners(size, dtype, rng):
    """Return values with zeros of both signs, denormals, the largest, and many equal magnitudes of both signs."""
    values = rng.normal(size=size)
    huge = float(ml_dtypes.finfo(dtype).max)
    special = [0.0, -0.0, 2.0**-24, -(2.0**-24), 1e-40, huge, -huge, 0.5, -0.5, 0.5, 1.0, -1.0]
    places = rng.random(size) < 0.5
    values[places] = rng.choice(special, places.sum())
    return values.astype(dtype)


def magnitudes(array):
    return np.abs(array.astype(np.float64))


def below(weight, threshold, isa="", out=None):
    """Run prune_below with a threshold that the dtype holds, into memory that ends at a wall."""
    if out is None:
        out = ending_at_wall(np.full(weight.shape, 7, weight.dtype))
    key = int(bits_of(np.array([threshold], weight.dtype))[0])
    return out, _core.prune_below(bits_of(weight), kind_of(weight), key, bits_of(out), isa=isa)


def smallest(weights, count, isa="", outs=None):
    if outs is None:
        outs = [ending_at_wall(np.full(w.shape, 7, w.dtype)) for w in weights]
    words, kinds = [bits_of(w) for w in weights], [kind_of(w) for w in weights]
    return outs, _core.prune_smallest(words, kinds, count, [bits_of(o) for o in outs], isa=isa)


def selected(weights, count, isa="", outs=None):
    """Do what `smallest` does in two steps: select over all weights, then write one after the other."""
    if outs is None:
        outs = [ending_at_wall(np.full(w.shape, 7, w.dtype)) for w in weights]
    words, kinds = [bits_of(w) for w in weights], [kind_of(w) for w in weights]
    cut_kind, key, equal = _core.select_smallest(words, kinds, count, isa=isa)
    gone = [
        _core.prune_selected(word, kind, cut_kind, key, n, bits_of(out), isa=isa)
        for word, kind, n, out in zip(words, kinds, equal, outs, strict=True)
    ]
    return outs, gone


def n_of_m(weight, n, m, isa=""):
    out = ending_at_wall(np.full(weight.shape, 7, weight.dtype))
    _core.prune_n_of_m(bits_of(weight), kind_of(weight), n, m, bits_of(out), isa=isa)
    return out


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
