"""A disk that is full, or a file that may not grow: an error with the file's name, and the old file still there.

A limit on the size of files needs no rights, so that part runs everywhere; a small tmpfs needs to be mounted.
"""

import errno
import subprocess
import sys

import numpy as np
import pytest

import paring

OLD = {"w": np.arange(100, dtype=np.float32)}
LIMIT = 100_000
SUFFIXES = (".safetensors", ".npz", ".npy")

# Arguments: target, source. Prints the error's number and text.
WRITE = """
import resource, sys
import numpy as np, paring
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
class Large(dict):
    def __getitem__(self, name):
        return np.concatenate([paring.read(sys.argv[2])["w"], np.ones(1_000_000, np.float32)])
try:
    paring.write(sys.argv[1], Large(w=None))
except OSError as error:
    print(error.errno, error)
"""
UNLIMITED = "resource.RLIM_INFINITY"


COMPRESS = """
import resource, sys
import paring
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    paring.compress_file(sys.argv[2], sys.argv[1], "int8")
except OSError as error:
    print(error.errno, error)
"""


def entries(folder):
    return sorted(entry.name for entry in folder.iterdir())


def run(program, target, source, limit):
    command = [sys.executable, "-c", program.format(limit=limit), target, source]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("target", ["new", "old", "input"])
def test_a_file_that_may_not_grow(tmp_path, suffix, target):
    source, old = tmp_path / f"w{suffix}", tmp_path / f"old{suffix}"
    paring.write(source, OLD)
    old.write_bytes(b"the old file")
    before = {path: path.read_bytes() for path in (source, old)}
    path = {"new": tmp_path / f"new{suffix}", "old": old, "input": source}[target]
    said = run(WRITE, path, source, LIMIT)
    assert said == f"{errno.EFBIG} [Errno {errno.EFBIG}] File too large: '{path}'\n"
    assert entries(tmp_path) == sorted([source.name, old.name])
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("suffix", SUFFIXES[:2])
def test_compressing_a_file(tmp_path, suffix):
    source, target = tmp_path / "w.npy", tmp_path / f"small{suffix}"
    paring.write(source, {"w": np.random.default_rng(0).standard_normal((500, 500), np.float32)})
    target.write_bytes(b"the old file")
    before = source.read_bytes()
    said = run(COMPRESS, target, source, LIMIT)
    assert said == f"{errno.EFBIG} [Errno {errno.EFBIG}] File too large: '{target}'\n"
    assert source.read_bytes() == before
    assert target.read_bytes() == b"the old file"
    assert entries(tmp_path) == [target.name, source.name]


def test_the_command_line(tmp_path):
    source, target = tmp_path / "w.safetensors", tmp_path / "small.safetensors"
    paring.write(source, {"w": np.random.default_rng(0).standard_normal((500, 500), np.float32)})
    target.write_bytes(b"the old file")
    before = source.read_bytes()
    limited = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
        "runpy.run_module('paring', run_name='__main__')"
    )
    command = [sys.executable, "-c", limited, "compress", source, "-o", target, "--force"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode in (1, 2), done.stderr
    assert done.stderr.splitlines()[-1] == f"paring: error: {target}: File too large"
    assert source.read_bytes() == before
    assert target.read_bytes() == b"the old file"
    assert entries(tmp_path) == [target.name, source.name]


@pytest.fixture
def mounted(tmp_path):
    """Return a function that mounts a small file system in memory, or skips where that is not allowed."""
    mounts = []

    def mount(*options):
        folder = tmp_path / "disk"
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip("no mount command")
        if done.returncode:
            pytest.skip(f"cannot mount a tmpfs here: {done.stderr.strip()}")
        mounts.append(folder)
        return folder

    yield mount
    for folder in mounts:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("target", ["new", "input"])
def test_a_full_disk(mounted, suffix, target):
    disk = mounted("size=1m")
    source = disk / f"w{suffix}"
    paring.write(source, OLD)
    before = source.read_bytes()
    path = source if target == "input" else disk / f"new{suffix}"
    said = run(WRITE, path, source, UNLIMITED)
    assert said == f"{errno.ENOSPC} [Errno {errno.ENOSPC}] No space left on device: '{path}'\n"
    assert entries(disk) == [source.name]
    assert source.read_bytes() == before
    paring.write(path, OLD)  # the room is free again
    assert paring.read(path)[path.stem if suffix == ".npy" else "w"].tolist() == OLD["w"].tolist()


def test_a_disk_that_is_read_only(mounted):
    disk = mounted("ro")
    with pytest.raises(OSError, match=r"Read-only file system: '.*disk/w\.npy'") as caught:
        paring.write(disk / "w.npy", OLD)
    assert caught.value.errno == errno.EROFS
