"""What kernels must compute, in NumPy, obviously right and slow. Integers in int64, floats in exact float32 steps."""

import numpy as np

F32 = np.float32


def fma32(a, b, c):
    """Return ``a * b + c`` in float32 with one rounding.

    The product of two float32 is exact in float64. The sum is rounded to odd there (a rounding error leaves an odd
    last bit), so that narrowing to float32 rounds correctly (Boldo and Melquiond, 2008).
    """
    with np.errstate(all="ignore"):
        product = np.asarray(a, np.float64) * np.asarray(b, np.float64)
        c = np.asarray(c, np.float64)
        total = np.asarray(product + c)
        virtual = total - product
        error = (product - (total - virtual)) + (c - virtual)
        bits = total.view(np.int64).copy()
        inexact = (error != 0) & np.isfinite(total) & np.isfinite(error) & (bits & 1 == 0)
        step = np.where((error > 0) == (total > 0), 1, -1)
        bits[inexact] += step[inexact] if bits.ndim else step
        return bits.view(np.float64).astype(F32)


def quantize_rows(x):
    """Return (codes int64 (m, k), scale (m,), exact value (m,), its column (m,)) by quantize/activation.h."""
    x = np.asarray(x, F32)
    m, k = x.shape
    codes, scale = np.zeros(x.shape, np.int64), np.ones(m, F32)
    exact, column = np.zeros(m, F32), np.zeros(m, np.int64)
    for r in range(m if k else 0):
        if not np.isfinite(x[r]).all():
            scale[r] = np.nan
            continue
        column[r] = np.abs(x[r]).argmax()
        exact[r] = x[r, column[r]]
        rest = x[r].copy()
        rest[column[r]] = 0
        with np.errstate(under="ignore"):
            own_scale = np.abs(rest).max() / F32(127)
        if own_scale >= np.finfo(F32).tiny:
            scale[r] = own_scale
            codes[r] = np.rint(rest * (F32(1) / own_scale)).clip(-127, 127)
    return codes, scale, exact, column


def quantize_by(values, scale, zero_point):
    """Return the int64 codes of values by one scale for all, saturating; NaN becomes -128."""
    with np.errstate(all="ignore"):
        rounded = np.rint(np.asarray(values, F32) * (F32(1) / F32(scale))).astype(np.float64)
    return np.where(np.isnan(rounded), -128, (rounded + zero_point).clip(-128, 127)).astype(np.int64)


def quantize_rows_by(x, scale, zero_point):
    """Return what `quantize_rows` returns, of codes by one scale; rows with NaN or infinity have the scale NaN."""
    finite = np.isfinite(x).all(axis=1)
    codes = np.where(finite[:, None], quantize_by(x, scale, zero_point), 0)
    return codes, np.where(finite, F32(scale), F32(np.nan)), np.zeros(len(x), F32), np.zeros(len(x), np.int64)


def finish(sums, row_scale, bias):
    """Return the epilogue without an activation and the exact term: ``fma(sums, row_scale, bias)``."""
    row_scale = np.ones(len(sums), F32) if row_scale is None else row_scale
    bias = np.zeros(sums.shape[1], F32) if bias is None else bias
    return fma32(sums, row_scale[:, None], bias[None, :])


def quantized_linear(x, codes, scale, zero_point, group_size, bias=None):
    """Return the integer layer on (n, k) codes with (n, groups) scale and zero point: exact sums, then float32."""
    return integer_linear(quantize_rows(x), codes, scale, zero_point, group_size, bias)


def integer_linear(rows, codes, scale, zero_point, group_size, bias=None):
    """Return the same for rows that are quantized already (as `quantize_rows` gives them)."""
    x_codes, row_scale, exact_value, exact_column = rows
    codes = np.asarray(codes, np.int64)
    n, k = codes.shape
    group_size = group_size or max(k, 1)
    sums = np.zeros((len(x_codes), n), F32)
    weight = np.zeros((n, k), F32)
    for g in range(scale.shape[1]):
        columns = slice(g * group_size, (g + 1) * group_size)
        centred = codes[:, columns] - (0 if zero_point is None else zero_point[:, g, None].astype(np.int64))
        weight[:, columns] = centred.astype(F32) * scale[:, g, None]
        total = x_codes[:, columns] @ centred.T
        assert np.abs(total).max(initial=0) < 2**31
        sums = fma32(total.astype(F32), scale[None, :, g], sums)
    y = finish(sums, row_scale, bias)
    if k:
        y = fma32(exact_value[:, None], weight[:, exact_column].T, y)
    return y + F32(0)


def dense(codes, scale, zero_point, group_size):
    """Return what (n, k) codes with (n, groups) scale and zero point stand for: one rounding each."""
    codes = np.asarray(codes, np.int64)
    group_of = np.arange(codes.shape[1]) // (group_size or max(codes.shape[1], 1))
    points = 0 if zero_point is None else zero_point.astype(np.int64)[:, group_of]
    return (codes - points).astype(F32) * scale[:, group_of]


