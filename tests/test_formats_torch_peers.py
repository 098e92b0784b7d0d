"""Files that PyTorch itself writes, read without it: the same names, shapes, dtypes and bytes."""

import os
from collections import OrderedDict

import numpy as np
import pytest

from paring.errors import FormatError
from paring.formats import read, write

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers

OLD = [False, True]
IDS = ["zip", "legacy"]
PROTOCOLS = [2, 3, 4, 5]
VIEWED = {torch.bfloat16: torch.uint16, torch.float8_e4m3fn: torch.uint8, torch.float8_e5m2: torch.uint8}
DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16, torch.uint32, torch.uint64,
    torch.bool, torch.complex64, torch.complex128,
]  # fmt: skip


def saved(path, value, old=False, **options):
    torch.save(value, path, _use_new_zipfile_serialization=not old, **options)
    return read(path)


def assert_equal(array, tensor):
    tensor = tensor.detach().resolve_conj().resolve_neg().contiguous()
    name = str(tensor.dtype).removeprefix("torch.")
    assert (array.dtype.name, array.shape) == (name, tuple(tensor.shape))
    if tensor.dtype in VIEWED:
        tensor = tensor.reshape(-1).view(VIEWED[tensor.dtype])
    assert np.ascontiguousarray(array).tobytes() == tensor.numpy().tobytes()


@pytest.fixture(params=OLD, ids=IDS)
def old(request):
    return request.param


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_state_dicts_of_modules(tmp_path, old, protocol):
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3),
        torch.nn.BatchNorm2d(4),
        torch.nn.Linear(4, 3, bias=False),
        torch.nn.LSTM(3, 2),
    )
    state = module.state_dict()
    weights = saved(tmp_path / "w.pth", state, old, pickle_protocol=protocol)
    assert list(weights) == list(state)
    for name, tensor in state.items():
        assert_equal(weights[name], tensor)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype(tmp_path, old, dtype):
    values = torch.tensor([0.0, 1.0, -2.0, 3.5, 0.0, 1.0])
    tensor = (values.abs() if not dtype.is_signed else values).to(dtype)
    weights = saved(tmp_path / "w.pt", {"w": tensor.reshape(2, 3), "tail": tensor[4:], "0d": tensor[3]}, old)
    assert_equal(weights["w"], tensor.reshape(2, 3))
    assert_equal(weights["tail"], tensor[4:])
    assert_equal(weights["0d"], tensor[3])
    assert weights.describe("w").dtype == str(dtype).removeprefix("torch.")


def test_views(tmp_path, old):
    base = torch.arange(24.0).reshape(2, 3, 4)
    numbers = [torch.randn(5, dtype=torch.complex64) for _ in range(3)]
    value = {
        "base": base,
        "tied": base,
        "transposed": base.permute(2, 0, 1),
        "part": base[1:, ::2, 1:3],
        "diagonal": base[0].diagonal(),
        "expanded": base[0, 0].expand(7, 4),
        "windows": torch.arange(10.0).unfold(0, 4, 1),
        "empty": base[:, :0],
        "empty-1d": torch.empty(0),
        "0d": base[1, 2, 3],
        "conjugate": numbers[0].conj(),
        "negative": numbers[1].conj().imag,
        "real": numbers[2].real,
        "parameter": torch.nn.Parameter(base[0]),
    }
    weights = saved(tmp_path / "w.pt", value, old)
    assert list(weights) == list(value)
    for name, tensor in value.items():
        assert_equal(weights[name], tensor)
    write(tmp_path / "w.npz", weights)
    for name, tensor in value.items():
        assert_equal(read(tmp_path / "w.npz")[name], tensor)


def test_a_checkpoint(tmp_path, old):
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    value = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "epoch": 3,
        "best": np.float64(0.5),
        "size": torch.Size([1, 2]),
        "dtype": torch.float16,
        "device": torch.device("cpu"),
        "random": (torch.get_rng_state(), np.random.RandomState(0).get_state()),
        "odd": [
            {1, 2},
            frozenset([1]),
            b"bytes",
            bytearray(b"x"),
            2**70,
            1j,
            ...,
            slice(1, 2),
            np.bool_(True),
        ],
        "mixed": OrderedDict(a=OrderedDict(b=(torch.ones(1), None))),
    }
    weights = saved(tmp_path / "last.ckpt", value, old)
    assert weights.metadata == {"epoch": "3", "best": "0.5"}
    assert_equal(weights["model.weight"], model.weight)
    assert_equal(weights["optimizer.state.0.exp_avg"], optimizer.state[model.weight]["exp_avg"])
    assert_equal(weights["mixed.a.b.0"], torch.ones(1))
    assert_equal(weights["random.0"], value["random"][0])
    assert weights["random.1.1"].tobytes() == value["random"][1][1].tobytes()


