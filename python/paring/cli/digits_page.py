"""The page that ``paring demo`` prints about the digit classifier."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .. import demo
from .digits_outcome import BATCH, DigitsOutcome
from .pictures import BLANK, picture_rows
from .terminal import (
    Column,
    bar,
    duration,
    is_rich,
    make_table,
    print_next,
    print_table,
    quote,
    significant,
    speed,
    times,
)

__all__ = ["print_digits_page"]

BAR_WIDTH = 16
# A difference of three digits in a thousand may as well go the other way with other digits.
TOLERATED_LOSS = 0.003
# Fewer columns than this leave no room for bars beside the numbers.
WIDTH_FOR_BARS = 96


def print_digits_page(console: Console, outcome: DigitsOutcome, keep: Path | None) -> None:
    """Print the page: what was done on what, the table, what it shows, and what to try next."""
    count = len(outcome.labels)
    shapes = [outcome.results[0].report[f"{name}.weight"].shape for name, _ in demo.LAYERS]
    sizes = "-".join(str(n) for n in (shapes[0][1], *(shape[0] for shape in shapes)))
    console.print(f"[bold]A {sizes} digit classifier, compressed {len(outcome.results) - 1} ways[/]")
    judged = f"judged on {count:,} handwritten digits it was not trained on, timed on {BATCH} at a time"
    console.print(judged, style="dim")
    for line in outcome.machine.lines():
        console.print(line, style="dim", markup=False)
    console.print()
    print_table(console, make_result_table(console, outcome))
    print_remarks(console, outcome)
    if is_rich(console):
        print_pictures(console, outcome)
    if keep is None:
        commands = [
            ("paring demo --keep paring-demo", "the same, and keep the files"),
            ("paring inspect paring-demo/int8-per-channel.safetensors", "then look into one"),
            ("paring demo model.safetensors", "the same for your own file"),
        ]
    else:
        float32, int8, int4, *_ = outcome.results
        small = quote(keep / "small.safetensors")
        commands = [
            (f"paring inspect {quote(int8.path)}", "what lies in one of them"),
            (f"paring compress {quote(float32.path)} -o {small} {int4.variant.options}", "one again"),
            ("paring demo model.safetensors", "the same for your own file"),
        ]
    print_next(console, commands)


def make_result_table(console: Console, outcome: DigitsOutcome) -> Table:
    """Return the table: NumPy's row, and one a recipe."""
    with_bars = is_rich(console) and console.width >= WIDTH_FOR_BARS
    count = len(outcome.labels)
    table = make_table(
        console,
        Column("recipe"),
        *([Column("file")] if with_bars else []),
        Column("bytes", "right"),
        Column("ratio", "right"),
        Column("accuracy", "right"),
        Column("error", "right"),
        Column("batch", "right"),
        Column("speed", "right"),
    )
    base = outcome.results[0]
    table.add_row(
        "NumPy float32",
        *([""] if with_bars else []),
        "",
        "",
        _accuracy(base.right, count),
        "",
        duration(outcome.numpy_timing.seconds),
        "1.0x",
        style="dim",
    )
    for result in outcome.results:
        table.add_row(
            result.variant.label,
            *([Text(bar(result.file_bytes / base.file_bytes, BAR_WIDTH), "cyan")] if with_bars else []),
            f"{result.file_bytes:,}",
            times(base.file_bytes / result.file_bytes),
            Text(_accuracy(result.right, count), _accuracy_style(result.right, base.right, count)),
            significant(result.largest_error, 2) if result.largest_error >= 0.001 else "<0.001",
            duration(result.timing.seconds),
            speed(result.timing.times_faster),
        )
    return table


def _accuracy(right: int, count: int) -> str:
    return f"{100 * right / count:.1f} %"


def _accuracy_style(right: int, base: int, count: int) -> str:
    """Red beyond a point of loss, yellow beyond what the choice of test digits may explain."""
    lost = (base - right) / count
    return "red" if lost > 0.01 else "yellow" if lost > TOLERATED_LOSS else ""


def print_remarks(console: Console, outcome: DigitsOutcome) -> None:
    """Print what the columns mean, and in plain words which rows are no gain."""
    low, high = outcome.logits_range
    console.print()
    console.print(f"error: of a logit, at most (they span {low:.0f} to {high:.0f})", style="dim")
    console.print("speed: against NumPy, after every layer's answer was checked against it", style="dim")
    console.print("csr: only for layers that it makes smaller", style="dim")
    base, *others = outcome.results
    count = len(outcome.labels)
    lost = [result for result in others if (base.right - result.right) / count > TOLERATED_LOSS]
    if lost:
        console.print()
        console.print("Accuracy lost without training again:")
        for result in lost:
            wrong = base.right - result.right
            console.print(f"  {result.variant.label}: {100 * wrong / count:.1f} points", markup=False)
    slower = [result.variant.label for result in outcome.results if result.timing.times_faster < 0.95]
    if slower:
        console.print(f"Slower than NumPy here: {'; '.join(slower)}.", markup=False)
    smallest = min(
        (result for result in others if result not in lost), key=lambda r: r.file_bytes, default=None
    )
    if smallest is not None:
        ratio = times(base.file_bytes / smallest.file_bytes)
        gain = f"{ratio} smaller, {times(smallest.timing.times_faster)} NumPy's speed"
        within = f"{100 * TOLERATED_LOSS:.1f} points"
        console.print(f"\nSmallest within {within}: [bold]{smallest.variant.label}, {gain}[/]")


def print_pictures(console: Console, outcome: DigitsOutcome) -> None:
    """Show digits that float32 reads right and the roughest quantized recipe does not."""
    base = outcome.results[0]
    rough = max(
        (
            result
            for result in outcome.results
            if all(s.kind == "quantize" for s in result.variant.recipe.steps)
        ),
        key=lambda result: result.largest_error,
    )
    missed = np.flatnonzero((base.guesses == outcome.labels) & (rough.guesses != outcome.labels))
    if not missed.size:
        return
    shown = missed[: max(1, min(5, (console.width - 2) // 16))]
    console.print()
    console.print(f"Digits that float32 reads and {rough.variant.label} does not:")
    pictures = [picture_rows(outcome.images[i].reshape(28, 28)) for i in shown]
    for lines in zip(*pictures, strict=True):
        if "".join(lines).strip(BLANK):
            console.print("  " + "  ".join(lines), style="cyan", markup=False)
    captions = [f"{outcome.labels[i]}, not {rough.guesses[i]}".center(14) for i in shown]
    console.print("  " + "  ".join(captions), style="dim", markup=False)
