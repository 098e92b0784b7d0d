"""The model and the digits inside the package are what their README says; their loader refuses clearly."""

import hashlib
import re
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

from paring import demo

README = demo.model_path().with_name("README.md").read_text()
FOLDER = demo.model_path().parent
FILES = ("digits_mlp.safetensors", "digits_test.npz")


@pytest.fixture(scope="module")
def weights():
    return load_file(demo.model_path())


@pytest.fixture(scope="module")
def digits():
    return demo.load_digits()


def float64_layers(weights):
    """The model in float64, so that no rounding of a BLAS can turn an answer."""
    return demo.make_layers({name: weight.astype(np.float64) for name, weight in weights.items()})


def test_all_of_the_demo_data_is_under_500_kilobytes():
    data = [path for path in FOLDER.iterdir() if path.is_file() and path.suffix != ".py"]
    assert {path.name for path in data} == {*FILES, "README.md"}
    assert sum(path.stat().st_size for path in data) < 500_000


@pytest.mark.parametrize("name", FILES)
def test_size_and_sha256_are_those_in_the_readme(name):
    data = (FOLDER / name).read_bytes()
    row = next(line for line in README.splitlines() if line.startswith(f"| `{name}`"))
    assert hashlib.sha256(data).hexdigest() in row
    assert f"{len(data):,}" in row


def test_accuracy_is_the_one_in_the_readme(weights, digits):
    stated = re.search(r"\*\*(\d+) of 1,000\*\* test images", README)
    images, labels = digits
    logits = demo.run_layers(images, float64_layers(weights))
    assert round(1000 * demo.measure_accuracy(logits, labels)) == int(stated[1])


def test_float32_gives_the_same_answers_as_float64(weights, digits):
    images, _ = digits
    exact = demo.run_layers(images, float64_layers(weights))
    plain = demo.run_layers(images, demo.make_layers(weights))
    assert plain.dtype == np.float32
    assert np.array_equal(plain.argmax(axis=1), exact.argmax(axis=1))


def test_tensors_have_the_names_and_shapes_of_the_layers(weights):
    widths = (784, 96, 48, 10)
    expected = {}
    for (name, _), fan_in, fan_out in zip(demo.LAYERS, widths, widths[1:], strict=False):
        expected |= {f"{name}.weight": (fan_out, fan_in), f"{name}.bias": (fan_out,)}
    assert {name: weight.shape for name, weight in weights.items()} == expected
    assert {weight.dtype for weight in weights.values()} == {np.dtype(np.float32)}
    assert all(np.isfinite(weight).all() for weight in weights.values())


def test_digits_are_scaled_and_balanced(digits):
    images, labels = digits
    assert images.shape == (1000, 784) and images.dtype == np.float32 and images.flags.c_contiguous
    assert images.min() == 0 and images.max() == 1
    assert np.array_equal(images * 255, np.rint(images * 255))
    assert labels.dtype == np.uint8 and np.bincount(labels).tolist() == [100] * 10
    assert len(np.unique(images, axis=0)) == 1000
    assert len(set(labels[:50].tolist())) == 10, "every batch should hold every digit"


def test_pruning_costs_accuracy_step_by_step(weights, digits):
    images, labels = digits
    scores = []
    for sparsity in (0.0, 0.5, 0.8, 0.9, 0.95):
        pruned = dict(weights)
        for name in ("fc1.weight", "fc2.weight"):
            limit = np.quantile(np.abs(weights[name]), sparsity)
            pruned[name] = np.where(np.abs(weights[name]) < limit, np.float32(0), weights[name])
        scores.append(demo.measure_accuracy(demo.run_layers(images, demo.make_layers(pruned)), labels))
    assert scores == sorted(scores, reverse=True)
    assert scores[1] > 0.9 and scores[-1] < 0.6


def test_make_layers_hands_each_layer_its_own_parts(weights):
    made = demo.make_layers(weights, lambda weight, bias, activation: (weight, bias, activation))
    assert [activation for _, _, activation in made] == ["relu", "relu", None]
    for (name, _), (weight, bias, _) in zip(demo.LAYERS, made, strict=True):
        assert weight is weights[f"{name}.weight"] and bias is weights[f"{name}.bias"]


def test_make_layers_names_every_missing_tensor(weights):
    part = {name: weight for name, weight in weights.items() if name not in ("fc1.bias", "fc3.weight")}
    with pytest.raises(ValueError, match=r"expected every tensor.*missing fc1\.bias, fc3\.weight$"):
        demo.make_layers(part)


@pytest.mark.parametrize(
    ("weight", "bias", "activation", "message"),
    [
        (np.zeros(3), np.zeros(3), None, r"expected \(out_features, in_features\).*got \(3,\) and \(3,\)"),
        (np.zeros((2, 3)), np.zeros(3), None, r"\(out_features,\), got \(2, 3\) and \(3,\)"),
        (np.zeros((2, 3)), np.zeros(2), "gelu", r"activation: expected 'relu' or None, got 'gelu'"),
    ],
)
def test_make_numpy_layer_refuses(weight, bias, activation, message):
    with pytest.raises(ValueError, match=message):
        demo.make_numpy_layer(weight, bias, activation)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        ((0, 10), 0, r"n of at least 1, got \(0, 10\) and \(0,\)"),
        ((5, 10), 4, r"got \(5, 10\) and \(4,\)"),
        ((10,), 10, r"got \(10,\) and \(10,\)"),
    ],
)
def test_measure_accuracy_refuses(logits, labels, message):
    with pytest.raises(ValueError, match=message):
        demo.measure_accuracy(np.zeros(logits), np.zeros(labels))


def test_importing_the_demo_loads_no_heavy_module():
    code = "import paring.demo, sys; print(*{'typer', 'rich', 'scipy', 'safetensors'} & sys.modules.keys())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
