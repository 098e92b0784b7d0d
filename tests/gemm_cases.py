"""What tests of the gemm table share: its rows as parameters, and a layer packed for one of them."""

import numpy as np

from kernel_rows import every_row
from paring import _core

KERNELS = _core.gemm_kernels()


def parametrize(*weight_types, compute=None):
    """Run a test with every row for these types of weight; by default codes are those that are computed in int8."""
    return every_row(
        k
        for k in KERNELS
        if k["weight_type"] in weight_types
        and k["compute"] == (compute or ("int8" if k["weight_type"] in ("u8", "u4") else "float32"))
    )


def random_codes(rng, n, k, bits):
    return rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (n, k)).astype(np.int8)


def pack(kernel, codes, scale, zero_point, bits, group_size, bias=None, compute="int8"):
    data = codes if bits == 8 else _core.pack_codes(codes, bits)
    return _core.PackedMatrix.from_codes(
        data,
        scale,
        zero_point,
        bits,
        codes.shape[1],
        group_size,
        bias,
        compute=compute,
        kernel=kernel["name"],
    )


def run(packed, x, n, activation=""):
    out = np.full((len(x), n), np.nan, np.float32)
    packed.run(x, out, activation)
    return out


def same(a, b):
    return a.shape == b.shape and a.tobytes() == b.tobytes()
