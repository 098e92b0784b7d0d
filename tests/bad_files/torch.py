"""Bad PyTorch files: pickles that want to run code or lie about storages, in the archive of today and the old form."""

from __future__ import annotations

import struct

from . import SENTINEL, BadFile, bad_files
from .pickles import (
    BUILD,
    EMPTY_DICT,
    EMPTY_LIST,
    EMPTY_TUPLE,
    FALSE,
    MARK,
    NONE,
    PERSISTENT,
    REDUCE,
    TRUE,
    call,
    dict_of,
    find,
    number,
    pickle,
    text,
    tuple_of,
)
from .torch_messages import AT_LOOK_UP, MESSAGES
from .zips import DEFLATED, Member, archive, deflated_zeros

VALUES = struct.pack("<4f", 1, 2, 3, 4)
TOUCH = text(f"touch {SENTINEL}")
ORDERED = find("collections", "OrderedDict") + EMPTY_TUPLE + REDUCE
REBUILD = find("torch._utils", "_rebuild_tensor_v2")


FOUR, ZERO, STORAGE = number(4), number(0), text("storage")


def storage(kind="FloatStorage", key="0", numel=FOUR, tag=STORAGE, module="torch", more=b""):
    return tuple_of(tag, find(module, kind), text(key), text("cpu"), numel, more) + PERSISTENT


def tensor(place=None, offset=ZERO, shape=(4,), stride=(1,), function=REBUILD):
    sizes = (tuple_of(*(s if isinstance(s, bytes) else number(s) for s in size)) for size in (shape, stride))
    return call(function, storage() if place is None else place, offset, *sizes, FALSE, ORDERED)


def holding(*values: bytes, name: str = "w") -> bytes:
    return pickle(
        dict_of((text(name if not at else f"{name}{at}"), value) for at, value in enumerate(values))
    )


def zipped(data: bytes, values: bytes = VALUES, *more: Member, byteorder: bytes = b"little") -> bytes:
    return archive(
        Member("w/data.pkl", data),
        Member("w/byteorder", byteorder),
        Member("w/data/0", values),
        Member("w/version", b"3\n"),
        *more,
    )


def legacy(data: bytes, values: bytes = VALUES, count: int = 4, **parts: bytes) -> bytes:
    """The form before 1.6: five pickles in a row, then every storage behind its length."""
    system = dict_of([(text("protocol_version"), number(1001)), (text("little_endian"), TRUE)])
    before = {"magic": number(0x1950A86A20F9469CFC6C), "protocol": number(1001), "system": system}
    keys = parts.pop("keys", EMPTY_LIST + MARK + text("0") + b"e")
    head = b"".join(pickle(value) for value in (before | parts).values())
    return head + data + pickle(keys) + struct.pack("<q", count) + values


OLD_STORAGE = storage(more=NONE)  # of the old form: with a sixth part, what it is a view of
OLD = holding(tensor(OLD_STORAGE))


def bad(name: str, content: bytes, message: str, when: str = "open", suffix: str = ".pt") -> BadFile:
    return BadFile(f"{name}{suffix}", content, message, when)


def billion(levels: int = 30) -> bytes:
    """A list of two of a list of two of ... : small as a graph, 2**levels as a tree."""
    data = EMPTY_LIST + b"q\x00"
    for level in range(levels):
        data += b"0" + EMPTY_LIST + b"q" + bytes([level + 1]) + MARK + (b"h" + bytes([level])) * 2 + b"e"
    return data


MALICIOUS = {
    "calls-os-system": call(find("os", "system"), TOUCH),
    "calls-posix-system": call(find("posix", "system"), TOUCH),
    "calls-eval": call(find("builtins", "eval"), text(f"open('{SENTINEL}', 'w')")),
    "calls-exec-by-its-old-name": call(find("__builtin__", "exec"), text(f"open('{SENTINEL}', 'w')")),
    "calls-getattr": call(find("builtins", "getattr"), find("os", "path"), text("join")),
    "calls-pip": call(find("pip", "main"), EMPTY_LIST),
    "calls-runpy": call(find("runpy", "_run_code"), TOUCH, EMPTY_DICT),
    "calls-resolve-name": call(find("pkgutil", "resolve_name"), text("os:system")),
    "calls-torch-load": call(find("torch", "load"), text("/etc/passwd")),
    "calls-torch-hub": call(find("torch.hub", "load"), text("/etc/passwd")),
    "calls-torch-jit-code": call(find("torch.jit.unsupported_tensor_ops", "execWrapper"), TOUCH),
    "calls-a-partial": call(find("functools", "partial"), find("os", "system"), TOUCH),
    "calls-numpy-load": call(find("numpy", "load"), text("/etc/passwd"), NONE, TRUE),
    "holds-a-module-class": call(find("torch.nn.modules.linear", "Linear"), number(4), number(4)),
    "holds-a-dotted-name": call(find("collections", "OrderedDict.__init__.__globals__"), TOUCH),
}

