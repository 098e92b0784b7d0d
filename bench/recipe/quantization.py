"""LeNet-5 with weights of 2 and 4 bits: rounded after training, and trained rounded.

    python bench/recipe/quantization.py [--data FOLDER] [--seeds 0 1 2] [--json FILE]

A float32 net is trained for some epochs; from there it goes on as long again, in float32 or rounded. All matrices and
filters are rounded, one scale a channel. Observed or learned ranges, labels alone or the float32 net as a teacher
beside them: chosen for each number of bits with the first seed, on the held images. Every test image to which the
integer kernels give another class than the net that was trained is listed with its margin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from experiments import Split, Spread, fashion_mnist, keep, parser, score, train, training

import paring
from paring import nn
from paring.training import distill, fake_quantize
from training_step import NETS

NET = "LeNet-5"
EPOCHS = 10
BITS = (2, 4)
CHOICES = [(ranges, taught) for ranges in ("observed", "learned") for taught in (False, True)]


def recipe_for(bits: int) -> paring.Recipe:
    return paring.Recipe([paring.QuantizeStep(bits=bits)], min_size=0)


def train_rounded(
    start: nn.Model, bits: int, choice: tuple[str, bool], split: Split, epochs: int, seed: int
) -> nn.Model:
    ranges, taught = choice
    model = fake_quantize(start, recipe_for(bits), ranges=ranges)
    if not taught:
        return train(model, split, epochs, seed)
    distill(
        start,
        model,
        split.train,
        temperature=4.0,
        hard_weight=0.5,
        soft_weight=0.5,
        **training(split, epochs, seed),
    )
    return model


def compare(model: nn.Model, images: np.ndarray) -> dict[str, Any]:
    """Return how far the integer session is from the model that was trained."""
    session = paring.Session(model.compress())
    ours = np.concatenate([model(part) for part in np.array_split(images, 20)])
    theirs = np.concatenate([session(part) for part in np.array_split(images, 20)])
    ordered = np.sort(ours, axis=1)
    margins = ordered[:, -1] - ordered[:, -2]
    differ = np.flatnonzero(ours.argmax(1) != theirs.argmax(1))
    return {
        "largest difference": float((np.abs(ours - theirs).max(1) / np.abs(ours).max(1)).max()),
        "other class": [[int(i), float(margins[i])] for i in differ],
    }


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--epochs", type=int, default=EPOCHS)
    options = arguments.parse_args()
    test: dict[str, list[float]] = {}
    chosen: dict[int, tuple[str, bool]] = {}
    agreement: dict[str, list[Any]] = {}
    held: dict[str, float] = {}
    for seed in options.seeds:
        split = fashion_mnist(options.data, seed)
        start = train(NETS[NET](seed), split, options.epochs, seed)
        models = {"float32": train(start.copy(), split, options.epochs, seed + 1000)}
        for bits in BITS:
            models[f"{bits} bits, rounded after training"] = models["float32"].compress(recipe_for(bits))
            if bits not in chosen:
                tried = {
                    c: train_rounded(start, bits, c, split, options.epochs, seed + 1000) for c in CHOICES
                }
                for (ranges, taught), model in tried.items():
                    held[f"{bits} bits, {ranges}, {'teacher' if taught else 'labels'}"] = score(
                        model, split.held
                    )
                chosen[bits] = max(tried, key=lambda choice: score(tried[choice], split.held))
                print(bits, chosen[bits], held, flush=True)
                trained = tried[chosen[bits]]
            else:
                trained = train_rounded(start, bits, chosen[bits], split, options.epochs, seed + 1000)
            models[f"{bits} bits, trained rounded"] = trained
            agreement.setdefault(str(bits), []).append(compare(trained, split.test[0]))
        for name, model in models.items():
            test.setdefault(name, []).append(score(model, split.test))
            print(f"seed {seed}  {name:32} {test[name][-1]:.2%}", flush=True)
    for name, values in test.items():
        print(f"{name:32} {Spread(tuple(values))}", flush=True)
    keep(
        options.json,
        {
            "net": NET,
            "epochs": options.epochs,
            "chosen": {str(bits): list(choice) for bits, choice in chosen.items()},
            "held": held,
            "test": test,
            "agreement": agreement,
        },
    )


if __name__ == "__main__":
    main()
