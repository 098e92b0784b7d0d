"""Which file is read when a folder is named."""

import os

import numpy as np
import pytest

from paring.errors import FormatError
from paring.formats import read, write
from paring.formats.folders import find_in_folder
from shard_cases import ARRAYS, PLACES, write_index, write_shards


@pytest.fixture
def index(tmp_path):
    return write_shards(tmp_path)


def test_folder_with_an_index(index):
    write(index.parent / "consolidated.safetensors", {"z": np.ones(1)})
    (index.parent / "pytorch_model.bin.index.json").write_text("{}")
    assert list(read(index.parent)) == list(PLACES)
    assert read(index.parent).path == index


def test_folder_with_one_file(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    write(tmp_path / "model.safetensors", ARRAYS)
    assert set(read(tmp_path)) == set(ARRAYS)
    assert set(read(str(tmp_path))) == set(ARRAYS)


CHOICES = [
    "m.safetensors.index.json",
    "m.safetensors",
    "m.bin.index.json",
    "pytorch_model.bin",
    "m.pth",
    "m.gguf",
    "m.onnx",
    "m.npz",
]


@pytest.mark.parametrize("first", range(len(CHOICES)))
def test_which_file_of_a_folder(tmp_path, first):
    for name in (*CHOICES[first:], "config.json", "readme.txt", ".hidden.safetensors"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.safetensors").mkdir()
    assert find_in_folder(tmp_path) == tmp_path / CHOICES[first]


@pytest.mark.parametrize("name", ["m.pth", "m.pt", "m.bin", "M.PT"])
def test_files_of_pytorch(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    assert find_in_folder(tmp_path) == tmp_path / name


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["x.pt", "y.bin"],
            r"expected one \*.pth or \*.pt or \*.bin in the folder, got x.pt, y.bin: name the",
        ),
        (
            ["x.gguf", "y.gguf"],
            r"expected one \*.gguf in the folder, got x.gguf, y.gguf: name the one to read",
        ),
        (["x.onnx", "y.onnx", "z.npz"], r"expected one \*.onnx in the folder, got x.onnx, y.onnx: name"),
    ],
)
def test_several_of_a_kind(tmp_path, names, message):
    for name in names:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match=message):
        find_in_folder(tmp_path)


def test_training_arguments_beside_a_model_of_pytorch(tmp_path):
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt"):
        (tmp_path / name).write_bytes(b"")
    assert find_in_folder(tmp_path).name == "pytorch_model.bin"


def test_folders_it_cannot_choose_in(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"expected a \*.safetensors or \*.safetensors.index.json in the fold"
    ):
        read(tmp_path)
    for name in ("x", "y"):
        write(tmp_path / f"{name}.safetensors", ARRAYS)
    with pytest.raises(
        ValueError, match=r"expected one \*.safetensors in the folder, got x.safetensors, y.safetens"
    ):
        read(tmp_path)
    write_index(tmp_path, {}, "x.safetensors.index.json")
    write_index(tmp_path, {}, "y.safetensors.index.json")
    with pytest.raises(
        ValueError, match=r"expected one \*.safetensors.index.json in the folder, got x.*, y.*: name"
    ):
        read(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "model.npz"])
def test_a_link_out_of_the_folder(tmp_path, name):
    """The folder may be a stranger's, who does not say which files of ours are read."""
    (tmp_path / "model").mkdir()
    write(tmp_path / name, ARRAYS)
    link = tmp_path / "model" / name
    link.symlink_to(f"../{name}")
    with pytest.raises(
        FormatError, match=rf"expected a weight file {name}, .*, or name {link} yourself"
    ) as caught:
        read(tmp_path / "model")
    assert f"got a symbolic link to '../{name}'" in str(caught.value)
    assert set(read(link)) == set(ARRAYS)
    link.unlink()
    os.link(tmp_path / name, link)
    assert set(read(tmp_path / "model")) == set(ARRAYS)


def test_an_index_that_is_a_link_out_of_the_folder(tmp_path):
    (tmp_path / "model").mkdir()
    write(tmp_path / "model" / "x.safetensors", ARRAYS)
    index = write_index(tmp_path, dict.fromkeys(ARRAYS, "x.safetensors"), "x.safetensors.index.json")
    (tmp_path / "model" / index.name).symlink_to(index)
    with pytest.raises(FormatError, match="got a symbolic link to"):
        read(tmp_path / "model")


def test_the_links_of_a_cache(tmp_path):
    cache = tmp_path / "models--a--b"
    snapshot = cache / "snapshots" / "1"
    for folder in (cache / "blobs", snapshot):
        folder.mkdir(parents=True)
    write(tmp_path / "x.safetensors", ARRAYS)
    (tmp_path / "x.safetensors").rename(cache / "blobs" / "hash")
    (snapshot / "model.safetensors").symlink_to("../../blobs/hash")
    assert set(read(snapshot)) == set(ARRAYS)