OPCODES = {
    "opcode-inst": b"(" + TOUCH + b"ios\nsystem\n",
    "opcode-obj": b"(" + REBUILD + TOUCH + b"o",
    "opcode-newobj": REBUILD + tuple_of(TOUCH) + b"\x81",
    "opcode-newobj-ex": REBUILD + tuple_of(TOUCH) + EMPTY_DICT + b"\x92",
    "opcode-stack-global": b"\x8c\x02os\x8c\x06system\x93" + tuple_of(TOUCH) + REDUCE,
    "opcode-extension": b"\x82\x01" + tuple_of(TOUCH) + REDUCE,
    "opcode-persistent-text": b"P../../etc/passwd\n",
    "opcode-unknown": b"\xff",
    "opcode-next-buffer": b"\x97",
}

STRUCTURE = {
    "pickle-truncated": pickle(EMPTY_DICT + text("w"))[:-4],
    "pickle-of-nothing": b"",
    "pickle-without-stop": pickle(EMPTY_DICT)[:-1],
    "pickle-stack-empty": pickle(b""),
    "pickle-pops-from-nothing": pickle(b"0" * 5),
    "pickle-tuple-without-mark": pickle(b"t"),
    "pickle-memo-of-nothing": pickle(b"h\x07"),
    "pickle-memo-of-32-bits": pickle(EMPTY_DICT + b"r\xff\xff\xff\xff"),
    "pickle-string-of-4-GiB": pickle(b"X\xff\xff\xff\xffabc"),
    "pickle-string-of-64-bits": pickle(b"\x8d" + b"\xff" * 8 + b"abc"),
    "pickle-number-of-2-GiB": pickle(b"\x8b\xff\xff\xff\x7fabc"),
    "pickle-frame-of-64-bits": b"\x80\x04\x95" + b"\xff" * 8 + b"}.",
    "pickle-protocol-99": b"\x80\x63}.",
    "pickle-sets-items-of-a-tuple": pickle(EMPTY_TUPLE + text("a") + NONE + b"s"),
    "pickle-appends-to-a-dict": pickle(EMPTY_DICT + NONE + b"a"),
    "pickle-key-a-list": pickle(EMPTY_DICT + EMPTY_LIST + NONE + b"s"),
    "pickle-items-of-an-odd-number": pickle(EMPTY_DICT + MARK + text("w") + b"u"),
    "pickle-builds-a-tensor": pickle(tensor() + dict_of([(text("__class__"), text("int"))]) + BUILD),
    "pickle-builds-a-class": pickle(
        find("collections", "OrderedDict") + dict_of([(text("__reduce__"), NONE)]) + BUILD
    ),
    "pickle-calls-a-number": pickle(number(1) + EMPTY_TUPLE + REDUCE),
    "pickle-calls-with-a-list": pickle(REBUILD + EMPTY_LIST + REDUCE),
    "pickle-billion-laughs": pickle(dict_of([(text("w"), billion())])),
    "pickle-of-nested-tuples": pickle(EMPTY_TUPLE + b"\x85" * 3_000),
    "pickle-of-nested-marks": pickle(MARK * 3_000),
    "pickle-of-itself": pickle(EMPTY_DICT + b"q\x00" + text("w") + b"h\x00s"),
    "pickle-list-of-itself": pickle(EMPTY_LIST + b"q\x00h\x00a"),
    "pickle-no-tensors": pickle(number(5)),
    "names-that-collide": pickle(
        dict_of([(text("a.b"), tensor()), (text("a"), dict_of([(text("b"), tensor())]))])
    ),
}

TENSORS = {
    "storage-offset-beyond": tensor(offset=number(1)),
    "storage-offset-negative": tensor(offset=number(-1)),
    "storage-offset-of-64-bits": tensor(offset=number(2**63)),
    "storage-offset-a-text": tensor(offset=text("0")),
    "storage-offset-true": tensor(offset=TRUE, shape=(3,)),
    "size-beyond-storage": tensor(shape=(5,)),
    "size-negative": tensor(shape=(-1,)),
    "size-product-overflows": tensor(shape=(2**32, 2**32), stride=(0, 0)),
    "size-of-100-axes": tensor(shape=(1,) * 100, stride=(1,) * 100),
    "size-a-text": tensor(shape=(text("4"),)),
    "stride-beyond-storage": tensor(shape=(2,), stride=(4,)),
    "stride-negative": tensor(shape=(2,), stride=(-1,)),
    "stride-of-64-bits": tensor(shape=(2,), stride=(2**62,)),
    "stride-missing": tensor(shape=(2, 2), stride=(1,)),
    "stride-zero-of-a-terabyte": tensor(shape=(2**38,), stride=(0,)),
    "storage-numel-lies": tensor(storage(numel=number(1000)), shape=(1000,)),
    "storage-numel-negative": tensor(storage(numel=number(-4))),
    "storage-numel-of-64-bits": tensor(storage(numel=number(2**62)), shape=(2**62,)),
    "storage-missing": tensor(storage(key="7")),
    "storage-key-a-path": tensor(storage(key="../../../../etc/passwd")),
    "storage-of-another-tag": tensor(storage(tag=text("module"))),
    "storage-of-code": tensor(storage(kind="system", module="os")),
    "storage-of-quantized-codes": tensor(storage(kind="QInt8Storage", numel=number(16))),
    "storage-not-a-tuple": tensor(text("0") + PERSISTENT),
    "storage-a-number": tensor(number(0)),
    "boolean-of-two": tensor(storage(kind="BoolStorage", numel=number(16)), shape=(16,)),
}

