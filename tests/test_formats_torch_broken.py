"""Broken and malicious PyTorch files by kind: each ends in a FormatError that says what is wrong, and runs nothing."""

import numpy as np
import pytest

from paring.errors import FormatError
from paring.formats import read
from torch_files import (
    Build,
    Call,
    Global,
    Pairs,
    Persistent,
    Raw,
    archive,
    legacy,
    numpy_array,
    opcodes,
    refused,
    storage,
    tensor,
    tensor_v3,
)

VALUES = np.arange(6, dtype=np.float32).tobytes()
STORAGES = {"0": VALUES}
HOOKS = Call(Global("collections.OrderedDict"), ())
UNTYPED = storage(kind="torch.storage.UntypedStorage", size=24)
HUGE = 2**62


def rebuild(*arguments):
    return Call(Global("torch._utils._rebuild_tensor_v2"), arguments)


# Values of a pickle that are refused when the file is opened; "w" is the one tensor of the file.
VALUES_REFUSED = {
    "shape-negative": (tensor((-2, 3)), "size: expected non-negative integers, got -2, 3"),
    "shape-bool": (tensor((True, 3)), "size: expected non-negative integers, got True, 3"),
    "shape-float": (tensor((2.0, 3)), "size: expected non-negative integers, got 2.0, 3"),
    "shape-list": (tensor([2, 3]), "expected a storage, a number and two tuples, got a Storage, 0, a list and a"),
    "shape-axes": (tensor((1,) * 40, (1,) * 40), "shape: expected at most 32 axes, got 40"),
    "shape-many-axes": (tensor((1,) * 9999, (1,) * 9999), "shape: expected at most 32 axes, got 9999"),
    "shape-huge": (tensor((HUGE, HUGE), (0, 0)), "shape: expected at most 9223372036854775807 bytes"),
    "shape-huge-empty": (tensor((HUGE, HUGE, 0), (0, 0, 0)), "shape: expected at most 9223372036854775807 bytes"),
    "shape-past-end": (tensor((3, 3)), r"'w': expected a view within its storage '0' of 6 elements, .* end at 9"),
    "stride-negative": (tensor(stride=(3, -1)), "stride: expected non-negative integers, got 3, -1"),
    "stride-bool": (tensor(stride=(3, True)), "stride: expected non-negative integers, got 3, True"),
    "stride-short": (tensor(stride=(1,)), "stride: expected 2 numbers like size, got 1"),
    "stride-past-end": (tensor(stride=(4, 1)), r"storage_offset 0, size \(2, 3\) and stride \(4, 1\), which end at 7"),
    "stride-wraps": (tensor((2, 3), (2**64 - 3, 1)), "which end at 18446744073709551616"),
    "stride-huge": (tensor((2,), (2**2000,)), "which end at 1148130695274254"),
    "offset-negative": (tensor(offset=-1), "storage_offset: expected non-negative integers, got -1"),
    "offset-text": (tensor(offset="1"), "storage_offset: expected non-negative integers, got '1'"),
    "offset-past-end": (tensor(offset=1), "storage_offset 1, .* end at 7"),
    "offset-wraps": (tensor(offset=2**64 - 6), "end at 18446744073709551616"),
    "offset-of-empty": (tensor((0,), (1,), 7), "storage_offset 7, .* end at 7"),
    "storage-none": (rebuild(None, 0, (2,), (1,)), "expected a storage, a number and two tuples, got None, 0"),
    "storage-tensor": (rebuild(tensor(), 0, (2,), (1,)), "got a Tensor, 0, a tuple and a tuple"),
    "arguments-few": (rebuild(storage(), 0, (2,)), "expected storage, storage_offset, size and stride, got 3 arg"),
    "conjugate-real": (tensor(flags={"conj": True}), "expected no conjugate or negative view of float32"),
    "negative-int": (
        tensor(of=storage(kind="torch.IntStorage"), flags={"neg": True}),
        "expected no conjugate or negative view of int32",
    ),
    "v3-no-dtype": (
        Call(Global("torch._utils._rebuild_tensor_v3"), (UNTYPED, 0, (2,), (1,), False, HOOKS, "float32")),
        "_rebuild_tensor_v3: expected a dtype as its seventh argument",
    ),
    "v3-past-end": (tensor_v3("float64", (4,), (1,), UNTYPED), "storage '0' of 3 elements, .* end at 4"),
    "parameter-text": (
        Call(Global("torch._utils._rebuild_parameter"), ("weight", True, HOOKS)),
        "_rebuild_parameter: expected a tensor, got 'weight'",
    ),
    "parameter-nothing": (Call(Global("torch._utils._rebuild_parameter"), ()), "expected a tensor, got nothing"),
    "from-type-itself": (
        Call(
            Global("torch._tensor._rebuild_from_type_v2"),
            (Global("torch._tensor._rebuild_from_type_v2"), Global("torch.Tensor"), (), None),
        ),
        "_rebuild_from_type_v2: expected a function that makes a tensor, a class, a tuple and a state",
    ),
    "member-missing": (tensor(of=storage("7")), "'w': expected a member 'archive/data/7', got none"),
    "member-outside": (tensor(of=storage("../version")), r"expected a member 'archive/data/\.\./version', got none"),
    "size-lies": (
        tensor((HUGE // 4,), (1,), of=storage(size=HUGE // 4)),
        "expected 4611686018427387904 bytes for .* elements of float32, got 24 in member 'archive/data/0'",
    ),
    "size-one-more": (tensor(of=storage(size=7)), "expected 28 bytes for 7 elements of float32, got 24"),
    "size-negative": (tensor(of=storage(size=-6)), "expected a storage type, a key and a size, got .* and -6"),
    "size-bool": (tensor(of=storage(size=True)), "expected a storage type, a key and a size, got .* and True"),
    "storage-key": (tensor(of=storage(key=0)), "expected a storage type, a key and a size, got a StorageType, 0 and"),
    "storage-type": (tensor(of=storage(kind="torch.float32")), "expected a storage type, .* got a TorchDtype, '0'"),
    "storage-twice": (
        [tensor(), tensor(of=storage(kind="torch.IntStorage"))],
        "storage '0': expected 6 elements of float32 as before, got 6 of int32",
    ),
    "storage-two-sizes": ([tensor(), storage(size=5)], "expected 6 elements of float32 as before, got 5 of float32"),
    "id-text": (Persistent("storage"), "persistent id: expected a tuple of 5, got 'storage'"),
    "id-short": (Persistent(("storage",)), "persistent id: expected a tuple of 5, got a tuple"),
    "id-module": (Persistent(("module", 1, 2, 3, 4)), "persistent id: expected 'storage', got 'module'"),
    "id-view": (storage(legacy=True), "persistent id: expected a tuple of 5, got a tuple"),
    "array-size": (numpy_array((2, 2), "f4", b"123"), r"state: expected 16 bytes for float32 \(2, 2\), got 3"),
    "array-huge": (numpy_array((HUGE, 4), "f8", b""), "state: shape: expected at most .* bytes of float64"),
    "array-negative": (numpy_array((-1,), "f8", b""), r"state: shape: expected non-negative integers, got \[-1\]"),
    "array-state": (
        Build(Call(Global("numpy.core.multiarray._reconstruct"), ()), {"shape": (2,)}),
        "state: expected the state of an array, got a dict",
    ),
    "dtype-state": (
        Build(Call(Global("numpy.dtype"), ("f4", False, True)), (3, "x")),
        "state: expected the state of a dtype, got a tuple",
    ),
    "encode-codec": (Call(Global("_codecs.encode"), ("a", "rot13")), "_codecs.encode: expected a text and 'latin1'"),
    "encode-text": (Call(Global("_codecs.encode"), ("\u0416", "latin1")), "expected a text of Latin-1, got '\u0416'"),
    "bytes-arguments": (Call(Global("builtins.bytes"), (10**9,)), "builtins.bytes: expected no arguments, got 1"),
    "ordered-dict": (Call(Global("collections.OrderedDict"), ([1],)), "expected nothing, or a list of pairs of a"),
    "ordered-dict-key": (
        Call(Global("collections.OrderedDict"), ([((1, 2), 3)],)),
        "expected nothing, or a list of pairs of a",
    ),
    "size-of-numbers": (Call(Global("torch.Size"), (3,)), "torch.Size: expected one tuple, got 1 arguments"),
}  # fmt: skip

WANTED = [
    "os.system", "posix.system", "subprocess.Popen", "builtins.eval", "__builtin__.exec", "builtins.getattr",
    "functools.partial", "operator.attrgetter", "pip.main", "pkgutil.resolve_name", "torch.load", "torch.hub.load",
    "torch._utils._rebuild_tensor_v2.__globals__", "torch.storage._load_from_bytes", "numpy.load", "runpy.run_path",
    "torch.nn.modules.linear.Linear", "models.Net", "argparse.Namespace", "copyreg._reconstructor", "types.CodeType",
    "torch.jit._script.unpack", "numpy.testing._private.utils.runstring", "collections.defaultdict",
]  # fmt: skip


@pytest.mark.parametrize("kind", VALUES_REFUSED)
def test_values(tmp_path, kind):
    value, message = VALUES_REFUSED[kind]
    refused(tmp_path, archive({"w": value}, STORAGES), message)


@pytest.mark.parametrize("wanted", WANTED)
@pytest.mark.parametrize("container", [archive, legacy])
def test_globals(tmp_path, container, wanted):
    message = f"wants '{wanted}', which is no part of a state dict; nothing was run"
    refused(tmp_path, container({"w": Call(Global(wanted), ("x",))}), message)
    refused(tmp_path, container({"w": Global(wanted)}), message)


@pytest.mark.parametrize("container", [archive, legacy])
def test_a_malicious_pickle_runs_nothing(tmp_path, container):
    command = f"touch {tmp_path / 'sentinel'}"
    for value in (
        Call(Global("os.system"), (command,)),
        {"w": Call(Global("posix.system"), (command,)), "v": tensor()},
        Build(
            Call(Global("collections.OrderedDict"), ()), {"__reduce__": Call(Global("os.system"), (command,))}
        ),
        Raw(b"(" + opcodes(command) + b"ios\nsystem\n"),
        Raw(b"(cos\nsystem\n" + opcodes(command) + b"o"),
        Raw(b"cos\nsystem\n(" + opcodes(command) + b"t\x81"),
    ):
        refused(tmp_path, container(value), "nothing was run|got INST")
    assert [path.name for path in tmp_path.iterdir()] == ["w.pt"]


LONG_STRIDE = Call(
    Global("torch._utils._rebuild_qtensor"),
    (storage(kind="torch.QInt8Storage"), 0, (6,), (1,) * 5000, (Global("torch.per_tensor_affine"), 1.0, 0)),
)
NAMES_REFUSED = {
    "number": (3, "expected a state dict, got 3"),
    "text": ("weights", "expected a state dict, got 'weights'"),
    "device": (Call(Global("torch.device"), ("cpu",)), "expected a state dict, got a device"),
    "collision": ({"a": {"b": tensor()}, "a.b": tensor()}, "tensor 'a.b': expected one tensor of that name, got"),
    "collision-of-kinds": (Pairs([(1, tensor()), ("1", tensor())]), "tensor '1': expected one tensor of that name"),
    "cycle-dict": (Raw(b"}q\0" + opcodes("a") + b"h\0s"), "'a': expected a tree, got a container that holds itself"),
    "cycle-list": (Raw(b"}" + opcodes("a") + b"]q\0h\0as"), "'a.0': expected a tree, got a container that holds"),
    "cycle-long": (
        Raw(b"}q\0" + opcodes("a") + b"}" + opcodes("b") + b"](h\0h\0ess"),
        "'a.b.0': expected a tree, got a container that holds itself",
    ),
    "deep": (Raw(opcodes(tensor()) + b"\x85" * 100_000), "expected dicts and lists at most 64 deep, got deeper ones"),
    "laughs": (
        Raw(opcodes(tensor()) + b"".join(b"q\x000(" + b"h\0" * 9 + b"t" for _ in range(30))),
        "shared so often that the names take more than 16 times the pickle",
    ),
    "laughs-empty": (
        Raw(opcodes("lol") + b"".join(b"q\x000(" + b"h\0" * 9 + b"t" for _ in range(30))),
        "shared so often that the names take more than 16 times the pickle",
    ),
    "long-prefix": (
        {"x" * 10_000: Raw(opcodes(tensor()) + b"q\x000(" + b"h\0" * 1000 + b"t")},
        "shared so often that the names take more than 16 times the pickle",
    ),
    "expanded": (
        {"mask": tensor((2**20, 2**20), (0, 0)), "w": tensor()},
        r"expected tensors of at most 1048576 bytes in a file of \d+ bytes, got 4398046511128: they share .* "
        r"the largest is 'mask' of 4398046511104 bytes",
    ),
    "tensor-often": (
        {"w": Raw(opcodes(tensor()) + b"q\x000]q\x01(" + b"h\0" * 5000 + b"e")},
        "shared so often that the names take more than 16 times the pickle",
    ),
    "dict-often": (
        [
            Raw(opcodes({str(i): tensor() for i in range(50)}) + b"q\0"),
            *[Raw(b"h\0")] * 2000,
        ],
        "shared so often that the names take more than 16 times the pickle",
    ),
    "long-stride-often": (
        {"w": Raw(opcodes(LONG_STRIDE) + b"q\0"), **{f"{i:03}": Raw(b"h\0") for i in range(1000)}},
        "'w': stride: expected 1 numbers like size, got 5000",
    ),
    "array-often": (
        [Raw(opcodes(numpy_array((10_000,), "u1", bytes(10_000))) + b"q\0"), *[Raw(b"h\0")] * 120],
        "they share their values; the largest is '0' of 10000 bytes",
    ),
    "expanded-often": (
        [tensor((100_000,), (0,)) for _ in range(2000)],
        "expected tensors of at most .* they share their values",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", NAMES_REFUSED)
def test_names(tmp_path, kind):
    value, message = NAMES_REFUSED[kind]
    refused(tmp_path, archive(value, STORAGES), message)


LAZY = {
    "quantized": (
        Call(
            Global("torch._utils._rebuild_qtensor"),
            (storage(kind="torch.QInt8Storage"), 0, (6,), (1,), (Global("torch.per_tensor_affine"), 1.0, 0)),
        ),
        "'w': expected a dtype that paring reads, got torch.qint8",
        "qint8",
    ),
    "complex32": (
        tensor_v3("complex32", (6,), (1,), UNTYPED),
        "expected a dtype that paring reads, got torch.complex32",
        "complex32",
    ),
    "sparse": (
        Call(
            Global("torch._utils._rebuild_sparse_tensor"),
            (
                Call(Global("torch.serialization._get_layout"), ("torch.sparse_coo",)),
                (tensor(), tensor(), Call(Global("torch.Size"), ((2, 2),)), True),
            ),
        ),
        "'w': expected a dense tensor, got a sparse one",
        "sparse tensor",
    ),
    "meta": (
        Call(Global("torch._utils._rebuild_meta_tensor_no_storage"), (Global("torch.float32"), (2,), (1,), False)),
        "'w': expected a dense tensor, got a meta one",
        "meta tensor",
    ),
    "objects": (
        numpy_array((1,), "O8", [None]),
        "'w': expected an array of numbers, got one of objects or text",
        "object",
    ),
    "booleans": (
        tensor((6,), (1,), of=storage(kind="torch.BoolStorage")),
        "'w': expected booleans 0 or 1, got 128 at element 6",
        "bool",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", LAZY)
def test_one_tensor_only(tmp_path, kind):
    value, message, dtype = LAZY[kind]
    if kind == "booleans":
        value = tensor((24,), (1,), of=storage(kind="torch.BoolStorage", size=24))
    data = archive({"good": tensor(of=storage("1")), "w": value}, {**STORAGES, "1": VALUES})
    (tmp_path / "w.pt").write_bytes(data)
    weights = read(tmp_path / "w.pt")
    assert weights["good"].shape == (2, 3)
    assert weights.describe("w").dtype == dtype
    with pytest.raises(FormatError, match=message):
        weights["w"]
