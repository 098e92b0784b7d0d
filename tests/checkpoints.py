"""Checkpoints that the tests of jobs compress: weights cut into shards, with an index and a config."""

import json
from pathlib import Path

import numpy as np

import paring


def random_weights(layers=4, rows=64, columns=64, seed=0):
    """Return the weights of a small model: a matrix and a bias a layer, one matrix in float16."""
    rng = np.random.default_rng(seed)
    weights = {"embed.weight": rng.standard_normal((100, columns)).astype(np.float16)}
    for layer in range(layers):
        weights[f"layers.{layer}.weight"] = rng.standard_normal((rows, columns), np.float32) * (layer + 1)
        weights[f"layers.{layer}.bias"] = rng.standard_normal(rows, np.float32)
    weights["steps"] = np.arange(3)
    return weights


def write_checkpoint(folder, weights, shards=3, config=True):
    """Write weights as a checkpoint of so many shards; returns the folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = list(weights)
    weight_map = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = {name: weights[name] for name in names[shard::shards]}
        paring.write(folder / file, part, metadata={"shard": str(shard)})
        weight_map |= dict.fromkeys(part, file)
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    if config:
        (folder / "config.json").write_text(json.dumps({"model_type": "test", "hidden_size": 64}))
        (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    return folder


def files_of(folder):
    """Return the contents of all files below a folder by their relative path."""
    folder = Path(folder)
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def names_in(folder):
    """Return the names of what lies in a folder, hidden ones too."""
    return sorted(path.name for path in Path(folder).iterdir())


def same_weights(a, b):
    return list(a) == list(b) and all(same_weight(a[name], b[name]) for name in a)


def same_weight(a, b):
    if isinstance(a, np.ndarray) != isinstance(b, np.ndarray):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return a == b
