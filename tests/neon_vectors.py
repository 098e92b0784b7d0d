"""The layers that the kernels for ARM are tried on under an emulator, and the bytes that must come out.

Without an activation those are NumPy's (``reference.py``); with one, those of the portable kernels of this machine.
"""

import struct

import numpy as np

import reference
from paring import _core
from shapes import around, gemm_shapes
from sparse_cases import PATTERNS, sparse_matrix

KINDS = {"codes": 0, "floats": 1, "sparse codes": 2, "sparse floats": 3, "codes as floats": 4}
ACTIVATIONS = {"": 0, "relu": 1, "gelu": 2, "silu": 3}
ARRAYS = (
    "x", "x_codes", "x_scale", "codes", "weight", "scale", "zero_point", "bias",
    "indices", "indptr", "residual", "y_scale", "expected",
)  # fmt: skip


def portable(kernels, kind):
    return next(k["name"] for k in kernels if k["name"].startswith(f"{kind}_") and not k["needs"])


def case(kind, x, expected, *, bits=8, group_size=0, activation="", **arrays):
    """Return a case as tests/neon/case.h reads it: numbers, then arrays, each after its length in bytes."""
    numbers = (KINDS[kind], len(x), expected.shape[1], x.shape[1], bits, group_size, ACTIVATIONS[activation])
    arrays |= {"x_codes" if x.dtype == np.int8 else "x": x, "expected": expected}
    parts = [struct.pack("<7q", *numbers)]
    for name in ARRAYS:
        raw = b"" if arrays.get(name) is None else arrays[name].tobytes()
        parts += [struct.pack("<q", len(raw)), raw]
    return b"".join(parts)


def run(packed, x, n, activation):
    out = np.empty((len(x), n), np.float32)
    packed.run(x, out, activation)
    return out


def code_case(x, codes, scale, zero_point, bits, group_size, bias=None, activation=""):
    data = codes if bits == 8 else _core.pack_codes(codes, bits)
    if activation:
        row = portable(_core.gemm_kernels(), "gemm_s8u4" if bits <= 4 else "gemm_s8u8")
        packed = _core.PackedMatrix.from_codes(
            data, scale, zero_point, bits, codes.shape[1], group_size, bias, kernel=row
        )
        expected = run(packed, x, len(codes), activation)
    else:
        expected = reference.quantized_linear(x, codes, scale, zero_point, group_size, bias)
    return case(
        "codes",
        x,
        expected,
        bits=bits,
        group_size=group_size,
        activation=activation,
        codes=data,
        scale=scale,
        zero_point=zero_point,
        bias=bias,
    )


def float_case(x, weight, bias=None, activation=""):
    if activation:
        row = portable(_core.gemm_kernels(), "gemm_f32")
        expected = run(_core.PackedMatrix.from_floats(weight, bias, kernel=row), x, len(weight), activation)
    else:
        expected = reference.float_linear(x, weight, bias)
    return case("floats", x, expected, weight=weight, bias=bias, activation=activation)


def code_as_float_case(rng, m, n, k, bits, group_size, *, symmetric):
    """Codes under activations that are not rounded: the float32 layer over the numbers they stand for."""
    width = group_size or k
    groups = -(-k // width)
    codes = random_codes(rng, (n, k), bits)
    scale = (rng.standard_normal((n, groups)) * 0.1).astype(np.float32)
    zero_point = None if symmetric else random_codes(rng, (n, groups), bits)
    points = np.zeros((n, groups), np.int32) if symmetric else zero_point.astype(np.int32)
    centred = codes - np.repeat(points, width, axis=1)[:, :k]
    weight = centred.astype(np.float32) * np.repeat(scale, width, axis=1)[:, :k]
    x = rng.standard_normal((m, k)).astype(np.float32)
    data = codes if bits == 8 else _core.pack_codes(codes, bits)
    arrays = {"codes": data, "scale": scale, "zero_point": zero_point}
    expected = reference.float_linear(x, weight)
    return case("codes as floats", x, expected, bits=bits, group_size=group_size, **arrays)


def code_as_float_cases(rng):
    for bits in (8, 5, 4, 3):
        for m, n, k in ((1, 17, 35), (2, 33, 64), (6, 16, 70), (7, 50, 129), (13, 3, 300)):
            for group_size in (0, 3, 32):
                for symmetric in (True, False):
                    yield code_as_float_case(rng, m, n, k, bits, group_size, symmetric=symmetric)


def random_codes(rng, shape, bits):
    return rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape).astype(np.int8)


