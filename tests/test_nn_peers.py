"""Layers equal PyTorch's: names, layouts, outputs, statistics after training, how weights start."""

import io

import numpy as np
import pytest

from nn_cases import CASES, torch_attention, transformer_block
from paring import nn
from paring.graph.evaluation import evaluate
from paring.graph.operators import Run

pytestmark = [
    pytest.mark.peers,
    # PyTorch says that it copies the input then; that is what is wanted of it here.
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning"),
]

COUNTER = "num_batches_tracked"


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def randomize(torch, module):
    """Give weights and statistics values that are not those they start with."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if not name.endswith(COUNTER):
                tensor.uniform_(-0.5, 0.5, generator=generator)
            if name.endswith("running_var"):
                tensor.add_(1.5)


def model_of(case, dtype):
    return nn.Model(case.layer, (None, *case.shape[1:]), dtype=dtype)


def names_of(module):
    return [name for name in module.state_dict() if not name.endswith(COUNTER)]


TOLERANCES = {"float64": 1e-12, "float32": 1e-5}


def assert_near(actual, expected, dtype):
    """Within the tolerance of the largest number: sums of large numbers that cancel lose as much."""
    size = max(1, np.abs(expected).max())
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCES[dtype] * size)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("case", CASES, ids=str)
class TestLayers:
    def test_names_and_shapes_in_order(self, torch, case, dtype):
        module, model = case.module(torch), model_of(case, dtype)
        state = module.state_dict()
        assert list(model.state_dict()) == names_of(module)
        assert all(array.shape == tuple(state[name].shape) for name, array in model.state_dict().items())
        assert all(array.dtype == dtype for array in model.state_dict().values())

    def test_outputs_with_weights_of_the_module(self, torch, case, dtype):
        module = case.module(torch).to(getattr(torch, dtype)).eval()
        randomize(torch, module)
        model = model_of(case, dtype)
        assert model.load_state_dict(module.state_dict()) == ((), ())
        x = case.array(dtype)
        expected = module(torch.from_numpy(x)).detach().numpy()
        actual = model(x)
        assert actual.dtype == expected.dtype
        assert_near(actual, expected, dtype)

    def test_outputs_of_the_module_with_weights_of_the_model(self, torch, case, dtype):
        model = model_of(case, dtype)
        module = case.module(torch).to(getattr(torch, dtype)).eval()
        state = {name: torch.from_numpy(array) for name, array in model.state_dict().items()}
        assert module.load_state_dict(state, strict=True).missing_keys == []
        x = case.array(dtype)
        expected = module(torch.from_numpy(x)).detach().numpy()
        assert_near(model(x), expected, dtype)


STARTS = [
    (nn.Linear(400, 300), lambda t: t.nn.Linear(400, 300)),
    (nn.Conv2d(16, 400, (3, 5), groups=2), lambda t: t.nn.Conv2d(16, 400, (3, 5), groups=2)),
    (nn.Conv1d(8, 400, 3), lambda t: t.nn.Conv1d(8, 400, 3)),
    (nn.Embedding(100, 50), lambda t: t.nn.Embedding(100, 50)),
    (nn.MultiHeadAttention(64, 4), torch_attention(64, 4)),
    (nn.BatchNorm2d(8), lambda t: t.nn.BatchNorm2d(8)),
    (nn.LayerNorm(8), lambda t: t.nn.LayerNorm(8)),
]
INPUTS = {"Conv2d": (1, 16, 9, 9), "Conv1d": (1, 8, 9), "BatchNorm2d": (1, 8, 2, 2), "Linear": (1, 400)}


@pytest.mark.parametrize(("layer", "make"), STARTS, ids=lambda value: str(value)[:12])
def test_weights_start_spread_like_those_of_the_module(torch, layer, make):
    torch.manual_seed(0)
    expected = make(torch).double().state_dict()
    shape = INPUTS.get(type(layer).__name__, (1, 2, 64) if "Head" in repr(layer) else (1, 8))
    state = nn.Model(layer, shape, dtype="float64").state_dict()
    for name, array in state.items():
        ours, theirs = np.abs(array), expected[name].abs().numpy()
        if theirs.min() == theirs.max():
            np.testing.assert_array_equal(array, expected[name].numpy(), name)
            continue
        # Of 300 numbers or more: a tenth of the mean is three deviations or more.
        assert array.size >= 300
        assert ours.mean() == pytest.approx(theirs.mean(), rel=0.1), name
        assert ours.std() == pytest.approx(theirs.std(), rel=0.1), name


NORMS = [case for case in CASES if "BatchNorm" in repr(case.layer)]


@pytest.mark.parametrize("case", NORMS, ids=str)
def test_statistics_in_training(torch, case):
    """Ours are PyTorch's but for the variance of the batch: divided by n, not n - 1."""
    module = case.module(torch).double().train()
    randomize(torch, module)
    for part in module.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    model = model_of(case, "float64")
    model.load_state_dict(module.state_dict())
    before = {name: array.copy() for name, array in model.state_dict().items()}
    counts = {}

    def count(name):
        def hook(part, inputs, output):
            counts[name] = inputs[0].numel() // inputs[0].shape[1]

        return hook

    for name, part in module.named_modules():
        if hasattr(part, "running_var"):
            part.register_forward_hook(count(name))
    x = case.array("float64")
    expected = module(torch.from_numpy(x)).detach().numpy()
    run = Run(training=True, rng=np.random.default_rng(0))
    graph = model.training_graph
    if "Dropout" in repr(case.layer):
        for name in graph.initializers:
            if name.endswith(":ratio"):
                graph.initializers[name] = np.float32(0)[...]
    outputs = evaluate(graph, {"input": x}, run)
    np.testing.assert_allclose(outputs["output"], expected, rtol=0, atol=1e-11)
    assert len(counts) > 0
    assert len(model.statistics) == 2 * len(counts)
    after = module.state_dict()
    momenta = {name: part.momentum for name, part in module.named_modules() if name in counts}
    for name, n in counts.items():
        prefix = f"{name}." if name else ""
        mean, var = f"{prefix}running_mean", f"{prefix}running_var"
        np.testing.assert_allclose(
            outputs[model.statistics[mean]], after[mean].numpy(), rtol=1e-11, atol=1e-12
        )
        kept = (1 - momenta[name]) * before[var]
        converted = kept + (after[var].numpy() - kept) * (n - 1) / n
        np.testing.assert_allclose(outputs[model.statistics[var]], converted, rtol=1e-11)


