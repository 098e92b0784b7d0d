"""PyTorch state dicts, as `torch.save` writes them: which of its two containers a file is, and its tensors.

No part of PyTorch or of Python's pickle is used. The pickle in the file is run by `pickle_machine`, which builds plain
data and inert descriptions of tensors, and refuses a file that wants anything else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt

from ...errors import FormatError
from ..arrays import TensorInfo, array_at, dtype_name, map_file
from ..expansion import check_expansion
from ..limits import DEFAULT_LIMITS, Limits
from .arrays import tensor_array
from .globals import NumpyArray
from .legacy import TorchLegacy
from .names import name_tensors
from .values import Storage, Tensor, UnreadableTensor
from .zip import TorchArchive

__all__ = ["TorchFile"]

ZIP_MAGIC = b"PK\x03\x04"


class TorchFile:
    """The tensors of one file, as views of its memory map; see `name_tensors` for their names and the metadata.

    The suffix says nothing about the container: newer versions write a zip archive, older ones a row of pickles.
    """

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self.path = path
        data = map_file(path, len(ZIP_MAGIC), "the start of a PyTorch file")
        self.file_bytes = len(data)
        is_zip = data[: len(ZIP_MAGIC)] == ZIP_MAGIC
        self._container: TorchArchive | TorchLegacy = (
            TorchArchive(path, limits) if is_zip else TorchLegacy(path, data, limits)
        )
        self._named, self.metadata = name_tensors(
            self._container.value, path.stem, self._container.pickle_bytes, str(path)
        )
        self._container.value = None  # the tensors hold all that is needed of it
        self.descriptions: dict[str, dict[str, Any]] = {}
        self._check_storages()
        # An axis of stride 0 repeats its values for nothing: 2 kB can name terabytes.
        sizes = {n: v.nbytes for n, v in self._named.items() if not isinstance(v, UnreadableTensor)}
        check_expansion(sizes, self.file_bytes, str(path), "save expanded ones as clone()")

    def names(self) -> list[str]:
        return list(self._named)

    def info(self, name: str) -> TensorInfo:
        value = self._named[name]
        if isinstance(value, Tensor):
            native = value.dtype.numpy
            text = value.dtype.name if native is None else dtype_name(native)
            return TensorInfo(text, value.shape, value.nbytes)
        if isinstance(value, NumpyArray):
            dtype = dtype_name(value.dtype.newbyteorder("="))
            return TensorInfo(dtype, value.shape, value.nbytes)
        return TensorInfo(f"{value.kind} tensor", (), 0)

    def tensor(self, name: str) -> npt.NDArray[Any]:
        value, where = self._named[name], f"{self.path}: tensor {name!r}"
        if isinstance(value, NumpyArray):
            if value.content is None:
                raise FormatError(f"{where}: expected an array of numbers, got one of objects or text")
            return array_at(value.content, 0, value.shape, value.dtype, where, value.order)
        if not isinstance(value, Tensor):
            raise FormatError(
                f"{where}: expected a dense tensor, got a {value.kind} one: save what its to_dense() gives"
            )
        if value.dtype.numpy is None:
            raise FormatError(f"{where}: expected a dtype that paring reads, got torch.{value.dtype.name}")
        content, begin = self._container.open_storage(value.storage)
        return tensor_array(value, content, begin, self._container.big_endian, where)

    def _check_storages(self) -> None:
        users: dict[Storage, int] = {}
        for name, value in self._named.items():
            if isinstance(value, Tensor) and value.dtype.numpy is not None:
                if value.storage not in users:
                    self._container.check_storage(value.storage, f"{self.path}: tensor {name!r}")
                users[value.storage] = users.get(value.storage, 0) + 1
        for storage, count in users.items():
            if count > 1:
                self._container.keep_storage(storage)
