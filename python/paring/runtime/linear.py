"""A linear layer over a compressed weight, packed once for this CPU."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .. import _core
from ..weights import QuantizedWeight, SparseWeight, Weight
from .activation_scale import ActivationScale, bias_with_zero_point
from .layer_arrays import as_bias, as_float_array, as_matrix, check_input, check_out, check_residual, pair_of
from .weight_packing import ComputeName, choose_compute, pack_weight

__all__ = ["ActivationName", "PackedLinear", "activation_name"]

ActivationName = Literal["relu", "gelu", "silu"]
ACTIVATIONS = ("relu", "gelu", "silu")


class PackedLinear:
    """``y = activation(x @ weight.T + bias)``, float32 in and out; int8 where there are scales for that.

    The weight is laid out once for the kernel in use; the layer never changes afterwards, releases the GIL while it
    runs, and may be used from many threads at once. Its answer is the same to the byte on every CPU, with any number
    of threads, and whichever rows share a batch.

    Parameters
    ----------
    weight : ndarray, QuantizedWeight or SparseWeight
        ``(out_features, in_features)``. A float array is computed in float32; float16 and bfloat16 stay two bytes a
        weight and are widened by the kernel, float64 is rounded to float32. A quantized weight is computed as
        `compute` says. A sparse weight skips its zeros; with int8 codes it is computed in integers. A quantized or
        sparse weight whose ``axis`` is 1 is taken as ``(in_features, out_features)``.
    bias : ndarray, optional
        ``(out_features,)``, any float dtype.
    activation : {"relu", "gelu", "silu"}, optional
        Applied to the sum. "gelu" is the exact (erf) form.
    compute : {"int8", "float32"}, optional
        What ``x`` is multiplied as. "int8": of each row of ``x`` the value of largest magnitude stays in float32 and
        the others become int8 on the way in (scale = the largest of them / 127). "float32": ``x`` stays as it is, and
        the answer has the very bytes of a layer over ``weight.dense()``, while the weight stays in its codes. By
        default "int8" for codes and "float32" for floats; a quantized weight takes either, any other weight only that.
    input_scale : ActivationScale, optional
        For a quantized weight in int8: one scale for all of ``x`` instead of one a row. ``x`` may then come as int8
        codes of that scale, from a layer that gives them.
    output_scale : ActivationScale, optional
        For a quantized weight in int8: the layer gives int8 codes of that scale, for the next layer.

    Attributes
    ----------
    in_features, out_features : int
    activation : str or None
    compute : str
        "int8" or "float32".
    input_scale, output_scale : ActivationScale or None
    kernel : str
        Name of the kernel in use (see `paring.kernel_info`).
    nbytes : int
        Bytes of the packed weight, scales and bias in memory.

    Raises
    ------
    TypeError, ValueError
        If the weight is not a matrix of numbers, holds NaN or infinity, the bias does not fit, there is no kernel
        that computes such a weight in that way, or there are scales and the layer does not compute in int8.

    Notes
    -----
    A row of ``x`` that holds NaN or infinity gives a row of NaN through a layer that computes in int8; in float32 it
    follows IEEE arithmetic. Where the output is int8, NaN becomes -128. int8 takes up to 65,536 input features a scale.

    Examples
    --------
    >>> import numpy as np, paring
    >>> weight = np.array([[1.0, -2.0], [0.5, 4.0]], np.float32)
    >>> layer = paring.PackedLinear(weight, bias=np.array([0.0, 1.0], np.float32), activation="relu")
    >>> layer(np.array([[2.0, 3.0]], np.float32))
    array([[ 0., 14.]], dtype=float32)

    Codes of 4 bits beside activations that are not rounded:

    >>> codes, x = paring.quantize(weight, bits=4), np.array([[0.1, 1e4]], np.float32)
    >>> exact = paring.PackedLinear(codes, compute="float32")
    >>> np.array_equal(exact(x), paring.PackedLinear(codes.dense())(x))
    True

    Two layers that hand int8 on:

    >>> between = paring.ActivationScale(0.125)
    >>> first = paring.PackedLinear(paring.quantize(weight), output_scale=between)
    >>> second = paring.PackedLinear(paring.quantize(weight), input_scale=between)
    >>> codes = first(np.array([[2.0, 3.0]], np.float32))
    >>> codes
    array([[-32, 104]], dtype=int8)
    >>> second(codes)
    array([[-30.031496,  49.984253]], dtype=float32)
    """

    __slots__ = (
        "_packed",
        "activation",
        "compute",
        "in_features",
        "input_scale",
        "out_features",
        "output_scale",
    )

    def __init__(
        self,
        weight: Weight,
        bias: npt.NDArray[Any] | None = None,
        activation: ActivationName | None = None,
        compute: ComputeName | None = None,
        *,
        input_scale: ActivationScale | None = None,
        output_scale: ActivationScale | None = None,
    ) -> None:
        self.activation = activation_name(activation)
        self.input_scale, self.output_scale = input_scale, output_scale
        if not isinstance(weight, QuantizedWeight | SparseWeight):
            weight = as_float_array(weight, "weight", keep_halves=True)
        self.compute = choose_compute(weight, compute)
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
        self._require_scales(weight)
        checked = as_bias(bias, self.out_features)
        if input_scale is not None and isinstance(weight, QuantizedWeight):
            checked = bias_with_zero_point(weight, checked, input_scale)
        self._packed = pack_weight(weight, checked, self.compute)

    def _require_scales(self, weight: Weight) -> None:
        for name in ("input_scale", "output_scale"):
            scale = getattr(self, name)
            if scale is None:
                continue
            if not isinstance(scale, ActivationScale):
                raise TypeError(f"{name}: expected a paring.ActivationScale, got {type(scale).__name__}")
            if not isinstance(weight, QuantizedWeight):
                raise ValueError(
                    f"{name}: expected a quantized weight beside it, got {_kind_of(weight)}; int8 activations meet "
                    "integer weights only"
                )
            if self.compute != "int8":
                raise ValueError(f"{name}: expected compute='int8' beside it, got {self.compute!r}")

    def __call__(
        self,
        x: npt.NDArray[Any],
        out: npt.NDArray[Any] | None = None,
        *,
        residual: npt.NDArray[np.float32] | None = None,
    ) -> npt.NDArray[Any]:
        """Run the layer.

        Parameters
        ----------
        x : ndarray
            ``float32 (..., in_features)``; with an `input_scale` also ``int8``, its codes.
        out : ndarray, optional
            ``float32 (..., out_features)``, or ``int8`` with an `output_scale`. C-contiguous, not overlapping ``x`` or
            ``residual``; written and returned.
        residual : ndarray, optional
            ``float32 (..., out_features)``, added before the activation. Not for sparse weights.

        Returns
        -------
        ndarray
            ``float32 (..., out_features)``, or ``int8`` with an `output_scale`.

        Raises
        ------
        TypeError, ValueError
            If an array is of another dtype or shape, or they overlap.
        """
        if residual is not None or self.input_scale is not None or self.output_scale is not None:
            return self._run_scaled(x, out, residual)
        if type(x) is np.ndarray and x.ndim == 2:
            result = np.empty((len(x), self.out_features), np.float32) if out is None else out
            try:  # what is there refuses all that is explained below, and a small layer takes less than the checks
                self._packed.run(x, result, self.activation or "")
            except (TypeError, ValueError):
                pass
            else:
                return result
        out, rows = self._prepared(x, out)
        self._packed.run(
            as_matrix(x, rows, self.in_features), out.reshape(rows, self.out_features), self.activation or ""
        )
        return out

    def _run_scaled(
        self, x: npt.NDArray[Any], out: npt.NDArray[Any] | None, residual: npt.NDArray[np.float32] | None
    ) -> npt.NDArray[Any]:
        if not isinstance(self._packed, _core.PackedMatrix):
            raise ValueError("residual: a sparse layer adds none; add it to what the layer gives")
        out, rows = self._prepared(x, out)
        if residual is not None:
            check_residual(residual, out)
        self._packed.run_scaled(
            as_matrix(x, rows, self.in_features),
            out.reshape(rows, self.out_features),
            self.activation or "",
            input_scale=pair_of(self.input_scale),
            residual=None if residual is None else as_matrix(residual, rows, self.out_features),
            output_scale=pair_of(self.output_scale),
        )
        return out

    def _prepared(self, x: npt.NDArray[Any], out: npt.NDArray[Any] | None) -> tuple[npt.NDArray[Any], int]:
        """Return the output, made where there is none, and how many rows there are."""
        check_input(x, self.input_scale)
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ValueError(f"x: expected shape (..., {self.in_features}), got {x.shape}")
        shape = (*x.shape[:-1], self.out_features)
        dtype = np.dtype(np.float32 if self.output_scale is None else np.int8)
        if out is None:
            out = np.empty(shape, dtype)
        else:
            check_out(out, shape, dtype, x)
        rows = x.size // self.in_features if self.in_features else out.size // max(self.out_features, 1)
        return out, rows

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


def activation_name(activation: ActivationName | None) -> ActivationName | None:
    """Return the argument, or raise ValueError if there is no such activation."""
    if activation is not None and activation not in ACTIVATIONS:
        raise ValueError(f"activation: expected one of {', '.join(ACTIVATIONS)} or None, got {activation!r}")
    return activation


def _kind_of(weight: Weight) -> str:
    return f"{weight.dtype} numbers" if isinstance(weight, np.ndarray) else "a sparse one"
