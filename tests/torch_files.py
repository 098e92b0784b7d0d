"""A small assembler for the tests of PyTorch files: pickles written by hand, and both containers around them."""

import io
import struct
import tracemalloc
import zipfile
from dataclasses import dataclass

import numpy as np
import pytest

from paring.errors import FormatError
from paring.formats import read
from weight_files import read_all

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
SIX = np.arange(6, dtype=np.float32)


@dataclass
class Global:
    """A global such as ``torch._utils._rebuild_tensor_v2``."""

    path: str


@dataclass
class Call:
    function: object
    arguments: object


@dataclass
class Build:
    target: object
    state: object


@dataclass
class Persistent:
    identity: object


@dataclass
class Raw:
    """Opcodes as they are."""

    opcodes: bytes


class Pairs(list):
    """A dict by its pairs, which may have keys of any kind, or one key twice."""


def opcodes(value):
    """Return what pushes a value."""
    if isinstance(value, Raw):
        return value.opcodes
    if value is None:
        return b"N"
    if isinstance(value, bool):
        return b"\x88" if value else b"\x89"
    if isinstance(value, int):
        length = value.bit_length() // 8 + 1
        return b"\x8a" + bytes([length]) + value.to_bytes(length, "little", signed=True)
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return b"B" + struct.pack("<I", len(value)) + value
    if isinstance(value, tuple):
        return b"(" + b"".join(map(opcodes, value)) + b"t"
    if isinstance(value, dict | Pairs):
        items = value.items() if isinstance(value, dict) else value
        return b"}(" + b"".join(opcodes(key) + opcodes(item) for key, item in items) + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(map(opcodes, value)) + b"e"
    if isinstance(value, Global):
        module, name = value.path.rsplit(".", 1)
        return f"c{module}\n{name}\n".encode()
    if isinstance(value, Call):
        return opcodes(value.function) + opcodes(value.arguments) + b"R"
    if isinstance(value, Build):
        return opcodes(value.target) + opcodes(value.state) + b"b"
    if isinstance(value, Persistent):
        return opcodes(value.identity) + b"Q"
    raise TypeError(value)


def pickled(value):
    return b"\x80\x02" + opcodes(value) + b"."


def storage(key="0", size=6, kind="torch.FloatStorage", legacy=False, view=None):
    identity = ("storage", Global(kind), key, "cpu", size)
    return Persistent((*identity, view) if legacy else identity)


def tensor(shape=(2, 3), stride=(3, 1), offset=0, of=None, flags=None):
    arguments = (of or storage(), offset, shape, stride, False, Call(Global("collections.OrderedDict"), ()))
    flags = () if flags is None else (flags,)
    return Call(Global("torch._utils._rebuild_tensor_v2"), (*arguments, *flags))


def tensor_v3(dtype, shape, stride, of, offset=0):
    hooks = Call(Global("collections.OrderedDict"), ())
    return Call(
        Global("torch._utils._rebuild_tensor_v3"),
        (of, offset, shape, stride, False, hooks, Global(f"torch.{dtype}")),
    )


def numpy_array(shape, dtype, content, fortran=False, order="<"):
    kind = Build(Call(Global("numpy.dtype"), (dtype, False, True)), (3, order, None, None, None, -1, -1, 0))
    empty = Call(Global("numpy._core.multiarray._reconstruct"), (Global("numpy.ndarray"), (0,), b"b"))
    return Build(empty, (1, shape, kind, fortran, content))


def archive(value, storages=None, root="archive/", method=zipfile.ZIP_STORED, **members):
    """The bytes of a zip archive; `value` may be the bytes of a pickle. Members begin at multiples of 64 bytes."""
    content = {"data.pkl": value if isinstance(value, bytes) else pickled(value), **members}
    content |= {f"data/{key}": values for key, values in (storages or {}).items()} | {"version": b"3\n"}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as zipped:
        for name, values in content.items():
            member = zipfile.ZipInfo(root + name)
            member.compress_type = method
            padding = -(file.tell() + 30 + len(member.filename.encode()) + 4) % 64
            member.extra = struct.pack("<HH", 0x4246, padding) + b"Z" * padding
            zipped.writestr(member, values)
    return file.getvalue()


def legacy(value, storages=(), keys=None, magic=LEGACY_MAGIC, version=1001):
    """The bytes of a legacy file; `storages` is a list of (key, count, bytes)."""
    sizes = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    keys = [key for key, _, _ in storages] if keys is None else keys
    return b"".join(map(pickled, (magic, version, sizes, value, keys))) + b"".join(
        struct.pack("<q", count) + content for _, count, content in storages
    )


def save(path, container, value, values=SIX):
    """Write a file whose tensors all lie in the storage "0", made with `storage(legacy=...)`."""
    if container == "zip":
        path.write_bytes(archive(value, {"0": values.tobytes()}, byteorder=b"little"))
    else:
        path.write_bytes(legacy(value, [("0", values.size, values.tobytes())]))
    return path


def refused(tmp_path, data, message):
    """Check that a file is refused with a message that names it, and costs no more than a multiple of its size."""
    path = tmp_path / "w.pt"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=message) as caught:
            read_all(read(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
    assert peak < 100 * len(data) + 1_000_000
