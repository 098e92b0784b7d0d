"""The types that tensors of a GGUF file can have, by number: their names, and how many bytes a block takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import EXTENSION_DTYPES

__all__ = ["ARRAY_TYPES", "GROUP_SIZE", "QUANTIZED_TYPES", "TENSOR_TYPES", "TensorType", "file_type"]


@dataclass(frozen=True)
class TensorType:
    """How values of a tensor lie in the file: `block_bytes` for `block_size` neighbours of the last axis."""

    number: int
    name: str
    block_size: int
    block_bytes: int


def _types(*rows: tuple[int, str, int, int]) -> dict[int, TensorType]:
    return {row[0]: TensorType(*row) for row in rows}


TENSOR_TYPES = _types(
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (9, "Q8_1", 32, 40),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (24, "I8", 1, 1),
    (25, "I16", 1, 2),
    (26, "I32", 1, 4),
    (27, "I64", 1, 8),
    (28, "F64", 1, 8),
    (29, "IQ1_M", 256, 56),
    (30, "BF16", 1, 2),
    (34, "TQ1_0", 256, 54),
    (35, "TQ2_0", 256, 66),
    (39, "MXFP4", 32, 17),
    (40, "NVFP4", 64, 36),
    (41, "Q1_0", 128, 18),
)
"""Number: type. The numbers between belong to types that were taken back."""

ARRAY_TYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": EXTENSION_DTYPES["bfloat16"],
    "F64": np.dtype("<f8"),
    "I8": np.dtype("i1"),
    "I16": np.dtype("<i2"),
    "I32": np.dtype("<i4"),
    "I64": np.dtype("<i8"),
}
"""The types that are arrays of numbers as they are."""

QUANTIZED_TYPES = {"Q8_0": 8, "Q4_0": 4}
"""The types that are a `QuantizedWeight`, and its bits."""

GROUP_SIZE = 32  # of both

FILE_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 7, "BF16": 32}
GUESSED = 1024  # a flag beside the file type


def file_type(sizes: dict[str, int], claimed: object) -> int | None:
    """Return the ``general.file_type`` of a file, None if there is no number for it.

    Parameters
    ----------
    sizes : dict
        Type: elements of all tensors with two or more axes that have it.
    claimed : object
        What the file's keys said until now. It stands as long as the file holds tensors of that type, because it
        tells which one somebody chose, not which one is the most frequent.
    """
    kept = {FILE_TYPES[name] for name in sizes if name in FILE_TYPES and name != "F32"}
    if isinstance(claimed, int) and claimed & ~GUESSED in kept:
        return claimed
    return FILE_TYPES.get(max(sizes, key=lambda name: sizes[name])) if sizes else None
