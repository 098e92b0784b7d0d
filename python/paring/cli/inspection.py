"""``paring inspect``: what lies in a weight file."""

from __future__ import annotations

import glob
import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from ..compression.recipe import DEFAULT_RECIPE
from ..errors import FormatError, printable
from ..formats import WeightFile, WeightInfo, read
from ..formats.shards import INDEX_SUFFIX
from .answers import print_answer
from .listing import Line, form_text, print_listing, shape_text
from .progress import Progress, open_progress
from .terminal import Column, file_size, open_stdout, print_next, quote, significant
from .values import ValueSummary, summarize

__all__ = ["inspect_file"]

SCHEMA_VERSION = 1
WIDTH_FOR_THREE_DIGITS = 100
SHOWN_PROBLEMS = 3


@dataclass(frozen=True)
class Entry:
    """One weight of the file.

    Attributes
    ----------
    info : WeightInfo or None
        What the header says; None if the header of this weight alone is broken.
    values : ValueSummary or None
        None if nobody looked or could look, or there is nothing to count (text).
    problem : str
        Why it cannot be read; empty if it can, as far as anybody looked.
    """

    name: str
    info: WeightInfo | None
    values: ValueSummary | None = None
    problem: str = ""

    @property
    def size(self) -> int:
        return 0 if self.info is None else math.prod(self.info.shape)

    @property
    def nbytes(self) -> int:
        return 0 if self.info is None else self.info.nbytes

    @property
    def bits_per_weight(self) -> float:
        return 8 * self.nbytes / self.size if self.size else 0.0

    @property
    def compressed(self) -> bool:
        return self.info is not None and self.info.kind != "array"

    @property
    def refused(self) -> bool:
        """Whether compressing would want to change it and cannot, for it holds what is not finite."""
        touched = self.info is not None and len(self.info.shape) > 1 and self.size >= DEFAULT_RECIPE.min_size
        return touched and self.values is not None and self.values.not_finite > 0

    def to_dict(self) -> dict[str, Any]:
        info, values = self.info, self.values
        return {
            "name": self.name,
            "kind": None if info is None else info.kind,
            "form": None if info is None else form_text(info),
            "dtype": None if info is None else info.dtype,
            "shape": None if info is None else list(info.shape),
            "size": self.size,
            "bytes": self.nbytes,
            "bits_per_weight": self.bits_per_weight,
            "minimum": None if values is None else values.minimum,
            "maximum": None if values is None else values.maximum,
            "zeros": None if values is None else values.zeros,
            "not_finite": None if values is None else values.not_finite,
            "sqnr_db": None,
            "problem": self.problem or None,
        }


def inspect_file(path: Path, as_json: bool = False, values: bool = True) -> None:
    """Print a table of the weights of a file, or the same as JSON.

    Values are read a weight at a time; with ``values=False`` the header alone is. A weight that cannot be read
    is listed with the reason.
    """
    weights = read(path)
    entries = [_describe(weights, name) for name in weights]
    if values:
        with open_progress() as progress:
            progress.start("reading values", sum(entry.nbytes for entry in entries))
            entries = list(_look_at_values(weights, entries, progress))
    if as_json:
        print_answer(_to_dict(weights, entries))
    else:
        _print_entries(open_stdout(), weights, entries)


def _describe(weights: WeightFile, name: str) -> Entry:
    try:
        return Entry(name, weights.describe(name))
    except FormatError as error:
        return Entry(name, None, problem=str(error))


def _look_at_values(weights: WeightFile, entries: list[Entry], progress: Progress) -> Iterator[Entry]:
    for entry in entries:
        if entry.info is None:
            yield entry
            continue
        try:
            yield Entry(entry.name, entry.info, summarize(weights[entry.name]))
        except FormatError as error:
            yield Entry(entry.name, entry.info, problem=str(error))
        progress.advance(entry.nbytes)


def _to_dict(weights: WeightFile, entries: list[Entry]) -> dict[str, Any]:
    size = sum(entry.size for entry in entries)
    stored = sum(entry.nbytes for entry in entries)
    return {
        "schema_version": SCHEMA_VERSION,
        "path": str(weights.path),
        "file_bytes": weights.file_bytes,
        "metadata": weights.metadata,
        "totals": {
            "weights": len(entries),
            "unreadable": sum(bool(entry.problem) for entry in entries),
            "size": size,
            "bytes": stored,
            "bits_per_weight": 8 * stored / size if size else 0.0,
        },
        "weights": [entry.to_dict() for entry in entries],
    }


