"""A write is all or nothing: failures leave the old file, and the output may be the input."""

import errno
import os
import stat
import tracemalloc
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from paring.formats import atomic, read, write
from weight_files import COMPRESSED, assert_same, random_array

SUFFIXES = (".safetensors", ".npz", ".npy")
OLD = b"the old file"


@pytest.fixture(params=SUFFIXES)
def path(request, tmp_path):
    return tmp_path / f"w{request.param}"


class Lazy(Mapping):
    """Gives arrays it does not keep, and may fail at the second look, when the values are being written."""

    def __init__(self, arrays, failure=None):
        self.arrays, self.failure, self.looks = arrays, failure, {}

    def __getitem__(self, name):
        self.looks[name] = self.looks.get(name, 0) + 1
        if self.failure is not None and self.looks[name] == 2:
            return self.failure(self.arrays[name])
        return self.arrays[name].copy()

    def __iter__(self):
        return iter(self.arrays)

    def __len__(self):
        return len(self.arrays)


def only_entry(path):
    return [entry.name for entry in path.parent.iterdir()]


def raiser(error):
    def fail(*args, **kwargs):
        raise error

    return fail


def test_lazy_mappings(path):
    array = random_array(np.float32, (30, 7))
    lazy = Lazy({"w": array})
    write(path, lazy)
    assert_same(read(path)["w"], array)
    assert lazy.looks == {"w": 2}


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_a_lazy_mapping_may_be_larger_than_memory(tmp_path, suffix):
    class Made(Lazy):
        def __getitem__(self, name):
            return np.full(250_000, float(name))

    tracemalloc.start()
    write(tmp_path / f"w{suffix}", Made({str(n): None for n in range(20)}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / f"w{suffix}").stat().st_size > 40_000_000
    assert peak < 6_000_000


@pytest.mark.parametrize(
    "error", [RuntimeError("lost"), OSError(errno.EIO, "disk"), KeyboardInterrupt()], ids=repr
)
def test_values_that_fail(path, error):
    path.write_bytes(OLD)
    with pytest.raises(type(error)):
        write(path, Lazy({"w": np.ones(3)}, raiser(error)))
    assert path.read_bytes() == OLD
    assert only_entry(path) == [path.name]


@pytest.mark.parametrize("change", [lambda a: a[1:], lambda a: a.astype(np.float32)], ids=["shape", "dtype"])
def test_values_that_change(path, change):
    path.write_bytes(OLD)
    with pytest.raises(
        ValueError, match=r"'w' changed while it was being written: expected float64 \(3,\), got float"
    ):
        write(path, Lazy({"w": np.ones(3)}, change))
    assert path.read_bytes() == OLD
    assert only_entry(path) == [path.name]


@pytest.mark.parametrize("step", ["fsync", "replace", "write"])
def test_a_disk_that_fails(path, monkeypatch, step):
    path.write_bytes(OLD)
    full = raiser(OSError(errno.ENOSPC, "No space left on device"))
    if step == "fsync":
        monkeypatch.setattr(atomic.os, "fsync", full)
    elif step == "replace":
        monkeypatch.setattr(Path, "replace", full)
    else:
        monkeypatch.setattr("paring.formats.naming.NamedTensor.chunks", full)
    with pytest.raises(OSError, match="No space left"):
        write(path, {"w": np.ones(3)})
    monkeypatch.undo()
    assert path.read_bytes() == OLD
    assert only_entry(path) == [path.name]


def test_nothing_is_left_where_nothing_was(path):
    with pytest.raises(RuntimeError, match="lost"):
        write(path, Lazy({"w": np.ones(3)}, raiser(RuntimeError("lost"))))
    assert only_entry(path) == []


def test_a_folder_that_cannot_be_flushed_is_no_failure(path, monkeypatch):
    real = os.open

    def refuse_folders(name, flags, *mode, **more):
        if flags & os.O_DIRECTORY:
            raise OSError(errno.EINVAL, "no folders here")
        return real(name, flags, *mode, **more)

    monkeypatch.setattr(atomic.os, "open", refuse_folders)
    write(path, {"w": np.ones(3)})
    assert read(path)["w"].tolist() == [1, 1, 1]


def test_output_is_input(path):
    array = random_array(np.float64, (2000,))
    write(path, {"w": array})
    weights = read(path)
    before = weights["w"]
    write(path, weights)
    assert_same(read(path)["w"], array)
    write(path, {"w": np.zeros(1)})
    assert_same(before, array)
    assert_same(weights["w"], array)
    assert read(path)["w"].tolist() == [0]
    assert only_entry(path) == [path.name]


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_output_is_input_with_everything(tmp_path, suffix):
    path = tmp_path / f"w{suffix}"
    weights = COMPRESSED | {"x": random_array(np.float16, (9,))}
    write(path, weights)
    write(path, dict(read(path)) | {"x": np.ones(1)})
    again = read(path)
    assert again["x"].tolist() == [1]
    for name, weight in COMPRESSED.items():
        assert_same(again[name], weight)


def test_output_is_a_deflated_input(tmp_path):
    np.savez_compressed(tmp_path / "w.npz", w=np.arange(1000), text=np.array(["a", "é"]))
    write(tmp_path / "w.npz", read(tmp_path / "w.npz"))
    with np.load(tmp_path / "w.npz") as loaded:
        assert loaded["w"].tolist() == list(range(1000))
        assert loaded["text"].tolist() == ["a", "é"]


def test_mode_of_the_file(path):
    old = os.umask(0o027)
    try:
        write(path, {"w": np.ones(1)})
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    write(path, {"w": np.ones(1)})
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_links_are_followed(path):
    (path.parent / "elsewhere").mkdir()
    target = path.parent / "elsewhere" / "target"
    path.symlink_to(target)
    write(path, {"w": np.ones(1)})
    assert path.is_symlink()
    assert target.is_file()
    assert [entry.name for entry in target.parent.iterdir()] == ["target"]
    assert read(path)["w"].tolist() == [1]


def test_places_it_cannot_write(path):
    with pytest.raises(FileNotFoundError, match=r"no such folder to write into: '.*nowhere'"):
        write(path.parent / "nowhere" / path.name, {"w": np.ones(1)})
    path.mkdir()
    with pytest.raises(IsADirectoryError, match="expected a file to replace, got a folder"):
        write(path, {"w": np.ones(1)})
    pipe = path.with_name(f"pipe{path.suffix}")
    os.mkfifo(pipe)
    with pytest.raises(
        ValueError, match=f"pipe{path.suffix}: expected a regular file to replace, got a device, pipe"
    ):
        write(pipe, {"w": np.ones(1)})
    with pytest.raises(
        ValueError, match=f"pipe{path.suffix}: expected a regular file, got a device, pipe or socket"
    ):
        read(pipe)
