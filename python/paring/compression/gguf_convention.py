"""Quantization as GGUF's Q8_0 and Q4_0 have it, bit for bit what ggml's reference does.

For a group of 32 weights, all in float32:

    8 bits   d = max|w| / 127                               code = w * (1 / d), halves away from zero
    4 bits   d = (the first of largest magnitude) / -8      code = min(15, trunc(w * (1 / d) + 8.5)) - 8

The scale is d rounded to float16; codes go by d itself. Where 1 / d is beyond float32 (below 2**-128, or zero), ggml
has no answer for 8 bits or divides by zero, and codes are 0 here. Such a scale is zero in float16 anyhow.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core

__all__ = ["GROUP_SIZE", "quantize_blocks"]

GROUP_SIZE = 32
PIECE_ELEMENTS = 1 << 18
FIRST_INFINITE = {8: 65_520 * 127, 4: 65_520 * 8}  # magnitudes whose scale float16 rounds to infinity


def quantize_blocks(
    matrix: npt.NDArray[np.float32],
    bits: int,
    data_out: npt.NDArray[Any],
    scale_out: npt.NDArray[np.float32],
    label: str,
    first_row: int = 0,
) -> None:
    """Set the codes and scales of a matrix whose rows are `first_row` and the next ones of what `label` names.

    Parameters
    ----------
    matrix : ndarray
        float32 (rows, columns); the last group of a row may be shorter.
    bits : int
        8 or 4.
    data_out, scale_out : ndarray
        As in `QuantizedWeight`: int8 (rows, columns) or uint8 (rows, row_bytes), and float32 (rows, groups).

    Raises
    ------
    ValueError
        If a weight is not finite, or so large that float16 has no scale for it.
    """
    rows, columns = matrix.shape
    whole = columns - columns % GROUP_SIZE
    step = max(1, PIECE_ELEMENTS // max(columns, 1))
    # A row may be as large as a matrix: it is done in parts as well.
    bounds = [*range(0, whole, PIECE_ELEMENTS), whole, columns]
    for start in range(0, rows, step):
        piece = matrix[start : start + step]
        codes = data_out[start : start + step] if bits == 8 else np.empty(piece.shape, np.int8)
        for begin, end in pairwise(bounds):
            if begin == end:
                continue
            shape = (len(piece), -1, min(GROUP_SIZE, end - begin))
            first = begin // GROUP_SIZE
            groups, scale = _quantize_groups(piece[:, begin:end].reshape(shape), bits)
            if not np.isfinite(scale).all():
                row, group = (int(i) for i in np.argwhere(~np.isfinite(scale))[0])
                begin += group * GROUP_SIZE
                largest = np.abs(piece[row, begin : begin + GROUP_SIZE]).max()
                raise ValueError(
                    f"{label}: expected magnitudes below {FIRST_INFINITE[bits]:,} for convention 'gguf', whose scales "
                    f"are float16, got {float(largest)} (row {first_row + start + row}, columns from {begin})"
                )
            codes[:, begin:end] = groups.reshape(len(piece), -1)
            scale_out[start : start + step, first : first + scale.shape[1]] = scale
        if bits != 8:
            data_out[start : start + step] = _core.pack_codes(codes, bits)


def _quantize_groups(
    groups: npt.NDArray[np.float32], bits: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Return the codes ``(rows, groups, size)`` and scales ``(rows, groups)``, infinite where float16 ends."""
    magnitudes = np.abs(groups)
    with np.errstate(all="ignore"):
        if bits == 8:
            scale = magnitudes.max(-1) / np.float32(127)
        else:
            largest = magnitudes.argmax(-1)[..., None]
            scale = np.take_along_axis(groups, largest, -1)[..., 0] / np.float32(-8)
        reciprocal = np.float32(1) / scale
        reciprocal[~np.isfinite(reciprocal)] = 0
        values = groups * reciprocal[..., None]
        if bits == 8:
            magnitudes = np.abs(values)
            rounded = np.floor(magnitudes)
            rounded += magnitudes - rounded >= np.float32(0.5)
            codes = np.copysign(rounded, values).astype(np.int8)
        else:
            codes = np.minimum(values + np.float32(8.5), 15).astype(np.int8) - np.int8(8)
        return codes, scale.astype(np.float16).astype(np.float32)
