"""Configs that are none, and tensors that disagree with theirs: refused, with the key or tensor named."""

import json

import numpy as np
import pytest

from compressed_tensors_files import arguments, arguments_of, config, group, make, packed_8_bits, tensors_of
from paring.errors import FormatError
from paring.formats import Limits, read
from paring.formats.compressed_tensors.config import CONFIG_KEY
from weight_files import random_quantized, safetensors_bytes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected JSON"),
        ("[]", "expected a JSON object, got list"),
        ('{"a": 1, "a": 2}', "expected every key once"),
        ("\x00", "expected JSON"),
        (json.dumps({CONFIG_KEY: "int4"}), "quantization_config: expected an object, got 'int4'"),
        (json.dumps({CONFIG_KEY: []}), r"quantization_config: expected an object, got \[\]"),
    ],
)
def test_a_config_that_is_none(tmp_path, text, message):
    path = make(tmp_path, tensors_of(random_quantized((6, 10), 4)), text=text or " ")
    with pytest.raises(FormatError, match=f"config.json: {message}"):
        read(path)


def test_a_config_in_the_metadata_that_is_none(tmp_path):
    path = make(tmp_path, tensors_of(random_quantized((6, 10), 4)), metadata={CONFIG_KEY: "{"})
    with pytest.raises(FormatError, match=r"model\.safetensors: quantization_config: expected JSON"):
        read(path)


def test_a_config_that_is_too_long(tmp_path):
    path = make(tmp_path, tensors_of(random_quantized((6, 10), 4)), text=json.dumps({"a": "x" * 2000}))
    with pytest.raises(
        FormatError, match=r"config.json: expected at most 1000 bytes \(limits.header_bytes\), got"
    ):
        read(path, limits=Limits(header_bytes=1000))


def test_a_config_that_leads_elsewhere(tmp_path):
    (tmp_path / "elsewhere.json").write_text(json.dumps({CONFIG_KEY: config()}))
    (tmp_path / "model").mkdir()
    path = make(tmp_path / "model", tensors_of(random_quantized((6, 10), 4)))
    (tmp_path / "model" / "config.json").symlink_to("../elsewhere.json")
    with pytest.raises(FormatError, match=r"config\.json"):
        read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config_groups": None}, "config_groups: expected an object, got None"),
        ({"config_groups": []}, r"config_groups: expected an object, got \[\]"),
        ({"config_groups": {"g": 3}}, "config_groups: 'g': expected an object, got 3"),
        ({"config_groups": {"W4A16": [3]}}, "config_groups: 'W4A16': expected strings, got 3"),
        ({"config_groups": {"g": {}}}, "'g': targets: expected a list, got None"),
        ({"config_groups": {"g": group(targets=[3])}}, "'g': targets: expected strings, got 3"),
        ({"config_groups": {"g": group(format=3)}}, "'g': format: expected a string or null, got 3"),
        (
            {"config_groups": {"g": group() | {"weights": []}}},
            r"weights: expected an object or null, got \[\]",
        ),
        ({"format": 3}, "format: expected a string or null, got 3"),
        ({"ignore": "lm_head"}, "ignore: expected a list or null, got 'lm_head'"),
        ({"ignore": [None]}, "ignore: expected strings, got None"),
    ],
)
def test_wrong_types_in_a_config(tmp_path, change, message):
    path = make(tmp_path, tensors_of(random_quantized((6, 10), 4)), config() | change)
    with pytest.raises(FormatError, match=rf"config\.json: quantization_config: .*{message}"):
        read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_bits": "4"}, "num_bits: expected an integer, got '4'"),
        ({"num_bits": True}, "num_bits: expected an integer, got True"),
        ({"num_bits": 4.0}, "num_bits: expected an integer, got 4.0"),
        ({"type": 4}, "type: expected a string, got 4"),
        ({"symmetric": 1}, "symmetric: expected true or false, got 1"),
        ({"strategy": 1}, "strategy: expected a string or null, got 1"),
        ({"group_size": "5"}, "group_size: expected an integer or null, got '5'"),
        ({"group_size": True}, "group_size: expected an integer or null, got True"),
        ({"group_size": 0}, "group_size: expected a positive integer, -1 or null, got 0"),
        ({"group_size": -2}, "group_size: expected a positive integer, -1 or null, got -2"),
        ({"strategy": "group"}, "group_size: expected a positive integer for strategy 'group', got None"),
        ({"strategy": "group", "group_size": -1}, "group_size: expected a positive integer for strategy"),
    ],
)
def test_wrong_types_in_a_scheme(tmp_path, change, message):
    path = make(tmp_path, tensors_of(random_quantized((6, 10), 4)), config(group(arguments() | change)))
    with pytest.raises(
        FormatError,
        match=rf"config\.json: quantization_config: config_groups: 'group_0': weights: {message}",
    ):
        read(path)