def float_linear(x, weight, bias=None):
    """Return the float32 layer: one chain of fused multiply-adds an output, in ascending k."""
    sums = np.zeros((len(x), len(weight)), F32)
    for k in range(weight.shape[1]):
        sums = fma32(x[:, None, k], weight[None, :, k], sums)
    return finish(sums, None, bias) + F32(0)


def activate(y, name):
    """Return the activation in float64, the truth that float32 results are measured against."""
    y = np.asarray(y, np.float64)
    if name == "relu":
        return np.maximum(y, 0)
    if name == "gelu":
        from scipy.special import ndtr

        return y * ndtr(y)
    if name == "silu":
        with np.errstate(over="ignore"):
            return y / (1 + np.exp(-y))
    return y


def scale_and_zero_point(values, bits, symmetric, convention):
    """Return (scale, zero point) of values that share them, by the formulas of quantize/quantize.h."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    smallest, largest = F32(min(values.min(initial=0), 0)), F32(max(values.max(initial=0), 0))
    amax = max(-smallest, largest)
    with np.errstate(all="ignore"):
        if convention == "compressed-tensors":
            scale = (
                F32(amax / F32((high - low) / 2))
                if symmetric
                else F32(F32(largest - smallest) / F32(high - low))
            )
            if np.isinf(scale):
                scale = F32((np.float64(largest) - np.float64(smallest)) / (high - low))
            if scale == 0:
                return np.finfo(F32).eps, 0
            return scale, 0 if symmetric else int(np.rint((F32(low) - F32(smallest / scale)).clip(low, high)))
        if not symmetric:
            scale = F32((np.float64(largest) - np.float64(smallest)) / (high - low))
        elif bits == 8:
            scale = F32(amax / F32(127))
            if np.isinf(scale * F32(127)):
                scale = np.nextafter(scale, F32(0))
        else:
            scale = F32((smallest if -smallest >= largest else largest) / F32(low))
        if abs(scale) < np.finfo(F32).tiny:
            return F32(1), 0
        return scale, 0 if symmetric else int(np.rint(F32(low) - F32(smallest / scale)).clip(low, high))


def quantize_weight(weight, bits, per_tensor, group_size, symmetric, convention):
    """Return (codes, scale, zero_point) of a (rows, columns) weight, one Python step a group."""
    rows, columns = weight.shape
    if per_tensor:
        groups = [[(slice(None), slice(None))]]
    else:
        width = group_size or max(columns, 1)
        starts = range(0, columns, width) if group_size else [0]
        groups = [[(r, slice(start, start + width)) for start in starts] for r in range(rows)]
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    codes = np.zeros(weight.shape, np.int8)
    scale = np.zeros((len(groups), len(groups[0]) if groups else 1), F32)
    zero_point = np.zeros(scale.shape, np.int8)
    for r, row in enumerate(groups):
        for g, place in enumerate(row):
            s, z = scale_and_zero_point(weight[place], bits, symmetric, convention)
            if convention == "compressed-tensors":
                codes[place] = np.rint((weight[place] / s + F32(z)).clip(low, high))
            else:
                lowest = -127 if symmetric and bits == 8 else low
                with np.errstate(over="ignore"):
                    finite = [c for c in range(lowest, high + 1) if np.isfinite(F32(c - z) * s)]
                codes[place] = (np.rint(weight[place] / s).astype(np.int64) + z).clip(finite[0], finite[-1])
            scale[r, g], zero_point[r, g] = s, z
    return codes, scale, zero_point


def pack_codes(codes, bits):
    """Return rows of ``code + 2**(bits - 1)`` as little-endian bit streams padded to 32-bit words, through NumPy."""
    rows, columns = codes.shape
    raised = (codes.astype(np.int64) + 2 ** (bits - 1)).astype(np.uint8)
    stream = np.unpackbits(raised[:, :, None], axis=2, bitorder="little")[:, :, :bits].reshape(
        rows, columns * bits
    )
    padded = np.zeros((rows, -(-columns * bits // 32) * 32), np.uint8)
    padded[:, : stream.shape[1]] = stream
    return np.packbits(padded, axis=1, bitorder="little")


def prune_smallest(weights, count):
    """Return copies of the weights without their ``count`` smallest magnitudes, of equal ones the earlier first."""
    flat = np.concatenate([np.abs(w.astype(np.float64)).ravel() for w in weights])
    goes = np.zeros(flat.size, bool)
    goes[np.argsort(flat, kind="stable")[:count]] = True
    parts = np.split(goes, np.cumsum([w.size for w in weights])[:-1])
    return [
        np.where(part.reshape(w.shape), w.dtype.type(0), w) for w, part in zip(weights, parts, strict=True)
    ]


def prune_n_of_m(weight, n, m):
    """Return a copy with the n largest magnitudes of each run of m in a row, of equal ones the later."""
    runs = weight.reshape(-1, m)
    order = np.argsort(np.abs(runs.astype(np.float64)), axis=1, kind="stable")
    pruned = runs.copy()
    np.put_along_axis(pruned, order[:, : m - n], weight.dtype.type(0), axis=1)
    return pruned.reshape(weight.shape)
