"""PyTorch files put together by hand: names, views, dtypes, byte orders and metadata, in both containers."""

import json
import zipfile
import zlib

import numpy as np
import pytest

import paring
from paring.errors import FormatError
from paring.formats import read, write
from torch_files import (
    SIX,
    Build,
    Call,
    Global,
    Pairs,
    Persistent,
    archive,
    legacy,
    numpy_array,
    pickled,
    save,
    storage,
    tensor,
)
from weight_files import assert_same, read_all

VALUES = SIX
CONTAINERS = ["zip", "legacy"]


@pytest.fixture(params=CONTAINERS)
def container(request):
    return request.param


@pytest.fixture
def of(container):
    return storage(legacy=container == "legacy")


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt", ".PT"])
def test_a_state_dict(tmp_path, container, of, suffix):
    value = Build(
        {"fc.weight": tensor(of=of), "fc.bias": tensor((3,), (1,), 3, of)},
        {"_metadata": {"": {"version": 1}}},
    )
    weights = read(save(tmp_path / f"model{suffix}", container, value))
    assert list(weights) == ["fc.weight", "fc.bias"]
    assert_same(weights["fc.weight"], VALUES.reshape(2, 3))
    assert_same(weights["fc.bias"], VALUES[3:])
    assert weights.metadata == {}
    assert weights.file_bytes == (tmp_path / f"model{suffix}").stat().st_size
    info = weights.describe("fc.weight")
    assert (info.kind, info.dtype, info.shape, info.nbytes) == ("array", "float32", (2, 3), 24)


def test_an_archive_without_byte_order_is_little_endian(tmp_path):
    (tmp_path / "w.pt").write_bytes(archive({"w": tensor()}, {"0": VALUES.tobytes()}))
    assert_same(read(tmp_path / "w.pt")["w"], VALUES.reshape(2, 3))


def test_tied_weights_are_read_under_each_name(tmp_path, container, of):
    weights = read(save(tmp_path / "w.pt", container, {"a": tensor(of=of), "b": tensor(of=of)}))
    assert_same(weights["a"], weights["b"])


def test_parameters_and_tensors_with_attributes(tmp_path, container, of):
    hooks = Call(Global("collections.OrderedDict"), ())
    plain = tensor(of=of)
    value = {
        "parameter": Call(Global("torch._utils._rebuild_parameter"), (plain, True, hooks)),
        "state": Call(Global("torch._utils._rebuild_parameter_with_state"), (plain, True, hooks, {"tag": 1})),
        "attributes": Call(
            Global("torch._tensor._rebuild_from_type_v2"),
            (plain.function, Global("torch.Tensor"), plain.arguments, {"tag": 1}),
        ),
        "built": Build(plain, {"tag": 1}),
        "old": Call(Global("torch._utils._rebuild_tensor"), plain.arguments[:4]),
    }
    weights = read(save(tmp_path / "w.pt", container, value))
    for name in value:
        assert_same(weights[name], VALUES.reshape(2, 3))


def test_a_tensor_alone_is_named_by_the_file(tmp_path, container, of):
    weights = read(save(tmp_path / "my.embedding.pt", container, tensor(of=of)))
    assert list(weights) == ["my.embedding"]
    assert_same(weights["my.embedding"], VALUES.reshape(2, 3))


def test_a_storage_is_read_as_a_vector(tmp_path, container, of):
    assert_same(read(save(tmp_path / "w.pt", container, {"s": of}))["s"], VALUES)


def test_a_checkpoint_becomes_dotted_names_and_metadata(tmp_path, container, of):
    value = {
        "state_dict": {"fc.weight": tensor(of=of)},
        "optimizer": {"state": {0: {"step": 3, "exp_avg": tensor(of=of)}}, "param_groups": [{"lr": 0.1}]},
        "ema": [tensor(of=of), (tensor(of=of), None)],
        "epoch": 3,
        "loss": 0.25,
        "best": True,
        "arch": "mnist",
        "format": "theirs",
        "paring": "not a description",
        "long": "x" * 1001,
        "nothing": None,
        "schedule": [1, 2],
        7: "seven",
        "device": Call(Global("torch.device"), ("cuda:0",)),
        "size": Call(Global("torch.Size"), ((1, 2),)),
        "dtype": Global("torch.float32"),
        "set": Call(Global("__builtin__.set"), ([1, 2],)),
    }
    weights = read(save(tmp_path / "w.pt", container, value))
    assert list(weights) == ["state_dict.fc.weight", "optimizer.state.0.exp_avg", "ema.0", "ema.1.0"]
    assert weights.metadata == {"epoch": "3", "loss": "0.25", "best": "True", "arch": "mnist"}
    write(tmp_path / "w.safetensors", weights)
    assert read(tmp_path / "w.safetensors").metadata == {**weights.metadata, "format": "pt"}


