"""What cannot be written as GGUF: each is refused before anything is written, with what to do instead."""

import numpy as np
import pytest

from gguf_files import quantized
from paring.formats import read, write
from paring.weights import QuantizedWeight
from weight_files import SAFETENSORS_DTYPES, random_quantized, random_sparse

OLD = b"the old file"
Q8, Q4 = quantized(8, (4, 32)), quantized(4, (4, 64))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.gguf"


REFUSED = {
    "sparse": (random_sparse((4, 32)), "'w': GGUF has no form for a SparseWeight: write .safetensors, or"),
    "unsigned": (
        np.ones(2, np.uint8),
        "'w': GGUF stores F32, F16, .*, not uint8; .safetensors or .npz stores it",
    ),
    "bool": (np.ones(2, bool), "'w': GGUF stores .*, not bool; .safetensors or .npz stores it"),
    "complex": (np.ones(2, np.complex64), "'w': GGUF stores .*, not complex64"),
    "text": (np.array(["a"]), "'w': GGUF stores .*, not <U1"),
    "axes": (
        np.ones((1,) * 5, np.float32),
        r"'w': expected at most 4 axes in a GGUF file, got \(1, 1, 1, 1, 1\)",
    ),
    "bfloat16": (np.ones((), SAFETENSORS_DTYPES["BF16"]), "'w': expected one or more axes, .* as float32"),
    "3 bits": (
        random_quantized((4, 32), 3, "group", 32),
        "'w': GGUF stores codes of 8 or 4 bits, .*, not 3 bits",
    ),
    "channel": (
        random_quantized((4, 32)),
        "not 8 bits, symmetric, channel, axis 0: quantize with bits 8 or 4, ",
    ),
    "tensor": (random_quantized((4, 32), 8, "tensor"), "not 8 bits, symmetric, tensor, axis 0"),
    "group 16": (random_quantized((4, 32), 4, "group", 16), "not 4 bits, symmetric, group 16, axis 0"),
    "asymmetric": (
        random_quantized((4, 32), 4, "group", 32, symmetric=False),
        "4 bits, asymmetric, group 32",
    ),
    "axis": (random_quantized((32, 4), 8, "group", 32, axis=1), "symmetric, group 32, axis 1: quantize with"),
    "columns": (
        quantized(8, (4, 40)),
        r"'w': GGUF stores codes where the last .* 32, not of shape \(4, 40\)",
    ),
    "kernel": (
        quantized(8, (4, 32, 3, 3)),
        r"multiple of 32, not of shape \(4, 32, 3, 3\): leave this weight out",
    ),
    "one axis": (random_quantized((32,), 8, "group", 32), r"two or more axes .*, not of shape \(32,\)"),
    "scale": (
        random_quantized((4, 64), 8, "group", 32),
        r"stores scales as float16, not 0\.\d+ \(row 0, group 0\)",
    ),
    "large scale": (
        QuantizedWeight(Q8.data, np.float32([[1], [1], [1], [65536]]), None, (4, 32), 8, "group", 32),
        r"stores scales as float16, not 65536.0 \(row 3, group 0\): quantize with .* convention='gguf'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_weights_it_cannot_hold(path, case):
    weight, message = REFUSED[case]
    path.write_bytes(OLD)
    with pytest.raises(ValueError, match=message):
        write(path, {"ok": np.ones(3), "w": weight})
    assert path.read_bytes() == OLD
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ({1: np.ones(1)}, TypeError, "name of a weight: expected str, got int 1"),
        ({"\ud800": np.ones(1)}, ValueError, r"expected Unicode text without a zero, got '\\ud800'"),
        ({"a\0": np.ones(1)}, ValueError, r"expected Unicode text without a zero, got 'a\\x00'"),
        ({"é" * 32: np.ones(1)}, ValueError, "expected a name of at most 63 bytes, which .*, got 64"),
        ({"w": [1.0]}, TypeError, "'w': expected a NumPy array, QuantizedWeight or SparseWeight, got list"),
        ({"w": np.array([None])}, TypeError, "'w': expected numbers, got an array of Python objects"),
        ({"w": Q8, "w_scale": np.ones(1)}, ValueError, "name 'w_scale' is needed by both 'w' and 'w_scale'"),
        ({"w_packed": np.ones(1), "w": Q4}, ValueError, "'w_packed' is needed by both 'w' and 'w_packed'"),
        (
            {"w": Q4, "w_zero_point": Q8},
            ValueError,
            "'w_zero_point' is needed by both 'w' and 'w_zero_point'",
        ),
    ],
)
def test_names_and_kinds_it_refuses(path, weights, error, message):
    path.write_bytes(OLD)
    with pytest.raises(error, match=message):
        write(path, weights)
    assert path.read_bytes() == OLD


def test_a_name_as_long_as_it_may_be(path):
    write(path, {"n" * 63: np.ones(1, np.float32), "w_packed": np.ones(1), "w": Q8})
    assert list(read(path)) == ["n" * 63, "w_packed", "w"]


@pytest.mark.parametrize("value", ["", "Llama", "a b", "é"])
def test_an_architecture_that_readers_refuse(path, value):
    with pytest.raises(
        ValueError, match=f"metadata 'general.architecture': expected small letters .* '{value}'"
    ):
        write(path, {}, metadata={"general.architecture": value})
