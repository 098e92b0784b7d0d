"""Broken .npy and .npz files by kind: each ends in a FormatError that says what is wrong where."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from paring.errors import FormatError
from paring.formats import read
from weight_files import (
    npy_bytes,
    read_all,
)


def literal(descr="'<f4'", fortran="False", shape="(2,)"):
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}}}"


def pickled():
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}, None], object), allow_pickle=True)
    return file.getvalue()


NPY = {
    "empty": (b"", r"expected at least 8 bytes \(the .npy magic\), got a file of 0 bytes"),
    "magic": (b"PK\x03\x04____" + bytes(200), r"expected an array that begins with b'\\x93NUMPY', got b'PK"),
    "version": (npy_bytes(literal(), bytes(8), (9, 1)), "expected .npy version 1.0, 2.0 or 3.0, got 9.1"),
    "header-cut": (npy_bytes(literal())[:30], r"expected a .npy header of \d+ bytes, got 30 bytes in all"),
    "header-long": (
        npy_bytes(" " * 10_001, bytes(8), (2, 0)),
        "expected a .npy header of at most 10000 bytes, got 10001",
    ),
    "header-huge": (
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
        "expected a .npy header of at most 10000 bytes, got 4294967295",
    ),
    "syntax": (npy_bytes("{'descr': "), "expected a Python literal as .npy header, got \"{'descr': \""),
    "code": (npy_bytes("__import__('os').abort()"), "expected a Python literal as .npy header, got"),
    "deep": (npy_bytes("(" * 9_000), "expected a Python literal as .npy header, got"),
    "deep-unary": (npy_bytes("-" * 9_999 + "1", version=(2, 0)), "expected a"),
    "list": (npy_bytes("[1, 2]"), "expected a .npy header of descr, fortran_order and shape, got"),
    "unhashable": (npy_bytes("{[]: 1}"), "expected a Python literal as .npy header, got"),
    "key-missing": (
        npy_bytes("{'descr': '<f4', 'shape': ()}"),
        "expected a .npy header of descr, fortran_order and",
    ),
    "key-more": (
        npy_bytes(literal()[:-1] + ", 'x': 1}"),
        "expected a .npy header of descr, fortran_order and shape",
    ),
    "shape-list": (npy_bytes(literal(shape="[2]"), bytes(8)), r"shape: expected a tuple, got \[2\]"),
    "shape-negative": (
        npy_bytes(literal(shape="(-2,)"), bytes(8)),
        r"shape: expected non-negative integers, got \[-2\]",
    ),
    "shape-bool": (
        npy_bytes(literal(shape="(True,)"), bytes(4)),
        r"shape: expected non-negative integers, got \[True\]",
    ),
    "shape-overflow": (npy_bytes(literal(shape="(2**99,)"), bytes(8)), "expected a Python literal"),
    "shape-huge": (
        npy_bytes(literal(shape=f"({2**62},)"), bytes(8)),
        "shape: expected at most .* bytes of float32",
    ),
    "shape-axes": (
        npy_bytes(literal(shape=f"({'1,' * 40})"), bytes(4)),
        "shape: expected at most 32 axes, got 40",
    ),
    "order": (npy_bytes(literal(fortran="2"), bytes(8)), "fortran_order: expected True or False, got 2"),
    "dtype-none": (npy_bytes(literal("None"), bytes(8)), "expected a NumPy dtype, got None"),
    "dtype-unknown": (npy_bytes(literal("'<f3'"), bytes(8)), "expected a NumPy dtype, got '<f3'"),
    "dtype-fields": (npy_bytes(literal("[('a',)]"), bytes(8)), r"expected a NumPy dtype, got \[\('a',\)\]"),
    "dtype-empty": (npy_bytes(literal("'|V0'"), b""), "expected a dtype with values, got '|V0'"),
    "dtype-subarray": (
        npy_bytes(literal("'(2,)<f4'"), bytes(16)),
        r"expected a dtype with values, got '\(2,\)<f4'",
    ),
    "objects": (
        pickled(),
        r"expected numbers or fixed-size text, got Python objects \(object\): paring reads no pickles",
    ),
    "object-field": (
        npy_bytes(literal("[('a', '|O')]"), bytes(16)),
        "expected numbers or .*, got Python objects .*: paring reads no pickles",
    ),
    "truncated": (
        npy_bytes(literal(), bytes(7)),
        r"expected \d+ bytes \(header of \d+, then float32 \(2,\)\), got \d+",
    ),
    "trailing": (
        npy_bytes(literal(), bytes(9)),
        r"expected \d+ bytes \(header of \d+, then float32 \(2,\)\), got \d+",
    ),
}


@pytest.mark.parametrize(("data", "message"), NPY.values(), ids=NPY)
def test_npy(tmp_path, data, message):
    path = tmp_path / "w.npy"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=rf"w\.npy: {message}"):
        read(path)


@pytest.mark.parametrize(("data", "message"), NPY.values(), ids=NPY)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_members_of_npz(tmp_path, method, data, message):
    path = tmp_path / "model.npz"
    good = io.BytesIO()
    np.save(good, np.arange(3))
    with zipfile.ZipFile(path, "w", method) as zipped:
        zipped.writestr("bad.npy", data)
        zipped.writestr("good.npy", good.getvalue())
    weights = read(path)
    assert list(weights) == ["bad", "good"]
    assert weights["good"].tolist() == [0, 1, 2]
    message = message if len(data) > 8 else "expected an array that begins with"
    with pytest.raises(FormatError, match=rf"model\.npz: member 'bad\.npy': {message}"):
        weights["bad"]
    with pytest.raises(FormatError, match=rf"model\.npz: member 'bad\.npy': {message}"):
        weights.describe("bad")


def test_the_unbroken_npy_is_fine(tmp_path):
    (tmp_path / "w.npy").write_bytes(npy_bytes(literal(), bytes(8)))
    assert read(tmp_path / "w.npy")["w"].tolist() == [0, 0]


@pytest.mark.parametrize("shape", [(2,), (1, 2)])
@pytest.mark.parametrize("order", [">", "<"])
def test_text_that_is_none(tmp_path, order, shape):
    text = struct.pack(f"{order}2I", 0x41, 0x110000)
    (tmp_path / "w.npy").write_bytes(npy_bytes(literal(f"'{order}U1'", "True", str(shape)), text))
    with pytest.raises(FormatError, match="expected Unicode code points, got 0x110000"):
        read(tmp_path / "w.npy")["w"]


@pytest.fixture
def npz(tmp_path):
    """Return a function that writes an archive of one member and changes it."""

    def build(change=None, save=np.savez, array=None):
        path = tmp_path / "model.npz"
        save(path, w=np.arange(100) if array is None else array)
        data = bytearray(path.read_bytes())
        if change is not None:
            change(data)
        path.write_bytes(data)
        return path

    return build


def directory(data, offset, layout, value):
    """Change a field of the first entry of the zip directory."""
    struct.pack_into(layout, data, data.index(b"PK\x01\x02") + offset, value)


ZIP = {
    "short": (
        lambda data: data.__delitem__(slice(10, None)),
        r"at least 22 bytes \(the end record of a zip archive\)",
    ),
    "no-end": (
        lambda data: data.__delitem__(slice(-22, None)),
        "expected a zip archive, got File is not a zip file",
    ),
    "truncated": (lambda data: data.__delitem__(slice(-1, None)), "expected a zip archive|is damaged"),
    "start-missing": (lambda data: data.__delitem__(slice(0, 500)), "expected|damaged"),
    "encrypted": (lambda data: directory(data, 8, "<H", 1), "without a password, got an encrypted one"),
    "version": (
        lambda data: directory(data, 6, "<H", 99),
        "the directory of the zip archive is damaged: .*9.9",
    ),
    "method": (lambda data: directory(data, 10, "<H", 12), "expected stored or deflated, got method 12"),
    "checksum": (lambda data: directory(data, 16, "<I", 7), "expected the checksum 0x00000007, got 0x"),
    "values": (
        lambda data: data.__setitem__(400, data[400] ^ 1),
        "expected the checksum 0x.*: damaged values",
    ),
    "size": (
        lambda data: directory(data, 24, "<I", 927),
        "expected 928 bytes from 928 stored, got a size of 927",
    ),
    "both-sizes": (
        lambda data: (directory(data, 20, "<I", 9999), directory(data, 24, "<I", 9999)),
        r"at byte 0: expected 9999 bytes from byte \d+, got a file of \d+ bytes",
    ),
    "offset": (lambda data: directory(data, 42, "<I", 10), r"at byte 10: expected b'PK\\x03\\x04', got"),
    "offset-far": (
        lambda data: directory(data, 42, "<I", 10**6),
        "at byte 1000000: expected a place within the file",
    ),
    "local-header": (
        lambda data: data.__setitem__(0, 0),
        r"at byte 0: expected b'PK\\x03\\x04', got b'\\x00K",
    ),
}


@pytest.mark.parametrize(("change", "message"), ZIP.values(), ids=ZIP)
def test_zip(npz, change, message):
    with pytest.raises(FormatError, match=rf"model\.npz: .*({message})"):
        read_all(read(npz(change)))


def test_deflated_bytes_that_are_none(npz):
    def change(data):
        start = 30 + struct.unpack_from("<H", data, 26)[0] + struct.unpack_from("<H", data, 28)[0]
        data[start] = 0xFF

    with pytest.raises(FormatError, match=r"member 'w.npy': expected deflated bytes, got Error -3"):
        read(npz(change, np.savez_compressed))["w"]


@pytest.mark.parametrize("promised", [100, 20_000])  # within and beyond the part that is read for the header
@pytest.mark.parametrize(("more", "got"), [(-1, "got \\d+"), (1, "got more"), (70_000, "got more")])
def test_deflated_members_that_inflate_to_another_size(tmp_path, promised, more, got):
    values = np.random.default_rng(0).integers(0, 256, promised + more, np.uint8).tobytes()
    content = npy_bytes(literal("'|u1'", shape=f"({promised},)"), values)
    path = tmp_path / "model.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("w.npy", content)
    data = bytearray(path.read_bytes())
    directory(data, 24, "<I", len(content) - more)
    path.write_bytes(data)
    with pytest.raises(
        FormatError, match=f"member 'w.npy': expected {len(content) - more} inflated bytes, {got}"
    ):
        read(path)["w"]


def test_a_bomb_asks_for_no_memory(npz):
    header = npy_bytes(literal("'|u1'", shape=f"({10**12},)"))
    path = npz(lambda data: directory(data, 24, "<I", 2**32 - 2), np.savez_compressed)
    tracemalloc.start()
    with pytest.raises(
        FormatError, match=r"expected at most \d+ bytes from \d+ deflated, got a size of 4294967294"
    ):
        read(path)["w"]
    (path.parent / "w.npy").write_bytes(header)
    with pytest.raises(FormatError, match=r"expected 10000000000\d\d bytes"):
        read(path.parent / "w.npy")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_members_twice(tmp_path):
    with (
        pytest.warns(UserWarning, match="Duplicate name"),
        zipfile.ZipFile(tmp_path / "a.npz", "w") as zipped,
    ):
        zipped.writestr("w.npy", b"1")
        zipped.writestr("w.npy", b"2")
    with pytest.raises(FormatError, match=r"a.npz: expected every member once, got 'w.npy' twice"):
        read(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as zipped:
        zipped.writestr("w", b"1")
        zipped.writestr("w.npy", b"2")
    with pytest.raises(FormatError, match=r"b.npz: array 'w': got both 'w' and 'w.npy'"):
        read(tmp_path / "b.npz")
