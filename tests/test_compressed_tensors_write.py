"""What files say to programs that follow compressed-tensors: names, layouts and the quantization_config."""

import itertools
import json

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

import paring
from paring.formats import read, write
from paring.formats.compressed_tensors.config import (
    CONFIG_KEY,
    TOKEN_ACTIVATIONS,
)
from weight_files import COMPRESSED, assert_same, random_array, random_quantized, random_sparse


def header(path):
    """What the reference reader sees of every tensor, and the metadata."""
    with safetensors.safe_open(path, framework="np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return {name: (t.dtype.name, t.shape) for name, t in tensors.items()}, file.metadata()


def config_of(path):
    with safetensors.safe_open(path, framework="np") as file:
        return json.loads(file.metadata()[CONFIG_KEY])


def group(bits, strategy="channel", group_size=None, symmetric=True, targets=("m",)):
    return {
        "targets": list(targets),
        "weights": {
            "num_bits": bits,
            "type": "int",
            "symmetric": symmetric,
            "strategy": strategy,
            "group_size": group_size,
            "dynamic": False,
        },
        "input_activations": TOKEN_ACTIVATIONS if bits == 8 else None,
        "output_activations": None,
    }


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize(
    ("weight", "tensors"),
    [
        (random_quantized((6, 10)), {"": ("int8", (6, 10)), "_scale": ("float32", (6, 1))}),
        (
            random_quantized((6, 10), granularity="tensor", symmetric=False),
            {"": ("int8", (6, 10)), "_scale": ("float32", (1,)), "_zero_point": ("int8", (1,))},
        ),
        (
            random_quantized((6, 10), granularity="group", group_size=5, symmetric=False),
            {"": ("int8", (6, 10)), "_scale": ("float32", (6, 2)), "_zero_point": ("int8", (6, 2))},
        ),
        (
            random_quantized((20, 10), 4, symmetric=False),
            {"_packed": ("int32", (20, 2)), "_scale": ("float32", (20, 1)), "_zero_point": ("int32", (3, 1))},
        ),
        (
            random_quantized((20, 33), 3, "group", 4, symmetric=False),
            {"_packed": ("int32", (20, 4)), "_scale": ("float32", (20, 9)), "_zero_point": ("int32", (2, 9))},
        ),
        (
            random_quantized((20, 33), 5, "tensor", symmetric=False),
            {"_packed": ("int32", (20, 6)), "_scale": ("float32", (1,)), "_zero_point": ("int8", (1,))},
        ),
    ],
    ids=str,
)
def test_names_and_shapes(path, weight, tensors):
    write(path, {"m.weight": weight})
    expected = {f"m.weight{suffix}": value for suffix, value in tensors.items()}
    if weight.bits < 8:
        expected["m.weight_shape"] = ("int64", (2,))
    assert header(path)[0] == expected
    assert_same(read(path)["m.weight"], weight)


def test_zero_points_lie_down_the_rows():
    """The first eight of a column share a word, the first in its lowest bits."""
    points = np.arange(-8, 8, dtype=np.int8).repeat(2).reshape(16, 2)
    weight = paring.QuantizedWeight(
        np.zeros((16, 4), np.uint8), np.ones((16, 2), np.float32), points, (16, 8), 4, "group", 4
    )
    words = weight.tensors()["_zero_point"].view(np.uint32)
    assert [[hex(word) for word in row] for row in words] == [["0x76543210"] * 2, ["0xfedcba98"] * 2]


def test_a_zero_point_that_is_no_code_is_not_written(path):
    weight = paring.QuantizedWeight(
        np.zeros((2, 4), np.uint8),
        np.ones((2, 1), np.float32),
        np.array([[3], [8]], np.int8),
        (2, 3),
        4,
        "channel",
    )
    with pytest.raises(ValueError, match="zero_point: expected codes of 4 bits, -8 to 7, got 3 to 8"):
        write(path, {"m.weight": weight})
    assert not path.exists()


def test_strict_readers_open_everything(path):
    """All tensors of every kind of weight, by the reference reader, and nothing else."""
    weights = {f"{name}.weight": weight for name, weight in COMPRESSED.items()}
    write(path, weights | {"ids": np.arange(3)}, metadata={"k": "v"})
    parts = {
        name + suffix: part for name, weight in weights.items() for suffix, part in weight.tensors().items()
    }
    tensors, metadata = header(path)
    assert tensors == {name: (part.dtype.name, part.shape) for name, part in parts.items()} | {
        "ids": ("int64", (3,))
    }
    assert set(metadata) == {"format", "k", "paring", CONFIG_KEY}
    for name, array in safetensors.numpy.load_file(path).items():
        assert_same(array, parts.get(name, np.arange(3)))


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(
    ("granularity", "group_size", "strategy"),
    [
        ("tensor", None, "tensor"),
        ("channel", None, "channel"),
        ("group", 5, "group"),
        ("group", 10, "channel"),
    ],
)
def test_one_kind_of_weight(path, bits, symmetric, granularity, group_size, strategy):
    write(path, {"m.weight": random_quantized((4, 10), bits, granularity, group_size, symmetric)})
    assert config_of(path) == {
        "quant_method": "compressed-tensors",
        "format": "int-quantized" if bits == 8 else "pack-quantized",
        "quantization_status": "compressed",
        "config_groups": {
            "group_0": group(bits, strategy, 5 if strategy == "group" else None, symmetric),
        },
        "ignore": [],
        "kv_cache_scheme": None,
        "global_compression_ratio": None,
    }


def test_several_kinds_and_what_is_left_alone(path):
    weights = {
        "z.weight": random_quantized((4, 10), 4),
        "a.weight": random_quantized((4, 12), 4),
        "b.weight": random_quantized((4, 12), 8),
        "c.weight": random_quantized((4, 12), 4, "group", 6),
        "float.weight": random_array(np.float32, (3, 4)),
        "half.weight": random_array(ml_dtypes.bfloat16, (3, 4)),
        "norm.weight": np.ones(4, np.float32),
        "conv.weight": np.ones((2, 2, 2), np.float32),
        "ids.weight": np.ones((2, 2), np.int64),
        "float.bias": np.ones(4, np.float32),
        "table": random_quantized((4, 4)),
        "weight": random_quantized((4, 4)),
        ".weight": random_quantized((4, 4)),
        "column.weight": random_quantized((4, 4), axis=1),
        "kernel.weight": random_quantized((2, 3, 4)),
        "ragged.weight": random_quantized((4, 10), 4, "group", 6),
        "none.weight": random_quantized((4, 0), 4),
        "sparse.weight": random_sparse((5, 7)),
    }
    write(path, weights)
    config = config_of(path)
    assert config["format"] == "mixed-precision"
    assert config["config_groups"] == {
        "group_0": group(4, targets=["a", "z"]) | {"format": "pack-quantized"},
        "group_1": group(4, "group", 6, targets=["c"]) | {"format": "pack-quantized"},
        "group_2": group(8, targets=["b"]) | {"format": "int-quantized"},
    }
    assert config["ignore"] == ["column", "float", "half", "kernel", "none", "ragged", "sparse"]
    for name, weight in weights.items():
        assert_same(read(path)[name], weight)


def test_the_order_of_weights_does_not_matter(path):
    weights = {
        f"{name}.weight": random_quantized((4, 10), bits) for name, bits in (("a", 4), ("b", 8), ("c", 4))
    }
    texts = set()
    for names in itertools.permutations(weights):
        write(path, {name: weights[name] for name in names})
        texts.add(path.read_bytes())
    assert len(texts) == 1


@pytest.mark.parametrize(
    "weights",
    [
        {"m.weight": np.ones((2, 2), np.float32)},
        {"m.weight": random_sparse((5, 7))},
        {"m.weight": random_quantized((4, 4), axis=1)},
        {"table": random_quantized((4, 4))},
    ],
)
def test_nothing_to_tell(path, weights):
    write(path, weights, metadata={"k": "v"})
    assert CONFIG_KEY not in header(path)[1]
    assert read(path).metadata == {"format": "pt", "k": "v"}


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
@pytest.mark.parametrize("bits", [8, 4])
def test_scales_of_older_files(tmp_path, suffix, bits):
    """They held scale and zero point of a whole tensor as (1, 1), and zero points of channels unpacked."""
    whole = random_quantized((6, 10), bits, "tensor", symmetric=False)
    rows = random_quantized((6, 10), bits, "channel", symmetric=False)
    arrays, path = {}, tmp_path / f"old{suffix}"
    for name, weight in (("whole", whole), ("rows", rows)):
        arrays |= {name + part: array for part, array in weight.tensors().items()}
        arrays |= {f"{name}_scale": weight.scale, f"{name}_zero_point": weight.zero_point}
    note = {"version": 1, "weights": {"whole": whole.describe(), "rows": rows.describe()}}
    if suffix == ".npz":
        np.savez(path, __paring__=np.frombuffer(json.dumps(note).encode(), np.uint8), **arrays)
    else:
        safetensors.numpy.save_file(arrays, path, metadata={"paring": json.dumps(note)})
    assert_same(read(path)["whole"], whole)
    assert_same(read(path)["rows"], rows)
