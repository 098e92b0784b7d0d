"""Values of ONNX models in other files: inside the model's folder, checked against the file, through no link."""

import os

import numpy as np
import pytest

from onnx_bytes import VALUES, floats, model, tensor, write_model
from paring.errors import FormatError
from paring.formats import read
from weight_files import assert_same

ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)


def place(location="data.bin", **more):
    return [("location", location), *((key, str(value)) for key, value in more.items())]


@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "data.bin").write_bytes(bytes(8) + VALUES)
    (tmp_path / "secret").write_bytes(bytes(8) + VALUES)
    return inside


def read_external(folder, entries, **more):
    return read(write_model(folder, model(tensor(external=entries, **more))))


def refused(folder, entries, message, **more):
    with pytest.raises(FormatError, match=rf"m\.onnx: tensor 'w': .*{message}"):
        read_external(folder, entries, **more)


@pytest.mark.parametrize(
    "entries",
    [
        place(offset=8, length=24),
        place(offset=8),
        place("./data.bin", offset=8, length=24, checksum="nonsense", other="x"),
        [("offset", "8"), ("location", "data.bin"), ("checksum", "a"), ("checksum", "b")],
    ],
)
def test_read(folder, entries):
    weights = read_external(folder, entries)
    assert_same(weights["w"], ARRAY)
    assert not weights["w"].flags.owndata
    assert not weights["w"].flags.writeable
    assert weights.file_bytes == (folder / "m.onnx").stat().st_size + 32


def test_offset_zero_is_the_default(folder):
    (folder / "data.bin").write_bytes(VALUES)
    assert_same(read_external(folder, place())["w"], ARRAY)


def test_in_a_folder_below(folder):
    (folder / "below").mkdir()
    (folder / "data.bin").rename(folder / "below" / "data.bin")
    assert_same(read_external(folder, place("below/data.bin", offset=8))["w"], ARRAY)


def test_places_may_overlap_and_need_no_alignment(folder):
    names = {"a": 8, "b": 12, "c": 9}
    path = write_model(
        folder,
        model(*(tensor(name, (2,), external=place(offset=at, length=8)) for name, at in names.items())),
    )
    weights = read(path)
    content = (folder / "data.bin").read_bytes()
    for name, at in names.items():
        assert_same(weights[name], np.frombuffer(content[at : at + 8], np.float32).copy())
    assert weights.file_bytes == path.stat().st_size + 32


def test_four_bits(folder):
    (folder / "data.bin").write_bytes(b"..\x00\x80\x3f..")
    weights = read_external(folder, place(offset=2, length=3), dtype=22, shape=(5,))
    assert weights["w"].tolist() == [0, 0, 0, -8, -1]


def test_nothing(folder):
    (folder / "data.bin").write_bytes(b"")
    assert read_external(folder, place(length=0), shape=(0, 3))["w"].shape == (0, 3)


def test_written_by_the_package(tmp_path):
    onnx = pytest.importorskip("onnx")
    arrays = {f"w{i}": np.random.default_rng(i).random((i + 1, 300), np.float32) for i in range(4)}
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    whole = onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [], tensors))
    for one_file in (True, False):
        path = tmp_path / f"{one_file}.onnx"
        onnx.save(
            whole,
            path,
            save_as_external_data=True,
            all_tensors_to_one_file=one_file,
            location=f"{path.name}_data" if one_file else None,
            size_threshold=0,
        )
        weights = read(path)
        assert list(weights) == list(arrays)
        for name, array in arrays.items():
            assert_same(weights[name], array)


def test_arrays_outlive_the_file(folder):
    array = read_external(folder, place(offset=8))["w"]
    (folder / "data.bin").unlink()
    assert_same(array, ARRAY)


@pytest.mark.parametrize(
    "location",
    [
        "../secret",
        "/etc/passwd",
        "x/../../secret",
        "..",
        ".",
        "..\\secret",
        "C:secret",
        "data.bin\0",
        "*/_ORT_MEM_ADDR_/*/..",
    ],
)
def test_locations_that_lead_elsewhere(folder, location):
    refused(folder, place(location), rf"expected external data in the folder {folder}, got ")


def test_no_location(folder):
    refused(folder, [("offset", "8")], "expected external data with a location, got none")
    refused(folder, place(""), "expected external data with a location, got none")


@pytest.mark.parametrize("key", ["location", "offset", "length"])
def test_keys_that_come_twice(folder, key):
    value = "data.bin" if key == "location" else "24"
    entries = [*place(offset=8, length=24), (key, value)]
    with pytest.raises(
        FormatError, match=rf"m\.onnx: external_data at byte \d+: expected every key once, got '{key}'"
    ):
        read_external(folder, entries)


@pytest.mark.parametrize(
    "text", ["-1", "+1", "", " 8", "8 ", "1e1", "0x8", "1_0", "٣", "8.0", "9" * 20, "1" * 5000]
)
@pytest.mark.parametrize("key", ["offset", "length"])
def test_numbers_that_are_none(folder, key, text):
    refused(folder, place(**{key: text}), f"{key} of external data: expected an integer from 0, got ")