def test_metadata_stay_small(tmp_path):
    (tmp_path / "w.pt").write_bytes(archive({f"k{n}": "x" * 1000 for n in range(300)}))
    assert len(read(tmp_path / "w.pt").metadata) == 100


def test_an_empty_state_dict_is_an_empty_file(tmp_path, container):
    data = archive({}) if container == "zip" else legacy({})
    (tmp_path / "w.pt").write_bytes(data)
    assert read_all(read(tmp_path / "w.pt")) == {}


def test_a_state_dict_of_python_2(tmp_path):
    items = [["w", tensor(of=storage(legacy=True))]]
    value = Call(Global("collections.OrderedDict"), (items,))
    assert_same(read(save(tmp_path / "w.pt", "legacy", value))["w"], VALUES.reshape(2, 3))


def test_arrays_of_numpy(tmp_path):
    big = np.arange(6, dtype=">i4").reshape(2, 3)
    value = {
        "a": numpy_array((2, 3), "f4", VALUES.tobytes()),
        "f": numpy_array((2, 3), "f4", VALUES.tobytes(), fortran=True),
        "big": numpy_array((2, 3), "i4", big.tobytes(), order=">"),
        "none": numpy_array((0, 3), "f8", b""),
    }
    (tmp_path / "w.pt").write_bytes(archive(value))
    weights = read(tmp_path / "w.pt")
    assert_same(weights["a"], VALUES.reshape(2, 3))
    assert_same(weights["f"], VALUES.reshape(3, 2).T)
    assert_same(weights["big"], big.astype(np.int32))
    assert_same(weights["none"], np.empty((0, 3)))
    assert weights.describe("big").dtype == "int32"


def test_parts_of_a_legacy_storage(tmp_path):
    first = storage(legacy=True, view=("100", 2, 3))
    value = {"all": tensor(of=storage(legacy=True)), "part": tensor((3,), (1,), of=first)}
    weights = read(save(tmp_path / "w.pt", "legacy", value))
    assert_same(weights["part"], VALUES[2:5])
    assert_same(weights["all"], VALUES.reshape(2, 3))


def test_several_storages_of_a_legacy_file(tmp_path):
    ids = np.array([2**40, -1])
    value = {
        "w": tensor(of=storage(legacy=True)),
        "ids": tensor((2,), (1,), of=storage("9", 2, "torch.LongStorage", legacy=True)),
    }
    (tmp_path / "w.bin").write_bytes(legacy(value, [("9", 2, ids.tobytes()), ("0", 6, VALUES.tobytes())]))
    weights = read(tmp_path / "w.bin")
    assert_same(weights["w"], VALUES.reshape(2, 3))
    assert_same(weights["ids"], ids)


@pytest.mark.parametrize("root", ["archive/", "model_best/", ""])
def test_archives_by_any_name(tmp_path, root):
    (tmp_path / "w.pt").write_bytes(archive({"w": tensor()}, {"0": VALUES.tobytes()}, root=root))
    assert_same(read(tmp_path / "w.pt")["w"], VALUES.reshape(2, 3))


def test_a_deflated_archive(tmp_path):
    data = archive({"w": tensor()}, {"0": VALUES.tobytes()}, method=zipfile.ZIP_DEFLATED)
    (tmp_path / "w.pt").write_bytes(data)
    assert_same(read(tmp_path / "w.pt")["w"], VALUES.reshape(2, 3))


