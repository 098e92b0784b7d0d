"""Against the package compressed-tensors: it loads what we write, we read what it writes. ``make test-peers``."""

# ruff: noqa: F821  (names that the fixture `packages` imports)

import importlib
import itertools
import json

import numpy as np
import pytest

import paring
from paring.compression.quantization import quantize
from paring.formats.compressed_tensors.config import CONFIG_KEY, merge_config

pytestmark = [
    pytest.mark.peers,
    # Their own warnings are not ours to mend.
    pytest.mark.filterwarnings("ignore"),
]

PACKAGES = {
    "torch": "torch",
    "safetensors_torch": "safetensors.torch",
    "their_compressors": "compressed_tensors.compressors",
    "their_converters": "compressed_tensors.entrypoints.convert.converters",
    "their_helpers": "compressed_tensors.quantization.utils",
    "theirs": "compressed_tensors.quantization",
}


@pytest.fixture(scope="module", autouse=True)
def packages():
    """Import what takes seconds only when these tests run."""
    for name in ("torch", "compressed_tensors"):
        pytest.importorskip(name, reason=f"{name} is not installed", exc_type=ImportError)
    globals().update({name: importlib.import_module(module) for name, module in PACKAGES.items()})


STRATEGIES = [("tensor", None), ("channel", None), ("group", 8), ("group", 64)]


