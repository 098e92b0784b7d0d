"""Checkpoints of compressed-tensors made by hand: what becomes a weight."""

import json

import numpy as np
import pytest

import paring
from compressed_tensors_files import (
    BFLOAT16,
    arguments,
    arguments_of,
    config,
    group,
    make,
    packed_8_bits,
    shards,
    tensors_of,
)
from paring.formats import read, write
from paring.formats.compressed_tensors.config import CONFIG_KEY
from weight_files import assert_same, random_array, random_quantized

KINDS = {
    f"{bits}-{strategy}-{symmetric}": random_quantized((6, 10), bits, strategy, size, symmetric)
    for bits in range(2, 9)
    for strategy, size in (("tensor", None), ("channel", None), ("group", 5))
    for symmetric in (True, False)
}


@pytest.mark.parametrize("weight", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float16, BFLOAT16], ids=["f32", "f16", "bf16"])
def test_every_kind(tmp_path, weight, dtype):
    tensors = tensors_of(weight, scale_dtype=dtype) | {"m.bias": np.ones(6, np.float32)}
    weights = read(make(tmp_path, tensors, config(group(arguments_of(weight)))))
    assert set(weights) == {"m.weight", "m.bias"}
    got = weights["m.weight"]
    assert_same(got.data, weight.data)
    assert_same(got.scale, weight.scale.astype(dtype).astype(np.float32))
    assert (got.bits, got.granularity, got.group_size) == (weight.bits, weight.granularity, weight.group_size)
    assert (got.zero_point is None) == weight.symmetric
    if not weight.symmetric:
        assert_same(got.zero_point, weight.zero_point)
    info = weights.describe("m.weight")
    assert (info.kind, info.dtype, info.shape) == ("quantized", f"int{weight.bits}", (6, 10))
    assert json.loads(weights.metadata[CONFIG_KEY]) == config(group(arguments_of(weight)))


@pytest.mark.parametrize(
    "weight",
    [
        random_quantized(shape, 8, strategy, size, symmetric)
        for shape in ((6, 10), (1, 1), (5, 4), (9, 3))
        for strategy, size in (("tensor", None), ("channel", None), ("group", 2))
        for symmetric in (True, False)
    ],
    ids=str,
)
def test_eight_bits_packed(tmp_path, weight):
    tensors = packed_8_bits(weight) | {"z": np.ones(1)}
    weights = read(make(tmp_path, tensors, config(group(arguments_of(weight)))))
    assert_same(weights["m.weight"], weight)
    assert set(weights) == {"m.weight", "z"}
    assert "m.weight" in weights.describe("m.weight").tensors
    write(tmp_path / "again.safetensors", weights)
    assert_same(read(tmp_path / "again.safetensors")["m.weight"], weight)


def test_few_bits_one_code_a_byte(tmp_path):
    """int-quantized with 4 bits: the codes come as 8 bits, the values are the same."""
    weight = random_quantized((6, 10), 4, symmetric=False)
    tensors = {
        "m.weight": weight.codes(),
        "m.weight_scale": weight.scale,
        "m.weight_zero_point": weight.zero_point,
    }
    weights = read(make(tmp_path, tensors, config(group(arguments_of(weight)), format="int-quantized")))
    assert weights["m.weight"].bits == 8
    assert_same(weights["m.weight"].dense(), weight.dense())


@pytest.mark.parametrize("bits", [4, 8])
def test_small_differences_of_writers(tmp_path, bits):
    weight = random_quantized((6, 10), bits, "tensor", symmetric=False)
    for shape in ((), (1,), (1, 1)):
        tensors = tensors_of(weight)
        for part in ("_scale", "_zero_point"):
            tensors[f"m.weight{part}"] = tensors[f"m.weight{part}"].reshape(shape)
        if bits == 4:
            tensors["m.weight_shape"] = tensors["m.weight_shape"].astype(np.int32)
        path = make(tmp_path, tensors, config(group(arguments_of(weight))))
        assert_same(read(path)["m.weight"], weight)