RUNS = MALICIOUS["calls-os-system"]
LEGACY = {
    "legacy-calls-os-system": legacy(holding(RUNS)),
    "legacy-magic-calls-os-system": legacy(OLD, magic=RUNS),
    "legacy-protocol-calls-os-system": legacy(OLD, protocol=RUNS),
    "legacy-system-calls-os-system": legacy(OLD, system=RUNS),
    "legacy-keys-call-os-system": legacy(OLD, keys=RUNS),
    "legacy-magic": legacy(OLD, magic=number(7)),
    "legacy-protocol": legacy(OLD, protocol=number(7)),
    "legacy-big-endian": legacy(OLD, system=dict_of([(text("little_endian"), FALSE)])),
    "legacy-keys-missing": legacy(OLD, keys=EMPTY_LIST),
    "legacy-keys-of-numbers": legacy(OLD, keys=EMPTY_LIST + MARK + number(0) + b"e"),
    "legacy-keys-twice": legacy(OLD, keys=EMPTY_LIST + MARK + text("0") * 2 + b"e"),
    "legacy-storage-of-64-bits": legacy(OLD, count=2**62),
    "legacy-storage-negative": legacy(OLD, count=-1),
    "legacy-storage-of-another-length": legacy(OLD, count=3),
    "legacy-storage-truncated": legacy(OLD, VALUES[:-1]),
    "legacy-trailing-bytes": legacy(OLD) + b"MZ",
    "legacy-view-beyond-storage": legacy(
        holding(tensor(storage(more=tuple_of(text("1"), number(3), number(4)))))
    ),
    "legacy-plain-pickle": holding(number(1)),
    "legacy-pickle-of-a-module": pickle(RUNS),
    "legacy-tar": b"sys_info".ljust(100, b"\0")
    + b"0000644\0".ljust(157, b"\0")
    + b"ustar\0"
    + b"00".ljust(249, b"\0"),
    "legacy-empty": b"",
    "legacy-text": b"<!doctype html><title>404</title>",
}

W = holding(tensor())
TORCHSCRIPT = archive(
    Member("w/constants.pkl", pickle(EMPTY_TUPLE)),
    Member("w/data.pkl", W),
    Member("w/code/__torch__.py", f"import os; os.system('touch {SENTINEL}')".encode()),
    Member("w/version", b"3\n"),
)
ARCHIVES = {
    "torchscript": TORCHSCRIPT,
    "archive-without-pickle": archive(Member("w/data/0", VALUES)),
    "archive-of-two-pickles": zipped(W, VALUES, Member("v/data.pkl", W)),
    "archive-member-twice": zipped(W, VALUES, Member("w/data/0", VALUES)),
    "archive-byteorder-big": zipped(W, byteorder=b"big"),
    "archive-byteorder-mixed": zipped(W, byteorder=b"mixed"),
    "archive-storage-truncated": zipped(W, VALUES[:-1]),
    "archive-storage-longer": zipped(W, VALUES + VALUES),
    "archive-checksum": archive(Member("w/data.pkl", W), Member("w/data/0", VALUES, checksum=7)),
    "archive-pickle-checksum": archive(Member("w/data.pkl", W, checksum=7), Member("w/data/0", VALUES)),
    "archive-encrypted": archive(Member("w/data.pkl", W), Member("w/data/0", VALUES, flags=1)),
    "archive-storage-size-lies": archive(Member("w/data.pkl", W), Member("w/data/0", VALUES, size=2**31)),
    "archive-bomb": archive(
        Member("w/data.pkl", W), Member("w/data/0", deflated_zeros(10**6), DEFLATED, raw_content=VALUES)
    ),
    "archive-pickle-bomb": archive(
        Member("w/data.pkl", deflated_zeros(10**6), DEFLATED, size=2**31, raw_content=b"")
    ),
    "archive-pickle-of-zeros": archive(
        Member("w/data.pkl", deflated_zeros(50_000), DEFLATED, raw_content=bytes(50_000))
    ),
}

GROUPS = {".pt": (MALICIOUS, OPCODES, TENSORS), ".bin": (LEGACY,), ".pth": (ARCHIVES,)}
CONTENTS = {
    f"{name}{suffix}": zipped(holding(content)) if suffix == ".pt" else content
    for suffix, groups in GROUPS.items()
    for group in groups
    for name, content in group.items()
} | {f"{name}.pt": zipped(data) for name, data in STRUCTURE.items()}

FILES = [
    BadFile("a-whole-one.pt", zipped(W), ""),
    BadFile("a-whole-one.bin", legacy(OLD), ""),
    *bad_files(CONTENTS, MESSAGES, AT_LOOK_UP),
]
