"""The report of a compression as a page: the table, what it all came to, and what to try next."""

from __future__ import annotations

import glob
import math
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ..compression.report import Report
from .listing import Line, print_listing
from .recipe_options import Choices
from .terminal import Column, file_size, times

__all__ = ["gentler_choices", "loadable_choices", "print_remark", "print_report", "print_summary"]

# Tables that are looked up, as models of the Transformers library name them.
LOOKED_UP = ("*embed*", "*wte*", "*wpe*")
MOST_SKIPPED = 3


def print_report(console: Console, report: Report) -> None:
    """Print the report: as it is where its lines fit, else with the table cut to the columns that matter most."""
    text = str(report)
    table, _, rest = text.partition("\n\n")
    if max(map(len, table.splitlines())) <= console.width:
        console.print(text, markup=False)
        return
    columns = [
        *(Column(title) for title in ("weight", "now")),
        *(Column(title, "right") for title in ("size", "ratio", "zeros", "max error", "SQNR")),
    ]
    lines = [
        Line(
            (
                row.name,
                row.form,
                file_size(row.bytes_after),
                times(row.bytes_before / max(row.bytes_after, 1)),
                "-" if row.sparsity is None else f"{100 * row.sparsity:.1f} %",
                "-" if row.max_error is None else f"{row.max_error:.1e}",
                "-"
                if row.sqnr_db is None
                else "exact"
                if row.sqnr_db == math.inf
                else f"{row.sqnr_db:.1f} dB",
            ),
            "yellow" if row.loses_much else "",
        )
        for row in report.rows
        if not row.kept
    ]
    print_listing(console, columns, lines, last=("zeros", "max error", "ratio", "size"))
    console.print("\n" + rest, markup=False)


def print_summary(console: Console, output: Path, before: int, after: int, written: bool) -> None:
    """Print the line that matters most: what the file was, and what it is, or would be."""
    if after < before:
        change = f"{before / after:.2f} times smaller"
    elif after == before:
        change = "the same size"
    else:
        change = f"{after / before:.2f} times larger (no weight is; see what was kept, and how the source is stored)"
    if written:
        console.print(Text(f"{output}: {before:,} -> {after:,} bytes, {change}", "bold"), soft_wrap=True)
    else:
        line = f"Nothing written. {output} would be {before:,} -> {after:,} bytes, {change}"
        console.print(Text(line, "bold"))


def print_remark(console: Console, choices: Choices, report: Report) -> None:
    """Say so if pruning alone saved nothing."""
    pruned = any("pruned" in row.actions for row in report.rows)
    if pruned and choices.details and not choices.sparse and not choices.quantizing:
        console.print(
            "Zeros are stored like any other number here: --sparse leaves them out, --bits 8 makes all smaller."
        )


def gentler_choices(choices: Choices, report: Report) -> Choices | None:
    """Return options that lose less, if quantizing lost much; for pruning there is no such simple advice."""
    quantized = [row for row in report.losses if row.actions == ("quantized",)]
    if not quantized or choices.recipe is not None or choices.preset is not None:
        return None
    bits = choices.bits or 8
    if quantized[0].form.partition(" ")[2].startswith("group") or bits == 8:
        return replace(choices, bits=8, granularity=None, group_size=None) if bits < 8 else None
    return replace(choices, bits=bits, granularity=None, group_size=32)


def loadable_choices(choices: Choices, report: Report) -> Choices | None:
    """Return options whose result the Transformers library loads, if those given quantize more than linear layers.

    It expects embeddings and convolutions as they were. None too where no few globs would tell them apart.
    """
    globs = tuple(dict.fromkeys(_no_linear_layers(report)))
    sparse = any(row.form.startswith("csr") for row in report.rows)
    if not globs or sparse or len(globs) > MOST_SKIPPED:
        return None
    return replace(choices, skip=(*choices.skip, *globs))


def _no_linear_layers(report: Report) -> Iterator[str]:
    for row in report.rows:
        if "quantized" not in row.actions:
            continue
        table = next((pattern for pattern in LOOKED_UP if fnmatchcase(row.name, pattern)), None)
        if table is not None or len(row.shape) != 2:
            yield table or glob.escape(row.name)
