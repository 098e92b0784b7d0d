"""What becomes of the config that a source carried, and how a model's config.json is merged with ours."""

import json

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from paring.formats import read, write
from paring.formats.arrays import TensorInfo
from paring.formats.compressed_tensors.config import (
    CONFIG_KEY,
    TOKEN_ACTIVATIONS,
    config_text,
    merge_config,
    quantization_config,
)
from weight_files import random_array, random_quantized


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


FLOAT8 = {
    "old.weight": random_array(np.uint8, (4, 6)).view(ml_dtypes.float8_e4m3fn),
    "old.weight_scale": np.ones((4, 1), np.float32),
}
OLD_GROUP = {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float"}}
OLD = {
    "quant_method": "compressed-tensors",
    "format": "float-quantized",
    "config_groups": {"g": OLD_GROUP},
    "ignore": ["lm_head", "m"],
    "kv_cache_scheme": {"num_bits": 8},
}


class TestPreviousConfig:
    """What becomes of the config that the source carried."""

    def test_it_is_replaced(self, path):
        write(path, {"m.weight": random_quantized((4, 6))}, metadata={CONFIG_KEY: '{"quant_method": "gptq"}'})
        assert config_of(path)["config_groups"] == {"group_0": group(8)}
        write(path, {"m.weight": random_quantized((4, 6))}, metadata={CONFIG_KEY: json.dumps(OLD)})
        assert config_of(path)["config_groups"] == {"group_0": group(8)}

    def test_it_goes_when_everything_is_dense_again(self, path):
        write(path, {"m.weight": random_quantized((4, 6))})
        weights = read(path)
        write(path, {"m.weight": weights["m.weight"].dense()}, metadata=weights.metadata)
        assert CONFIG_KEY not in header(path)[1]

    @pytest.mark.parametrize("text", ['{"quant_method": "gptq"}', "no JSON", '{"config_groups": 3}'])
    def test_that_of_another_method_stays(self, path, text):
        write(path, {"m.weight": np.ones((2, 2), np.float32)}, metadata={CONFIG_KEY: text})
        assert header(path)[1][CONFIG_KEY] == text

    def test_it_stays_for_arrays_that_only_it_explains(self, path):
        write(path, FLOAT8, metadata={CONFIG_KEY: json.dumps(OLD)})
        config = json.loads(read(path).metadata[CONFIG_KEY])
        assert config["format"] == "float-quantized"
        assert config["config_groups"] == {"group_0": OLD_GROUP}
        assert config["kv_cache_scheme"] == {"num_bits": 8}

    def test_its_groups_follow_ours(self, path):
        write(
            path,
            FLOAT8 | {"m.weight": random_quantized((4, 6)), "other.weight": np.ones((2, 2), np.float32)},
            metadata={CONFIG_KEY: json.dumps(OLD)},
        )
        config = config_of(path)
        assert config["format"] == "mixed-precision"
        assert config["config_groups"] == {
            "group_0": group(8) | {"format": "int-quantized"},
            "group_1": OLD_GROUP | {"format": "float-quantized"},
        }
        assert config["ignore"] == ["lm_head", "other"]  # and no longer m
        assert config["kv_cache_scheme"] == {"num_bits": 8}
        # Nor does another round change it.
        before = path.read_bytes()
        write(path, read(path))
        assert path.read_bytes() == before

    def test_a_group_whose_modules_are_all_dense_goes(self):
        """Also where something else looks compressed."""
        tensors = {name: TensorInfo(a.dtype.name, a.shape, a.nbytes) for name, a in FLOAT8.items()}
        tensors["m.weight"] = TensorInfo("float32", (2, 2), 16)
        assert quantization_config({}, tensors, OLD | {"config_groups": {"g": group(8)}}) is None

    @pytest.mark.parametrize(
        "change",
        [
            {"config_groups": []},
            {"config_groups": {"g": 3}},
            {"config_groups": {"g": {"targets": "Linear"}}},
            {"format": 3},
            {"config_groups": {"g": {"format": [], "targets": []}}},
            {"ignore": "lm_head"},
            {"ignore": [3]},
            {"quant_method": "fp8"},
        ],
    )
    def test_one_that_makes_no_sense_is_replaced(self, change):
        tensors = {name: TensorInfo(a.dtype.name, a.shape, a.nbytes) for name, a in FLOAT8.items()}
        weight = random_quantized((4, 6))
        config = quantization_config({"m.weight": weight.describe()}, tensors, OLD | change)
        assert config["config_groups"] == {"group_0": group(8)}
        assert quantization_config({}, tensors, OLD | change) is None
        text = json.dumps(OLD | change)
        assert config_text({}, tensors.items(), text) == text


class TestMergeConfig:
    def test_every_other_key_stays(self):
        config = {"b": [1], CONFIG_KEY: {"quant_method": "compressed-tensors", "old": 1}, "a": {"c": None}}
        merged = merge_config(config, {"quant_method": "compressed-tensors", "new": 1})
        assert merged == {
            "b": [1],
            CONFIG_KEY: {"quant_method": "compressed-tensors", "new": 1},
            "a": {"c": None},
        }
        assert list(merged) == ["b", CONFIG_KEY, "a"]
        assert config[CONFIG_KEY]["old"] == 1

    def test_nothing_quantized(self):
        assert merge_config({"a": 1}, None) == {"a": 1}
        assert merge_config({"a": 1, CONFIG_KEY: {"quant_method": "compressed-tensors"}}, None) == {"a": 1}

    @pytest.mark.parametrize(
        ("present", "method"),
        [({"quant_method": "gptq"}, "'gptq'"), ({"bits": 4}, "None"), ("int4", "'int4'")],
    )
    @pytest.mark.parametrize("quantization", [None, {"quant_method": "compressed-tensors"}])
    def test_another_method(self, present, method, quantization):
        with pytest.raises(
            ValueError,
            match=f"quantization_config: expected none or quant_method 'compressed-tensors', got {method}",
        ):
            merge_config({CONFIG_KEY: present}, quantization)
