"""Which form a weight is stored in: the one asked for, unless another takes fewer bytes."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..weights import QuantizedWeight, SparseWeight, Weight, packed_row_bytes
from .quantization import quantize_named
from .quantize_settings import QuantizeSettings, check_axis
from .sparsity import INT32_MAX, sparsify_named

__all__ = ["Choice", "choose_form", "dense_zeros_note", "form_name", "quantizing_pays"]


@dataclass(frozen=True)
class Cost:
    """Bytes of a form, and the same as a sum to show."""

    arrays: int
    text: str
    tensors: int

    def in_file(self, name: str) -> int:
        """Return the bytes of a file that holds a weight of that name in this form, at most."""
        return self.arrays + file_overhead(name, self.tensors)


@dataclass(frozen=True)
class Choice:
    """The weight as it is stored, and what to say of forms that were refused; nothing if none was."""

    weight: Weight
    refusals: tuple[str, ...]


def file_overhead(name: str, tensors: int) -> int:
    """Return the most bytes that a form of several tensors costs a file beyond a plain array and its values.

    A tensor more costs an entry in the header of a safetensors file, or a zip member with two headers and
    padding in an npz; the form's description lies there as JSON, for which the first one brings a frame.
    """
    if tensors == 1:
        return 0
    name_bytes = len(json.dumps(json.dumps(name)))
    return (tensors - 1) * (320 + 2 * name_bytes) + 512 + name_bytes


def form_name(weight: Weight) -> str:
    """Return what a report calls the form of a weight."""
    match weight:
        case QuantizedWeight(bits=bits, granularity="group", group_size=group_size):
            return f"int{bits} group {group_size}"
        case QuantizedWeight(bits=bits, granularity=granularity):
            return f"int{bits} {granularity}"
        case SparseWeight():
            return f"csr {weight.data.dtype}"
        case _:
            return str(weight.dtype)


def choose_form(
    name: str,
    weight: npt.NDArray[Any],
    settings: QuantizeSettings | None,
    axis: int,
    sparse: bool,
    trained: QuantizedWeight | None = None,
) -> Choice:
    """Return a weight in the smallest of the forms asked for, and of those before it.

    That is the array itself, then quantized (if there are settings), then CSR of what that gave (if `sparse`). A form
    is refused unless it makes the file smaller; integers that were `trained` are not: others would not be the same.
    """
    best: npt.NDArray[Any] | QuantizedWeight = weight
    best_cost = _array_cost(weight.nbytes)
    best_form = str(weight.dtype)
    refusals = []
    if settings is not None:
        cost = quantized_cost(weight.shape, settings, axis)
        form = f"int{settings.bits}"
        if trained is not None:
            best, best_cost, best_form = trained, cost, form
        elif cost.in_file(name) < best_cost.in_file(name):
            best, best_cost, best_form = quantize_named(weight, settings, axis, repr(name)), cost, form
        else:
            refusals.append(_refusal(name, form, cost, best_form, best_cost))
    if sparse:
        codes = isinstance(best, QuantizedWeight)
        stored = best.codes() if isinstance(best, QuantizedWeight) else best
        cost = csr_cost(weight.shape, int(np.count_nonzero(stored)), codes, axis)
        if cost.in_file(name) < best_cost.in_file(name):
            return Choice(sparsify_named(best, repr(name), axis), tuple(refusals))
        refusals.append(_refusal(name, "csr", cost, best_form, best_cost))
    if refusals:
        refusals.append(f"kept {best_form}")
    return Choice(best, tuple(refusals))


def quantizing_pays(
    name: str, shape: tuple[int, ...], array_bytes: int, settings: QuantizeSettings, axis: int
) -> bool:
    """Whether a file gets smaller when an array of so many bytes is quantized: `choose_form` does it then."""
    return quantized_cost(shape, settings, axis).in_file(name) < _array_cost(array_bytes).in_file(name)


def _array_cost(array_bytes: int) -> Cost:
    return Cost(array_bytes, f"{array_bytes:,}", 1)


def quantized_cost(shape: tuple[int, ...], settings: QuantizeSettings, axis: int) -> Cost:
    """Return what a weight of two or more axes costs when quantized."""
    axis = check_axis(axis, len(shape), "a weight")
    channels = shape[axis]
    columns = math.prod(n for i, n in enumerate(shape) if i != axis)
    scales = {
        "tensor": 1,
        "channel": channels,
        "group": channels * math.ceil(columns / settings.group_size),
    }[settings.granularity]
    codes = channels * packed_row_bytes(columns, settings.bits)
    scale_bytes, what = (4, "scales") if settings.symmetric else (5, "scales and zero points")
    total = codes + scale_bytes * scales
    # Fewer than eight bits lie packed, beside a tensor that holds the shape.
    tensors = 2 + (settings.bits < 8) + (not settings.symmetric)
    return Cost(total, f"{codes:,} for codes + {scale_bytes} x {scales:,} for {what} = {total:,}", tensors)


def csr_cost(shape: tuple[int, ...], nnz: int, quantized: bool, axis: int = 0) -> Cost:
    """Return what a weight with so many values other than zero costs as CSR."""
    rows, columns = shape[axis], math.prod(n for i, n in enumerate(shape) if i != axis)
    index_bytes = 4 if max(rows, columns, nnz) <= INT32_MAX else 8
    value_bytes = (1 if quantized else 4) + index_bytes
    row_bytes = index_bytes + (4 if quantized else 0)
    total = value_bytes * nnz + row_bytes * rows + index_bytes
    what = "row ends and scales" if quantized else "row ends"
    text = (
        f"{value_bytes} x {nnz:,} for values and their columns + {row_bytes} x {rows:,} + {index_bytes} for "
        f"{what} = {total:,}"
    )
    return Cost(total, text, 5 if quantized else 4)


def dense_zeros_note(weight: npt.NDArray[Any]) -> str:
    """Return what to know of a pruned array that nobody asked to store as CSR."""
    cost = csr_cost(weight.shape, int(np.count_nonzero(weight)), quantized=False)
    return (
        f"stored dense, where zeros take as much as other values; csr (a SparsifyStep) would take "
        f"{cost.text} bytes against {weight.nbytes:,}"
    )


def _refusal(name: str, form: str, cost: Cost, kept_form: str, kept: Cost) -> str:
    overhead = cost.in_file(name) - cost.arrays - (kept.in_file(name) - kept.arrays)
    extra = f" (and up to {overhead:,} for names and headers)" if cost.arrays < kept.arrays else ""
    return f"{form} would take {cost.text} bytes{extra} against {kept.arrays:,} as {kept_form}"
