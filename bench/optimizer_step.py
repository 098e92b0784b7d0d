"""One step of an optimizer beside torch's fused one, in turn: medians, and theirs divided by ours.

    python bench/optimizer_step.py [--size 25000000] [--rounds 15] [--threads 1 2]

Without torch the table has our columns alone. Each round runs every candidate once, on memory of its own, after a pause
and one step more: torch's threads go on spinning for a while and would take a core from whoever is next.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Row:
    """One case, in milliseconds."""

    threads: int
    label: str
    ours: float
    masked: float
    theirs: float | None


def measure_all(threads: Sequence[int], size: int, rounds: int) -> Iterator[Row]:
    """Yield a row for every case."""
    try:
        import torch
    except ImportError:
        torch = None
    for count in threads:
        paring.set_num_threads(count)
        if torch is not None:
            torch.set_num_threads(count)
        for label, (optimizer, name, torch_options) in CASES.items():
            candidates = {
                "paring": our_step(optimizer, size, masked=False),
                "masked": our_step(optimizer, size, masked=True),
            }
            if torch is not None:
                candidates["torch"] = their_step(torch, name, torch_options, size)
            found = {key: value * 1e3 for key, value in medians(candidates, rounds).items()}
            yield Row(count, label, found["paring"], found["masked"], found.get("torch"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=25_000_000, help="elements of the one tensor")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    print(f"{options.size:,} float32, medians of {options.rounds} rounds in turn, milliseconds")
    print(
        f"{'threads':>7}  {'':16}{'torch fused':>12}{'paring':>10}{'masked':>10}{'theirs/ours':>13}{'mask costs':>12}"
    )
    for row in measure_all(options.threads, options.size, options.rounds):
        shown = "-" if row.theirs is None else f"{row.theirs:.3f}"
        ratio = "-" if row.theirs is None else f"{row.theirs / row.ours:.2f}x"
        print(
            f"{row.threads:>7}  {row.label:16}{shown:>12}{row.ours:>10.3f}{row.masked:>10.3f}"
            f"{ratio:>13}{row.masked / row.ours - 1:>12.1%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
