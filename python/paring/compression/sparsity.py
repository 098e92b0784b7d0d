"""Sparsity: weights as their non-zero values and the places of those."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _core
from ..weights import QuantizedWeight, SparseWeight, Weight
from .floats import as_float32, check_floats, explain_not_finite, is_float
from .quantize_settings import check_axis

__all__ = ["sparsify", "sparsify_named"]

INT32_MAX = 2**31 - 1


def sparsify(w: Weight, *, axis: int = 0) -> SparseWeight:
    """Keep the non-zero values of a weight and their columns, row by row (CSR, by SciPy's conventions).

    Rows are one axis, the first unless told otherwise; the others, flattened, are the columns. A float32
    value costs 8 bytes, so this
    pays where more than half of a float32 weight is zero: see `prune`.

    Parameters
    ----------
    w : ndarray, QuantizedWeight, SparseWeight, or a SciPy sparse array
        An array of two or more axes: float16, bfloat16, float32 or float64, of any byte order and layout. A
        quantized weight: symmetric, granularity "tensor" or "channel"; its codes become int8 values.
        A `SparseWeight` is returned as it is. Anything with a ``tocsr`` method, of floats and two axes, is
        taken for a SciPy sparse array; duplicates are summed.
    axis : int
        Which axis of an array are the rows, the output channels: 0 for ``(out, in)``, -1 for ``(in, out)``.
        A quantized weight brings its own.

    Returns
    -------
    SparseWeight
        float32 values (rounded, from float64) or int8 codes with a scale a row. Zeros, -0.0 among them, are
        left out, also those stored in a SciPy array.

    Raises
    ------
    TypeError
        If `w` is none of these.
    ValueError
        If it has fewer than two axes, a value is NaN, infinite or beyond float32 (the message says where),
        or CSR cannot hold that kind of quantized weight.

    Examples
    --------
    >>> import numpy as np, paring
    >>> s = paring.sparsify(np.array([[0, 3, 0], [1, 0, 2]], np.float32))
    >>> s.data, s.nnz, s.nbytes
    (array([3., 1., 2.], dtype=float32), 3, 36)
    >>> s.dense()
    array([[0., 3., 0.],
           [1., 0., 2.]], dtype=float32)
    """
    return sparsify_named(w, "w", axis)


def sparsify_named(w: Weight, label: str, axis: int = 0) -> SparseWeight:
    """Do what `sparsify` does; messages speak of the weight as `label`."""
    if isinstance(w, SparseWeight):
        return w
    if isinstance(w, QuantizedWeight):
        return _from_codes(w, label)
    if not isinstance(w, np.ndarray) and callable(getattr(w, "tocsr", None)):
        return _from_scipy(w, label)
    array = check_floats(w, label)
    _check_axes(array.shape, label)
    axis = check_axis(axis, array.ndim, label)
    moved = np.moveaxis(array, axis, 0)
    matrix = as_float32(moved).reshape(moved.shape[0], math.prod(moved.shape[1:]))
    data, indices, indptr = _core.dense_to_csr(matrix)
    if not np.isfinite(data).all():
        raise explain_not_finite(array, label, float32=True) or AssertionError(label)
    return SparseWeight(data, indices, indptr, array.shape, axis=axis)


def why_codes_do_not_fit(symmetric: bool, granularity: str) -> str | None:
    """Return what keeps such a quantized weight out of CSR, or None."""
    if not symmetric:
        return "csr leaves code 0 out, which means 0 in a symmetric weight only; use symmetric=True"
    if granularity == "group":
        return "csr holds one scale a row; use granularity 'channel' or 'tensor'"
    return None


def _from_codes(w: QuantizedWeight, label: str) -> SparseWeight:
    _check_axes(w.shape, label)
    problem = why_codes_do_not_fit(w.symmetric, w.granularity)
    if problem is not None:
        raise ValueError(f"{label}: {problem} (or sparsify its .dense())")
    codes = _core.unpack_codes(np.ascontiguousarray(w.data), w.bits, w.columns)
    data, indices, indptr = _core.dense_to_csr(codes)
    # A copy: `w` may be overwritten through quantize(out=w).
    scale = np.broadcast_to(w.scale.reshape(-1), (w.channels,)).copy()
    return SparseWeight(data, indices, indptr, w.shape, scale, w.axis)


def _from_scipy(w: Any, label: str) -> SparseWeight:
    shape = tuple(int(n) for n in w.shape)
    if len(shape) != 2:
        raise ValueError(f"{label}: expected two axes, got shape {shape}")
    if not is_float(np.dtype(w.dtype)):
        raise TypeError(f"{label}: expected a sparse array of floats, got {w.dtype}")
    csr = w.tocsr(copy=True)
    csr.sum_duplicates()  # sorts the columns of each row as well
    values = as_float32(csr.data)
    if not np.isfinite(values).all():
        at = int(np.argmin(np.isfinite(values)))
        row = int(np.searchsorted(csr.indptr, at, side="right")) - 1
        raise ValueError(
            f"{label}: expected finite values in the range of float32, got {float(csr.data[at])!r} "
            f"at [{row}, {int(csr.indices[at])}]"
        )
    keep = values != 0
    index = np.dtype(np.int32 if max(*shape, int(keep.sum())) <= INT32_MAX else np.int64)
    before = np.concatenate([[0], np.cumsum(keep, dtype=np.int64)])
    return SparseWeight(
        data=values[keep],
        indices=csr.indices[keep].astype(index),
        indptr=before[csr.indptr].astype(index),
        shape=shape,
    )


def _check_axes(shape: tuple[int, ...], label: str) -> None:
    if len(shape) < 2:
        raise ValueError(f"{label}: expected two or more axes (rows and columns), got shape {shape}")
