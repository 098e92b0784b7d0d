"""Shards lie in the folder of their index and are no links, but for the cache of Hugging Face."""

import os

import pytest

from paring.errors import FormatError
from paring.formats import read, write
from shard_cases import ARRAYS, FIRST, SECOND, write_index, write_shards
from weight_files import assert_same


@pytest.fixture
def index(tmp_path):
    return write_shards(tmp_path)


@pytest.fixture
def cache(index, tmp_path):
    """The same checkpoint as Hugging Face keeps it: a snapshot of links to blobs."""
    root = tmp_path / "hub" / "models--org--name"
    snapshot = root / "snapshots" / "0123abcd"
    for folder in (root / "blobs", snapshot):
        folder.mkdir(parents=True)
    for number, name in enumerate((FIRST, SECOND, index.name)):
        (tmp_path / name).rename(root / "blobs" / f"hash{number}")
        (snapshot / name).symlink_to(f"../../blobs/hash{number}")
    return snapshot


def test_a_cache_of_links(cache):
    for weights in (read(cache), read(cache / "model.safetensors.index.json")):
        for name, array in ARRAYS.items():
            assert_same(weights[name], array)


def test_a_link_out_of_a_cache(cache, tmp_path):
    write(tmp_path / "secret.safetensors", {"a": ARRAYS["a"]})
    (cache / FIRST).unlink()
    (cache / FIRST).symlink_to("../../../../secret.safetensors")
    with pytest.raises(
        FormatError,
        match=rf"index\.json: expected a shard {FIRST}, got a symbolic link to '../../../../secret.safetensors': "
        "links are followed only inside a Hugging Face cache",
    ):
        read(cache)


@pytest.mark.parametrize("target", ["../secret.safetensors", SECOND])
def test_shards_that_are_links(index, target):
    write(index.parent.parent / "secret.safetensors", {"a": ARRAYS["a"]})
    (index.parent / FIRST).unlink()
    (index.parent / FIRST).symlink_to(target)
    with pytest.raises(
        FormatError, match=rf"index\.json: expected a shard {FIRST}, got a symbolic link to '{target}'"
    ):
        read(index)


def test_shards_in_a_folder_that_is_a_link(index, tmp_path):
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    write(outside / "x.safetensors", {"a": ARRAYS["a"]})
    (tmp_path / "parts").symlink_to(outside)
    with pytest.raises(
        FormatError, match=r"expected a shard parts/x.safetensors, got a symbolic link 'parts': links are not"
    ):
        read(write_index(tmp_path, {"a": "parts/x.safetensors"}))


def test_a_shard_put_elsewhere_after_the_check(index, monkeypatch):
    """What was checked is what is mapped: no reader opens the path again."""
    from paring.formats import shards

    def swapping(*arguments, **more):
        descriptor = open_inside(*arguments, **more)
        (index.parent / arguments[1]).unlink()
        return descriptor

    open_inside = shards.open_inside
    monkeypatch.setattr(shards, "open_inside", swapping)
    assert_same(read(index)["a"], ARRAYS["a"])


def test_shards_are_opened_by_their_name_only(index):
    from paring.formats.arrays import open_file, opening_through

    asked = []
    with opening_through(lambda path: asked.append(path) or os.open(index, os.O_RDONLY)):
        os.close(open_file(index.parent / "other"))
    assert asked == [index.parent / "other"]
    with pytest.raises(FileNotFoundError, match="other"):
        open_file(index.parent / "other")


def test_hard_links_are_shards(index):
    (index.parent / "copy").hardlink_to(index.parent / FIRST)
    assert_same(read(index)["a"], ARRAYS["a"])


def test_a_zip_archive_is_opened_inside_too(tmp_path):
    write(tmp_path.parent / "secret.npz", {"a": ARRAYS["a"]})
    (tmp_path / "x.npz").symlink_to("../secret.npz")
    with pytest.raises(FormatError, match=r"expected a shard x.npz, got a symbolic link"):
        read(write_index(tmp_path, {"a": "x.npz"}, "model.index.json"))
