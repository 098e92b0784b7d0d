"""What the globals of a PyTorch pickle stand for: inert descriptions of storages and tensors, none of its code."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import EXTENSION_DTYPES, nbytes
from .pickle_state import Function, Refusal, Stateful, show

__all__ = ["TENSOR_NAMES", "Storage", "StorageTable", "Tensor", "TorchDtype", "UnreadableTensor"]

READABLE_DTYPES = (
    "float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64",
    "bool", "complex64", "complex128",
)  # fmt: skip
ITEMSIZES = {"complex32": 4, "qint32": 4, "bits16": 2} | dict.fromkeys(
    ("qint8", "quint8", "quint4x2", "quint2x4", "bits8", "bits1x8", "bits2x4", "bits4x2", "float8_e4m3fnuz",
     "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2", *(f"{s}int{n}" for s in ("", "u") for n in range(1, 8))),
    1,
)  # fmt: skip
"""Bytes of the dtypes that paring cannot read, whose tensors are refused when they are looked up."""

STORAGE_DTYPES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "BFloat16Storage": "bfloat16",
    "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64",
    "QInt8Storage": "qint8",
    "QUInt8Storage": "quint8",
    "QInt32Storage": "qint32",
    "QUInt4x2Storage": "quint4x2",
    "QUInt2x4Storage": "quint2x4",
    "UntypedStorage": "uint8",
}


@dataclass(frozen=True, slots=True)
class TorchDtype:
    """``torch.<name>``; `numpy` is the native dtype of its values, or None where paring cannot read them."""

    name: str
    numpy: np.dtype[Any] | None
    itemsize: int


@dataclass(frozen=True, slots=True)
class StorageType:
    """``torch.<X>Storage``."""

    dtype: TorchDtype


@dataclass(frozen=True, slots=True)
class Storage(Stateful):
    """`size` elements in a row, `first` elements after the beginning of the values kept under `key`."""

    key: str
    dtype: TorchDtype
    size: int
    first: int = 0


@dataclass(frozen=True, slots=True)
class Tensor(Stateful):
    """A view of a storage. `offset` and `stride` count elements of `dtype`, which need not be the storage's."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: TorchDtype
    conjugate: bool = False
    negative: bool = False

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def span(self) -> int:
        """Elements from the first to the last one."""
        if 0 in self.shape:
            return 0
        return 1 + sum((size - 1) * stride for size, stride in zip(self.shape, self.stride, strict=True))

    def mistake(self) -> str:
        """Return what is wrong with the geometry, computed with exact integers; empty if nothing is."""
        if len(self.stride) != len(self.shape):
            return f"stride: expected {len(self.shape)} numbers like size, got {len(self.stride)}"
        for what, value in (
            ("size", self.shape),
            ("stride", self.stride),
            ("storage_offset", (self.offset,)),
        ):
            if not all(type(number) is int and number >= 0 for number in value):
                return f"{what}: expected non-negative integers, got {', '.join(map(show, value[:8]))}"
        try:
            nbytes(self.shape, np.dtype((np.void, self.dtype.itemsize)))
        except ValueError as error:
            return str(error)
        if self.dtype.numpy is None:
            return ""  # refused when it is looked up; some of these dtypes pack several values into a byte
        held = self.storage.size * self.storage.dtype.itemsize // self.dtype.itemsize
        if self.offset + self.span > held:
            return (
                f"expected a view within its storage {show(self.storage.key)} of {held} elements, got storage_offset "
                f"{self.offset}, size {self.shape} and stride {self.stride}, which end at {self.offset + self.span}"
            )
        kind = "c" if self.conjugate else "cf" if self.negative else ""
        if kind and self.dtype.numpy.kind not in kind:
            return f"expected no conjugate or negative view of {self.dtype.name}"
        return ""


@dataclass(frozen=True, slots=True)
class UnreadableTensor(Stateful):
    """A tensor that is no strided array: it has a name, and is refused when it is looked up."""

    kind: str


class StorageTable:
    """The storages that the persistent ids of one pickle name.

    An id is ``("storage", type, key, location, size)``. In the legacy format it has a sixth part: None, or the key,
    first element and size of a part of that storage.
    """

    def __init__(self, with_views: bool) -> None:
        self.found: dict[str, Storage] = {}
        self._views: dict[str, Storage] = {}
        self._length = 6 if with_views else 5

    def load(self, identity: Any) -> Storage:
        """Return the storage of a persistent id; Refusal if it is none, or contradicts one before."""
        if type(identity) is not tuple or len(identity) != self._length:
            raise Refusal(f"expected a tuple of {self._length}, got {show(identity)}")
        if type(identity[0]) is not str or identity[0] != "storage":
            raise Refusal(f"expected 'storage', got {show(identity[0])}")
        kind, key, size = identity[1], identity[2], identity[4]
        if not isinstance(kind, StorageType) or type(key) is not str or not _is_count(size):
            raise Refusal(
                f"expected a storage type, a key and a size, got {show(kind)}, {show(key)} and {show(size)}"
            )
        storage = _agreed(self.found, Storage(key, kind.dtype, size))
        if self._length == 5 or identity[5] is None:
            return storage
        view = identity[5]
        if (
            type(view) is not tuple
            or len(view) != 3
            or type(view[0]) is not str
            or not (_is_count(view[1]) and _is_count(view[2]))
            or view[1] + view[2] > size
        ):
            raise Refusal(
                f"expected key, first element and size within the {size} elements of storage {show(key)}"
            )
        return _agreed(self._views, Storage(key, kind.dtype, view[2], view[1]), view[0])