def random_weight(rows, columns, seed=0):
    weight = np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)
    weight[rows // 2] = 0
    return weight


def write_model(folder, weights):
    """A folder as Hugging Face has it: weights, and a config.json that says how they are quantized."""
    paring.write(folder / "model.safetensors", weights)
    config = json.loads(paring.read(folder / "model.safetensors").metadata[CONFIG_KEY])
    (folder / "config.json").write_text(json.dumps(merge_config({"model_type": "any"}, config)))
    return config


def linear_model(shapes):
    model = torch.nn.Module()
    for name, (rows, columns) in shapes.items():
        model.add_module(name, torch.nn.Linear(columns, rows, bias=False))
    return model.requires_grad_(False)


def load_with_theirs(folder, config, shapes):
    """What transformers does: a model of the layout that the config asks for, filled strictly, decompressed."""
    model = linear_model(shapes)
    quantization = theirs.QuantizationConfig.model_validate(config)
    theirs.apply_quantization_config(model, quantization, show_progress=False)
    compressor = their_compressors.ModelCompressor(quantization_config=quantization)
    compressor.compress_model(model)
    model.load_state_dict(safetensors_torch.load_file(folder / "model.safetensors"), strict=True)
    compressor.decompress_model(model)
    return {name: module.weight.numpy() for name, module in model.named_children()}


@pytest.mark.parametrize(("granularity", "group_size"), STRATEGIES)
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", range(2, 9))
def test_theirs_loads_ours(tmp_path, bits, symmetric, granularity, group_size):
    columns = (8, 56, 72) if granularity == "group" else (1, 8, 13, 70)
    weights = {}
    for rows, cols in itertools.product((1, 5, 33), columns):
        if group_size and cols > group_size and cols % group_size:
            continue
        if bits == 4 and not symmetric and rows <= 8 and group_size and cols > group_size:
            continue  # compressed-tensors 0.20 cannot unpack its own zero points of one word a column
        weights[f"m{rows}x{cols}.weight"] = quantize(
            random_weight(rows, cols), bits, granularity, group_size=group_size or 32, symmetric=symmetric
        )
    config = write_model(tmp_path, weights)
    assert config["format"] == ("int-quantized" if bits == 8 else "pack-quantized")
    assert config["ignore"] == []
    shapes = {name.removesuffix(".weight"): weight.shape for name, weight in weights.items()}
    loaded = load_with_theirs(tmp_path, config, shapes)
    ours = paring.read(tmp_path)
    for name, weight in weights.items():
        assert ours[name] == weight
        assert loaded[name.removesuffix(".weight")].tobytes() == ours[name].dense().tobytes()


def several_kinds():
    return {
        "a.weight": quantize(random_weight(16, 64), 4, "group", group_size=32, symmetric=False),
        "b.weight": quantize(random_weight(24, 40), 8),
        "c.weight": quantize(random_weight(24, 40), 8, symmetric=False),
        "d.weight": quantize(random_weight(9, 64), 3, "group", group_size=32),
        "left.weight": random_weight(6, 10),
        "ragged.weight": quantize(random_weight(16, 50), 4, "group", group_size=32),
        "sparse.weight": paring.sparsify(paring.prune(random_weight(8, 8), sparsity=0.5)),
        "transposed.weight": quantize(random_weight(8, 16), axis=1),
        "norm.weight": np.ones(16, np.float32),
    }


def test_several_formats_in_one_model(tmp_path):
    weights = several_kinds()
    config = write_model(tmp_path, weights)
    assert config["format"] == "mixed-precision"
    assert config["ignore"] == ["left", "ragged", "sparse", "transposed"]
    known = {name: weights[f"{name}.weight"] for name in "abcd"}
    paring.write(tmp_path / "model.safetensors", {f"{name}.weight": weight for name, weight in known.items()})
    loaded = load_with_theirs(tmp_path, config, {name: weight.shape for name, weight in known.items()})
    for name, weight in known.items():
        assert loaded[name].tobytes() == weight.dense().tobytes()


def test_their_converter_makes_floats_of_ours(tmp_path):
    """It infers the format of each group from bits and activations, and complains of what it leaves."""
    weights = {name: weight for name, weight in several_kinds().items() if name[0] in "abcd"}
    write_model(tmp_path, weights)
    converter = their_converters.CompressedTensorsDequantizer(str(tmp_path), dtype=torch.float32)
    tensors = converter.validate(safetensors_torch.load_file(tmp_path / "model.safetensors"))
    for name, weight in weights.items():
        assert tensors[name].numpy().tobytes() == weight.dense().tobytes()


def test_a_last_group_that_is_shorter_is_beyond_them():
    """Why such weights stand under `ignore`."""
    weight = quantize(random_weight(4, 50), 4, "group", group_size=32)
    parts = {f"weight{suffix}": torch.from_numpy(part.copy()) for suffix, part in weight.tensors().items()}
    arguments = theirs.QuantizationArgs(num_bits=4, strategy="group", group_size=32)
    scheme = theirs.QuantizationScheme(targets=["Linear"], weights=arguments)
    with pytest.raises(ValueError, match="32 but got 50"):
        their_compressors.PackedQuantizationCompressor.decompress(parts, scheme)


def write_with_theirs(folder, weights, groups, dtype="float32"):
    """Let the package quantize, compress and save; return the module, compressed, and its compressor."""
    model = linear_model({name: weight.shape for name, weight in weights.items()}).to(getattr(torch, dtype))
    config = theirs.QuantizationConfig(config_groups=groups)
    theirs.apply_quantization_config(model, config, show_progress=False)
    for name, module in model.named_children():
        module.weight.data = torch.from_numpy(weights[name]).to(getattr(torch, dtype))
        arguments = module.quantization_scheme.weights
        rows, columns = weights[name].shape
        group = {"tensor": None, "channel": columns, "group": arguments.group_size}[arguments.strategy]
        values = module.weight.reshape(1, -1) if group is None else module.weight.reshape(rows, -1, group)
        scale, zero_point = their_helpers.calculate_qparams(values.amin(-1), values.amax(-1), arguments)
        module.weight_scale.data = scale.to(getattr(torch, dtype)).reshape(module.weight_scale.shape)
        module.weight_zero_point.data = zero_point.to(torch.int8).reshape(module.weight_scale.shape)
    compressor = their_compressors.ModelCompressor.from_pretrained_model(model)
    compressor.compress_model(model)
    safetensors_torch.save_file(model.state_dict(), folder / "model.safetensors")
    compressor.update_config(folder)
    return model, compressor


def scheme(bits, strategy, group_size=None, symmetric=True, targets=("Linear",), activations=False):
    weights = {"num_bits": bits, "strategy": strategy, "group_size": group_size, "symmetric": symmetric}
    token = {"num_bits": 8, "strategy": "token", "dynamic": True} if activations else None
    return theirs.QuantizationScheme(
        targets=list(targets),
        weights=theirs.QuantizationArgs(**weights),
        input_activations=token and theirs.QuantizationArgs(**token),
    )


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize(("strategy", "group_size"), STRATEGIES)
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(
    ("bits", "activations"), [*((bits, False) for bits in range(2, 9)), (8, True), (4, True)]
)
def test_ours_reads_theirs(tmp_path, bits, activations, symmetric, strategy, group_size, dtype):
    columns = (64, 192) if strategy == "group" else (13, 70)
    weights = {f"m{cols}": random_weight(40, cols) for cols in columns}
    groups = {"group_0": scheme(bits, strategy, group_size, symmetric, activations=activations)}
    model, compressor = write_with_theirs(tmp_path, weights, groups, dtype)
    ours = paring.read(tmp_path)
    compressor.decompress_model(model)
    for name, module in model.named_children():
        weight = ours[f"{name}.weight"]
        assert isinstance(weight, paring.QuantizedWeight)
        assert weight.granularity == strategy
        assert weight.symmetric is symmetric
        # They multiply in the dtype of the scale, we in float32, where the product is exact but for a float32 scale:
        # rounded once to their dtype it is theirs.
        dense = torch.from_numpy(weight.dense()).to(module.weight.dtype)
        assert torch.equal(dense.view(torch.uint8), module.weight.view(torch.uint8))


def test_ours_reads_several_groups_of_theirs(tmp_path):
    shapes = {"a": (8, 64), "b": (8, 64), "c": (8, 64), "d": (8, 64)}
    weights = {name: random_weight(*shape, seed=i) for i, (name, shape) in enumerate(shapes.items())}
    groups = {
        "group_0": scheme(4, "group", 32, targets=["re:(a|b)$"]),
        "group_1": scheme(8, "channel", targets=["Linear"], activations=True),
        "group_2": scheme(3, "channel", symmetric=False, targets=["d"]),
    }
    model, compressor = write_with_theirs(tmp_path, weights, groups)
    ours = paring.read(tmp_path)
    assert [(ours[f"{name}.weight"].bits, ours[f"{name}.weight"].symmetric) for name in "abcd"] == [
        (4, True), (4, True), (8, True), (3, False),
    ]  # fmt: skip
    compressor.decompress_model(model)
    for name, module in model.named_children():
        assert ours[f"{name}.weight"].dense().tobytes() == module.weight.numpy().tobytes()
    # And once more through a file of ours.
    (tmp_path / "again").mkdir()
    config = write_model(tmp_path / "again", ours)
    loaded = load_with_theirs(tmp_path / "again", config, shapes)
    for name, module in model.named_children():
        assert loaded[name].tobytes() == module.weight.numpy().tobytes()


def test_eight_bit_floats_of_theirs_stay_as_they_are(tmp_path):
    weights = {"a": random_weight(8, 64), "b": random_weight(8, 64)}
    groups = {
        "group_0": theirs.QuantizationScheme(
            targets=["a"], weights=theirs.QuantizationArgs(num_bits=8, type="float", strategy="channel")
        ),
        "group_1": scheme(4, "channel", targets=["b"]),
    }
    model, _ = write_with_theirs(tmp_path, weights, groups)
    ours = paring.read(tmp_path)
    assert ours["a.weight"].dtype.name == "float8_e4m3fn"
    assert ours["a.weight"].tobytes() == model.a.weight.view(torch.uint8).numpy().tobytes()
    assert ours["a.weight_scale"].tobytes() == model.a.weight_scale.numpy().tobytes()
    assert ours["b.weight"].bits == 4
