"""Train, prune to an accuracy, distil, quantize, write, and run by the integer and sparse kernels: one page of output.

    python examples/the_whole_recipe.py [--data FOLDER] [--epochs 12]

Without ``--data`` it works offline on the 1,000 handwritten digits of ``paring demo``: 700 to train on, 100 to choose
by, 200 to judge by at the end, which is few: a point is two digits. With the folder of Fashion-MNIST (see
examples/train_fashion_mnist.py) the same takes some minutes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

import paring
from paring import nn
from paring.demo import load_digits
from paring.training import Adam, CrossEntropy, accuracy, distill, fake_quantize, fit, measure
from paring.training.schedules import Cosine
from train_fashion_mnist import HELD, IMAGE, lenet_5, load_split

Split = tuple[np.ndarray, np.ndarray]
MAX_DROP = 0.01
BATCH = 32


def load(folder: Path | None, seed: int) -> tuple[Split, Split, Split]:
    """Return images and labels to train on, to choose by, and to judge by."""
    if folder is not None:
        images, labels = load_split(folder, "train")
        order = np.random.default_rng(seed).permutation(len(images))
        return (
            (images[order[HELD:]], labels[order[HELD:]]),
            (images[order[:HELD]], labels[order[:HELD]]),
            load_split(folder, "t10k"),
        )
    pixels, digits = load_digits()
    images, labels = pixels.reshape(-1, 1, 28, 28) * 2 - 1, digits.astype(np.int64)
    return (images[:700], labels[:700]), (images[700:800], labels[700:800]), (images[800:], labels[800:])


def small_net() -> nn.Sequential:
    """A student of another kind: no convolution, 30 hidden units."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 30), nn.ReLU(), nn.Linear(30, 10))


def size_of(model: nn.Model, folder: str) -> int:
    """Return how large the model's file is."""
    path = Path(folder) / "model.safetensors"
    model.save(path)
    return path.stat().st_size


def time_of(session: paring.Session, images: np.ndarray) -> float:
    """Return seconds for a batch, the median of many."""
    session(images)
    times = []
    for _ in range(30):
        start = time.perf_counter()
        session(images)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="where the four .gz files of Fashion-MNIST are")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    train, held, test = load(options.data, options.seed)
    steps = options.epochs * -(-len(train[1]) // BATCH)
    settings = {
        "optimizer": Adam(Cosine(0.002, steps)),
        "epochs": options.epochs,
        "batch_size": BATCH,
        "validation": held,
        "metrics": [accuracy],
        "watch": "accuracy",
        "seed": options.seed,
    }
    what = "Fashion-MNIST" if options.data else "handwritten digits"
    print(
        f"{what}: {len(train[1]):,} images to train on, {len(held[1]):,} to choose by, {len(test[1]):,} to judge by\n"
    )

    def score(model: nn.Model) -> float:
        return measure(model, held, metrics=[accuracy])["accuracy"]

    teacher = nn.Model(lenet_5(), IMAGE, seed=options.seed)
    fit(teacher, train, loss=CrossEntropy(), **settings)

    again = {"data": train, "loss": CrossEntropy(), **settings}
    curve = paring.prune_to_accuracy(teacher, score, max_drop=MAX_DROP, retrain=again, resolution=0.02)
    print(
        f"pruned and retrained until the accuracy on the {len(held[1]):,} images fell by more than {MAX_DROP:.0%}:"
    )
    print(f"{curve}\n")
    sparse = curve.model.compress(paring.Recipe([paring.SparsifyStep(), paring.QuantizeStep()]))

    plain = nn.Model(small_net(), IMAGE, seed=options.seed)
    fit(plain, train, loss=CrossEntropy(), **settings)
    student = nn.Model(small_net(), IMAGE, seed=options.seed)
    soft = {"temperature": 4.0, "hard_weight": 0.1, "soft_weight": 0.9}
    distill(teacher, student, train, **soft, **settings)
    few_bits = paring.Recipe([paring.QuantizeStep(bits=2)], min_size=0)
    rounded = fake_quantize(student, few_bits, ranges="learned")
    distill(teacher, rounded, train, **soft, **settings)

    print(f"{'model':34}{'bytes':>10}{'smaller':>9}{'of the test images':>20}{'64 images':>11}")
    rows = {
        "LeNet-5": teacher,
        "  int8": teacher.compress("int8"),
        f"  {curve.best.sparsity:.0%} pruned, retrained, int8 csr": sparse,
        "30 hidden units, trained alone": plain,
        "  distilled from LeNet-5": student,
        "  distilled, int8": student.compress("int8"),
        "  distilled, rounded to 2 bits": paring.quantize(student, bits=2),
        "  distilled, trained in 2 bits": rounded.compress(),
    }
    with tempfile.TemporaryDirectory() as folder:
        whole = size_of(teacher, folder)
        for name, model in rows.items():
            size, session = size_of(model, folder), paring.Session(Path(folder) / "model.safetensors")
            right = accuracy(session(test[0]), test[1])
            seconds = time_of(session, test[0][:64])
            print(f"{name:34}{size:>10,}{whole / size:>8.1f}x{right:>19.2%}{seconds * 1e3:>8.2f} ms")


if __name__ == "__main__":
    main()
