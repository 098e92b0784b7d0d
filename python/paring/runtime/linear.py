"""A linear layer over a compressed weight, packed once for this CPU."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .. import _core
from ..compression.floats import as_float32, check_floats, explain_not_finite
from ..weights import QuantizedWeight, SparseWeight, Weight

__all__ = ["ActivationName", "PackedLinear"]

ActivationName = Literal["relu", "gelu", "silu"]
ACTIVATIONS = ("relu", "gelu", "silu")


class PackedLinear:
    """``y = activation(x @ weight.T + bias)``, float32 in and out.

    The weight is laid out once for the kernel in use; the layer never changes afterwards, releases the GIL while it
    runs, and may be used from many threads at once. Its answer is the same to the byte on every CPU, with any number
    of threads, and whichever rows share a batch.

    Parameters
    ----------
    weight : ndarray, QuantizedWeight or SparseWeight
        ``(out_features, in_features)``. A float array is computed in float32. A quantized weight is computed in
        integers: of each row of ``x`` the value of largest magnitude stays in float32 and the others become int8
        on the way in (scale = the largest of them / 127). A sparse weight skips its zeros; with int8 codes it is
        computed in integers too. A quantized or sparse weight whose ``axis`` is 1 is taken as
        ``(in_features, out_features)``.
    bias : ndarray, optional
        ``(out_features,)``, any float dtype.
    activation : {"relu", "gelu", "silu"}, optional
        Applied to the sum. "gelu" is the exact (erf) form.

    Attributes
    ----------
    in_features, out_features : int
    activation : str or None
    kernel : str
        Name of the kernel in use (see `paring.kernel_info`).
    nbytes : int
        Bytes of the packed weight, scales and bias in memory.

    Raises
    ------
    TypeError, ValueError
        If the weight is not a matrix of numbers, holds NaN or infinity, or the bias does not fit.

    Notes
    -----
    A row of ``x`` that holds NaN or infinity gives a row of NaN through a quantized weight; through a float weight it
    follows IEEE arithmetic. Quantized layers take up to 65,536 input features a scale.

    Examples
    --------
    >>> import numpy as np, paring
    >>> weight = np.array([[1.0, -2.0], [0.5, 4.0]], np.float32)
    >>> layer = paring.PackedLinear(weight, bias=np.array([0.0, 1.0], np.float32), activation="relu")
    >>> layer(np.array([[2.0, 3.0]], np.float32))
    array([[ 0., 14.]], dtype=float32)
    """

    __slots__ = ("_packed", "activation", "in_features", "out_features")

    def __init__(
        self,
        weight: Weight,
        bias: npt.NDArray[Any] | None = None,
        activation: ActivationName | None = None,
    ) -> None:
        if activation is not None and activation not in ACTIVATIONS:
            raise ValueError(
                f"activation: expected one of {', '.join(ACTIVATIONS)} or None, got {activation!r}"
            )
        self.activation = activation
        if not isinstance(weight, QuantizedWeight | SparseWeight):
            weight = _float_matrix(weight, "weight")
        if len(weight.shape) != 2:
            raise ValueError(
                f"weight: expected two axes (out_features, in_features), got shape {tuple(weight.shape)}"
            )
        if isinstance(weight, QuantizedWeight):
            self.out_features, self.in_features = weight.channels, weight.columns
        elif isinstance(weight, SparseWeight):
            self.out_features, self.in_features = weight.rows, weight.columns
        else:
            self.out_features, self.in_features = weight.shape
        self._packed = _pack(weight, self._bias(bias))

    def _bias(self, bias: npt.NDArray[Any] | None) -> npt.NDArray[np.float32] | None:
        if bias is None:
            return None
        array = _float_matrix(bias, "bias")
        if array.shape != (self.out_features,):
            raise ValueError(f"bias: expected shape ({self.out_features},), got {array.shape}")
        return array

    def __call__(
        self, x: npt.NDArray[np.float32], out: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float32]:
        """Run the layer.

        Parameters
        ----------
        x : ndarray
            ``float32 (..., in_features)``.
        out : ndarray, optional
            ``float32 (..., out_features)``, C-contiguous, not overlapping ``x``; written and returned.

        Returns
        -------
        ndarray
            ``float32 (..., out_features)``.

        Raises
        ------
        TypeError, ValueError
            If ``x`` or ``out`` is of another dtype or shape, or they overlap.
        """
        if type(x) is np.ndarray and x.ndim == 2:
            result = np.empty((len(x), self.out_features), np.float32) if out is None else out
            try:  # what is there refuses all that is explained below, and a small layer takes less than the checks
                self._packed.run(x, result, self.activation or "")
            except (TypeError, ValueError):
                pass
            else:
                return result
        if not isinstance(x, np.ndarray) or x.dtype != np.float32:
            kind = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
            raise TypeError(
                f"x: expected a float32 array, got {kind}; convert it with np.asarray(x, np.float32)"
            )
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ValueError(f"x: expected shape (..., {self.in_features}), got {x.shape}")
        shape = (*x.shape[:-1], self.out_features)
        if out is None:
            out = np.empty(shape, np.float32)
        else:
            _check_out(out, shape, x)
        rows = x.size // self.in_features if self.in_features else out.size // max(self.out_features, 1)
        self._packed.run(
            np.require(x, requirements=["C", "A"]).reshape(rows, self.in_features),
            out.reshape(rows, self.out_features),
            self.activation or "",
        )
        return out

    @property
    def kernel(self) -> str:
        """Name of the kernel in use."""
        return self._packed.kernel

    @property
    def nbytes(self) -> int:
        """Bytes of the packed weight in memory."""
        return self._packed.nbytes

    def __repr__(self) -> str:
        activation = f", activation={self.activation!r}" if self.activation else ""
        return (
            f"PackedLinear(in_features={self.in_features}, out_features={self.out_features}{activation}, "
            f"kernel={self.kernel!r}, nbytes={self.nbytes})"
        )


def _float_matrix(weight: Any, label: str) -> npt.NDArray[np.float32]:
    array = check_floats(weight, label)
    converted = as_float32(array)
    if not np.isfinite(converted).all():
        raise explain_not_finite(array, label, float32=True) or AssertionError(label)
    return converted


def _pack(
    weight: npt.NDArray[np.float32] | QuantizedWeight | SparseWeight, bias: npt.NDArray[np.float32] | None
) -> _core.PackedMatrix | _core.PackedCsr:
    if isinstance(weight, QuantizedWeight):
        return _core.PackedMatrix.from_codes(
            weight.data,
            weight.scale,
            weight.zero_point,
            weight.bits,
            weight.columns,
            weight.kernel_group_size,
            bias,
        )
    if isinstance(weight, SparseWeight):
        return _core.PackedCsr.from_csr(
            weight.data, weight.indices, weight.indptr, weight.scale, weight.columns, bias
        )
    return _core.PackedMatrix.from_floats(weight, bias)


def _check_out(out: npt.NDArray[np.float32], shape: tuple[int, ...], x: npt.NDArray[np.float32]) -> None:
    if not isinstance(out, np.ndarray) or out.dtype != np.float32:
        kind = out.dtype if isinstance(out, np.ndarray) else type(out).__name__
        raise TypeError(f"out: expected a float32 array, got {kind}")
    if out.shape != shape:
        raise ValueError(f"out: expected shape {shape}, got {out.shape}")
    if not (out.flags.c_contiguous and out.flags.aligned and out.flags.writeable):
        raise ValueError("out: expected a C-contiguous, aligned, writeable array")
    if np.may_share_memory(out, x):
        raise ValueError("out: overlaps x; pass memory of its own")