def test_a_deflated_storage_of_many_tensors_is_inflated_once(tmp_path, monkeypatch):
    """One megabyte can inflate to a gigabyte: for each of a thousand tensors that would take an hour."""
    inflated = []
    inflate = zlib.decompressobj
    monkeypatch.setattr(zlib, "decompressobj", lambda *more: inflated.append(1) or inflate(*more))
    value = {f"{i}": tensor((1,), (1,), i % 6) for i in range(100)} | {"alone": tensor(of=storage("1"))}
    data = archive(value, dict.fromkeys("01", VALUES.tobytes()), method=zipfile.ZIP_DEFLATED)
    (tmp_path / "w.pt").write_bytes(data)
    weights = read(tmp_path / "w.pt")
    before = len(inflated)
    for i in range(100):
        assert weights[f"{i}"] == i % 6
    assert len(inflated) - before == 1
    for _ in range(3):
        assert_same(weights["alone"], VALUES.reshape(2, 3))
    assert len(inflated) - before == 4  # what one tensor has for itself is not kept


def test_a_storage_may_hold_a_few_bytes_more(tmp_path):
    (tmp_path / "w.pt").write_bytes(archive({"w": tensor()}, {"0": VALUES.tobytes() + b"???"}))
    assert_same(read(tmp_path / "w.pt")["w"], VALUES.reshape(2, 3))


def test_an_archive_without_checksums(tmp_path):
    data = bytearray(archive({"w": tensor()}, {"0": VALUES.tobytes()}))
    with zipfile.ZipFile(save(tmp_path / "w.pt", "zip", {"w": tensor()})) as zipped:
        assert all(member.CRC for member in zipped.infolist())
    at = data.find(b"PK\x01\x02")
    while at >= 0:
        data[at + 16 : at + 20] = bytes(4)
        at = data.find(b"PK\x01\x02", at + 4)
    (tmp_path / "w.pt").write_bytes(data)
    assert_same(read(tmp_path / "w.pt")["w"], VALUES.reshape(2, 3))


def test_one_name_twice_in_a_dict_is_its_last_value(tmp_path):
    value = Pairs([("w", tensor((1,), (1,))), ("w", tensor((2,), (1,)))])
    (tmp_path / "w.pt").write_bytes(archive(value, {"0": VALUES.tobytes()}))
    assert read(tmp_path / "w.pt")["w"].shape == (2,)


def test_a_state_dict_is_compressed(tmp_path, container, rng):
    values = rng.standard_normal(4096, np.float32)
    of = storage(size=4096, legacy=container == "legacy")
    weights = read(save(tmp_path / "w.pt", container, {"w": tensor((64, 64), (64, 1), of=of)}, values))
    write(
        tmp_path / "w.safetensors",
        paring.compress(weights, paring.Recipe([paring.QuantizeStep(bits=8)])),
    )
    assert read(tmp_path / "w.safetensors")["w"] == paring.quantize(values.reshape(64, 64), bits=8)


def test_there_is_no_writer(tmp_path):
    with pytest.raises(ValueError, match=r"expected a file called .*, got suffix '\.pt'"):
        write(tmp_path / "w.pt", {"w": VALUES})


def test_limits_hold(tmp_path, container, of):
    path = save(tmp_path / "w.pt", container, {"w": tensor(of=of), "v" * 50: tensor(of=of)})
    for limits, message in (
        (paring.Limits(tensors=1), r"expected at most 1 tensors \(limits.tensors\), got 2"),
        (paring.Limits(name_bytes=9), r"expected names of at most 9 bytes \(limits.name_bytes\), got 50"),
        (paring.Limits(header_bytes=200), r"w\.pt.* .*limits\.header_bytes"),
    ):
        with pytest.raises(FormatError, match=message):
            read(path, limits=limits)


def test_a_persistent_id_is_needed_only_once(tmp_path):
    # How a pickler repeats what it has written: the id and its storage come from the memo.
    identity = ("storage", Global("torch.FloatStorage"), "0", "cpu", 6)
    value = [tensor(of=Persistent(identity)), tensor(of=Persistent(identity))]
    (tmp_path / "w.pt").write_bytes(archive(pickled(value), {"0": VALUES.tobytes()}))
    assert_same(read(tmp_path / "w.pt")["1"], VALUES.reshape(2, 3))


def test_a_checkpoint_of_several_files(tmp_path, container, of):
    weight_map = {}
    for name in ("a", "b"):
        save(tmp_path / f"pytorch_model-{name}.bin", container, {name: tensor(of=of)})
        weight_map[name] = f"pytorch_model-{name}.bin"
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    weights = read(tmp_path / "pytorch_model.bin.index.json")
    assert list(weights) == ["a", "b"]
    assert_same(weights["b"], VALUES.reshape(2, 3))