def test_a_transformer_block(torch):
    size, heads, wide = 12, 3, 20
    module = torch.nn.TransformerEncoderLayer(
        size, heads, wide, dropout=0.0, activation="gelu", batch_first=True
    ).double()
    randomize(torch, module)
    module.eval()
    model = nn.Model(*transformer_block(size, heads, wide))
    assert sorted(model.state_dict()) == sorted(module.state_dict())
    x = np.random.default_rng(0).standard_normal((2, 5, size))
    padding = np.array([[False] * 5, [False] * 3 + [True] * 2])
    model.load_state_dict(module.state_dict())
    with torch.no_grad():
        expected = module(torch.from_numpy(x), src_key_padding_mask=torch.from_numpy(padding)).numpy()
    actual = model(x.astype(np.float32), padding)
    # PyTorch's fast path gives zeros for padding.
    np.testing.assert_allclose(actual[~padding], expected[~padding], atol=1e-5)


def test_a_file_of_pytorch_loads_as_it_is(torch, tmp_path):
    import paring

    module = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4))
    module.train()(torch.randn(5, 1, 6, 6))
    buffer = io.BytesIO()
    torch.save(module.state_dict(), buffer)
    (tmp_path / "net.pth").write_bytes(buffer.getvalue())
    model = nn.Model(nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)), (None, 1, 6, 6))
    model.load_state_dict(paring.read(tmp_path / "net.pth"))
    x = np.random.default_rng(0).standard_normal((2, 1, 6, 6), np.float32)
    expected = module.eval()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(model(x), expected, atol=1e-5)


def test_what_save_writes_is_a_state_dict_for_pytorch(torch, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    layer = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4, affine=False), nn.Dropout(0.1))
    model = nn.Model(layer, (None, 6))
    model.save(tmp_path / "m.safetensors")
    module = torch.nn.Sequential(
        torch.nn.Linear(6, 4), torch.nn.BatchNorm1d(4, affine=False), torch.nn.Dropout(0.1)
    )
    found = module.load_state_dict(safetensors.load_file(tmp_path / "m.safetensors"), strict=True)
    assert found.missing_keys == found.unexpected_keys == []
