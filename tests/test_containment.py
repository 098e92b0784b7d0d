"""Files that another file names: inside its folder, through no link, or refused."""

import os
import re
import socket
from pathlib import Path

import pytest

from paring.errors import FormatError
from paring.formats.containment import inside_parts, open_inside


@pytest.fixture
def folder(tmp_path):
    """A folder with a file in it and one below, and a secret beside it."""
    inside = tmp_path / "inside"
    (inside / "below").mkdir(parents=True)
    (inside / "x.bin").write_bytes(b"inside")
    (inside / "below" / "y.bin").write_bytes(b"below")
    (tmp_path / "secret").write_bytes(b"secret")
    return inside


def content(folder, name, **more):
    descriptor = open_inside(folder, name, "m.onnx", "data", **more)
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def refused(folder, name, message, **more):
    before = open_files()
    with pytest.raises(FormatError, match=rf"^m\.onnx: expected data .*{message}"):
        open_inside(folder, name, "m.onnx", "data", **more)
    assert open_files() == before


@pytest.mark.parametrize(
    ("name", "expected"),
    [("x.bin", b"inside"), ("./x.bin", b"inside"), ("below/y.bin", b"below"), ("below//./y.bin", b"below")],
)
def test_files_inside(folder, name, expected):
    assert content(folder, name) == expected


def test_the_folder_may_be_a_link_of_the_user(folder, tmp_path):
    (tmp_path / "mine").symlink_to(folder)
    assert content(tmp_path / "mine", "x.bin") == b"inside"


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "below/../../secret",
        "below/../x.bin",
        "..",
        "/etc/passwd",
        "//etc/passwd",
        "x.bin\0",
        "\0",
        "..\\secret",
        "below\\y.bin",
        "\\\\server\\share",
        "C:secret",
        "c:/secret",
        "",
        ".",
        "./",
    ],
)
def test_names_that_lead_elsewhere(folder, name):
    assert inside_parts(name) == ()
    refused(folder, name, re.escape(f"in the folder {folder}, got {name!r}"))


def test_missing(folder):
    refused(folder, "z.bin", f"z.bin, got no such file in {folder}")
    refused(folder, "nowhere/x.bin", "nowhere/x.bin, got no such file in")
    refused(folder / "gone", "x.bin", "x.bin, got no such file in")
    refused(folder, "y" * 300, "got File name too long")
    refused(folder, "x.bin/y.bin", "got a file 'x.bin'")


def test_names_that_files_cannot_have(folder):
    refused(folder, "\ud800", "got a name that files cannot have here")
    refused(folder, "\ud800/x.bin", "got a name that files cannot have here")


def test_names_are_shown_as_text(folder):
    refused(folder, "\x1b[2J\u202e", r"\\x1b\[2J\\u202e, got no such file in")


@pytest.mark.parametrize("target", ["../secret", "x.bin", "/etc/passwd", "nowhere", "link"])
def test_links_are_not_followed(folder, target):
    (folder / "link").symlink_to(target)
    refused(folder, "link", "got a symbolic link 'link': links are not followed, put the file itself there")


def test_links_on_the_way_are_not_followed(folder, tmp_path):
    (folder / "way").symlink_to(tmp_path)
    refused(folder, "way/secret", "got a symbolic link 'way': links are not followed")
    (folder / "below" / "way").symlink_to("..")
    refused(folder, "below/way/x.bin", "got a symbolic link 'way': links are not followed")


def test_hard_links(folder, tmp_path):
    os.link(tmp_path / "secret", folder / "hard")
    assert content(folder, "hard") == b"secret"
    refused(folder, "hard", "got a file with 2 hard links, so it may be one from elsewhere", hard_links=False)
    (tmp_path / "secret").unlink()
    assert content(folder, "hard", hard_links=False) == b"secret"


def test_what_is_no_file(folder, tmp_path, monkeypatch):
    refused(folder, "below", "got a folder 'below'")
    os.mkfifo(folder / "pipe")
    refused(folder, "pipe", "got a pipe 'pipe'")
    monkeypatch.chdir(folder)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        refused(folder, "socket", "got a socket 'socket'")


def test_a_pipe_put_there_after_the_check(folder, monkeypatch):
    from paring.formats import containment

    os.mkfifo(folder / "pipe")
    monkeypatch.setattr(containment, "_check_kind", lambda *_: None)
    refused(folder, "pipe", "got a pipe")


