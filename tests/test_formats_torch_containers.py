"""Broken containers of PyTorch files, zip archives and legacy files, by kind: each ends in a FormatError."""

import io
import struct
import warnings
import zipfile

import numpy as np
import pytest

from paring.formats import read
from torch_files import Global, archive, legacy, pickled, refused, storage, tensor

VALUES = np.arange(6, dtype=np.float32).tobytes()
STORAGES = {"0": VALUES}
HUGE = 2**62


def zip_of(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return file.getvalue()


def duplicated():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            zipped.writestr("archive/data.pkl", pickled({}))
    return file.getvalue()


def with_directory(data, name, offset, form, *numbers):
    """Change a field of the entry of a member in the directory of an archive."""
    data = bytearray(data)
    at = data.rindex(name.encode()) - 46
    assert data[at : at + 4] == b"PK\x01\x02"
    struct.pack_into(form, data, at + offset, *numbers)
    return bytes(data)


GOOD = archive({"w": tensor()}, STORAGES)
ARCHIVES = {
    "no-pickle": (zip_of(**{"a/version": b"3", "b.npy": b""}), r"member \*/data.pkl, got 0 among 2 members \('a/"),
    "empty-archive": (b"PK\x05\x06" + bytes(18), "expected a file of torch.save"),
    "two-pickles": (zip_of(**{"a/data.pkl": b"N.", "b/data.pkl": b"N."}), r"one member \*/data.pkl, got 2 among 2"),
    "duplicate": (duplicated(), "expected every member once, got 'archive/data.pkl' twice"),
    "script-constants": (archive({}, **{"constants.pkl": b")."}), "expected a state dict, got a TorchScript program"),
    "script-code": (archive({}, **{"code/__torch__.py": b""}), "expected a state dict, got a TorchScript program"),
    "byte-order": (archive({}, byteorder=b"middle"), "'archive/byteorder': expected little or big, got b'middle'"),
    "byte-order-long": (archive({}, byteorder=b"little" * 99), "expected little or big, got b'littlelittlelitt'"),
    "pickle-trailing": (archive(pickled({}) + b"N."), "expected a pickle of 8 bytes, got its end at byte 6"),
    "pickle-cut": (archive(pickled({"w": tensor()})[:-9]), "'archive/data.pkl': pickle opcode at byte"),
    "pickle-empty": (archive(b""), "expected 1 more bytes, got 0"),
    "directory-cut": (GOOD[:-30], "expected a zip archive, got"),
    "storage-cut": (
        with_directory(GOOD, "archive/data/0", 20, "<II", 2**31, 2**31),
        "expected (2147483648 bytes from byte|members that share no bytes)",
    ),
    "storage-grown": (
        with_directory(GOOD, "archive/data/0", 24, "<I", 2**31),
        "expected 24 bytes from 24 stored, got a size of 2147483648",
    ),
    "storage-bomb": (
        with_directory(
            archive({"w": tensor()}, STORAGES, method=zipfile.ZIP_DEFLATED), "archive/data/0", 24, "<I", 2**31
        ),
        "expected at most .* deflated, got a size of 2147483648",
    ),
    "storage-method": (with_directory(GOOD, "archive/data/0", 10, "<H", 12), "expected stored or deflated, got method"),
    "storage-encrypted": (with_directory(GOOD, "archive/data/0", 8, "<H", 1), "expected a member without a password"),
    "storage-damaged": (GOOD.replace(VALUES, VALUES[:-1] + b"\xff"), "'archive/data/0': expected the checksum"),
    "pickle-damaged": (GOOD.replace(b"cpu", b"gpu"), "'archive/data.pkl': expected the checksum"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archives(tmp_path, kind):
    data, message = ARCHIVES[kind]
    refused(tmp_path, data, message)


ONE = storage(legacy=True)
GOOD_LEGACY = legacy({"w": tensor(of=ONE)}, [("0", 6, VALUES)])


def view(*parts):
    return {"w": tensor((1,), (1,), of=storage(legacy=True, view=parts))}


TAR = bytes(257) + b"ustar" + bytes(300)

LEGACY = {
    "empty": (b"", r"expected at least 4 bytes \(the start of a PyTorch file\), got a file of 0 bytes"),
    "text": (b"weights = 3\n", r"expected a file of torch.save \(a zip archive, or the magic number of older"),
    "plain-pickle": (pickled({"w": 1}), r"expected a file of torch.save .*, got b'.x80.x02"),
    "tar": (TAR, "expected a file of torch.save, got a tar archive of PyTorch before version 0.2"),
    "magic-text": (
        legacy({}, magic="119547037146038801333356"),
        "expected the magic number of torch.save and version 1001, got '119547037146038801333356'",
    ),
    "version": (legacy({}, version=1000), "expected the magic number of torch.save and version 1001, got .* and 1000"),
    "version-text": (legacy({}, version="1001"), "and version 1001, got .* and '1001'"),
    "cut-in-magic": (GOOD_LEGACY[:9], "expected a file of torch.save"),
    "cut-in-object": (GOOD_LEGACY[:200], "pickle opcode at byte"),
    "cut-in-count": (GOOD_LEGACY[:-28], "'0' at byte .*: expected a count of 6 elements, got the end of"),
    "cut-in-values": (GOOD_LEGACY[:-1], "storage '0' at byte .*: expected 24 bytes for 6 elements of float32, got 23"),
    "trailing": (GOOD_LEGACY + b"?", "expected the file to end with its last storage at byte .*, got 1 more bytes"),
    "global-in-magic": (pickled(Global("os.system")) + b"119547037146038801333356", "wants 'os.system'"),
    "global-in-sizes": (legacy({})[:-12], "pickle opcode at byte"),
    "count": (legacy({"w": tensor(of=ONE)}, [("0", 7, VALUES + b"1234")]), "expected a count of 6 elements, got 7"),
    "count-negative": (
        legacy({"w": tensor(of=ONE)}, [("0", -6, VALUES)]),
        "expected a count of 6 elements, got 18446744073709551610",
    ),
    "size-huge": (
        legacy({"w": tensor((HUGE // 4,), (1,), of=storage(size=HUGE // 4, legacy=True))}, [("0", HUGE // 4, VALUES)]),
        "expected 4611686018427387904 bytes for .* elements of float32, got 24",
    ),
    "keys-missing": (legacy({"w": tensor(of=ONE)}), "expected the keys of the 1 storages that the tensors name"),
    "keys-more": (legacy({}, [("0", 6, VALUES)]), "expected the keys of the 0 storages .*, each once, got 1 keys"),
    "keys-twice": (
        legacy({"w": tensor(of=ONE)}, [("0", 6, VALUES), ("0", 6, VALUES)]),
        "expected the keys of the 1 storages .*, got 2 keys",
    ),
    "keys-dict": (legacy({}, keys={}), "expected a list of texts as keys of the storages, got a dict"),
    "keys-numbers": (legacy({}, keys=[1]), "expected a list of texts as keys of the storages, got a list"),
    "past-end": (legacy({"w": tensor(offset=1, of=ONE)}, [("0", 6, VALUES)]), "storage_offset 1, .* end at 7"),
    "id-short": (legacy({"w": tensor()}, [("0", 6, VALUES)]), "persistent id: expected a tuple of 6, got a tuple"),
    "view-past-end": (legacy(view("1", 5, 2), [("0", 6, VALUES)]), "expected key, first element and size within the"),
    "view-negative": (legacy(view("1", -1, 2), [("0", 6, VALUES)]), "expected key, first element and size within the"),
    "view-short": (legacy(view("1", 5), [("0", 6, VALUES)]), "expected key, first element and size within the"),
    "view-text": (legacy({"w": storage(legacy=True, view="view")}), "expected key, first element and size within the"),
    "view-twice": (
        legacy({**view("1", 0, 2), "v": storage(legacy=True, view=("1", 1, 2))}, [("0", 6, VALUES)]),
        "storage '0': expected 2 elements of float32 as before, got 2 of float32",
    ),
    "tensor-past-view": (
        legacy({"w": tensor((3,), (1,), of=storage(legacy=True, view=("1", 0, 2)))}, [("0", 6, VALUES)]),
        "expected a view within its storage '0' of 2 elements",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", LEGACY)
def test_legacy_files(tmp_path, kind):
    data, message = LEGACY[kind]
    refused(tmp_path, data, message)


def test_a_folder_and_a_missing_file(tmp_path):
    (tmp_path / "w.pt").mkdir()
    with pytest.raises(FileNotFoundError, match="expected a"):
        read(tmp_path / "w.pt")
    with pytest.raises(FileNotFoundError, match=r"missing\.pt"):
        read(tmp_path / "missing.pt")
