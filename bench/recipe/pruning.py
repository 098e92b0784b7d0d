"""Prune LeNet-300-100 and LeNet-5 while they are trained on, further and further; see where accuracy is lost.

    python bench/recipe/pruning.py [--nets LeNet-5] [--data FOLDER] [--seeds 0 1 2] [--json FILE]

A dense net is trained for some epochs. From there it is trained as long again, either dense or with `GradualPruning`
to a sparsity of all its matrices together. The held images decide which epoch is kept and which sparsities are
reported: the highest with no loss against the dense net, and the highest within half a point. Only these see the test
images.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from experiments import Spread, fashion_mnist, gap, keep, parser, score, train

from paring import nn
from paring.training.pruning import GradualPruning
from training_step import NETS

EPOCHS = {"LeNet-300-100": 30, "LeNet-5": 15}
RATE, DECAY = 0.002, 0.2
UNTIL = 0.3  # of the updates: then the sparsity is reached, and what is left recovers
REQUIRED = 0.92
SPARSITIES = {
    "LeNet-300-100": (0.8, 0.92, 0.95, 0.97, 0.98, 0.985),
    "LeNet-5": (0.92, 0.97, 0.985, 0.99),
}


def sparsity_of(model: nn.Model) -> float:
    weights = [
        weight for weight in model.state_dict().values() if isinstance(weight, np.ndarray) and weight.ndim > 1
    ]
    return 1 - sum(np.count_nonzero(weight) for weight in weights) / sum(weight.size for weight in weights)


def choose(held: dict[str, list[float]]) -> dict[str, str]:
    """Return which nets are reported, by their scores on the held images: name by what it is reported as.

    No loss is a mean difference to the dense net that is below two standard errors, or no less than 0.
    """
    picks = {"dense": "dense", "required": f"{REQUIRED:.1%}", "no loss": "dense", "half a point": "dense"}
    for name in held:
        mean, error = gap(held[name], held["dense"])
        if name != "dense" and mean > -2 * error:
            picks["no loss"] = name
        if name != "dense" and mean >= -0.005:
            picks["half a point"] = name
    return picks


def run(net: str, options: Any) -> dict[str, Any]:
    """Return held scores of all, and test scores of those that are reported."""
    epochs = options.epochs or EPOCHS[net]
    held: dict[str, list[float]] = {}
    models: dict[str, list[nn.Model]] = {}
    splits = [fashion_mnist(options.data, seed) for seed in options.seeds]
    for seed, split in zip(options.seeds, splits, strict=True):
        start = train(NETS[net](seed), split, epochs, seed, RATE, DECAY)
        steps = epochs * math.ceil(len(split.train[1]) / 64)
        found = {"dense": train(start.copy(), split, epochs, seed + 1000, RATE, DECAY)}
        for share in options.sparsities or SPARSITIES[net]:
            pruning = GradualPruning(share, end=int(steps * UNTIL), every=50, scope="global")
            model = train(start.copy(), split, epochs, seed + 1000, RATE, DECAY, callbacks=[pruning])
            assert abs(sparsity_of(model) - share) < 1e-4
            found[f"{share:.1%}"] = model
        for name, model in found.items():
            held.setdefault(name, []).append(score(model, split.held))
            models.setdefault(name, []).append(model)
            print(f"{net:14} seed {seed}  {name:6} {held[name][-1]:.2%} of the held images", flush=True)
    picks = choose(held)
    test = {
        name: [score(model, split.test) for model, split in zip(models[name], splits, strict=True)]
        for name in dict.fromkeys(picks.values())
        if name in models
    }
    for label, name in picks.items():
        print(f"{net:14} {label:12} {name:6} test {Spread(tuple(test.get(name, [math.nan])))}", flush=True)
    return {"net": net, "epochs": epochs, "held": held, "picks": picks, "test": test}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS))
    arguments.add_argument("--epochs", type=int)
    arguments.add_argument("--sparsities", type=float, nargs="+")
    options = arguments.parse_args()
    keep(options.json, {"rate": RATE, "decay": DECAY, "nets": [run(net, options) for net in options.nets]})


if __name__ == "__main__":
    main()
