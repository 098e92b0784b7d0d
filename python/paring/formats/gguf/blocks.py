"""The blocks of GGUF's quantized tensors: to codes and scales and back, and to floats.

::

    Q8_0   f16 d, 32 x int8 code                                                       w = code * d
    Q4_0   f16 d, 16 bytes: code[j] + 8 in the low half of byte j, code[j + 16] + 8    w = code * d
           in the high half

Codes of four bits lie in `QuantizedWeight` two neighbours to a byte, so those of Q4_0 are put in another order.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import FormatError
from ...weights import QuantizedWeight
from .types import GROUP_SIZE, TensorType

__all__ = ["BLOCK_DTYPES", "block_scales", "blocks_of", "dequantize", "eight_bit_codes", "four_bit_codes"]

BLOCK_DTYPES = {
    8: np.dtype([("scale", "<f2"), ("codes", "i1", (GROUP_SIZE,))]),
    4: np.dtype([("scale", "<f2"), ("codes", "u1", (GROUP_SIZE // 2,))]),
}
"""Bits: a block of Q8_0 or Q4_0."""

PIECE_BLOCKS = 1 << 16
PIECE_ELEMENTS = 1 << 18


def block_scales(blocks: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the scales of blocks ``(rows, groups)``, of that shape."""
    with np.errstate(invalid="ignore"):  # a NaN of a damaged file stays one
        return blocks["scale"].astype(np.float32)


def eight_bit_codes(blocks: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
    """Return the codes of Q8_0 blocks ``(rows, groups)`` as int8 ``(rows, groups * 32)``."""
    rows, groups = blocks.shape
    return np.ascontiguousarray(blocks["codes"]).reshape(rows, groups * GROUP_SIZE)


def four_bit_codes(blocks: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return the codes of Q4_0 blocks ``(rows, groups)``, two neighbours a byte: uint8 ``(rows, groups * 16)``."""
    rows, groups = blocks.shape
    result = np.empty((rows * groups, GROUP_SIZE // 2), np.uint8)
    halves = blocks.reshape(-1)["codes"]
    quarter = GROUP_SIZE // 4
    for start in range(0, len(result), PIECE_BLOCKS):
        even, odd = (halves[start : start + PIECE_BLOCKS, first::2] for first in (0, 1))
        target = result[start : start + PIECE_BLOCKS]
        target[:, :quarter] = (even & 0x0F) | (odd << 4)
        target[:, quarter:] = (even >> 4) | (odd & 0xF0)
    return result.reshape(rows, groups * GROUP_SIZE // 2)


def blocks_of(weight: QuantizedWeight) -> Iterator[npt.NDArray[Any]]:
    """Yield the blocks of a weight of 8 or 4 bits in groups of 32 without a remainder, some rows at a time."""
    scale = weight.scale.reshape(-1)
    codes = weight.data.reshape(scale.size, GROUP_SIZE * weight.bits // 8)
    quarter = GROUP_SIZE // 4
    for start in range(0, len(scale), PIECE_BLOCKS):
        piece = codes[start : start + PIECE_BLOCKS]
        blocks = np.empty(len(piece), BLOCK_DTYPES[weight.bits])
        with np.errstate(invalid="ignore"):
            blocks["scale"] = scale[start : start + PIECE_BLOCKS]
        if weight.bits == 8:
            blocks["codes"] = piece
        else:
            low, high = piece[:, :quarter], piece[:, quarter:]
            blocks["codes"][:, 0::2] = (low & 0x0F) | (high << 4)
            blocks["codes"][:, 1::2] = (low >> 4) | (high & 0xF0)
        yield blocks


def dequantize(
    raw: npt.NDArray[np.uint8], kind: TensorType, shape: tuple[int, ...], where: str
) -> npt.NDArray[np.float32]:
    """Return the floats that the bytes of a tensor mean, as the package ``gguf`` defines them.

    Raises
    ------
    FormatError
        If the package is not installed, or does not know the type.
    """
    if find_spec("gguf") is None:
        raise FormatError(
            f"{where}: expected a type that paring decodes itself, got {kind.name}: "
            f"pip install 'paring[gguf]' to read it"
        )
    try:
        package: Any = import_module("gguf")
        quants: Any = import_module("gguf.quants")
    except ImportError as error:  # of a folder that happens to be called so, or a version without
        raise FormatError(
            f"{where}: expected the package gguf to decode {kind.name}, got: {error}"
        ) from error
    result = np.empty(raw.size // kind.block_bytes * kind.block_size, np.float32)
    step = PIECE_ELEMENTS // kind.block_size
    blocks = raw.reshape(-1, kind.block_bytes)
    try:
        number = package.GGMLQuantizationType(kind.number)
        for start in range(0, len(blocks), step):
            # As one row, because the package takes a few rows at a time.
            row = blocks[start : start + step].reshape(1, -1)
            with np.errstate(all="ignore"):
                floats = quants.dequantize(row, number)
            result[start * kind.block_size :][: floats.size] = floats.reshape(-1)
    except (NotImplementedError, ValueError, AttributeError) as error:
        raise FormatError(
            f"{where}: expected a type that the package gguf decodes, got {kind.name} ({error})"
        ) from error
    return result.reshape(shape)
