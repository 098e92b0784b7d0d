"""State dicts that people published, zip archives and a legacy file, read without PyTorch and compressed."""

import importlib.util

import numpy as np
import pytest

import paring
from fetched_packages import fetch
from paring.errors import FormatError

pytestmark = pytest.mark.network

ALBERT = "rxnmapper/models/transformers/albert_heads_8_uspto_all_1310k"
FILES = {
    "mnist": (
        "ccexam==1.0.0",
        "ccexam/weights/mnist.pth",
        "0e58754afd96763e49f52c14877b8441cc0fff38e04adce2d2247eab68a30e8a",
        421_642,
    ),
    "digits": (
        "digit-recognizer-py==0.1.0",
        "digit_recognizer/models/handwriting_model.pth",
        "325e0773529babe8ebb6adf35a82c64e57c5f3518c2adb975865355c74bc4786",
        390_410,
    ),
    "albert": (
        "rxnmapper==0.4.3",
        f"{ALBERT}/pytorch_model.bin",
        "8541f3f500dae71abe678d546bd035ca946e2d1c819f6b2cf41a97faedd7e6a2",
        877_598,
    ),
}

# Of the file's bytes: codes, a float32 scale for 32 of them, and what is too small to be worth quantizing.
SHARES = {8: 0.33, 4: 0.22}


@pytest.fixture(params=FILES, scope="module")
def model(request):
    requirement, path, digest, numbers = FILES[request.param]
    return fetch(requirement, {path: digest}) / path, numbers


def test_all_numbers_are_there(model):
    path, numbers = model
    weights = paring.read(path)
    assert sum(weights[name].size for name in weights if weights[name].dtype == np.float32) == numbers
    assert all(np.isfinite(weights[name]).all() for name in weights)


@pytest.mark.peers
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_values_are_those_of_torch(model):
    import torch

    path, _ = model
    expected, weights = torch.load(path, weights_only=True, map_location="cpu"), paring.read(path)
    assert list(weights) == list(expected)
    for name, tensor in expected.items():
        array = weights[name]
        assert (array.dtype, array.shape) == (tensor.numpy().dtype, tuple(tensor.shape))
        assert array.tobytes() == tensor.numpy().tobytes()


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_compressed_written_and_read_back(model, tmp_path, bits, suffix):
    path, _ = model
    weights = paring.read(path)
    recipe = paring.Recipe([paring.QuantizeStep(bits=bits, granularity="group", group_size=32)])
    compressed = paring.compress(weights, recipe)
    paring.write(tmp_path / f"small{suffix}", compressed)
    again = paring.read(tmp_path / f"small{suffix}")
    assert set(again) == set(weights)
    quantized = [name for name in again if not isinstance(again[name], np.ndarray)]
    assert len(quantized) >= 3
    for name in again:
        if name in quantized:
            assert again[name] == compressed[name]
            assert np.abs(again[name].dense() - weights[name]).max() < np.abs(weights[name]).max() / (
                2 ** (bits - 1) - 1
            )
        else:
            assert again[name].tobytes() == weights[name].tobytes()
    assert (tmp_path / f"small{suffix}").stat().st_size < path.stat().st_size * SHARES[bits]


def test_a_pickle_of_settings_is_refused():
    path = f"{ALBERT}/training_args.bin"
    digest = "440fdf4459c2f51c3f042ccad777342b06bf3f491c251b712ab2aada5ff7a2eb"
    with pytest.raises(FormatError, match=r"training_args\.bin: .* wants 'argparse\.Namespace'"):
        paring.read(fetch("rxnmapper==0.4.3", {path: digest}) / path)