def _agreed(known: dict[str, Storage], storage: Storage, key: str | None = None) -> Storage:
    before = known.setdefault(storage.key if key is None else key, storage)
    # Empty storages may be shared by tensors of several dtypes.
    if before != storage and not before.size == storage.size == 0:
        raise Refusal(
            f"storage {show(storage.key)}: expected {before.size} elements of {before.dtype.name} as before, "
            f"got {storage.size} of {storage.dtype.name}"
        )
    return before if before == storage else storage


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _dtypes() -> dict[str, TorchDtype]:
    native = {name: np.dtype(name) for name in READABLE_DTYPES} | EXTENSION_DTYPES
    known = {name: TorchDtype(name, dtype, dtype.itemsize) for name, dtype in native.items()}
    return known | {name: TorchDtype(name, None, itemsize) for name, itemsize in ITEMSIZES.items()}


DTYPES = _dtypes()


def _rebuild(arguments: tuple[Any, ...], dtype: TorchDtype | None = None, flags: Any = None) -> Tensor:
    if len(arguments) < 4:
        raise Refusal(f"expected storage, storage_offset, size and stride, got {len(arguments)} arguments")
    storage, offset, shape, stride = arguments[:4]
    if not isinstance(storage, Storage) or type(shape) is not tuple or type(stride) is not tuple:
        raise Refusal(
            f"expected a storage, a number and two tuples, got {show(storage)}, {show(offset)}, {show(shape)} and "
            f"{show(stride)}"
        )
    marks = flags if type(flags) is dict else {}
    conjugate, negative = marks.get("conj") is True, marks.get("neg") is True
    return Tensor(storage, offset, shape, stride, dtype or storage.dtype, conjugate, negative)


def _rebuild_v2(arguments: tuple[Any, ...]) -> Tensor:
    return _rebuild(arguments, flags=arguments[6] if len(arguments) > 6 else None)


def _rebuild_v3(arguments: tuple[Any, ...]) -> Tensor:
    if len(arguments) < 7 or not isinstance(arguments[6], TorchDtype):
        raise Refusal("expected a dtype as its seventh argument")
    return _rebuild(arguments, arguments[6], arguments[7] if len(arguments) > 7 else None)


def _rebuild_parameter(arguments: tuple[Any, ...]) -> Tensor | UnreadableTensor:
    if not arguments or not isinstance(arguments[0], Tensor | UnreadableTensor):
        raise Refusal(f"expected a tensor, got {show(arguments[0]) if arguments else 'nothing'}")
    return arguments[0]


def _rebuild_from_type(arguments: tuple[Any, ...]) -> Any:
    """A tensor that carries attributes: a function, the class, its arguments, and the attributes."""
    if (
        len(arguments) != 4
        or not isinstance(arguments[0], Function)
        or arguments[0].name not in REBUILD_FUNCTIONS  # which this one is not, so that it cannot call itself
        or type(arguments[2]) is not tuple
    ):
        raise Refusal("expected a function that makes a tensor, a class, a tuple and a state")
    return arguments[0].call(arguments[2])


def _unreadable(kind: str) -> Callable[[tuple[Any, ...]], UnreadableTensor]:
    return lambda arguments: UnreadableTensor(kind)


REBUILD_FUNCTIONS = {
    name: Function(name, call)
    for name, call in {
        "torch._utils._rebuild_tensor": _rebuild,
        "torch._utils._rebuild_tensor_v2": _rebuild_v2,
        "torch._utils._rebuild_tensor_v3": _rebuild_v3,
        "torch._utils._rebuild_qtensor": _rebuild,  # its storage says what it is
        "torch._utils._rebuild_parameter": _rebuild_parameter,
        "torch._utils._rebuild_parameter_with_state": _rebuild_parameter,
        "torch._utils._rebuild_sparse_tensor": _unreadable("sparse"),
        "torch._utils._rebuild_nested_tensor": _unreadable("nested"),
        "torch._utils._rebuild_meta_tensor_no_storage": _unreadable("meta"),
        "torch._utils._rebuild_wrapper_subclass": _unreadable("wrapper"),
    }.items()
}
FROM_TYPE = Function("torch._tensor._rebuild_from_type_v2", _rebuild_from_type)
TENSOR_NAMES: dict[str, Any] = {
    **REBUILD_FUNCTIONS,
    FROM_TYPE.name: FROM_TYPE,
    **{f"torch.{name}": dtype for name, dtype in DTYPES.items()},
    **{
        f"{module}.{name}": StorageType(DTYPES[dtype])
        for name, dtype in STORAGE_DTYPES.items()
        for module in ("torch", "torch.cuda", "torch.storage")
    },
}
"""The globals that have to do with tensors."""
