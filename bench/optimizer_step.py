"""One step of an optimizer beside torch's fused one, in turn: medians, and theirs divided by ours.

    python bench/optimizer_step.py [--size 25000000] [--rounds 15] [--threads 1 2]

Without torch the table has our columns alone. Each round runs every candidate once, on memory of its own, after a pause
and one step more: torch's threads go on spinning for a while and would take a core from whoever is next.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

import paring
from paring.training.optimizers import SGD, Adam, AdamW, Optimizer

CALM_SECONDS = 0.15
STEPS = 4
CASES: dict[str, tuple[Optimizer, str, dict[str, object]]] = {
    "SGD": (SGD(1e-3), "SGD", {}),
    "momentum": (SGD(1e-3, 0.9, "pytorch"), "SGD", {"momentum": 0.9}),
    "momentum, decay": (
        SGD(1e-3, 0.9, "pytorch", weight_decay=1e-4),
        "SGD",
        {"momentum": 0.9, "weight_decay": 1e-4},
    ),
    "Adam": (Adam(1e-3), "Adam", {}),
    "AdamW": (AdamW(1e-3), "AdamW", {}),
    "Adam, decay": (Adam(1e-3, weight_decay=1e-4), "Adam", {"weight_decay": 1e-4}),
}


def our_step(optimizer: Optimizer, size: int, masked: bool) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    weights = {"w": rng.standard_normal(size, np.float32)}
    gradients = {"w": rng.standard_normal(size, np.float32)}
    masks = {"w": rng.random(size, np.float32) < 0.5} if masked else None
    state = optimizer.init(weights)
    return lambda: optimizer.step(weights, gradients, state, masks)


def their_step(torch, name: str, options: dict[str, object], size: int) -> Callable[[], object]:
    parameter = torch.nn.Parameter(torch.randn(size))
    parameter.grad = torch.randn(size)
    return getattr(torch.optim, name)([parameter], lr=1e-3, fused=True, **options).step


def medians(candidates: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, step in candidates.items():
            time.sleep(CALM_SECONDS)
            step()
            start = time.perf_counter()
            for _ in range(STEPS):
                step()
            times[name].append((time.perf_counter() - start) / STEPS)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=25_000_000, help="elements of the one tensor")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        torch = None
    print(f"{options.size:,} float32, medians of {options.rounds} rounds in turn, milliseconds")
    print(
        f"{'threads':>7}  {'':16}{'torch fused':>12}{'paring':>10}{'masked':>10}{'theirs/ours':>13}{'mask costs':>12}"
    )
    for threads in options.threads:
        paring.set_num_threads(threads)
        if torch is not None:
            torch.set_num_threads(threads)
        for label, (optimizer, name, torch_options) in CASES.items():
            candidates = {
                "paring": our_step(optimizer, options.size, masked=False),
                "masked": our_step(optimizer, options.size, masked=True),
            }
            if torch is not None:
                candidates["torch"] = their_step(torch, name, torch_options, options.size)
            found = medians(candidates, options.rounds)
            theirs = found.get("torch")
            shown = "-" if theirs is None else f"{theirs * 1e3:.3f}"
            ratio = "-" if theirs is None else f"{theirs / found['paring']:.2f}x"
            print(
                f"{threads:>7}  {label:16}{shown:>12}{found['paring'] * 1e3:>10.3f}{found['masked'] * 1e3:>10.3f}"
                f"{ratio:>13}{found['masked'] / found['paring'] - 1:>12.1%}"
            )


if __name__ == "__main__":
    main()
