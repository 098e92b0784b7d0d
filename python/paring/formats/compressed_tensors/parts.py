"""How the tensors that compressed-tensors makes of a weight become those of a `QuantizedWeight`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import TensorInfo, nbytes
from ..weight_file import TensorFile
from .config import FLOATS
from .groups import Scheme

__all__ = ["Changed", "MisfitError", "Parts", "find_parts"]

SCALES = ("float16", "bfloat16", "float32")  # float32 has all their values
FLOAT32, INT64, INT8 = np.dtype(np.float32), np.dtype(np.int64), np.dtype(np.int8)

Array = npt.NDArray[Any]


class MisfitError(Exception):
    """The tensors of a module are not those of a scheme."""


@dataclass(frozen=True)
class Changed:
    """A tensor that is given in another form than the file has it in: `make` turns that of the file into it."""

    source: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    make: Callable[[Array], Array] = field(compare=False)


@dataclass(frozen=True)
class Parts:
    """A weight's description, its tensors that are given otherwise by name, and those that are not given."""

    description: dict[str, Any]
    changed: dict[str, Changed]
    hidden: tuple[str, ...] = ()


def find_parts(file: TensorFile, present: frozenset[str], name: str, scheme: Scheme) -> Parts | None:
    """Return how the tensors of a weight are one of this scheme, None if paring has no such weight.

    Raises
    ------
    MisfitError
        If a tensor is missing, or has another dtype or shape than the scheme asks for.
    """
    packed = f"{name}_packed" in present
    codes = file.info(f"{name}_packed" if packed else name)
    if len(codes.shape) != 2 or scheme.packed not in (None, packed):
        return None
    if not packed and codes.dtype in FLOATS:
        return None
    scale = _info(file, present, f"{name}_scale")
    if scale.dtype not in SCALES:
        return None
    if packed:
        shape = _packed_shape(file, present, name, codes, scheme.bits)
    else:
        shape = codes.shape
        _require(name, codes, ("int8",), shape)
    try:
        nbytes(shape, FLOAT32)
    except ValueError as error:  # without rows any count of columns takes no room in the file
        raise MisfitError(f"{name!r}: {error}") from None
    rows, columns = shape
    size = scheme.group_size
    groups = (rows, -(-columns // size) if size else 1)
    layout = _Layout(
        packed,
        scheme.bits if packed else 8,
        shape,
        (1,) if scheme.strategy == "tensor" else groups,
        ((), (1,), (1, 1)) if scheme.strategy == "tensor" else (groups,),
    )
    _require(f"{name}_scale", scale, SCALES, *layout.allowed)
    changed, hidden = _codes(present, name, layout)
    changed[f"{name}_scale"] = _converted(f"{name}_scale", FLOAT32, layout.per_group)
    if f"{name}_zero_point" in present or not scheme.symmetric:
        info = _info(file, present, f"{name}_zero_point")
        # Zero points that a symmetric scheme should not have are subtracted all the same, and lie unpacked.
        changed |= _zero_points(f"{name}_zero_point", info, layout, layout.packed and not scheme.symmetric)
    description = {
        "kind": "quantized",
        "bits": layout.bits,
        "granularity": scheme.strategy,
        "group_size": size or None,
        "axis": 0,
        "shape": list(shape),
    }
    return Parts(description, changed, hidden)


@dataclass(frozen=True)
class _Layout:
    """Of codes: packed or one a byte, and bits; of scales: shape here, and shapes that files may have."""

    packed: bool
    bits: int
    shape: tuple[int, ...]
    per_group: tuple[int, ...]
    allowed: tuple[tuple[int, ...], ...]


def _codes(present: frozenset[str], name: str, layout: _Layout) -> tuple[dict[str, Changed], tuple[str, ...]]:
    if not layout.packed:
        return {}, ()
    if layout.bits < 8:
        return {f"{name}_shape": _converted(f"{name}_shape", INT64, (2,))}, ()
    if name in present:
        raise MisfitError(f"{name!r}: expected none beside {name}_packed")
    changed = Changed(f"{name}_packed", INT8, layout.shape, partial(_bytes_of_rows, layout.shape[1]))
    return {name: changed}, (f"{name}_shape",)


def _zero_points(name: str, info: TensorInfo, layout: _Layout, packed: bool) -> dict[str, Changed]:
    if len(layout.per_group) == 1:
        _require(name, info, ("int8",), *layout.allowed)
        return {name: _converted(name, INT8, layout.per_group)}
    if not packed:
        _require(name, info, ("int8",), *layout.allowed)
        return {}
    rows, groups = layout.per_group
    _require(name, info, ("int32",), (-(-rows * layout.bits // 32), groups))
    if layout.bits < 8:
        return {}
    return {name: Changed(name, INT8, layout.per_group, partial(_bytes_of_columns, rows))}


def _info(file: TensorFile, present: frozenset[str], name: str) -> TensorInfo:
    if name not in present:
        raise MisfitError(f"{name!r}: expected one, got none")
    return file.info(name)


def _packed_shape(
    file: TensorFile, present: frozenset[str], name: str, codes: TensorInfo, bits: int
) -> tuple[int, ...]:
    """Return the shape of packed codes, which the file says beside them, checked against their words."""
    _require(f"{name}_shape", _info(file, present, f"{name}_shape"), ("int64", "int32"), (2,))
    rows, columns = file.tensor(f"{name}_shape").tolist()
    if rows < 0 or columns < 0:
        raise MisfitError(f"'{name}_shape': expected two sizes, got {[rows, columns]}")
    _require(f"{name}_packed", codes, ("int32",), (rows, -(-columns * bits // 32)))
    return rows, columns


def _require(name: str, info: TensorInfo, dtypes: tuple[str, ...], *shapes: tuple[int, ...]) -> None:
    if info.dtype not in dtypes or info.shape not in shapes:
        expected = f"{' or '.join(dtypes)} {' or '.join(map(str, shapes))}"
        raise MisfitError(f"{name!r}: expected {expected}, got {info.dtype} {info.shape}")


def _converted(name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Changed:
    return Changed(name, dtype, shape, lambda array: array.astype(dtype).reshape(shape))


def _bytes_of_rows(columns: int, words: Array) -> Array:
    """Return 8-bit codes that lie four to a word, offset by 128, along each row."""
    stream = np.ascontiguousarray(words, "<i4").view(np.uint8)
    codes: Array = (stream[:, :columns] ^ np.uint8(0x80)).view(np.int8)
    return codes


def _bytes_of_columns(rows: int, words: Array) -> Array:
    return np.ascontiguousarray(_bytes_of_rows(rows, words.T).T)