def shaped(name, dtype, shape):
    return {f"m.weight{name}": np.zeros(shape, dtype)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shaped("_packed", np.int32, (6, 3)), r"_packed': expected int32 \(6, 2\), got int32 \(6, 3\)"),
        (shaped("_packed", np.int32, (5, 2)), r"_packed': expected int32 \(6, 2\), got int32 \(5, 2\)"),
        (shaped("_packed", np.uint8, (6, 2)), r"_packed': expected int32 \(6, 2\), got uint8 \(6, 2\)"),
        (shaped("_shape", np.int64, (3,)), r"_shape': expected int64 or int32 \(2,\), got int64 \(3,\)"),
        (shaped("_shape", np.float32, (2,)), r"_shape': expected int64 or int32 \(2,\), got float32 \(2,\)"),
        ({"m.weight_shape": np.array([6, 100])}, r"_packed': expected int32 \(6, 13\), got int32 \(6, 2\)"),
        (
            {"m.weight_shape": np.array([6, 2**62])},
            r"_packed': expected int32 \(6, \d+\), got int32 \(6, 2\)",
        ),
        ({"m.weight_shape": np.array([-6, 10])}, r"_shape': expected two sizes, got \[-6, 10\]"),
        ({"m.weight_shape": None}, "_shape': expected one, got none"),
        ({"m.weight_scale": None}, "_scale': expected one, got none"),
        ({"m.weight_zero_point": None}, "_zero_point': expected one, got none"),
        (shaped("_scale", np.float32, (6,)), r"_scale': expected .* \(6, 2\), got float32 \(6,\)"),
        (shaped("_scale", np.float32, (6, 3)), r"_scale': expected .* \(6, 2\), got float32 \(6, 3\)"),
        (shaped("_scale", np.float32, (1, 2)), r"_scale': expected .* \(6, 2\), got float32 \(1, 2\)"),
        (shaped("_zero_point", np.int8, (6, 2)), r"_zero_point': expected int32 \(1, 2\), got int8 \(6, 2\)"),
        (
            shaped("_zero_point", np.int32, (6, 2)),
            r"_zero_point': expected int32 \(1, 2\), got int32 \(6, 2\)",
        ),
    ],
    ids=str,
)
def test_tensors_that_disagree_with_the_config(tmp_path, change, message):
    weight = random_quantized((6, 10), 4, "group", 5, symmetric=False)
    tensors = {name: array for name, array in (tensors_of(weight) | change).items() if array is not None}
    path = make(tmp_path, tensors, config(group(arguments_of(weight))))
    with pytest.raises(
        FormatError, match=rf"model\.safetensors: tensor 'm\.weight{message} \(.*config\.json: .*'group_0'\)$"
    ):
        read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shaped("", np.uint8, (6, 10)), r"': expected int8 \(6, 10\), got uint8 \(6, 10\)"),
        (shaped("_scale", np.float32, (1,)), r"_scale': expected .* \(6, 1\), got float32 \(1,\)"),
        (
            shaped("_zero_point", np.int32, (2, 1)),
            r"_zero_point': expected int8 \(6, 1\), got int32 \(2, 1\)",
        ),
        (shaped("_zero_point", np.int8, (6, 2)), r"_zero_point': expected int8 \(6, 1\), got int8 \(6, 2\)"),
    ],
    ids=str,
)
def test_bytes_that_disagree_with_the_config(tmp_path, change, message):
    weight = random_quantized((6, 10), 8, symmetric=False)
    path = make(tmp_path, tensors_of(weight) | change, config(group(arguments_of(weight))))
    with pytest.raises(FormatError, match=rf"model\.safetensors: tensor 'm\.weight{message}"):
        read(path)


def test_columns_without_rows(tmp_path):
    """They take no room in the file, whatever their number: packed it is admitted, unpacked too large."""
    columns = 2**30
    tensors = {
        "m.weight_packed": ("I32", [0, columns // 8], [0, 0]),
        "m.weight_scale": ("F16", [0, columns // 5 + 1], [0, 0]),
        "m.weight_shape": ("I64", [2], [0, 16]),
    }
    path = tmp_path / "model.safetensors"
    sizes = np.array([0, columns]).tobytes()
    text = json.dumps(config(group(arguments(4, "group", 5))))
    path.write_bytes(safetensors_bytes(tensors, sizes, {CONFIG_KEY: text}))
    with pytest.raises(
        FormatError,
        match=r"tensor 'm\.weight': shape: expected sizes of at most \d+ together beside a size of 0",
    ):
        read(path)


@pytest.mark.parametrize("bits", [4, 8])
def test_codes_packed_and_not(tmp_path, bits):
    weight = random_quantized((6, 10), bits)
    tensors = tensors_of(weight) if bits == 4 else packed_8_bits(weight)
    path = make(tmp_path, tensors | {"m.weight": np.zeros((6, 10), np.int8)}, config(group(arguments(bits))))
    with pytest.raises(FormatError, match=r"'m\.weight'.*(is both|expected none beside m\.weight_packed)"):
        read(path)


def test_a_zero_point_that_is_no_code(tmp_path):
    """Of one value only, so that it shows when the weight is looked up."""
    tensors = tensors_of(random_quantized((6, 10), 4)) | {"m.weight_zero_point": np.full((6, 1), 8, np.int8)}
    weights = read(make(tmp_path, tensors | {"b": np.ones(2)}, config()))
    assert weights["b"].sum() == 2
    with pytest.raises(FormatError, match="zero_point: expected codes of 4 bits, -8 to 7, got 8 to 8"):
        weights["m.weight"]
