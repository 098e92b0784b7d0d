"""Train LeNet-300-100 and LeNet-5 on Fashion-MNIST here and in PyTorch; print accuracy on the test images by seed.

    python bench/training_accuracy.py [--data FOLDER] [--seeds 0 1 2] [--epochs 15] [--json FILE]

Same networks, starts of the same distributions, same data, batches of 64, Adam with a cosine from 0.001 to 0. All
is chosen on 5,000 images cut from the training split: the best epoch is the one that does best on them. The test images
are looked at once a seed. Without torch only ours is trained.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from paring.training import Adam, CrossEntropy, accuracy, fit, measure
from paring.training.schedules import Cosine
from training_step import NETS, torch_net

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))
from train_fashion_mnist import HELD, INSTALLED, load_split

BATCH, RATE = 64, 0.001


def train_ours(net: str, data: dict[str, Any], seed: int, epochs: int) -> float:
    model = NETS[net](seed)
    steps = epochs * math.ceil(len(data["rest"][1]) / BATCH)
    fit(
        model,
        data["rest"],
        loss=CrossEntropy(),
        optimizer=Adam(Cosine(RATE, steps)),
        epochs=epochs,
        batch_size=BATCH,
        validation=data["held"],
        metrics=[accuracy],
        watch="accuracy",
        seed=seed,
    )
    return measure(model, data["test"], metrics=[accuracy])["accuracy"]


def train_theirs(torch: Any, net: str, data: dict[str, Any], seed: int, epochs: int) -> float:
    torch.manual_seed(seed)
    model = torch_net(torch, net)
    x, y = (torch.from_numpy(array) for array in data["rest"])
    if net == "LeNet-5":
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    steps = epochs * math.ceil(len(y) / BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    best, kept = -1.0, None
    for _ in range(epochs):
        for rows in torch.randperm(len(y)).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
        score = torch_accuracy(torch, model, data["held"])
        if score > best:
            best, kept = score, {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(kept)
    return torch_accuracy(torch, model, data["test"])


def torch_accuracy(torch: Any, model: Any, data: Any) -> float:
    with torch.no_grad():
        found = [model(torch.from_numpy(part)).argmax(1).numpy() for part in np.array_split(data[0], 20)]
    return float((np.concatenate(found) == data[1]).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=INSTALLED)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--json", type=Path, help="where to keep the numbers for bench/training_report.py")
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        torch = None
    images, labels = load_split(options.data, "train")
    test = load_split(options.data, "t10k")
    rows = []
    for net in NETS:
        for seed in options.seeds:
            order = np.random.default_rng(seed).permutation(len(images))
            held, rest = order[:HELD], order[HELD:]
            data = {"rest": (images[rest], labels[rest]), "held": (images[held], labels[held]), "test": test}
            for who, train in (("paring", train_ours), ("torch", train_theirs)):
                if who == "torch" and torch is None:
                    continue
                arguments = (net, data, seed, options.epochs)
                start = time.perf_counter()
                score = train(*arguments) if who == "paring" else train(torch, *arguments)
                seconds = time.perf_counter() - start
                rows.append({"net": net, "seed": seed, "who": who, "accuracy": score, "seconds": seconds})
                print(f"{net:14} seed {seed}  {who:7} {score:.2%}  {seconds:5.0f} s", flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps({"epochs": options.epochs, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