def test_tensors_with_attributes(tmp_path, old):
    tensor, parameter = torch.arange(3.0), torch.nn.Parameter(torch.arange(2.0))
    tensor.tag, parameter.tag = "a", {"b": 1}
    weights = saved(tmp_path / "w.pt", {"tensor": tensor, "parameter": parameter}, old)
    assert_equal(weights["tensor"], tensor)
    assert_equal(weights["parameter"], parameter)


def test_a_tensor_and_a_list(tmp_path, old):
    assert_equal(saved(tmp_path / "embedding.pt", torch.ones(2, 2), old)["embedding"], torch.ones(2, 2))
    weights = saved(tmp_path / "list.pt", [torch.zeros(1), torch.ones(1)], old)
    assert_equal(weights["1"], torch.ones(1))


@pytest.mark.filterwarnings(
    "ignore"
)  # torch warns that its own quantized and sparse tensors are on their way out
def test_other_tensors_are_refused_one_by_one(tmp_path, old):
    value = {
        "dense": torch.ones(2),
        "quantized": torch.quantize_per_tensor(torch.ones(2), 0.5, 0, torch.qint8),
        "channels": torch.quantize_per_channel(
            torch.ones(2, 2), torch.ones(2), torch.zeros(2), 0, torch.quint8
        ),
        "sparse": torch.eye(3).to_sparse(),
        "csr": torch.eye(3).to_sparse_csr(),
        "meta": torch.ones(2, device="meta"),
    }
    weights = saved(tmp_path / "w.pt", value, old)
    assert list(weights) == list(value)
    assert_equal(weights["dense"], value["dense"])
    for name, message in {
        "quantized": "expected a dtype that paring reads, got torch.qint8",
        "channels": "expected a dtype that paring reads, got torch.quint8",
        "sparse": "expected a dense tensor, got a sparse one",
        "csr": "expected a dense tensor, got a sparse one",
        "meta": "expected a dense tensor, got a meta one",
    }.items():
        weights.describe(name)
        with pytest.raises(FormatError, match=f"tensor '{name}': {message}"):
            weights[name]


class Attack:
    def __init__(self, path):
        self.command = f"touch {path}"

    def __reduce__(self):
        return os.system, (self.command,)


def test_an_attack_runs_nothing(tmp_path, old):
    torch.save(
        {"w": Attack(tmp_path / "sentinel")}, tmp_path / "w.pt", _use_new_zipfile_serialization=not old
    )
    with pytest.raises(FormatError, match=r"w\.pt.*wants 'posix.system', .* nothing was run"):
        read(tmp_path / "w.pt")
    assert not (tmp_path / "sentinel").exists()


@pytest.mark.filterwarnings("ignore")  # torch.jit is deprecated
def test_whole_models_and_scripts_are_refused(tmp_path, old):
    module = torch.nn.Linear(2, 2)
    torch.save(module, tmp_path / "w.pt", _use_new_zipfile_serialization=not old)
    with pytest.raises(
        FormatError, match=r"wants 'torch.nn.modules.linear.Linear'.* model.state_dict\(\) instead"
    ):
        read(tmp_path / "w.pt")
    torch.jit.script(module).save(str(tmp_path / "script.pt"))
    with pytest.raises(FormatError, match="expected a state dict, got a TorchScript program"):
        read(tmp_path / "script.pt")


def test_archives_without_checksums(tmp_path):
    from torch.serialization import get_crc32_options, set_crc32_options

    before = get_crc32_options()
    set_crc32_options(False)
    try:
        weights = saved(tmp_path / "w.pt", {"w": torch.arange(3.0)})
    finally:
        set_crc32_options(before)
    assert_equal(weights["w"], torch.arange(3.0))


def test_values_are_not_copied(tmp_path):
    weights = saved(tmp_path / "w.pt", {"w": torch.ones(64, 64), "t": torch.ones(64, 32).t()})
    for name in weights:
        array = weights[name]
        assert array.ctypes.data % 64 == 0 and not array.flags.owndata
        assert array.ctypes.data == weights[name].ctypes.data