@pytest.mark.parametrize(
    ("offset", "length", "message"),
    [
        (9, 24, "expected 24 bytes from byte 9 of data.bin, got a file of 32 bytes"),
        (9, None, "expected 24 bytes from byte 9 of data.bin, got a file of 32 bytes"),
        (2**63, 24, "expected 24 bytes from byte 9223372036854775808 of data.bin, got a file of 32"),
        (8, 25, r"expected 24 bytes for float32 \[2, 3\], got 25 in external data"),
        (8, 23, r"expected 24 bytes for float32 \[2, 3\], got 23 in external data"),
        (8, 2**63, r"expected 24 bytes for float32 \[2, 3\], got 9223372036854775808 in external data"),
    ],
)
def test_places_that_are_not_in_the_file(folder, offset, length, message):
    refused(folder, place(offset=offset, **({} if length is None else {"length": length})), message)


def test_a_huge_shape_asks_for_no_memory(folder):
    refused(
        folder, place(), "expected 4398046511104 bytes from byte 0 of data.bin, got a file", shape=(2**40,)
    )
    message = "expected 10 bytes from byte 30 of data.bin, got a file of 32"
    refused(folder, place(offset=30, length=10), message, dtype=99)  # of no known type


def test_a_file_that_shrank_after_opening(folder):
    weights = read_external(folder, place(offset=8))
    (folder / "data.bin").write_bytes(bytes(31))
    with pytest.raises(
        FormatError, match=r"tensor 'w': expected 24 bytes from byte 8 of data.bin, got a file of 31"
    ):
        weights["w"]


def test_a_file_that_became_a_link_after_opening(folder):
    weights = read_external(folder, place(offset=8))
    (folder / "data.bin").unlink()
    (folder / "data.bin").symlink_to("../secret")
    with pytest.raises(
        FormatError, match=r"tensor 'w': expected external data data.bin, got a symbolic link"
    ):
        weights["w"]


def test_missing(folder):
    refused(folder, place("gone.bin"), f"expected external data gone.bin, got no such file in {folder}")


def test_links(folder):
    (folder / "link").symlink_to("../secret")
    refused(
        folder,
        place("link", offset=8),
        "expected external data link, got a symbolic link 'link': links are not",
    )
    (folder / "below").symlink_to("..")
    refused(folder, place("below/secret"), "expected external data below/secret, got a symbolic link 'below'")
    (folder / "own").symlink_to("data.bin")
    refused(folder, place("own", offset=8), "got a symbolic link 'own'")


def test_hard_links(folder):
    (folder / "hard").hardlink_to(folder.parent / "secret")
    refused(folder, place("hard", offset=8), "expected external data hard, got a file with 2 hard links")


def test_links_of_a_cache(tmp_path):
    root = tmp_path / "models--a--b"
    snapshot = root / "snapshots" / "0123"
    for made in (snapshot, root / "blobs"):
        made.mkdir(parents=True)
    (root / "blobs" / "hash").write_bytes(VALUES)
    (snapshot / "data.bin").symlink_to("../../blobs/hash")
    refused(snapshot, place(), "expected external data data.bin, got a symbolic link")


def test_what_is_no_file(folder):
    (folder / "below").mkdir()
    refused(folder, place("below"), "expected external data below, got a folder")
    os.mkfifo(folder / "pipe")
    refused(folder, place("pipe"), "expected external data pipe, got a pipe")
    refused(folder, place("data.bin/x"), "expected external data data.bin/x, got a file 'data.bin'")


def test_values_in_both_places(folder):
    with pytest.raises(FormatError, match=r"tensor 'w': expected values in 'data.bin', got raw_data too"):
        read_external(folder, place(offset=8), raw=VALUES)["w"]


def test_entries_without_their_location_flag_are_not_looked_at(folder):
    from onnx_bytes import data

    entries = data(13, data(1, "location") + data(2, "../secret"))
    assert_same(read(write_model(folder, model(tensor(raw=VALUES, more=entries))))["w"], ARRAY)


def test_many_files_are_not_kept_open(folder):
    count = 1500  # more than a process may have open, usually
    tensors = []
    for i in range(count):
        (folder / f"{i}.bin").write_bytes(floats(1))
        tensors.append(tensor(f"w{i}", (1,), external=place(f"{i}.bin")))
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    weights = read(write_model(folder, model(*tensors)))
    assert sum(weights[name].size for name in weights) == count
    assert len(os.listdir("/proc/self/fd")) <= before + 2  # noqa: PTH208


def test_bytes_that_are_used_too_often(folder):
    """A model of some kilobytes could name a large file for any number of tensors."""
    (folder / "data.bin").write_bytes(bytes(40_000))
    entries = place(length=40_000)
    tensors = [tensor(f"t{i}", (10_000,), external=entries) for i in range(64)]
    assert len(read(write_model(folder, model(*tensors)))) == 64
    tensors.append(tensor("large", (10_000,), external=entries))
    with pytest.raises(
        FormatError, match=r"m\.onnx: expected tensors of at most 2560000 bytes in a file of 40000"
    ):
        read(write_model(folder, model(*tensors)))
