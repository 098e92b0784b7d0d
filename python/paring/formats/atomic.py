"""Writing a file so that nobody ever sees half of it."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["Opening", "replacing"]

Opening = Callable[[Path], AbstractContextManager[BinaryIO]]
"""How a writer gets the file for a path: `replacing`, unless only the size is wanted."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What only writing can raise, and raises without a name."""


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` when the block ends without an exception.

    The bytes go to a new file in the same folder, which is flushed to disk and given its name at the end. Where
    the file system can (Linux, most local ones) it has no name until then, so that even a killed process leaves
    nothing behind; elsewhere it is called ``.paring-*.tmp`` and a killed process leaves that. Whatever fails
    before the end, `path` stays as it was. As the target is a new inode, a memory map of the old `path` stays
    valid: a file may be written over the one its values are being read from. The mode of an existing file is
    kept, and a symbolic link is followed, not replaced.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    IsADirectoryError, ValueError
        If `path` is a folder, or something else that is no regular file.
    OSError
        If `path` is a loop of links, or the file cannot be written; a full disk is said with the name of `path`.
    """
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, "expected a file to replace, got a loop of links", str(path))
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
    try:
        descriptor = _open_unnamed(target.parent)
        unnamed = descriptor is not None
        if descriptor is None:
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "w+b") as file:
            if mode is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
            if unnamed:
                _name(file, temporary)
        temporary.replace(target)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and _is_ours(error, temporary):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    _sync_folder(target.parent)


def _is_ours(error: OSError, temporary: Path) -> bool:
    return error.filename == str(temporary) or (error.filename is None and error.errno in FULL)


def _open_unnamed(folder: Path) -> int | None:
    """Open a file that has no name yet, or None where the file system, or a system without /proc, cannot."""
    flags = getattr(os, "O_TMPFILE", None)
    if flags is None:
        return None
    try:
        descriptor = os.open(folder, flags | os.O_RDWR | os.O_CLOEXEC, 0o666)
    except OSError:
        return None  # a reason that holds for named files too is met again when one is made
    if os.path.exists(_way_to(descriptor)):  # noqa: PTH110  # a magic link, no path to build on
        return descriptor
    os.close(descriptor)
    return None


def _way_to(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


def _name(file: BinaryIO, name: Path) -> None:
    """Give an unnamed file its name, or, where the system forbids that, a copy of it."""
    folder = os.open(name.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # With a folder given this is linkat(2), which can follow the magic link; link(2) would not.
        os.link(_way_to(file.fileno()), name.name, dst_dir_fd=folder, follow_symlinks=True)
    except OSError:
        with name.open("xb") as copy:
            os.fchmod(copy.fileno(), stat.S_IMODE(os.fstat(file.fileno()).st_mode))
            file.seek(0)
            shutil.copyfileobj(file, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
    finally:
        os.close(folder)


def _sync_folder(folder: Path) -> None:
    # Makes the rename itself durable; some network file systems cannot, and the file is complete without it.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