def random_code_case(rng, m, n, k, bits, group_size, *, symmetric, activation=""):
    groups = -(-k // group_size) if group_size else 1
    zero_point = None if symmetric else random_codes(rng, (n, groups), bits)
    return code_case(
        (rng.standard_normal((m, k)) * 3).astype(np.float32),
        random_codes(rng, (n, k), bits),
        (rng.standard_normal((n, groups)) * 0.1).astype(np.float32),
        zero_point,
        bits,
        group_size,
        rng.standard_normal(n).astype(np.float32) if n % 2 else None,
        activation,
    )


def scaled_case(rng, x_codes, codes, zero_point, bits, activation="", *, codes_out=False):
    """Activations that are codes of one scale already, a residual, and perhaps codes as outputs."""
    m, n = len(x_codes), len(codes)
    scale = (rng.standard_normal((n, 1)) * 0.1).astype(np.float32)
    residual = rng.standard_normal((m, n)).astype(np.float32)
    residual[0, :3] = np.nan, np.inf, -np.inf
    row = portable(_core.gemm_kernels(), "gemm_s8u4" if bits <= 4 else "gemm_s8u8")
    data = codes if bits == 8 else _core.pack_codes(codes, bits)
    packed = _core.PackedMatrix.from_codes(data, scale, zero_point, bits, codes.shape[1], 0, None, kernel=row)
    expected = np.empty((m, n), np.int8 if codes_out else np.float32)
    output_scale = (0.5, 0) if codes_out else None
    packed.run_scaled(
        x_codes, expected, activation, input_scale=(0.03, 0), residual=residual, output_scale=output_scale
    )
    arrays = {
        "codes": data,
        "scale": scale,
        "zero_point": zero_point,
        "residual": residual,
        "x_scale": np.array([0.03], np.float32),
        "y_scale": np.array([0.5], np.float32) if codes_out else None,
    }
    return case("codes", x_codes, expected.astype(np.float32), bits=bits, activation=activation, **arrays)


def scaled_cases(rng):
    n, k = 21, 333
    for bits in (8, 4):
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        for m in (1, 2, 7):
            for x_code in (-128, 127):
                for code, point in ((low, None), (low, high), (high, low)):
                    points = None if point is None else np.full((n, 1), point, np.int8)
                    x_codes, codes = np.full((m, k), x_code, np.int8), np.full((n, k), code, np.int8)
                    yield scaled_case(rng, x_codes, codes, points, bits)
            for activation in ACTIVATIONS:
                x_codes, points = random_codes(rng, (m, k), 8), random_codes(rng, (n, 1), bits)
                for codes_out in (False, True):
                    codes = random_codes(rng, (n, k), bits)
                    yield scaled_case(rng, x_codes, codes, points, bits, activation, codes_out=codes_out)


def integer_cases(rng, tiles):
    for tile in tiles:
        for m, n, k in gemm_shapes(tile) if tile["kr"] > 1 else ():
            for bits in (8, 5) if tile["kr"] == 4 else (4, 3, 2):
                for group_size in (0, 3, 32):
                    for symmetric in (True, False):
                        yield random_code_case(rng, m, n, k, bits, group_size, symmetric=symmetric)
    for bits in (8, 4):
        for group_size in (0, 32, 64, 128):
            for symmetric in (True, False):
                for m in (1, 2, 3, 7, 13):
                    for activation in ACTIVATIONS:
                        sizes = (m, 37, 300, bits, group_size)
                        yield random_code_case(rng, *sizes, symmetric=symmetric, activation=activation)
        # Enough work for several threads.
        yield random_code_case(rng, 67, 150, 700, bits, 32, symmetric=False)


def corner_cases(rng):
    """All values at an end of their range, where 16 bits would not hold two products."""
    for bits in (8, 4):
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        n, k = 17, 320
        scale = np.ones((n, 1), np.float32)
        for m in (1, 2, 5):
            for x_value in (-1.0, 1.0):
                for code in (low, high):
                    for point in (None, low, high):
                        points = None if point is None else np.full((n, 1), point, np.int8)
                        x, codes = np.full((m, k), x_value, np.float32), np.full((n, k), code, np.int8)
                        yield code_case(x, codes, scale, points, bits, 0)
        yield code_case(np.eye(k, dtype=np.float32), random_codes(rng, (n, k), bits), scale, None, bits, 0)
        rows = rng.standard_normal((6, k)).astype(np.float32)
        rows[0], rows[1, 3], rows[2, 0], rows[3, 5] = 0, np.nan, np.inf, -np.inf
        rows[4, :3] = 2e-44, 1e-44, 1e-44
        yield code_case(rows, random_codes(rng, (n, k), bits), scale, None, bits, 0)
    longest = np.full((1, 65536), -128, np.int8)
    one = np.ones((1, 1), np.float32)
    yield code_case(np.ones((1, 65536), np.float32), longest, one, np.full((1, 1), 127, np.int8), 8, 0)


def float_cases(rng, tiles):
    for tile in tiles:
        for m, n, k in gemm_shapes(tile) if tile["kr"] == 1 else ():
            x, weight = rng.standard_normal((m, k)), rng.standard_normal((n, k))
            bias = rng.standard_normal(n).astype(np.float32) if n % 2 else None
            yield float_case(x.astype(np.float32), weight.astype(np.float32), bias)
    # Long enough to be multiplied in blocks of k.
    yield float_case(
        rng.standard_normal((67, 2100)).astype(np.float32), rng.standard_normal((37, 2100)).astype(np.float32)
    )
    ends = [-np.inf, -1e30, -200, -88, -1.5, -0.0, 0, 1e-40, 0.5, 87, 200, 1e30, np.inf, np.nan]
    for activation in ACTIVATIONS:
        x = (rng.standard_normal((400, 16)) * np.geomspace(1e-3, 12, 400)[:, None]).astype(np.float32)
        yield float_case(x, rng.standard_normal((5, 16)).astype(np.float32), None, activation)
        yield float_case(np.array(ends, np.float32)[:, None], np.ones((9, 1), np.float32), None, activation)


def sparse_case(rng, m, n, k, pattern, activation, *, integers):
    weight = sparse_matrix(rng, n, k, pattern)
    x = (rng.standard_normal((m, k)) * 3).astype(np.float32)
    bias = rng.standard_normal(n).astype(np.float32) if n % 2 else None
    scale = None
    if integers:
        weight = (weight * 64).clip(-128, 127).astype(np.int8)
        scale = (rng.standard_normal(n) * 0.1).astype(np.float32)
    values, indices, indptr = _core.dense_to_csr(weight)
    row = portable(_core.sparse_kernels(), "spmm_s8" if integers else "spmm_f32")
    packed = _core.PackedCsr.from_csr(values, indices, indptr, scale, k, bias, kernel=row)
    if activation:
        expected = run(packed, x, n, activation)
    elif integers:
        expected = reference.quantized_linear(x, weight, scale[:, None], None, 0, bias)
    else:
        expected = reference.float_linear(x, weight, bias)
    return case(
        "sparse codes" if integers else "sparse floats",
        x,
        expected,
        activation=activation,
        codes=values if integers else None,
        weight=None if integers else values,
        scale=scale,
        bias=bias,
        indices=indices.astype(np.int32),
        indptr=indptr.astype(np.int32),
    )


def sparse_cases(rng):
    batches = sorted({1, 2, 3} | {m for lanes in (4, 8, 16, 32) for m in around(lanes, last=2)})
    for integers in (True, False):
        for m in batches:
            for pattern in PATTERNS:
                yield sparse_case(rng, m, 19, 70, pattern, "", integers=integers)
        for n, k in ((1, 1), (15, 66), (16, 3), (17, 129), (33, 64)):
            for activation in ACTIVATIONS:
                yield sparse_case(rng, 5, n, k, "half", activation, integers=integers)


def write(path, tiles):
    """Write all cases; ``tiles`` are those of the dense kernels, {"mr", "nr", "kr"} each."""
    rng = np.random.default_rng(20261125)
    cases = [
        *integer_cases(rng, tiles),
        *corner_cases(rng),
        *scaled_cases(rng),
        *float_cases(rng, tiles),
        *code_as_float_cases(rng),
        *sparse_cases(rng),
    ]
    path.write_bytes(b"".join([struct.pack("<q", len(cases)), *cases]))
