"""The ``.npz`` format: a zip archive of ``.npy`` members, with one more for what those cannot say.

That member, ``__paring__.npy``, holds UTF-8 JSON as a ``uint8`` vector, and is there only if needed::

    {"version": 1, "weights": descriptions, "metadata": {str: str}, "dtypes": {tensor: "bfloat16"}}

A bfloat16 array lies in the file as two-byte ``void``, as `numpy.savez` would write it.

A file with one sparse matrix of floats and nothing else is one that SciPy loads too: its arrays are called ``data``,
``indices``, ``indptr`` and ``shape`` there, without the name of the weight, which the note has under ``scipy``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from .archive import MAX_NAME_BYTES, Archive, writing_archive
from .arrays import EXTENSION_DTYPES, TensorInfo, array_at, nbytes
from .atomic import Opening, replacing
from .expansion import EXPANSION, MIN_EXPANDED_BYTES
from .limits import DEFAULT_LIMITS, Limits
from .naming import DESCRIPTION_KEY, VERSION, NamedTensor, check_descriptions
from .npy import MAX_PREFIX_BYTES, Header, header_bytes, parse_header
from .scipy_sparse import MARKS, PARTS, describe_matrix, exact_float32, name_for_scipy
from .strict_json import parse_object, string_map

__all__ = ["NpzFile", "write_tensors"]

NOTE_NAME = "__paring__"
MEMBER_SUFFIX = ".npy"


class NpzFile:
    """The tensors of one archive: views of its memory map, or inflated when asked for."""

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self.path = path
        self._archive = Archive(path)
        self.file_bytes = self._archive.file_bytes
        self._members: dict[str, str] = {}
        for member in self._archive.members:
            name = member.removesuffix(MEMBER_SUFFIX)
            if name in self._members:
                raise FormatError(f"{path}: array {name!r}: got both {self._members[name]!r} and {member!r}")
            self._members[name] = member
        self._headers: dict[str, Header] = {}
        self.metadata: dict[str, str] = {}
        self.descriptions: dict[str, dict[str, Any]] = {}
        self._dtypes: dict[str, np.dtype[Any]] = {}
        self._to_float32: str | None = None
        if NOTE_NAME in self._members:
            self._read_note(limits)
            del self._members[NOTE_NAME]
        else:
            description = describe_matrix(self, path.stem)
            if description is not None:
                self._rename_matrix(path.stem)
                self.descriptions = {path.stem: description}
                self._to_float32 = f"{path.stem}.data"
                self._check_float32(self._to_float32)

    def names(self) -> list[str]:
        return list(self._members)

    def info(self, name: str) -> TensorInfo:
        info = self._header(name).info
        if name == self._to_float32:
            float32 = np.dtype(np.float32)
            return TensorInfo(float32.name, info.shape, nbytes(info.shape, float32))
        dtype = self._dtypes.get(name)
        return info if dtype is None else TensorInfo(dtype.name, info.shape, info.nbytes)

    def tensor(self, name: str) -> npt.NDArray[Any]:
        header = self._header(name)
        content = self._archive.content(self._members[name])
        dtype = self._dtypes.get(name, header.dtype)
        where = self._where(name)
        array = array_at(content, header.data_start, header.shape, dtype, where, header.order)
        return exact_float32(array, where) if name == self._to_float32 and dtype != np.float32 else array

    def _check_float32(self, name: str) -> None:
        """Raise FormatError if values of another dtype, of which an archive can hold any number, become too many."""
        header, limit = self._header(name), max(EXPANSION * self.file_bytes, MIN_EXPANDED_BYTES)
        size = self.info(name).nbytes
        if header.dtype != np.float32 and size > limit:
            raise FormatError(
                f"{self._where(name)}: expected at most {limit} bytes as float32 in a file of {self.file_bytes} bytes, "
                f"got {size} from {header.dtype}: save matrix.astype('float32')"
            )

    def _where(self, name: str) -> str:
        return f"{self.path}: member {self._members[name]!r}"

    def _header(self, name: str) -> Header:
        if name not in self._headers:
            member, where = self._members[name], self._where(name)
            prefix = self._archive.prefix(member, MAX_PREFIX_BYTES)
            header = parse_header(prefix, self._archive.members[member].file_size, where)
            noted = self._dtypes.get(name)
            if noted is not None and header.dtype != np.dtype((np.void, noted.itemsize)):
                raise FormatError(f"{where}: expected |V{noted.itemsize} for {noted}, got {header.dtype}")
            self._headers[name] = header
        return self._headers[name]

    def _read_note(self, limits: Limits) -> None:
        where = self._where(NOTE_NAME)
        self._archive.check_description(self._members[NOTE_NAME], limits)
        array = self.tensor(NOTE_NAME)
        if array.dtype != np.uint8 or array.ndim != 1:
            raise FormatError(f"{where}: expected a vector of uint8, got {array.dtype} {array.shape}")
        note = parse_object(array.tobytes(), where)
        self.descriptions = check_descriptions(note, where)
        self.metadata = string_map(note.get("metadata", {}), f"{where}: metadata")
        if DESCRIPTION_KEY in self.metadata:  # where other formats have the description of the weights
            raise FormatError(f"{where}: metadata: expected no entry {DESCRIPTION_KEY!r}, which is reserved")
        for name, dtype in string_map(note.get("dtypes", {}), f"{where}: dtypes").items():
            if dtype not in EXTENSION_DTYPES or name not in self._members:
                raise FormatError(
                    f"{where}: dtypes: expected one of {', '.join(EXTENSION_DTYPES)} for an array of the "
                    f"file, got {dtype!r} for {name!r}"
                )
            self._dtypes[name] = EXTENSION_DTYPES[dtype]
        if "scipy" in note:
            weight = note["scipy"]
            if not isinstance(weight, str) or list(self.descriptions) != [weight]:
                raise FormatError(f"{where}: scipy: expected the name of the one weight, got {weight!r}")
            if set(self._members) != {*PARTS, *MARKS, NOTE_NAME}:
                raise FormatError(
                    f"{where}: scipy: expected arrays {', '.join(PARTS)} and {', '.join(MARKS)}"
                )
            self._rename_matrix(weight)

    def _rename_matrix(self, weight: str) -> None:
        """Call the arrays that SciPy made of a matrix what ours are called."""
        for mark in MARKS:
            self._members.pop(mark, None)
        self._headers = {}
        self._members = {
            f"{weight}.{name}" if name in PARTS else name: member for name, member in self._members.items()
        }


def write_tensors(
    path: Path,
    tensors: list[NamedTensor],
    descriptions: Mapping[str, dict[str, Any]],
    metadata: Mapping[str, str],
    opening: Opening = replacing,
) -> None:
    """Write an archive of stored members, in the order given, one tensor at a time in memory."""
    matrix = name_for_scipy(tensors, descriptions)
    if matrix is not None:
        tensors = matrix[1]
    headers = []
    for tensor in tensors:
        if tensor.name == NOTE_NAME:
            raise ValueError(f"{path}: name of a weight: {NOTE_NAME!r} is reserved by paring's .npz files")
        if "\0" in tensor.name or len((tensor.name + MEMBER_SUFFIX).encode()) > MAX_NAME_BYTES:
            raise ValueError(
                f"{path}: name of a weight: a zip member needs a name without NUL of at most "
                f"{MAX_NAME_BYTES} bytes, got {tensor.name[:80]!r}"
            )
        extension = tensor.dtype.name in EXTENSION_DTYPES
        dtype = np.dtype((np.void, tensor.dtype.itemsize)) if extension else tensor.dtype
        headers.append(header_bytes(dtype, tensor.shape, f"{path}: {tensor.name!r}"))
    note = _note(tensors, descriptions, metadata, None if matrix is None else matrix[0])
    with opening(path) as file, writing_archive(file) as archive:
        for tensor, header in zip(tensors, headers, strict=True):
            size = len(header) + tensor.nbytes
            archive.add(tensor.name + MEMBER_SUFFIX, size, chain([header], tensor.chunks()))
        if note:
            header = header_bytes(np.dtype(np.uint8), (len(note),), NOTE_NAME)
            archive.add(NOTE_NAME + MEMBER_SUFFIX, len(header) + len(note), [header, note])


def _note(
    tensors: list[NamedTensor],
    descriptions: Mapping[str, dict[str, Any]],
    metadata: Mapping[str, str],
    matrix: str | None,
) -> bytes:
    """Return the JSON of the additional member, empty if the arrays say everything."""
    dtypes = {tensor.name: tensor.dtype.name for tensor in tensors if tensor.dtype.name in EXTENSION_DTYPES}
    if not (descriptions or metadata or dtypes):
        return b""
    note = {"version": VERSION, "weights": descriptions, "metadata": dict(metadata), "dtypes": dtypes}
    if matrix is not None:
        note["scipy"] = matrix
    return json.dumps(note, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
