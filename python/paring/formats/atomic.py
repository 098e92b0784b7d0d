"""Writing a file so that nobody ever sees half of it."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["replacing"]


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` when the block ends without an exception.

    The bytes go to a new file in the same folder (``.paring-*.tmp``), which is flushed to disk and renamed at
    the end. Whatever fails before that, `path` stays as it was and the new file is removed; only a killed
    process leaves it behind. As the target is a new inode, a memory map of the old `path` stays valid: a file
    may be written over the one its values are being read from. The mode of an existing file is kept, and a
    symbolic link is followed, not replaced.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    IsADirectoryError, ValueError
        If `path` is a folder, or something else that is no regular file.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder to write into", str(target.parent))
    mode = None
    if target.exists():
        mode = target.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "expected a file to replace, got a folder", str(path))
        if not stat.S_ISREG(mode):
            raise ValueError(f"{path}: expected a regular file to replace, got a device, pipe or socket")
    temporary = target.parent / f".paring-{secrets.token_hex(8)}.tmp"
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            if mode is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    # Makes the rename itself durable; some network file systems cannot, and the file is complete without it.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
