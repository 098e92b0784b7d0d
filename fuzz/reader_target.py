"""What every target does: the bytes become a file, and all of it is read, or refused with a FormatError."""

from __future__ import annotations

import math
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["paring", "zipfile"]):
    import paring
    from paring.formats.readers import READERS

    for module in sorted({module for module, _ in READERS.values()}):
        import_module(f"paring.formats.{module}")

SMALL = 1 << 20
"""Values of a compressed weight that is also made dense: its shape, not the file, says how much memory that takes."""


def fuzz(suffix: str, *neighbours: Path) -> None:
    """Run libFuzzer over the reader of a suffix, with its own arguments from the command line.

    Parameters
    ----------
    suffix : str
        How the file is called.
    neighbours : Path
        Files that lie in its folder.
    """
    with tempfile.TemporaryDirectory(prefix="paring-fuzz-", dir=_memory()) as folder:
        for neighbour in neighbours:
            (Path(folder) / neighbour.name).write_bytes(neighbour.read_bytes())
        path = Path(folder) / f"w{suffix}"
        atheris.Setup(sys.argv, lambda data: read_or_refuse(path, data))
        atheris.Fuzz()


def _memory() -> str | None:
    """Return a file system in memory, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def read_or_refuse(path: Path, data: bytes) -> None:
    """Read all of a file; anything but a FormatError that names the file is a finding."""
    # A new file each time: to cut one that is mapped would be the fuzzer's own mistake.
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    weights = attempt(path, lambda: paring.read(path))
    for name in weights or ():
        attempt(path, lambda name=name: weights.describe(name))
        weight = attempt(path, lambda name=name: weights[name])
        if (
            isinstance(weight, paring.QuantizedWeight | paring.SparseWeight)
            and math.prod(weight.shape) <= SMALL
        ):
            weight.dense()


def attempt(path, action):
    """Return what the action returns, None if it refuses as it should."""
    try:
        return action()
    except paring.FormatError as error:
        if str(path.parent) not in str(error):
            raise AssertionError(f"a message without the file's name: {error}") from error
    except OSError as error:
        # Such as a name that is too long for a file: nothing else may be opened.
        if error.filename is not None and not str(error.filename).startswith(str(path.parent)):
            raise
    return None
