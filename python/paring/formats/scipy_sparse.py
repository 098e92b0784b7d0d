"""The five arrays by which SciPy saves one sparse matrix in a ``.npz``: ``scipy.sparse.save_npz`` and ``load_npz``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from .naming import VERSION, NamedTensor, check_descriptions
from .weight_file import TensorFile

__all__ = ["PARTS", "describe_matrix", "exact_float32", "name_for_scipy"]

PARTS = ("data", "indices", "indptr", "shape")
MARKS = ("format", "_is_array")
KEYS = {*PARTS, *MARKS, "row", "col", "coords", "offsets"}
READ = {"csr": 0, "csc": 1}  # and which axis of the matrix the rows of ours are
MAX_MARK_BYTES = 64
TEXT_DTYPES = ("|S", "<U", ">U")
REFUSED = ("bsr", "coo", "dia")

Array = npt.NDArray[Any]


def name_for_scipy(
    tensors: list[NamedTensor], descriptions: Mapping[str, Mapping[str, Any]]
) -> tuple[str, list[NamedTensor]] | None:
    """Return the name of the sparse matrix and its tensors as SciPy calls them; None if there is no such form.

    SciPy has one matrix of floats and nothing else in a file, its rows along the first axis.
    """
    if len(descriptions) != 1:
        return None
    name, description = next(iter(descriptions.items()))
    if description["kind"] != "sparse" or description.get("axis", 0) or len(description["shape"]) != 2:
        return None
    by_name = {tensor.name: tensor for tensor in tensors}
    if set(by_name) != {f"{name}.{part}" for part in PARTS}:
        return None
    parts = [replace(by_name[f"{name}.{part}"], name=part) for part in PARTS]
    return name, [_constant("format", np.array(b"csr")), _constant("_is_array", np.array(True)), *parts]


def _constant(name: str, array: Array) -> NamedTensor:
    return NamedTensor(name, array.dtype, array.shape, lambda: array)


def describe_matrix(file: TensorFile, weight: str) -> dict[str, Any] | None:
    """Return the description of the matrix in a file that SciPy made, None if it is another file.

    Raises
    ------
    FormatError
        If the matrix is in a form other than compressed rows or columns, or has not two axes.
    """
    present = set(file.names())
    if not {"format", "shape", "data"} <= present <= KEYS:
        return None
    mark = file.info("format")
    if mark.shape != () or mark.nbytes > MAX_MARK_BYTES or not mark.dtype.startswith(TEXT_DTYPES):
        return None
    form = file.tensor("format").item()
    form = form.decode("latin-1") if isinstance(form, bytes) else form
    if form in REFUSED:
        raise FormatError(
            f"{file.path}: expected a sparse matrix of SciPy in the form csr or csc, got {form}: "
            "save matrix.tocsr() instead"
        )
    if form not in READ or not {*PARTS} <= present <= {*PARTS, *MARKS}:
        return None
    sizes = file.info("shape")
    if sizes.shape != (2,) or np.dtype(sizes.dtype).kind not in "iu":
        raise FormatError(f"{file.path}: shape: expected two integers, got {sizes.dtype} {sizes.shape}")
    description = {"kind": "sparse", "layout": "csr", "shape": file.tensor("shape").tolist()}
    if READ[form]:
        description["axis"] = READ[form]
    return check_descriptions({"version": VERSION, "weights": {weight: description}}, str(file.path))[weight]


def exact_float32(values: Array, where: str) -> Array:
    """Return values as ``float32``; FormatError unless it has every one of them."""
    if values.dtype.kind not in "biuf" and values.dtype.name != "bfloat16":
        raise FormatError(f"{where}: expected real numbers, got {values.dtype}")
    with np.errstate(over="ignore", invalid="ignore"):
        result = values.astype(np.float32)
        same = (result.astype(values.dtype) == values) | (values != values)
        if values.dtype.kind in "iu":  # where the way back would overflow it may come out right by chance
            same &= result < 2.0 ** (8 * values.dtype.itemsize - (values.dtype.kind == "i"))
    if not same.all():
        at = int(np.argmin(same.reshape(-1)))
        raise FormatError(
            f"{where}: expected values that float32 holds exactly, got {values.dtype} {values.reshape(-1)[at]!s} "
            f"at {at}: save matrix.astype('float32') instead"
        )
    return result
