"""A weight file as a mapping: tensors of any format, grouped into the weights they are parts of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from ..weights import Weight
from .arrays import TensorInfo
from .naming import group_tensors, rebuild_weight

__all__ = ["TensorFile", "WeightFile", "WeightInfo"]


class TensorFile(Protocol):
    """What a format gives: named tensors, the descriptions of compressed weights, and text about them.

    Opening checks everything that can be checked without touching values; `tensor` checks the rest.
    """

    @property
    def path(self) -> Path: ...
    @property
    def file_bytes(self) -> int: ...
    @property
    def metadata(self) -> Mapping[str, str]: ...
    @property
    def descriptions(self) -> Mapping[str, dict[str, Any]]: ...
    def names(self) -> list[str]: ...
    def info(self, name: str) -> TensorInfo: ...
    def tensor(self, name: str) -> npt.NDArray[Any]: ...


@dataclass(frozen=True)
class WeightInfo:
    """What a file says about one weight.

    Attributes
    ----------
    kind : {"array", "quantized", "sparse"}
    dtype : str
        NumPy's name of the dtype; of the codes for a quantized weight (``int4``), of the values for a sparse
        one. A dtype that paring cannot read has the file's own name.
    shape : tuple of int
        Shape of the array, of the original one for a compressed weight.
    nbytes : int
        Bytes of all its tensors, before any compression by a zip archive.
    tensors : tuple of str
        Names of the tensors in the file.
    description : dict or None
        The description of a compressed weight (`QuantizedWeight.describe`).
    """

    kind: Literal["array", "quantized", "sparse"]
    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    tensors: tuple[str, ...]
    description: dict[str, Any] | None = None


class WeightFile(Mapping[str, Weight]):
    """The weights of a file, by name, in the order of the file. Made by `paring.read`.

    Looking a weight up decodes it, and nothing else; it is not kept, so asking twice decodes twice. Arrays
    are read-only views of the file's memory map wherever the file allows, and in native byte order always.
    They stay valid after this object is gone and after the file was replaced or deleted, but not if somebody
    truncates it in place. Any number of threads may use one object.

    Attributes
    ----------
    path : Path
        The file read: the index of a sharded checkpoint.
    metadata : dict of str to str
        What the file says besides its weights.
    file_bytes : int
        Size of the file, or of all shards.
    """

    def __init__(self, file: TensorFile) -> None:
        self._file = file
        self._groups = group_tensors(file.names(), file.descriptions, str(file.path))
        self.path = file.path
        self.metadata = dict(file.metadata)
        self.file_bytes = file.file_bytes

    def _parts(self, name: str) -> dict[str, str]:
        """Return the tensors of a weight by suffix."""
        parts = self._groups[name]
        return {"": name} if parts is None else parts

    def __getitem__(self, name: str) -> Weight:
        parts = self._parts(name)
        description = self._file.descriptions.get(name)
        if description is None:
            return self._file.tensor(name)
        arrays = {suffix: self._row_major(tensor) for suffix, tensor in parts.items()}
        return rebuild_weight(arrays, description, f"{self.path}: weight {name!r}")

    def _row_major(self, tensor: str) -> npt.NDArray[Any]:
        array = self._file.tensor(tensor)
        return array if array.flags.c_contiguous else np.asarray(array, order="C")

    def __iter__(self) -> Iterator[str]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)

    def __contains__(self, name: object) -> bool:
        return name in self._groups

    # Mapping compares values, which would decode both files and fail on arrays.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        compressed = len(self._file.descriptions)
        return (
            f"<{type(self).__name__} {str(self.path)!r}: {len(self)} weights"
            f"{f', {compressed} of them compressed' if compressed else ''}, {self.file_bytes:,} bytes>"
        )

    @property
    def shards(self) -> Mapping[str, TensorFile]:
        """The files read, by their names in the folder of `path`: one, or the shards of a checkpoint."""
        shards: Mapping[str, TensorFile] | None = getattr(self._file, "shards", None)
        return {self.path.name: self._file} if shards is None else shards

    def shard_of(self, name: str) -> str:
        """Return which of `shards` holds a weight: the first of its tensors, where they are apart."""
        return self.file_of(next(iter(self._parts(name).values())))

    def file_of(self, tensor: str) -> str:
        """Return which of `shards` holds a tensor (`WeightInfo.tensors`)."""
        places: Mapping[str, str] | None = getattr(self._file, "places", None)
        return self.path.name if places is None else places[tensor]

    def describe(self, name: str) -> WeightInfo:
        """Return what the file says about a weight, without reading its values.

        Raises
        ------
        KeyError
            If there is no weight of that name.
        FormatError
            If the header of a ``.npz`` member is broken.
        """
        parts = self._parts(name)
        infos = {suffix: self._file.info(tensor) for suffix, tensor in parts.items()}
        total = sum(info.nbytes for info in infos.values())
        tensors = tuple(parts.values())
        description = self._file.descriptions.get(name)
        if description is None:
            return WeightInfo("array", infos[""].dtype, infos[""].shape, total, tensors)
        kind = description["kind"]
        dtype = f"int{description['bits']}" if kind == "quantized" else infos[".data"].dtype
        return WeightInfo(kind, dtype, tuple(description["shape"]), total, tensors, dict(description))
