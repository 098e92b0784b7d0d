"""A dry run says what the real one gives, to the byte, and leaves no trace."""

import numpy as np
import pytest

import paring
from checkpoints import files_of, random_weights, write_checkpoint
from paring.formats import file_bytes
from paring.jobs import predict
from test_compress_file import every_recipe


@every_recipe
@pytest.mark.parametrize("target", ["out.safetensors", "out.npz", "out"])
def test_prediction_is_what_happens(tmp_path, recipe, target):
    source = write_checkpoint(tmp_path / "in", random_weights())
    before = files_of(tmp_path)
    seen = []
    predicted = predict(source, tmp_path / target, recipe, progress=lambda *call: seen.append(call))
    assert files_of(tmp_path) == before
    report = paring.compress_file(source, tmp_path / target, recipe)
    out = tmp_path / target
    shards = out.glob("*.safetensors") if out.is_dir() else [out]
    assert predicted.report == report
    assert predicted.bytes_after == sum(path.stat().st_size for path in shards)
    assert predicted.bytes_before == sum(path.stat().st_size for path in source.glob("*.safetensors"))
    assert [call[:2] for call in seen] == [(i, len(seen)) for i in range(1, len(seen) + 1)]


def test_gguf(tmp_path):
    paring.write(tmp_path / "in.npz", {"w": np.random.default_rng(0).standard_normal((64, 64), np.float32)})
    predicted = predict(tmp_path / "in.npz", tmp_path / "out.gguf", "Q4_0")
    paring.compress_file(tmp_path / "in.npz", tmp_path / "out.gguf", "Q4_0")
    assert predicted.bytes_after == (tmp_path / "out.gguf").stat().st_size
    with pytest.raises(ValueError, match="convention='gguf'"):
        predict(tmp_path / "in.npz", tmp_path / "out.gguf", "int4")


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".npy", ".gguf"])
def test_file_bytes(tmp_path, suffix):
    weights = {"w": np.arange(12, dtype=np.float32).reshape(3, 4)}
    path = tmp_path / f"w{suffix}"
    size = file_bytes(path, weights)
    assert not path.exists()
    paring.write(path, weights)
    assert size == path.stat().st_size
    with pytest.raises(TypeError, match="weights: expected a mapping"):
        file_bytes(path, [])
