"""PyTorch files since version 1.6: a zip archive with a pickle and one member a storage.

``<name>/data.pkl``    the object; a persistent id stands for a storage
``<name>/data/<key>``  the values of a storage
``<name>/byteorder``   ``little`` or ``big``; absent: little
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import FormatError
from ..archive import Archive
from ..limits import Limits
from .globals import GLOBALS
from .pickle_machine import run_pickle
from .values import Storage, StorageTable

__all__ = ["TorchArchive"]

PICKLE_NAME = "data.pkl"
BYTE_ORDERS = (b"little", b"big")
MAX_ORDER_BYTES = 16


class TorchArchive:
    """The object of an archive, and the way to the values of its storages.

    Attributes
    ----------
    value : object
        What the pickle builds: plain data, and descriptions of tensors.
    pickle_bytes : int
    big_endian : bool
        Byte order of the storages.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._archive = Archive(path)
        self._root = self._find_root()
        self._kept: dict[str, Any] = {}
        # With torch.serialization.set_crc32_options(False) every checksum is zero.
        self._with_checksums = any(member.CRC for member in self._archive.members.values())
        member = self._root + PICKLE_NAME
        where = f"{path}: member {member!r}"
        self.big_endian = self._read_byte_order()
        self.pickle_bytes = self._archive.members[member].file_size
        self._archive.check_description(member, limits)
        storages = StorageTable(with_views=False)
        content = self._archive.content(member, verify=self._with_checksums)
        self.value, end = run_pickle(content, where, GLOBALS, storages.load)
        if end != self.pickle_bytes:
            raise FormatError(
                f"{where}: expected a pickle of {self.pickle_bytes} bytes, got its end at byte {end}"
            )

    def check_storage(self, storage: Storage, where: str) -> None:
        """Raise FormatError unless the archive has a member large enough for the storage."""
        name = self._member(storage)
        if name not in self._archive.members:
            raise FormatError(f"{where}: expected a member {name!r}, got none")
        self._archive.check(name)
        have, want = self._archive.members[name].file_size, storage.size * storage.dtype.itemsize
        if have < want:
            raise FormatError(
                f"{where}: expected {want} bytes for {storage.size} elements of {storage.dtype.name}, "
                f"got {have} in member {name!r}"
            )

    def open_storage(self, storage: Storage) -> tuple[Any, int]:
        """Return a buffer and where in it the values begin."""
        name = self._member(storage)
        content = self._kept.get(name)
        if content is None:
            content = self._archive.content(name, verify=self._with_checksums)
            if name in self._kept:
                self._kept[name] = content
        return content, 0

    def keep_storage(self, storage: Storage) -> None:
        """Keep a deflated storage that several tensors use, once it is inflated; a stored one is no work to find.

        Inflating it for each of them would take as long as there are tensors, whose names are short.
        """
        name = self._member(storage)
        if self._archive.is_deflated(name):
            self._kept[name] = None

    def _member(self, storage: Storage) -> str:
        return f"{self._root}data/{storage.key}"

    def _find_root(self) -> str:
        members = self._archive.members
        roots = [
            name.removesuffix(PICKLE_NAME)
            for name in members
            if name == PICKLE_NAME or name.endswith(f"/{PICKLE_NAME}")
        ]
        if len(roots) != 1:
            some = ", ".join(repr(name[:80]) for name in list(members)[:3])
            raise FormatError(
                f"{self._path}: expected a zip archive of torch.save with one member */{PICKLE_NAME}, got {len(roots)} "
                f"among {len(members)} members{f' ({some})' if some else ''}"
            )
        root = roots[0]
        if f"{root}constants.pkl" in members or any(name.startswith(f"{root}code/") for name in members):
            raise FormatError(
                f"{self._path}: expected a state dict, got a TorchScript program: save the module's state_dict() "
                f"with torch.save"
            )
        return root

    def _read_byte_order(self) -> bool:
        name = f"{self._root}byteorder"
        if name not in self._archive.members:
            return False
        order = self._archive.prefix(name, MAX_ORDER_BYTES)
        if order not in BYTE_ORDERS:
            raise FormatError(f"{self._path}: member {name!r}: expected little or big, got {order!r}")
        return order == b"big"
