"""Files that another file names: shards of an index, external data of a model. They lie in its folder or are refused.

A name is judged by its text first; then every step of it is taken from the folder above, without following links.
What comes back is an open descriptor: nobody can put another file in its place after the check.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path, PurePosixPath

from ..errors import FormatError

__all__ = ["OF_THE_MACHINE", "inside_parts", "open_inside"]

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Nobody waits for the other end of a pipe that took the file's place just now.
FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
DRIVE = re.compile(r"[A-Za-z]:")
CACHE_ROOT = re.compile(r"(models|datasets)--.+", re.DOTALL)
OF_THE_MACHINE = (errno.EMFILE, errno.ENFILE)
"""Errors that say nothing about a file: too many are open."""

SNAPSHOTS, BLOBS = "snapshots", "blobs"


def inside_parts(name: str) -> tuple[str, ...]:
    r"""Return the steps of a relative path that stays inside its folder; empty for any other text.

    Backslashes and drive letters are refused on every system: a file must not mean one place here, another there.

    Examples
    --------
    >>> inside_parts("parts/./x.bin")
    ('parts', 'x.bin')
    >>> [inside_parts(name) for name in ("../x", "/etc/passwd", "a\\b", "C:x", "a\0b", ".", "")]
    [(), (), (), (), (), (), ()]
    """
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts or "\0" in name or "\\" in name or DRIVE.match(name):
        return ()
    return place.parts


def open_inside(
    folder: Path, name: str, where: str, what: str, *, cache_links: bool = False, hard_links: bool = True
) -> int:
    """Open a regular file for reading that a file in `folder` names, and return the descriptor.

    Parameters
    ----------
    folder : path
        Of the file that the user named; links on the way to it are the user's own.
    name : str
        Relative path with ``/``, as the naming file has it.
    where, what : str
        For messages: their beginning, and what the file should be ("a shard").
    cache_links : bool
        Whether to admit the symbolic links that a Hugging Face cache consists of: from
        ``models--*/snapshots/REVISION/...`` to a file directly in ``blobs`` of the same root, and no others.
    hard_links : bool
        Whether the file may have other names too. False where its bytes are taken as they are: any file of
        the machine could have been linked to. A shard must be a valid file of its own format.

    Raises
    ------
    FormatError
        If the name leads outside, a step is a link, or there is no regular file, or it cannot be opened.
    """
    parts = inside_parts(name)
    if not parts:
        raise FormatError(f"{where}: expected {what} in the folder {folder}, got {name!r}")
    wanted = f"{where}: expected {what} {name}"
    opened: list[int] = []
    try:
        opened.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        for part in parts[:-1]:
            _check_kind(part, opened[-1], stat.S_IFDIR, wanted)
            opened.append(os.open(part, FOLDER_FLAGS, dir_fd=opened[-1]))
        last = parts[-1]
        if cache_links and stat.S_ISLNK(_mode(last, opened[-1])):
            blobs, last = _cached(folder, parts, os.readlink(last, dir_fd=opened[-1]), wanted)
            opened.append(os.open(blobs, FOLDER_FLAGS))
        return _open_regular(last, opened[-1], hard_links, wanted)
    except FileNotFoundError as error:
        raise FormatError(f"{wanted}, got no such file in {folder}") from error
    except UnicodeEncodeError as error:
        raise FormatError(f"{wanted}, got a name that files cannot have here") from error
    except OSError as error:
        if error.errno in OF_THE_MACHINE:
            raise
        raise FormatError(f"{wanted}, got {error.strerror}") from error
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _open_regular(name: str, folder: int, hard_links: bool, wanted: str) -> int:
    _check_kind(name, folder, stat.S_IFREG, wanted)  # before opening, which devices may notice
    descriptor = os.open(name, FILE_FLAGS, dir_fd=folder)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FormatError(f"{wanted}, got {_kind(status.st_mode)}")
        if status.st_nlink > 1 and not hard_links:
            raise FormatError(
                f"{wanted}, got a file with {status.st_nlink} hard links, so it may be one from elsewhere: copy it"
            )
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _mode(name: str, folder: int) -> int:
    return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode


def _check_kind(name: str, folder: int, expected: int, wanted: str) -> None:
    mode = _mode(name, folder)
    if stat.S_ISLNK(mode):
        raise FormatError(
            f"{wanted}, got a symbolic link {name!r}: links are not followed, put the file itself there"
        )
    if stat.S_IFMT(mode) != expected:
        raise FormatError(f"{wanted}, got {_kind(mode)} {name!r}")


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFREG: "a file",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


def _cached(folder: Path, parts: tuple[str, ...], target: str, wanted: str) -> tuple[Path, str]:
    """Return the folder of blobs and the name in it that a link of a model cache leads to; FormatError for others."""
    snapshot = Path(os.path.realpath(folder))
    root = snapshot.parent.parent
    if snapshot.parent.name == SNAPSHOTS and CACHE_ROOT.fullmatch(root.name):
        up = ("..",) * (len(parts) + 1)  # out of the folders of the name, the snapshot, and `snapshots`
        for start in (up, root.parts):
            *above, blob = PurePosixPath(target).parts or ("",)
            if tuple(above) == (*start, BLOBS) and blob != "..":
                return root / BLOBS, blob
    raise FormatError(
        f"{wanted}, got a symbolic link to {target!r}: links are followed only inside a Hugging Face cache, "
        f"from its snapshots to its blobs; put the file itself there"
    )