@pytest.mark.parametrize("bits", [4, 8])
def test_zero_points_of_a_symmetric_scheme_are_believed(tmp_path, bits):
    """The package subtracts them, so we do."""
    weight = random_quantized((6, 10), bits, symmetric=False)
    tensors = tensors_of(weight) | {"m.weight_zero_point": weight.zero_point}
    path = make(tmp_path, tensors, config(group(arguments(bits))))
    assert_same(read(path)["m.weight"], weight)


@pytest.mark.parametrize(
    ("size", "weights"),
    [
        (None, {"num_bits": 4}),
        (-1, {"num_bits": 4, "group_size": -1}),
        (5, {"num_bits": 4, "group_size": 5}),
    ],
)
def test_a_strategy_may_be_left_out(tmp_path, size, weights):
    granularity = {None: "tensor", -1: "channel", 5: "group"}[size]
    weight = random_quantized((6, 10), 4, granularity, size if granularity == "group" else None)
    path = make(tmp_path, tensors_of(weight), config(group(weights)))
    assert_same(read(path)["m.weight"], weight)


def test_the_config_in_the_metadata_comes_first(tmp_path):
    weight = random_quantized((6, 10), 4)
    metadata = {CONFIG_KEY: json.dumps(config())}
    path = make(tmp_path, tensors_of(weight), metadata=metadata, text="broken")
    assert_same(read(path)["m.weight"], weight)


def test_our_own_description_comes_first(tmp_path):
    weight = random_quantized((6, 10), 4)
    write(tmp_path / "model.safetensors", {"m.weight": weight})
    (tmp_path / "config.json").write_text("broken")
    assert_same(read(tmp_path)["m.weight"], weight)


def test_a_config_nobody_needs_is_not_opened(tmp_path):
    write(tmp_path / "model.safetensors", {"m.weight": np.ones((2, 2), np.float32)})
    (tmp_path / "config.json").write_text("broken")
    assert read(tmp_path)["m.weight"].sum() == 4


def test_shards(tmp_path):
    weight, other = (
        random_quantized((6, 10), 4, symmetric=False),
        random_quantized((4, 8), 8, symmetric=False),
    )
    parts = tensors_of(weight) | packed_8_bits(other, "n.weight")
    apart = {name: parts.pop(name) for name in ("m.weight_scale", "m.weight_shape", "n.weight_zero_point")}
    shards(tmp_path, parts, apart, config(group(arguments_of(weight)), group(arguments_of(other))))
    weights = read(tmp_path)
    assert_same(weights["m.weight"], weight)
    assert_same(weights["n.weight"], other)
    assert list(weights.shards) == ["a.safetensors", "b.safetensors"]
    for name in weights:
        for tensor in weights.describe(name).tensors:
            shard = weights.shards[weights.file_of(tensor)]
            assert tensor in shard.names()
            assert shard.info(tensor).nbytes == shard.tensor(tensor).nbytes
    assert "n.weight_shape" not in [name for shard in weights.shards.values() for name in shard.names()]


def test_weights_without_values(tmp_path):
    for shape in ((0, 10), (6, 0), (0, 0)):
        weight = random_quantized(shape, 4)
        path = make(tmp_path, tensors_of(weight), config())
        assert_same(read(path)["m.weight"], weight)


def test_compressing_what_is_compressed(tmp_path):
    """A matrix of theirs goes through compress and comes out in a file of ours."""
    weight = random_quantized((6, 10), 4)
    tensors = tensors_of(weight, scale_dtype=np.float16) | {
        "n.weight": random_array(np.int8, (64, 64)) * np.float32(1)
    }
    make(tmp_path, tensors, config())
    write(tmp_path / "out.safetensors", paring.compress(paring.read(tmp_path / "model.safetensors")))
    weights = read(tmp_path / "out.safetensors")
    assert_same(weights["m.weight"].dense(), read(tmp_path / "model.safetensors")["m.weight"].dense())
    assert set(json.loads(weights.metadata[CONFIG_KEY])["config_groups"]) == {"group_0", "group_1"}
