"""What packed convolutions must compute, in NumPy: windows first, then sums over them."""

import numpy as np

import reference

F32 = np.float32


def windows_of(x, kernel, stride, dilation, pads, padding=0):
    """Return the windows (n, channels, rows, columns, out rows, out columns) of images (n, channels, h, w).

    ``pads`` are above, left, below, right.
    """
    above, left, below, right = pads
    padded = np.pad(x, ((0, 0), (0, 0), (above, below), (left, right)), constant_values=padding)
    places = []
    for axis, size in enumerate(padded.shape[2:]):
        count = (size - (kernel[axis] - 1) * dilation[axis] - 1) // stride[axis] + 1
        places.append(np.arange(kernel[axis])[:, None] * dilation[axis] + np.arange(count) * stride[axis])
    return padded[:, :, places[0][:, None, :, None], places[1][None, :, None, :]]


def by_group(windows, filters, groups):
    """Yield, for each group, its windows (n, depth, positions) and its filters (filters, depth)."""
    n, channels = windows.shape[:2]
    of_filters = filters.reshape(groups, len(filters) // groups, -1)
    cut = windows.reshape(n, groups, channels // groups, *windows.shape[2:])
    for group in range(groups):
        yield cut[:, group].reshape(n, of_filters.shape[2], -1), of_filters[group]


def float_convolution(x, filters, bias, groups=1, **shape):
    """Return one chain of fused multiply-adds an output, in ascending channel, row and column; then the bias."""
    windows = windows_of(x, filters.shape[2:], **shape)
    parts = []
    for columns, rows in by_group(windows, filters, groups):
        sums = np.zeros((len(x), len(rows), columns.shape[2]), F32)
        for k in range(rows.shape[1]):
            sums = reference.fma32(rows[None, :, k, None], columns[:, None, k], sums)
        parts.append(sums)
    y = np.concatenate(parts, axis=1).reshape(len(x), len(filters), *windows.shape[4:])
    return y + bias[:, None, None] + F32(0)


def image_codes(x, scale=None, zero_point=0):
    """Return (int64 codes, float32 scale an image, zero point) of images as integer filters see them."""
    finite = np.isfinite(x).all(axis=(1, 2, 3))
    if scale is not None:
        codes = reference.quantize_by(x, scale, zero_point)
        scales = np.full(len(x), scale, F32)
    else:
        with np.errstate(all="ignore"):
            scales = np.abs(x).max(axis=(1, 2, 3)) / F32(127)
            scales[scales < np.finfo(F32).tiny] = 0
            inverse = np.where(scales > 0, F32(1) / scales, F32(0))
            codes = np.nan_to_num(np.rint(x * inverse[:, None, None, None])).clip(-127, 127).astype(np.int64)
    codes[~finite] = zero_point
    return codes, np.where(finite, scales, F32(np.nan)), zero_point


def integer_convolution(quantized, codes, scale, bias, groups=1, **shape):
    """Return exact sums of (image code - zero point) * filter code, then the two scales and the bias."""
    images, image_scales, zero_point = quantized
    windows = windows_of(images, codes.shape[2:], padding=zero_point, **shape) - zero_point
    parts = [
        np.einsum("fk,nkp->nfp", rows, columns)
        for columns, rows in by_group(windows, codes.astype(np.int64), groups)
    ]
    total = np.concatenate(parts, axis=1).reshape(len(images), len(codes), *windows.shape[4:])
    assert np.abs(total).max(initial=0) < 2**31
    sums = total.astype(F32) * scale[:, None, None]
    return reference.fma32(sums, image_scales[:, None, None, None], bias[:, None, None]) + F32(0)
