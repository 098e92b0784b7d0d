"""PyTorch files before version 1.6: five pickles, then the storages, one after the other.

The pickles are a magic number, the version of the protocol, sizes of the writer's machine, the object, and the keys of
the storages in their order. A storage is its number of elements (8 bytes) and its values, little-endian on every
machine.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

from ...errors import FormatError
from ..limits import Limits
from .globals import GLOBALS
from .pickle_machine import run_pickle
from .pickle_state import show
from .values import Storage, StorageTable

__all__ = ["TorchLegacy"]

MAGIC = 0x1950A86A20F9469CFC6C
MAGIC_FORMS = (MAGIC.to_bytes(10, "little"), str(MAGIC).encode())  # of pickle protocol 2 and 1
HEAD_BYTES = 48  # the magic number's pickle is shorter
PROTOCOL_VERSION = 1001
COUNT_BYTES = 8
TAR_MAGIC, TAR_MAGIC_AT = b"ustar", 257


class TorchLegacy:
    """The object of a file, and the way to the values of its storages.

    Attributes
    ----------
    value : object
        What the pickle builds: plain data, and descriptions of tensors.
    pickle_bytes : int
        Of all five pickles.
    big_endian : bool
    """

    big_endian = False

    def __init__(self, path: Path, data: mmap.mmap, limits: Limits) -> None:
        self._path = path
        self._data = data
        self._limits = limits
        _check_head(path, data)
        magic, reached = self._pickle(0, {})
        version, reached = self._pickle(reached, {})
        if (
            type(magic) is not int
            or magic != MAGIC
            or type(version) is not int
            or version != PROTOCOL_VERSION
        ):
            raise FormatError(
                f"{path}: expected the magic number of torch.save and version {PROTOCOL_VERSION}, got {show(magic)} "
                f"and {show(version)}"
            )
        _, reached = self._pickle(reached, {})
        storages = StorageTable(with_views=True)
        self.value, reached = self._pickle(reached, GLOBALS, storages)
        keys, self.pickle_bytes = self._pickle(reached, {})
        self._places = self._locate(keys, storages.found)

    def check_storage(self, storage: Storage, where: str) -> None:
        """Every storage was found, and its size compared with the file, when the file was opened."""

    def keep_storage(self, storage: Storage) -> None:
        """Every storage lies in the file as it is, and need not be kept."""

    def open_storage(self, storage: Storage) -> tuple[Any, int]:
        """Return a buffer and where in it the values begin."""
        return self._data, self._places[storage.key]

    def _pickle(
        self, start: int, names: dict[str, Any], storages: StorageTable | None = None
    ) -> tuple[Any, int]:
        limit, size = self._limits.header_bytes, len(self._data)
        return run_pickle(
            self._data,
            str(self._path),
            names,
            None if storages is None else storages.load,
            start,
            min(size, limit),
            f" (limits.header_bytes is {limit})" if limit < size else "",
        )

    def _locate(self, keys: Any, storages: dict[str, Storage]) -> dict[str, int]:
        """Return where the values of each storage begin; FormatError unless they fill the rest of the file."""
        if type(keys) is not list or not all(type(key) is str for key in keys):
            raise FormatError(
                f"{self._path}: expected a list of texts as keys of the storages, got {show(keys)}"
            )
        if len(keys) != len(set(keys)) or set(keys) != storages.keys():
            raise FormatError(
                f"{self._path}: expected the keys of the {len(storages)} storages that the tensors name, each once, "
                f"got {len(keys)} keys"
            )
        places, reached, size = {}, self.pickle_bytes, len(self._data)
        for key in keys:
            storage = storages[key]
            where = f"{self._path}: storage {show(key)} at byte {reached}"
            count = int.from_bytes(self._data[reached : reached + COUNT_BYTES], "little")
            if size - reached < COUNT_BYTES or count != storage.size:
                raise FormatError(
                    f"{where}: expected a count of {storage.size} elements, got "
                    f"{'the end of the file' if size - reached < COUNT_BYTES else count}"
                )
            places[key] = reached + COUNT_BYTES
            reached = places[key] + storage.size * storage.dtype.itemsize
            if reached > size:
                raise FormatError(
                    f"{where}: expected {reached - places[key]} bytes for {storage.size} elements of "
                    f"{storage.dtype.name}, got {size - places[key]}"
                )
        if reached != size:
            raise FormatError(
                f"{self._path}: expected the file to end with its last storage at byte {reached}, got {size - reached} "
                f"more bytes"
            )
        return places


def _check_head(path: Path, data: mmap.mmap) -> None:
    if data[TAR_MAGIC_AT : TAR_MAGIC_AT + len(TAR_MAGIC)] == TAR_MAGIC:
        raise FormatError(
            f"{path}: expected a file of torch.save, got a tar archive of PyTorch before version 0.2: load it "
            f"there and save it anew"
        )
    head = data[:HEAD_BYTES]
    if not any(form in head for form in MAGIC_FORMS):
        raise FormatError(
            f"{path}: expected a file of torch.save (a zip archive, or the magic number of older versions), "
            f"got {head[:16]!r}"
        )