def test_a_link_put_there_after_the_check(folder, tmp_path, monkeypatch):
    from paring.formats import containment

    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "way").symlink_to(tmp_path)
    monkeypatch.setattr(containment, "_check_kind", lambda *_: None)
    refused(folder, "link", "got Too many levels of symbolic links")
    refused(folder, "way/secret", "got Not a directory")


def test_too_many_open_files_is_no_fault_of_the_file(folder, monkeypatch):
    def full(*_, **__):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OSError, match="Too many open files") as caught:
        open_inside(folder, "x.bin", "m.onnx", "data")
    assert not isinstance(caught.value, FormatError)


@pytest.fixture(params=["models--org--name", "datasets--org--name"])
def cache(request, tmp_path):
    """The layout of a Hugging Face cache: snapshots of links to blobs."""
    root = tmp_path / request.param
    for name in ("blobs", "snapshots/abc/parts", "snapshots/abc/x", "refs"):
        (root / name).mkdir(parents=True)
    (root / "blobs" / "hash").write_bytes(b"blob")
    (root / "snapshots" / "abc" / "a.bin").symlink_to("../../blobs/hash")
    (root / "snapshots" / "abc" / "parts" / "b.bin").symlink_to("../../../blobs/hash")
    (root / "snapshots" / "abc" / "absolute.bin").symlink_to(root / "blobs" / "hash")
    (tmp_path / "secret").write_bytes(b"secret")
    return root


@pytest.mark.parametrize("name", ["a.bin", "parts/b.bin", "absolute.bin"])
def test_links_of_a_cache(cache, name, tmp_path, monkeypatch):
    snapshot = cache / "snapshots" / "abc"
    assert content(snapshot, name, cache_links=True) == b"blob"
    (tmp_path / "mine").symlink_to(snapshot)
    assert content(tmp_path / "mine", name, cache_links=True) == b"blob"
    monkeypatch.chdir(snapshot)
    assert content(".", name, cache_links=True) == b"blob"
    refused(snapshot, name, "got a symbolic link .*: links are not followed")


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("l", "../../../secret"),
        ("l", "../../blobs/../../secret"),
        ("l", "../../blobs/.."),
        ("l", "../../blobs"),
        ("l", "../../blobs/folder/file"),
        ("l", "../../refs/main"),
        ("l", "../../../blobs/hash"),
        ("l", "a.bin"),
        ("l", "/etc/passwd"),
        ("l", "../../../models--org--other/blobs/hash"),
        ("parts/l", "../../blobs/hash"),
    ],
)
def test_other_links_in_a_cache(cache, link, target):
    snapshot = cache / "snapshots" / "abc"
    (snapshot / link).symlink_to(target)
    refused(snapshot, link, "got a symbolic link to .*: links are followed only inside", cache_links=True)


def test_links_on_the_way_through_a_cache(cache):
    snapshot = cache / "snapshots" / "abc"
    (snapshot / "way").symlink_to("../../blobs")
    refused(snapshot, "way/hash", "got a symbolic link 'way': links are not followed", cache_links=True)


def test_blobs_that_are_links(cache):
    snapshot = cache / "snapshots" / "abc"
    (cache / "blobs" / "again").symlink_to("../../secret")
    (snapshot / "l").symlink_to("../../blobs/again")
    refused(snapshot, "l", "got a symbolic link 'again': links are not followed", cache_links=True)
    (snapshot / "m").symlink_to("../../blobs/gone")
    refused(snapshot, "m", "m, got no such file", cache_links=True)


def test_a_folder_of_blobs_that_is_a_link(cache, tmp_path):
    (cache / "blobs").rename(tmp_path / "elsewhere")
    (cache / "blobs").symlink_to(tmp_path / "elsewhere")
    refused(cache / "snapshots" / "abc", "a.bin", "got Not a directory", cache_links=True)


@pytest.mark.parametrize("root", ["models", "model--x", "models--"])
def test_folders_that_are_no_cache(tmp_path, root):
    (tmp_path / root / "blobs").mkdir(parents=True)
    (tmp_path / root / "blobs" / "hash").write_bytes(b"blob")
    for parent in ("snapshots", "snapshot"):
        (tmp_path / root / parent / "abc").mkdir(parents=True)
        (tmp_path / root / parent / "abc" / "a").symlink_to("../../blobs/hash")
        refused(
            tmp_path / root / parent / "abc",
            "a",
            "links are followed only inside a Hugging Face cache",
            cache_links=True,
        )
