"""Train a small network on Fashion-MNIST, compress it, and see what both cost.

    python examples/train_fashion_mnist.py [--net lenet-5] [--epochs 15] [--data FOLDER] [--save lenet.safetensors]

The data is Debian's package ``dataset-fashion-mnist`` (60,000 and 10,000 images, the official split), installed or
unpacked with ``dpkg-deb -x`` anywhere. 5,000 images of the training split decide which epoch is the best; the test
images are looked at once, at the end.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np

import paring
from paring import nn
from paring.training import Adam, CrossEntropy, accuracy, fit, measure
from paring.training.schedules import Cosine

INSTALLED = Path("/usr/share/datasets/fashion-mnist")
HELD = 5_000
MEAN, DEVIATION = 0.2860, 0.3530  # of the training images
IMAGE = (None, 1, 28, 28)


def read_idx(path: Path) -> np.ndarray:
    """Return the array of a gzipped IDX file of bytes: two zeros, type 8, rank, sizes (big-endian), values."""
    data = gzip.decompress(path.read_bytes())
    rank = data[3]
    shape = np.frombuffer(data, ">u4", rank, 4)
    if data[:3] != b"\0\0\x08" or len(data) != 4 + 4 * rank + int(np.prod(shape, dtype=np.int64)):
        raise ValueError(f"{path}: expected an IDX file of bytes")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load_split(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, 1, 28, 28), mean 0 and deviation 1 over the training split, and labels."""
    files = [folder / f"{name}-{part}-ubyte.gz" for part in ("images-idx3", "labels-idx1")]
    for file in files:
        if not file.exists():
            raise SystemExit(
                f"{file} is not there: apt-get install dataset-fashion-mnist, or unpack the package and give --data"
            )
    images, labels = map(read_idx, files)
    scaled = (images[:, None].astype(np.float32) / 255 - MEAN) / DEVIATION
    return scaled.astype(np.float32), labels.astype(np.int64)


def lenet_300_100() -> nn.Sequential:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )


def lenet_5() -> nn.Sequential:
    """Caffe's shapes."""
    return nn.Sequential(
        nn.Conv2d(1, 20, 5),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(800, 500),
        nn.ReLU(),
        nn.Linear(500, 10),
    )


NETS = {"lenet-300-100": lenet_300_100, "lenet-5": lenet_5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", choices=NETS, default="lenet-5")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rate", type=float, default=0.001)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, help="train on so many only")
    parser.add_argument("--data", type=Path, default=INSTALLED, help="where the four .gz files are")
    parser.add_argument("--checkpoint", type=Path, help="where to keep a run that can go on")
    parser.add_argument("--save", type=Path, help="where to write the compressed model")
    options = parser.parse_args()

    images, labels = load_split(options.data, "train")
    order = np.random.default_rng(options.seed).permutation(len(images))
    held, rest = order[:HELD], order[HELD:][: options.images]
    model = nn.Model(NETS[options.net](), IMAGE, seed=options.seed)
    print(model)

    steps = options.epochs * -(-len(rest) // options.batch_size)
    history = fit(
        model,
        (images[rest], labels[rest]),
        loss=CrossEntropy(),
        optimizer=Adam(Cosine(options.rate, steps)),
        epochs=options.epochs,
        batch_size=options.batch_size,
        validation=(images[held], labels[held]),
        metrics=[accuracy],
        watch="accuracy",
        seed=options.seed,
        checkpoint=options.checkpoint,
        resume=True if options.checkpoint else None,
        progress=True,
    )
    best = history.best_epoch or 0
    print(f"epoch {best + 1} is the best: {history['accuracy'][best]:.2%} of {HELD:,} held images")

    test = load_split(options.data, "t10k")
    small = model.compress("int8")
    for name, one in (("float32", model), ("int8", small)):
        size = sum(weight.nbytes for weight in one.state_dict().values())
        print(
            f"{name:8} {size:>10,} bytes  {measure(one, test, metrics=[accuracy])['accuracy']:.2%} of the test images"
        )
    session = paring.Session(small)
    print(f"{'session':8} {'':>10}        {accuracy(session(test[0]), test[1]):.2%}, by integer kernels")
    if options.save is not None:
        small.save(options.save)
        print(f"{options.save}: {options.save.stat().st_size:,} bytes, weights and graph")


if __name__ == "__main__":
    main()
