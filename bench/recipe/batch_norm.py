"""A batch-norm CNN with weights of 4 bits: accuracy before and after its statistics are estimated again.

    python bench/recipe/batch_norm.py [--data FOLDER] [--seeds 0 1 2] [--json FILE]

Nothing is trained after the quantization: 1,000 training images without labels go through once.
"""

from __future__ import annotations

from experiments import Spread, fashion_mnist, keep, parser, score, train

import paring
from paring import nn
from paring.training import reestimate_batch_norm

EPOCHS, IMAGES = 8, 1000
FORMS = {"int4 channel": "channel", "int4 tensor": "tensor"}


def network() -> nn.Sequential:
    layers: list[nn.Layer] = []
    before = 1
    for width in (16, 32, 64):
        layers += [
            nn.Conv2d(before, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
        before = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(576, 10))


def main() -> None:
    options = parser(__doc__).parse_args()
    test: dict[str, list[float]] = {}
    for seed in options.seeds:
        split = fashion_mnist(options.data, seed)
        model = train(nn.Model(network(), (None, 1, 28, 28), seed=seed), split, EPOCHS, seed)
        models = {"float32": model}
        for name, granularity in FORMS.items():
            recipe = paring.Recipe([paring.QuantizeStep(bits=4, granularity=granularity)], min_size=0)
            models[name] = model.compress(recipe)
            models[f"{name}, statistics again"] = again = model.compress(recipe)
            reestimate_batch_norm(again, split.train[0][:IMAGES])
        for name, one in models.items():
            test.setdefault(name, []).append(score(one, split.test))
            print(f"seed {seed}  {name:32} {test[name][-1]:.2%}", flush=True)
    for name, values in test.items():
        print(f"{name:32} {Spread(tuple(values))}", flush=True)
    keep(options.json, {"epochs": EPOCHS, "images": IMAGES, "test": test})


if __name__ == "__main__":
    main()
