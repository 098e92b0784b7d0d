"""Write docs/training.md: accuracy on Fashion-MNIST, time of a training step, time of an optimizer step.

    python bench/training_report.py --accuracy FILE [--rounds 40] [--write]

FILE is what ``bench/training_accuracy.py --json FILE`` has written. Without ``--write`` the page goes to the terminal.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import optimizer_step
import training_step
from machine import describe_machine

PAGE = Path(__file__).resolve().parent.parent / "docs" / "training.md"
MARK = "<!-- all below is written by bench/training_report.py -->"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def accuracy_table(document: dict[str, Any]) -> str:
    rows = []
    for net in dict.fromkeys(row["net"] for row in document["rows"]):
        for who in dict.fromkeys(row["who"] for row in document["rows"]):
            own = [row for row in document["rows"] if (row["net"], row["who"]) == (net, who)]
            scores = [row["accuracy"] for row in own]
            each = ", ".join(f"{score:.2%}" for score in scores)
            spread = f"{(max(scores) - min(scores)) * 100:.2f} points"
            seconds = statistics.median(row["seconds"] for row in own)
            rows.append([net, who, each, f"{statistics.mean(scores):.2%}", spread, f"{seconds:.0f} s"])
    return table(["network", "by", "test images, each seed", "mean", "spread", "time of a run"], rows)


def step_table(rows: Iterable[training_step.Row]) -> str:
    header = [
        "threads",
        "network",
        "batch",
        "optimizer",
        "PyTorch, ms",
        "its variant",
        "paring, ms",
        "theirs / ours",
    ]
    return table(
        [*header, "in products", "their GFLOP/s", "of the fastest"],
        [
            [
                str(row.threads),
                row.net,
                str(row.batch),
                row.optimizer,
                "-" if row.theirs is None else f"{row.theirs:.2f}",
                row.variant or "-",
                f"{row.ours:.2f}",
                "-" if row.ratio is None else f"{row.ratio:.2f}x",
                f"{row.product_share:.0%}",
                f"{row.product_speed:.0f}",
                f"{row.product_speed / row.fastest_speed:.0%}",
            ]
            for row in rows
        ],
    )


def optimizer_table(rows: Iterable[optimizer_step.Row]) -> str:
    return table(
        [
            "threads",
            "optimizer",
            "PyTorch fused, ms",
            "paring, ms",
            "theirs / ours",
            "with a mask, ms",
            "a mask costs",
        ],
        [
            [
                str(row.threads),
                row.label,
                "-" if row.theirs is None else f"{row.theirs:.2f}",
                f"{row.ours:.2f}",
                "-" if row.theirs is None else f"{row.theirs / row.ours:.2f}x",
                f"{row.masked:.2f}",
                f"{row.masked / row.ours - 1:.1%}",
            ]
            for row in rows
        ],
    )


def peer() -> str:
    try:
        import torch
    except ImportError:
        return "without PyTorch"
    return f"PyTorch {torch.__version__}"


def page(accuracy: dict[str, Any], rounds: int) -> str:
    """Measure and return what stands below the mark."""
    machine = describe_machine()
    where = (
        f"{machine['date']}, {machine['cpu']}, level {machine['level']}, NumPy {machine['numpy']}, {peer()}"
    )
    steps = step_table(training_step.measure_all([1, 2], [64, 256], rounds))
    optimizers = optimizer_table(optimizer_step.measure_all([1, 2], 25_000_000, max(rounds // 4, 5)))
    return f"""{MARK}

Measured {where}.

## Accuracy: Fashion-MNIST

{accuracy["epochs"]} epochs of Adam, batches of 64, a cosine from 0.001 to 0 (`bench/training_accuracy.py`).
5,000 images of the training split choose the best epoch; the test images are looked at once a seed.

{accuracy_table(accuracy)}

## A training step

Forward, cross-entropy, backward and optimizer on random images (`bench/training_step.py`): medians of {rounds}
rounds in turn in one process. PyTorch's column is the fastest of its variants (as it comes, fused optimizer,
channels_last too). Products are matrix products and convolutions; the fastest product is one whose operands lie in
the caches.

{steps}

## An optimizer step

25 million float32 in one tensor (`bench/optimizer_step.py`), against PyTorch's fused optimizers.

{optimizers}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accuracy", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    text = page(json.loads(options.accuracy.read_text()), options.rounds)
    if not options.write:
        print(text)
        return
    PAGE.write_text(PAGE.read_text().partition(MARK)[0] + text)


if __name__ == "__main__":
    main()
