"""Places that cannot be written, links, and processes killed in the middle: the old file is always still there."""

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import paring
from paring.formats import atomic

OLD = b"the old file"
ONES = {"w": np.ones(3, np.float32)}
SUFFIXES = (".safetensors", ".npz", ".npy")


@pytest.fixture(params=SUFFIXES)
def path(request, tmp_path):
    return tmp_path / f"w{request.param}"


def entries(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_path_under_a_regular_file(path):
    path.write_bytes(OLD)
    with pytest.raises(FileNotFoundError, match=rf"no such folder to write into: '.*{path.name}'"):
        paring.write(path / path.name, ONES)
    assert path.read_bytes() == OLD
    assert entries(path.parent) == [path.name]


@pytest.mark.skipif(
    not Path("/proc/self").is_dir(), reason="no /proc, where nobody can make a file, root neither"
)
def test_a_folder_that_takes_no_file():
    with pytest.raises(OSError, match=r"\] .*: '/proc/w\.npy'$"):
        paring.write("/proc/w.npy", ONES)


def test_a_name_that_is_too_long(path):
    long = path.with_name("w" * 300 + path.suffix)
    with pytest.raises(OSError, match=r"File name too long.*www") as caught:
        paring.write(long, ONES)
    assert caught.value.errno == errno.ENAMETOOLONG
    assert entries(path.parent) == []


def test_a_loop_of_links(path):
    other = path.with_name("other")
    path.symlink_to(other)
    other.symlink_to(path)
    with pytest.raises(OSError, match=rf"expected a file to replace, got a loop of links: '.*{path.name}'"):
        paring.write(path, ONES)
    assert path.is_symlink()
    assert entries(path.parent) == ["other", path.name]


def test_a_link_to_a_folder(path):
    (path.parent / "folder").mkdir()
    path.symlink_to("folder")
    with pytest.raises(IsADirectoryError, match="expected a file to replace, got a folder"):
        paring.write(path, ONES)
    assert entries(path.parent / "folder") == []


def test_a_link_to_nothing_makes_its_target(path):
    path.symlink_to("target")
    paring.write(path, ONES)
    assert path.is_symlink()
    assert entries(path.parent) == ["target", path.name]
    assert paring.read(path)[path.stem].tolist() == [1, 1, 1]


@pytest.mark.parametrize("link", ["input", "output", "both", "hard"])
def test_output_is_input_by_another_name(path, link):
    array = np.arange(5000, dtype=np.float64)
    real = path.with_name(f"real{path.suffix}")
    paring.write(real, {"real": array})
    before = real.read_bytes()
    names = {"input": (path, real), "output": (real, path), "both": (path, path), "hard": (real, path)}
    source, target = names[link]
    if link == "hard":
        path.hardlink_to(real)
    else:
        path.symlink_to(real.name)
    weights = paring.read(source)
    paring.write(target, {"real": weights[source.stem if path.suffix == ".npy" else "real"] * 2})
    written = paring.read(target)
    assert (written[target.stem if path.suffix == ".npy" else "real"] == array * 2).all()
    # A name given by a hard link is a file of its own afterwards; a symbolic link stays one.
    assert (real.read_bytes() == before) == (link == "hard")
    assert path.is_symlink() == (link != "hard")
    assert entries(path.parent) == sorted([real.name, path.name])


def test_a_write_that_fails_through_a_link_leaves_link_and_target(path):
    target = path.with_name("target")
    target.write_bytes(OLD)
    path.symlink_to("target")
    with pytest.raises(TypeError, match="expected a NumPy array"):
        paring.write(path, {"w": 1})
    with pytest.raises(RuntimeError, match="lost"), atomic.replacing(path) as file:
        file.write(b"half of it")
        raise RuntimeError("lost")
    assert path.is_symlink()
    assert target.read_bytes() == OLD
    assert entries(path.parent) == ["target", path.name]


def test_compressing_a_file_onto_a_hard_link_of_itself(path):
    paring.write(path, {path.stem: np.eye(64, dtype=np.float32)})
    before, other = path.read_bytes(), path.with_name("other.safetensors")
    other.hardlink_to(path)
    paring.compress_file(path, other, "int8")
    assert path.read_bytes() == before
    assert isinstance(paring.read(other)[path.stem], paring.QuantizedWeight)
    assert entries(path.parent) == sorted([other.name, path.name])


def test_compressing_a_file_to_a_path_under_a_file(path):
    paring.write(path, ONES)
    before = path.read_bytes()
    with pytest.raises(
        NotADirectoryError, match=rf"expected a folder to write into, but .*{path.name} is a file"
    ):
        paring.compress_file(path, path / "small.safetensors", "int8")
    assert path.read_bytes() == before
    assert entries(path.parent) == [path.name]


def open_files():
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def can_be_unnamed(folder):
    descriptor = atomic._open_unnamed(folder)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is not None


WRITE_AND_WAIT = """
import sys, time
from pathlib import Path
from paring.formats import atomic
if sys.argv[2] == "named":
    atomic._open_unnamed = lambda folder: None
with atomic.replacing(Path(sys.argv[1])) as file:
    file.write(bytes(100_000))
    file.flush()
    print("written", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("old", [OLD, None], ids=["replace", "new"])
@pytest.mark.parametrize("way", ["unnamed", "named"])
def test_a_killed_process(tmp_path, way, old):
    path = tmp_path / "w.safetensors"
    if old is not None:
        path.write_bytes(old)
    before = entries(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_AND_WAIT, path, way], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    left = [name for name in entries(tmp_path) if name not in before]
    if way == "unnamed" and can_be_unnamed(tmp_path):
        assert left == []
    else:
        [name] = left
        assert name.startswith(".paring-")
        assert name.endswith(".tmp")
    assert (path.read_bytes() if path.exists() else None) == old


@pytest.mark.parametrize("way", ["named", "copied", "no /proc"])
def test_the_ways_of_other_systems_write_the_same(tmp_path, monkeypatch, way):
    path = tmp_path / "w.safetensors"
    paring.write(path, ONES)
    expected = path.read_bytes()
    path.write_bytes(OLD)
    path.chmod(0o604)

    def refuse(*args, **kwargs):
        raise PermissionError(errno.EPERM, "not here")

    if way == "named":
        monkeypatch.setattr(atomic, "_open_unnamed", lambda folder: None)
    elif way == "copied":
        monkeypatch.setattr(atomic.os, "link", refuse)
    else:
        monkeypatch.setattr(atomic, "_way_to", lambda descriptor: f"/nowhere/{descriptor}")
    before = open_files()
    paring.write(path, ONES)
    assert path.read_bytes() == expected
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    assert entries(tmp_path) == [path.name]
    assert open_files() == before
