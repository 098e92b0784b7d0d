"""The compressed forms of one weight: plain immutable data, the same on every CPU.

Both forms see a weight as a matrix of ``channels`` rows (its output channels) and ``columns`` (everything that
feeds one of them); ``shape`` is that of the original array. They hold what files hold: kernels repack it in memory.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from .quantized import GRANULARITIES, Granularity, QuantizedWeight, packed_row_bytes
from .sparse import SparseWeight

__all__ = ["GRANULARITIES", "Granularity", "QuantizedWeight", "SparseWeight", "Weight", "packed_row_bytes"]

Weight = npt.NDArray[Any] | QuantizedWeight | SparseWeight
"""One entry of a weight file: an array as it was, or a compressed form of one."""
