"""Non-zero values in compressed sparse rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .parts import described_shape, require_contiguous, require_shape_tensor, restore_axis, same_array

__all__ = ["SparseWeight"]


@dataclass(frozen=True, eq=False)
class SparseWeight:
    """The non-zero values of a weight in compressed sparse rows, by SciPy's conventions.

    Row ``i`` of the matrix ``(shape[axis], product of the rest)`` has values ``data[indptr[i]:indptr[i + 1]]`` in
    columns ``indices[indptr[i]:indptr[i + 1]]``, strictly increasing.

    Attributes
    ----------
    data : ndarray
        ``float32 (nnz,)``, or ``int8 (nnz,)`` codes if there is a scale.
    indices, indptr : ndarray
        ``int32`` (``int64`` where a count or size passes 2**31 - 1): ``(nnz,)`` and ``(shape[axis] + 1,)``.
    shape : tuple of int
        Shape of the original array, two or more axes.
    scale : ndarray or None
        ``float32 (shape[axis],)``: the value of code 1 in each row; None for float values.
    axis : int
        Which axis of ``shape`` the rows are: the output channels (never negative).

    Examples
    --------
    >>> import numpy as np, paring
    >>> s = paring.sparsify(np.array([[0, 3, 0], [1, 0, 2]], np.float32))
    >>> s.indices, s.indptr
    (array([1, 0, 2], dtype=int32), array([0, 1, 3], dtype=int32))
    """

    data: npt.NDArray[Any]
    indices: npt.NDArray[Any]
    indptr: npt.NDArray[Any]
    shape: tuple[int, ...]
    scale: npt.NDArray[np.float32] | None = None
    axis: int = 0

    def __post_init__(self) -> None:
        require_contiguous(self, "data", "indices", "indptr", "scale")
        if len(self.shape) < 2:
            raise ValueError(f"shape: expected two or more axes, got {self.shape}")
        if not 0 <= self.axis < len(self.shape):
            raise ValueError(f"axis: expected 0 to {len(self.shape) - 1}, got {self.axis}")
        value_dtype = np.dtype(np.float32 if self.scale is None else np.int8)
        if self.data.dtype != value_dtype or self.data.ndim != 1:
            raise ValueError(
                f"data: expected one axis of {value_dtype} {'without' if self.scale is None else 'with'} a scale, "
                f"got {self.data.dtype} {self.data.shape}"
            )
        if self.scale is not None and (self.scale.dtype != np.float32 or self.scale.shape != (self.rows,)):
            raise ValueError(
                f"scale: expected float32 ({self.rows},), got {self.scale.dtype} {self.scale.shape}"
            )
        if self.indices.dtype != self.indptr.dtype or self.indices.dtype not in (np.int32, np.int64):
            raise ValueError(
                f"indices and indptr: expected both int32 or both int64, got {self.indices.dtype} and "
                f"{self.indptr.dtype}"
            )
        if self.indices.shape != self.data.shape or self.indptr.shape != (self.rows + 1,):
            raise ValueError(
                f"indices and indptr: expected {self.data.shape} and ({self.rows + 1},), got "
                f"{self.indices.shape} and {self.indptr.shape}"
            )
        _core.check_csr(self.indices, self.indptr, self.rows, self.columns)

    @property
    def rows(self) -> int:
        """Rows of the matrix: ``shape[axis]``."""
        return self.shape[self.axis]

    @property
    def columns(self) -> int:
        """Columns of the matrix: the product of the other axes."""
        return math.prod(n for i, n in enumerate(self.shape) if i != self.axis)

    @property
    def nnz(self) -> int:
        """Stored values."""
        return self.data.size

    @property
    def nbytes(self) -> int:
        """Bytes of values, indices, row pointers and scales."""
        return (
            self.data.nbytes
            + self.indices.nbytes
            + self.indptr.nbytes
            + (0 if self.scale is None else self.scale.nbytes)
        )

    def dense(self) -> npt.NDArray[np.float32]:
        """Return the weight as ``float32`` of the original shape."""
        matrix = np.empty((self.rows, self.columns), np.float32)
        _core.csr_to_dense(self.data, self.indices, self.indptr, self.scale, matrix)
        return restore_axis(matrix, self.shape, self.axis)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays a file holds, keyed by what is appended to the weight's name."""
        parts: dict[str, npt.NDArray[Any]] = {
            ".data": self.data,
            ".indices": self.indices,
            ".indptr": self.indptr,
            ".shape": np.array(self.shape, np.int64),
        }
        if self.scale is not None:
            parts["_scale"] = self.scale
        return parts

    def describe(self) -> dict[str, Any]:
        """Return what the arrays of `tensors` do not say, as JSON-able values."""
        description: dict[str, Any] = {"kind": "sparse", "layout": "csr", "shape": list(self.shape)}
        return {**description, "axis": self.axis} if self.axis else description

    @classmethod
    def suffixes(cls, description: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the suffixes that must exist and those that may, for a `describe` result."""
        return (".data", ".indices", ".indptr", ".shape"), ("_scale",)

    @classmethod
    def from_tensors(
        cls, parts: Mapping[str, npt.NDArray[Any]], description: Mapping[str, Any]
    ) -> SparseWeight:
        """Rebuild a weight from what `tensors` and `describe` gave; raises ValueError if they do not fit."""
        shape = described_shape(description)
        require_shape_tensor(parts[".shape"], shape)
        return cls(
            data=parts[".data"],
            indices=parts[".indices"],
            indptr=parts[".indptr"],
            shape=shape,
            scale=parts.get("_scale"),
            axis=int(description.get("axis", 0)),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SparseWeight):
            return NotImplemented
        return self.describe() == other.describe() and all(
            same_array(a, b)
            for a, b in (
                (self.data, other.data),
                (self.indices, other.indices),
                (self.indptr, other.indptr),
                (self.scale, other.scale),
            )
        )

    __hash__ = None  # type: ignore[assignment]
