"""From a weight to the packed one that a kernel takes, and what that kernel multiplies as."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from .. import _core
from ..weights import QuantizedWeight, SparseWeight, Weight
from .layer_arrays import HALVES

__all__ = ["ComputeName", "choose_compute", "pack_weight"]

ComputeName = Literal["int8", "float32"]


def choose_compute(weight: Weight, compute: str | None) -> ComputeName:
    """Return what a layer over `weight` multiplies as; raises ValueError where there is no kernel for what is asked."""
    if compute is not None and compute not in ("int8", "float32"):
        raise ValueError(f"compute: expected 'int8', 'float32' or None, got {compute!r}")
    if isinstance(weight, QuantizedWeight):
        return "float32" if compute == "float32" else "int8"
    if isinstance(weight, SparseWeight) and weight.scale is not None:
        if compute == "float32":
            raise ValueError(
                "compute: a sparse weight of int8 codes is computed in 'int8' only, got 'float32'; "
                "its .dense() is, and so is a sparse weight of floats"
            )
        return "int8"
    if compute == "int8":
        kind = "sparse weight of floats" if isinstance(weight, SparseWeight) else f"{weight.dtype} weight"
        raise ValueError(
            f"compute: a {kind} is computed in 'float32' only, got 'int8'; paring.quantize gives it codes"
        )
    return "float32"


def pack_weight(
    weight: Weight, bias: npt.NDArray[np.float32] | None, compute: ComputeName
) -> _core.PackedMatrix | _core.PackedCsr:
    """Return a weight (its arrays as `as_float_array` gives them) laid out for the kernel in use."""
    if isinstance(weight, QuantizedWeight):
        return _core.PackedMatrix.from_codes(
            weight.data,
            weight.scale,
            weight.zero_point,
            weight.bits,
            weight.columns,
            weight.kernel_group_size,
            bias,
            compute=compute,
        )
    if isinstance(weight, SparseWeight):
        return _core.PackedCsr.from_csr(
            weight.data, weight.indices, weight.indptr, weight.scale, weight.columns, bias
        )
    if weight.dtype in HALVES:
        return _core.PackedMatrix.from_halves(
            weight.view(np.uint16), bias, bfloat16=weight.dtype != np.float16
        )
    return _core.PackedMatrix.from_floats(weight, bias)
