"""The weights of an ONNX model: its initializers, those of graphs inside it, and constants that look like weights.

The file is a protocol buffer (onnx.proto of the ONNX project); nothing of it is run, and no package is needed.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ...errors import FormatError
from ..arrays import TensorInfo, map_file
from ..containment import inside_parts, open_inside
from ..expansion import check_expansion
from ..limits import DEFAULT_LIMITS, Limits, check_names
from ..naming import DESCRIPTION_KEY
from .model import model_metadata, model_weights
from .tensors import ExternalData, OnnxTensor, tensor_info
from .values import tensor_values
from .wire import Wire

__all__ = ["OnnxFile"]

EXTERNAL_WORDS = "external data"


class OnnxFile:
    """The tensors of one model, as views of its memory map, or of the files of its external data.

    A tensor has the name of its initializer, or of the output of its ``Constant`` node. Where an earlier tensor
    has that name, nodes and attributes around its graph stand before it (``If_0/else_branch/weight``), and if
    need be a number behind it (``#2``). The order is that of the model, the graph itself before those in it.

    External data lie in the folder of the model or below, in files that are no links and have one name.
    ``uint4`` and ``int4`` become ``uint8`` and ``int8``, one value a byte.

    Attributes
    ----------
    path : Path
    file_bytes : int
        Size of the model and of all files of its external data.
    metadata : dict of str to str
        The model's ``metadata_props``, and ``onnx.producer_name``, ``onnx.opset_import`` and the like.
    descriptions : dict
        Empty: ONNX has no place for those of paring.
    """

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self.path = path
        self._wire = Wire(map_file(path, 2, "a model"), path, limits)
        self.metadata = model_metadata(self._wire)
        self.metadata.pop(DESCRIPTION_KEY, None)  # cannot be written again, and nothing is described here
        self.descriptions: dict[str, dict[str, Any]] = {}
        self._tensors = _name_all(self._wire, limits)
        self.file_bytes = len(self._wire.data) + self._check_external()

    def names(self) -> list[str]:
        return list(self._tensors)

    def info(self, name: str) -> TensorInfo:
        return tensor_info(self._tensors[name])

    def tensor(self, name: str) -> npt.NDArray[Any]:
        def map_external(external: ExternalData, size: int) -> mmap.mmap:
            descriptor = self._open_external(external, name)
            try:
                self._check_place(external, size, os.fstat(descriptor).st_size, name)
                return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
            finally:
                os.close(descriptor)

        return tensor_values(self._wire, self._tensors[name], self._where(name), map_external)

    def _check_external(self) -> int:
        """Return the bytes of all external files; FormatError if one is not there, too short, or used too often."""
        held = {name: tensor.stored for name, tensor in self._tensors.items() if tensor.external}
        sizes: dict[tuple[str, ...], int] = {}
        for name, tensor in self._tensors.items():
            external = tensor.external
            if external is None:
                continue
            place = inside_parts(external.location)
            if place not in sizes:
                descriptor = self._open_external(external, name)
                try:
                    sizes[place] = os.fstat(descriptor).st_size
                finally:
                    os.close(descriptor)
            self._check_place(external, tensor.stored, sizes[place], name)
        total = sum(sizes.values())
        check_expansion(held, total, str(self.path), f"in {EXTERNAL_WORDS}")
        return total

    def _open_external(self, external: ExternalData, name: str) -> int:
        return open_inside(
            self.path.parent, external.location, self._where(name), EXTERNAL_WORDS, hard_links=False
        )

    def _check_place(self, external: ExternalData, size: int, file_bytes: int, name: str) -> None:
        size = size if external.length is None else external.length
        if external.offset + size > file_bytes:
            raise FormatError(
                f"{self._where(name)}: expected {size} bytes from byte {external.offset} of "
                f"{external.location}, got a file of {file_bytes} bytes"
            )

    def _where(self, name: str) -> str:
        return f"{self.path}: tensor {name!r}"


def _name_all(wire: Wire, limits: Limits) -> dict[str, OnnxTensor]:
    """Return all tensors of a model by names that differ."""
    tensors: dict[str, OnnxTensor] = {}
    numbers: dict[str, int] = {}
    for weight in model_weights(wire):
        name = weight.name
        if name in tensors:
            base = name = "/".join((*weight.scope, weight.name))
            while name in tensors:
                numbers[base] = numbers.get(base, 1) + 1
                name = f"{base}#{numbers[base]}"
            wire.count(len(name))  # one long name of a node could be that of a million tensors
        tensors[name] = weight.tensor
        if len(tensors) > limits.tensors:
            check_names(list(tensors), limits, str(wire.path))
    return tensors
