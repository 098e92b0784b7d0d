"""Write the seeds of every target: small whole files, and those of tests/data/bad."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np

import paring

ROOT = Path(__file__).resolve().parents[1]
SUFFIXES = {
    "safetensors": (".safetensors",),
    "npz": (".npz",),
    "npy": (".npy",),
    "index": (".index.json",),
    "gguf": (".gguf",),
    "onnx": (".onnx",),
    "pt": (".pt", ".pth", ".bin"),
}
MOST_BYTES = 12_000
"""Larger seeds slow every run down and show nothing that smaller ones do not."""


def whole_files(folder: Path) -> None:
    """Write what paring and NumPy write, one of each form."""
    values = np.arange(64, dtype=np.float32).reshape(2, 32)
    weights = {"a": values, "flag": np.array([True, False])}
    for bits in (8, 4, 3):
        weights[f"q{bits}"] = paring.quantize(values, bits=bits, granularity="group", group_size=32)
    weights["s"] = paring.sparsify(values * (values % 3 == 0))
    for suffix in (".safetensors", ".npz"):
        paring.write(folder / f"every-form{suffix}", weights, metadata={"key": "value"})
    paring.write(folder / "one.npy", {"one": values})
    blocks = {"convention": "gguf", "granularity": "group", "group_size": 32}
    quantized = {f"q{bits}": paring.quantize(values, bits=bits, **blocks) for bits in (8, 4)}
    paring.write(folder / "blocks.gguf", {"a": values, **quantized})
    deflated = io.BytesIO()
    np.savez_compressed(deflated, a=values, text=np.array(["a", "é"]))
    (folder / "deflated.npz").write_bytes(deflated.getvalue())


def make_corpus(target: Path) -> None:
    """Write a folder a format into `target`; what the fuzzer itself added stays."""
    for name in SUFFIXES:
        (target / name).mkdir(parents=True, exist_ok=True)
    fresh = target / "fresh"
    fresh.mkdir(exist_ok=True)
    whole_files(fresh)
    seeds = [
        *fresh.iterdir(),
        *(ROOT / "tests" / "data").glob("*.*"),
        *(ROOT / "tests" / "data" / "bad").iterdir(),
    ]
    for name, suffixes in SUFFIXES.items():
        for seed in seeds:
            if seed.name.endswith(suffixes) and seed.stat().st_size <= MOST_BYTES:
                (target / name / seed.name).write_bytes(seed.read_bytes())


if __name__ == "__main__":
    make_corpus(Path(sys.argv[1]))
