"""``paring compress``: a weight file in, a smaller one out, and the report."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from ..compression.compressor import compress
from ..compression.criteria import Scope
from ..compression.recipe import PruneStep, QuantizeStep, Recipe, SparsifyStep, Step
from ..compression.report import Report
from ..formats import check_suffix, read, write
from ..weights import GRANULARITIES
from .progress import open_progress
from .terminal import (
    ABBREVIATED,
    Column,
    file_size,
    make_table,
    open_stdout,
    print_next,
    print_table,
    quote,
    shorten,
    times,
)

__all__ = ["Choices", "compress_file", "make_recipe"]

LEAST_NAME_WIDTH = 12


@dataclass(frozen=True)
class Choices:
    """The options of the command, None or False where the user said nothing."""

    bits: int | None = None
    granularity: str | None = None
    group_size: int | None = None
    asymmetric: bool = False
    sparsity: float | None = None
    threshold: float | None = None
    structure: str | None = None
    scope: str | None = None
    sparse: bool = False
    skip: tuple[str, ...] = ()


def make_recipe(choices: Choices) -> Recipe:
    """Return the recipe for the options; ValueError, in their words, if they contradict each other.

    Examples
    --------
    >>> make_recipe(Choices()).steps[0].bits
    8
    >>> [step.kind for step in make_recipe(Choices(sparsity=0.9, sparse=True)).steps]
    ['prune', 'sparsify']
    """
    criteria = {
        "--sparsity": choices.sparsity,
        "--threshold": choices.threshold,
        "--structure": choices.structure,
    }
    given = [option for option, value in criteria.items() if value is not None]
    if choices.scope is not None and choices.sparsity is None:
        raise ValueError("--scope goes with --sparsity")
    if len(given) > 1:
        raise ValueError(
            f"expected one of --sparsity, --threshold and --structure, got {' and '.join(given)}"
        )
    steps: list[Step] = []
    if given:
        steps.append(
            PruneStep(
                threshold=choices.threshold,
                sparsity=choices.sparsity,
                structure=choices.structure,
                scope=_scope(choices),
            )
        )
    if _wants_quantizing(choices) or not (given or choices.sparse):
        steps.append(_quantize_step(choices))
    if choices.sparse:
        steps.append(SparsifyStep())
    return Recipe(tuple(steps), skip=choices.skip)


def _scope(choices: Choices) -> Scope:
    if choices.scope not in (None, "tensor", "global"):
        raise ValueError(f"--scope: expected tensor or global, got {choices.scope!r}")
    return "global" if choices.scope == "global" else "tensor"


def _wants_quantizing(choices: Choices) -> bool:
    return choices.asymmetric or any(
        choice is not None for choice in (choices.bits, choices.granularity, choices.group_size)
    )


def _quantize_step(choices: Choices) -> QuantizeStep:
    granularity = choices.granularity or ("channel" if choices.group_size is None else "group")
    if granularity not in GRANULARITIES:
        raise ValueError(f"--granularity: expected tensor, channel or group, got {granularity!r}")
    if granularity != "group" and choices.group_size is not None:
        raise ValueError(f"--group-size goes with --granularity group, got --granularity {granularity}")
    return QuantizeStep(
        bits=8 if choices.bits is None else choices.bits,
        granularity=granularity,
        group_size=32 if choices.group_size is None else choices.group_size,
        symmetric=not choices.asymmetric,
    )


def compress_file(source: Path, output: Path, choices: Choices, force: bool, as_json: bool) -> None:
    """Compress one file into another and print the report, or the same as JSON.

    Raises
    ------
    ValueError
        If the options contradict each other, `output` is there and `force` is not, or a file is no good. Then
        `output` is as it was.
    OSError
        If a file cannot be read or written.
    """
    recipe = make_recipe(choices)
    # What would stop the writing is said before the work.
    if output.is_dir():
        raise ValueError(f"{output}: expected a file to write, got a folder")
    check_suffix(output)
    if not output.absolute().parent.is_dir():
        raise ValueError(f"{output.parent}: no such folder to write into")
    if output.exists() and not force:
        raise ValueError(f"{output}: already exists; --force replaces it")
    with open_progress(announce=True) as progress:
        weights = read(source)
        before = weights.file_bytes
        progress.start(f"compressing {source}", len(weights))
        compressed = compress(weights, recipe, progress=lambda done, total, name: progress.advance(1))
        progress.start(f"writing {output}", 0)
        write(output, compressed, metadata=compressed.metadata)
    after = output.stat().st_size
    if as_json:
        print(json.dumps(_to_dict(source, output, before, after, compressed.report), indent=2))
        return
    console = open_stdout()
    print_report(console, compressed.report)
    console.print()
    print_summary(console, source, output, before, after)
    console.print(_remark(choices, compressed.report), markup=False, end="")
    retry = _gentler_options(choices, compressed.report)
    print_next(
        console,
        [
            *[(f"paring compress {quote(source)} -o {quote(output)} {retry} --force", "lose less")]
            * bool(retry),
            (f"paring inspect {quote(output)}", "look into it"),
            (f"paring demo {quote(source)}", "compare other recipes, with times"),
        ],
    )


def _to_dict(source: Path, output: Path, before: int, after: int, report: Report) -> dict[str, Any]:
    return {
        **report.to_dict(),
        "input_path": str(source),
        "output_path": str(output),
        "input_bytes": before,
        "output_bytes": after,
        "ratio": before / after,
    }


def print_report(console: Console, report: Report) -> None:
    """Print the report: as it is where its lines fit, else with the table cut to the columns that matter most."""
    text = str(report)
    if max(map(len, text.partition("\n\n")[0].splitlines())) <= console.width:
        console.print(text, markup=False)
        return
    changed = [row for row in report.rows if not row.kept]
    cells = [
        [
            row.name,
            row.form,
            file_size(row.bytes_after),
            times(row.bytes_before / max(row.bytes_after, 1)),
            "-" if row.sparsity is None else f"{100 * row.sparsity:.1f} %",
            "-" if row.max_error is None else f"{row.max_error:.1e}",
            "-" if row.sqnr_db is None else "exact" if row.sqnr_db == math.inf else f"{row.sqnr_db:.1f} dB",
        ]
        for row in changed
    ]
    titles = ["weight", "now", "size", "ratio", "zeros", "max error", "SQNR"]
    others = (max(len(text) for text in column) + 2 for column in list(zip(titles, *cells, strict=True))[1:])
    width = max(LEAST_NAME_WIDTH, console.width - sum(others))
    table = make_table(
        console, *(Column(title, "left" if i < 2 else "right") for i, title in enumerate(titles))
    )
    for row, line in zip(changed, cells, strict=True):
        line[0] = shorten(line[0], width)
        table.add_row(*map(Text, line), style="yellow" if row.loses_much else "")
    print_table(console, table)
    if any(len(row.name) > width for row in changed):
        console.print(ABBREVIATED, style="dim")
    console.print("\n" + text.partition("\n\n")[2], markup=False)


def print_summary(console: Console, source: Path, output: Path, before: int, after: int) -> None:
    """Print the line that matters most: what the file was, and what it is."""
    if after < before:
        change = f"{before / after:.2f} times smaller"
    elif after == before:
        change = "the same size"
    else:
        change = f"{after / before:.2f} times larger (no weight is; see what was kept, and how the source is stored)"
    line = Text(f"{output}: {before:,} -> {after:,} bytes, {change}", "bold")
    console.print(line, soft_wrap=True)


def _gentler_options(choices: Choices, report: Report) -> str:
    """Return options that lose less, if quantizing lost much; for pruning there is no such simple advice."""
    quantized = [row for row in report.losses if row.actions == ("quantized",)]
    if not quantized:
        return ""
    bits = choices.bits or 8
    if quantized[0].form.partition(" ")[2].startswith("group") or bits == 8:
        return "--bits 8" if bits < 8 else ""
    return f"--bits {bits} --group-size 32"


def _remark(choices: Choices, report: Report) -> str:
    pruned = any("pruned" in row.actions for row in report.rows)
    if pruned and not choices.sparse and not _wants_quantizing(choices):
        return "Zeros are stored like any other number here: --sparse leaves them out, --bits 8 makes all smaller.\n"
    return ""
