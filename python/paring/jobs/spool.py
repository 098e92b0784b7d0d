"""Arrays put aside in a file without a name, so that they take disk and not memory."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats.arrays import array_at
from ..weights import QuantizedWeight, SparseWeight, Weight

__all__ = ["Spool", "SpooledWeights", "in_map", "is_mapped"]

ALIGNMENT = 64
CHUNK_BYTES = 1 << 24

Fetch = Callable[[], Weight]


def is_mapped(array: npt.NDArray[Any]) -> bool:
    """Whether the values of an array lie in a memory map, which the system can drop and read again."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return isinstance(owner.obj if isinstance(owner, memoryview) else owner, mmap.mmap)


def in_map(weight: Weight) -> bool:
    """Whether all arrays of a weight lie in memory maps."""
    if isinstance(weight, np.ndarray):
        return not weight.size or is_mapped(weight)
    return all(is_mapped(array) for array in _arrays(weight).values() if array.size)


def _arrays(weight: QuantizedWeight | SparseWeight) -> dict[str, npt.NDArray[Any]]:
    parts = {field.name: getattr(weight, field.name) for field in fields(weight)}
    return {name: part for name, part in parts.items() if isinstance(part, np.ndarray)}


class Spool:
    """A file in `folder` that nobody else sees and that is gone when the process is, however it ends.

    If the disk is full, the OSError names `owner`, for which the file is needed.
    """

    def __init__(self, folder: Path, owner: Path) -> None:
        self._owner = owner
        self._file = tempfile.TemporaryFile(dir=folder, prefix=".paring-", suffix=".tmp")  # noqa: SIM115
        self._end = 0
        self._map: mmap.mmap | None = None

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Views of the map keep it, and what it maps, alive.
        self._map = None
        with suppress(OSError):  # of a full disk, with what could not be written a moment ago
            self._file.close()

    def put(self, weight: Weight) -> Fetch:
        """Write a weight to the file; what is returned gives it back, its arrays read-only views of the file."""
        if isinstance(weight, np.ndarray):
            return self._put_array(weight)
        arrays = _arrays(weight)
        rest = {f.name: getattr(weight, f.name) for f in fields(weight) if f.name not in arrays}
        fetches = {name: self._put_array(array) for name, array in arrays.items()}
        make: Callable[..., Weight] = type(weight)
        return lambda: make(**rest, **{name: fetch() for name, fetch in fetches.items()})

    def _put_array(self, array: npt.NDArray[Any]) -> Callable[[], npt.NDArray[Any]]:
        offset = self._end + -self._end % ALIGNMENT
        native = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
        flat = native.reshape(-1).view(np.uint8)
        try:
            self._file.seek(offset)
            for start in range(0, flat.size, CHUNK_BYTES):
                self._file.write(flat[start : start + CHUNK_BYTES].data)
            self._file.flush()
        except OSError as error:  # of a file without a name
            raise OSError(error.errno, error.strerror, str(self._owner)) from error
        self._end = offset + flat.size
        shape, dtype = array.shape, native.dtype
        if flat.size == 0:
            return lambda: np.empty(shape, dtype)
        return lambda: array_at(self._mapped(self._end), offset, shape, dtype, "spool")

    def _mapped(self, size: int) -> mmap.mmap:
        if self._map is None or len(self._map) < size:
            self._map = mmap.mmap(self._file.fileno(), size, access=mmap.ACCESS_READ)
        return self._map


class SpooledWeights(Mapping[str, Weight]):
    """Weights by name, each made when it is looked up."""

    def __init__(self, fetches: Mapping[str, Fetch]) -> None:
        self._fetches = dict(fetches)

    def __getitem__(self, name: str) -> Weight:
        return self._fetches[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._fetches)

    def __len__(self) -> int:
        return len(self._fetches)