def _print_entries(console: Console, weights: WeightFile, entries: list[Entry]) -> None:
    stored = sum(entry.nbytes for entry in entries)
    compressed = any(entry.compressed for entry in entries)
    looked = any(entry.values is not None or entry.problem for entry in entries)
    digits = 3 if console.width >= WIDTH_FOR_THREE_DIGITS else 2
    columns = [
        *(Column(title) for title in ("name", "shape", "form")),
        *(Column(title, "right") for title in ("bits", "size", "share", "range", "zeros")),
    ]
    lines = [
        Line(
            (
                entry.name,
                "?" if entry.info is None else shape_text(entry.info.shape),
                "?" if entry.info is None else form_text(entry.info),
                f"{entry.bits_per_weight:.1f}" if compressed else "",
                file_size(entry.nbytes),
                _share(entry.nbytes, stored),
                _range(entry, digits) if looked else "",
                _zeros(entry) if looked else "",
            ),
            "red" if entry.problem or (entry.values is not None and entry.values.not_finite) else "",
        )
        for entry in entries
    ]
    # A narrow terminal gets fewer columns rather than names cut to nothing; what goes can be told from the rest.
    print_listing(console, columns, lines, expendable=("share", "bits"), last=("zeros", "range", "shape"))
    console.print()
    _print_summary(console, weights, entries, stored)
    _print_problems(console, entries)
    _print_next(console, weights, entries)


def _print_summary(console: Console, weights: WeightFile, entries: list[Entry], stored: int) -> None:
    size = sum(entry.size for entry in entries)
    bits = 8 * stored / size if size else 0.0
    console.print(
        f"[bold]{len(entries)} weight{'s' * (len(entries) != 1)}, {size:,} elements, "
        f"{file_size(weights.file_bytes)} on disk[/] ({weights.file_bytes:,} bytes), {bits:.1f} bits an element"
    )


def _print_problems(console: Console, entries: list[Entry]) -> None:
    bad = [entry for entry in entries if entry.values is not None and entry.values.not_finite]
    if bad:
        worst = next((entry for entry in bad if entry.refused), bad[0])
        assert worst.values is not None
        count = f"{worst.values.not_finite:,} of {worst.size:,} values"
        refused = any(entry.refused for entry in bad)
        outcome = "stops at them; --skip keeps them as they are" if refused else "leaves them alone"
        console.print(
            f"[red]NaN or infinity in {len(bad)} weight{'s' * (len(bad) > 1)}:[/] "
            f"{escape(printable(worst.name))} has {count}; compressing {outcome}"
        )
    unreadable = [entry for entry in entries if entry.problem]
    if unreadable:
        count = f"{len(unreadable)} weight{'s' * (len(unreadable) > 1)}"
        console.print(f"[red]{count} cannot be read[/]; compressing stops at them:")
        for entry in unreadable[:SHOWN_PROBLEMS]:
            console.print(f"  {' '.join(entry.problem.split())}", markup=False)
        if len(unreadable) > SHOWN_PROBLEMS:
            console.print(f"  and {len(unreadable) - SHOWN_PROBLEMS} more, which --json lists")


def _print_next(console: Console, weights: WeightFile, entries: list[Entry]) -> None:
    quoted = quote(weights.path)
    to_a_program = (f"paring inspect {quoted} --json", "every number, for a program")
    refused = [entry.name for entry in entries if entry.refused]
    untypable = any(printable(name) != name for name in refused)
    if any(entry.problem for entry in entries) or len(refused) > SHOWN_PROBLEMS or untypable:
        commands = [to_a_program]
    elif any(entry.compressed for entry in entries):
        console.print("What was lost is not known here: a compressed file does not hold the original.")
        commands = [
            (f"paring compare ORIGINAL {quoted}", "what was lost, weight by weight"),
            to_a_program,
        ]
    else:
        source, smaller = _suggestion(weights.path)
        options = "".join(f" --skip {shlex.quote(glob.escape(name))}" for name in refused)
        commands = [(f"paring compress {quote(source)} -o {quote(smaller)}{options}", "make it smaller")]
        if not refused:
            commands.insert(0, (f"paring demo {quote(source)}", "what every recipe would give"))
    print_next(console, commands)


def _share(part: int, whole: int) -> str:
    share = part / whole if whole else 0.0
    return "<1 %" if 0 < share < 0.005 else f"{share:.0%}".replace("%", " %")


def _range(entry: Entry, digits: int) -> str:
    values = entry.values
    if entry.problem:
        return "not readable"
    if values is None or values.minimum is None or values.maximum is None:
        return "-"
    if values.integers:
        return f"{values.minimum} .. {values.maximum}"
    return f"{significant(values.minimum, digits)} .. {significant(values.maximum, digits)}"


def _zeros(entry: Entry) -> str:
    if entry.values is None or not entry.size:
        return "-"
    share = 100 * entry.values.zeros / entry.size
    return f"{share:.1f} %"


def _suggestion(path: Path) -> tuple[Path, Path]:
    """Return what to compress, and a name for the result: a folder for a folder of shards."""
    if path.name.endswith(INDEX_SUFFIX):
        folder = path.parent
        name = folder.resolve().name or "model"
        return folder, folder.resolve().parent / f"{name}-int8" if folder.name in ("", "..") else Path(
            f"{folder}-int8"
        )
    return path, path.with_name(f"{path.name.split('.')[0]}-int8.safetensors")
