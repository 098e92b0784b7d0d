"""The page that ``paring demo FILE`` prints."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from .file_outcome import BATCHES, FileOutcome
from .terminal import (
    Column,
    decibels,
    duration,
    file_size,
    make_table,
    print_next,
    print_table,
    quote,
    shorten,
    speed,
    times,
)
from .variants import INT4_GROUP

__all__ = ["print_file_page"]


def print_file_page(console: Console, outcome: FileOutcome) -> None:
    """Print the page: what was done on what, the table, what it shows, and what to try next."""
    weights, base = outcome.weights, outcome.results[0]
    part = len(outcome.names) < len(weights)
    console.print(f"[bold]{escape(weights.path.name)}, compressed {len(outcome.results) - 1} ways[/]")
    if part:
        count = f"{len(outcome.names):,} of its {len(weights):,} weights"
        console.print(f"{count}, the largest: {file_size(base.report.bytes_before)} in all", style="dim")
    rows, columns = outcome.layer_shape
    console.print(f"timed on {outcome.layer} ({rows} x {columns})", style="dim", markup=False)
    for line in outcome.machine.lines():
        console.print(line, style="dim", markup=False)
    console.print()
    table = make_table(
        console,
        Column("recipe"),
        Column("size", "right"),
        Column("ratio", "right"),
        Column("SQNR", "right"),
        *(
            column
            for rows in BATCHES
            for column in (Column(f"batch {rows}", "right"), Column("speed", "right"))
        ),
    )
    numpy_cells = [cell for timing in outcome.numpy_timings for cell in (duration(timing.seconds), "1.0x")]
    table.add_row("NumPy float32", "", "", "", *numpy_cells, style="dim")
    for result in outcome.results:
        worst = result.worst
        loss = "exact" if worst is None or worst.sqnr_db is None else decibels(worst.sqnr_db)
        table.add_row(
            result.variant.label,
            file_size(result.file_bytes),
            times(base.file_bytes / result.file_bytes),
            Text(loss, "yellow" if worst is not None and worst.loses_much else ""),
            *(
                cell
                for timing in result.timings
                for cell in (
                    duration(timing.seconds),
                    speed(timing.times_faster),
                )
            ),
        )
    print_table(console, table)
    print_remarks(console, outcome)
    quoted = quote(weights.path)
    small = quote(weights.path.with_name("small.safetensors"))
    print_next(
        console,
        [
            (f"paring compress {quoted} -o {small} {INT4_GROUP.options}", ""),
            (f"paring inspect {quoted}", ""),
        ],
    )


def print_remarks(console: Console, outcome: FileOutcome) -> None:
    """Print which weight lost most in every recipe that loses much, and which forms are no gain."""
    base, *others = outcome.results
    console.print()
    console.print("SQNR: weight over error, of the weight that lost most; speed: against NumPy", style="dim")
    lossy = [result for result in others if result.report.losses]
    if lossy:
        console.print("\nUnder 20 dB, an error of a tenth: look at the model's answers first.")
        for result in lossy:
            worst = result.report.losses[0]
            count = len(result.report.losses)
            tail = f": {count} weight{'s' * (count > 1)}, most "
            name = shorten(worst.name, max(16, console.width - len(result.variant.label) - len(tail) - 2))
            console.print(f"  {result.variant.label}{tail}{name}", markup=False)
    refused = [
        result.variant.label
        for result in others
        if any("would take" in row.reason for row in result.report.rows)
    ]
    if refused:
        console.print(f"Forms that would be larger were not used in: {'; '.join(refused)}.", markup=False)
    larger = [result.variant.label for result in others if result.file_bytes >= base.file_bytes]
    if larger:
        console.print(f"Not smaller than the file as it is: {'; '.join(larger)}.", markup=False)
    for i, rows in enumerate(BATCHES):
        slower = [result.variant.label for result in outcome.results if result.timings[i].times_faster < 0.95]
        if slower:
            console.print(f"Slower than NumPy at batch {rows}: {'; '.join(slower)}.", markup=False)
