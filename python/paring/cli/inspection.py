"""``paring inspect``: what lies in a weight file."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.text import Text

from ..formats import WeightFile, WeightInfo, read
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
    significant,
)
from .values import ValueSummary, summarize

__all__ = ["inspect_file"]

SCHEMA_VERSION = 1
LEAST_NAME_WIDTH = 12
GOOD_NAME_WIDTH = 20
WIDTH_FOR_THREE_DIGITS = 100


@dataclass(frozen=True)
class Entry:
    """One weight of the file; `values` is None if nobody looked or there is nothing to count (text)."""

    name: str
    info: WeightInfo
    values: ValueSummary | None

    @property
    def size(self) -> int:
        return math.prod(self.info.shape)

    @property
    def bits_per_weight(self) -> float:
        return 8 * self.info.nbytes / self.size if self.size else 0.0

    @property
    def form(self) -> str:
        description = self.info.description or {}
        if self.info.kind == "quantized":
            group = f"group {description['group_size']}"
            scales = group if description["granularity"] == "group" else description["granularity"]
            return f"{self.info.dtype} {scales}"
        return f"csr {self.info.dtype}" if self.info.kind == "sparse" else self.info.dtype

    def to_dict(self) -> dict[str, Any]:
        values = self.values
        return {
            "name": self.name,
            "kind": self.info.kind,
            "form": self.form,
            "dtype": self.info.dtype,
            "shape": list(self.info.shape),
            "size": self.size,
            "bytes": self.info.nbytes,
            "bits_per_weight": self.bits_per_weight,
            "minimum": None if values is None else values.minimum,
            "maximum": None if values is None else values.maximum,
            "zeros": None if values is None else values.zeros,
            "not_finite": None if values is None else values.not_finite,
            "sqnr_db": None,
        }


def inspect_file(path: Path, as_json: bool = False, values: bool = True) -> None:
    """Print a table of the weights of a file, or the same as JSON.

    Values are read a weight at a time; with ``values=False`` the header alone is.
    """
    weights = read(path)
    infos = {name: weights.describe(name) for name in weights}
    entries = []
    with open_progress() as progress:
        progress.start("reading values", sum(info.nbytes for info in infos.values()) if values else 0)
        for name, info in infos.items():
            entries.append(Entry(name, info, summarize(weights[name]) if values else None))
            progress.advance(info.nbytes)
    if as_json:
        print(json.dumps(_to_dict(weights, entries), indent=2))
    else:
        _print_entries(weights, entries)


def _to_dict(weights: WeightFile, entries: list[Entry]) -> dict[str, Any]:
    size = sum(entry.size for entry in entries)
    stored = sum(entry.info.nbytes for entry in entries)
    return {
        "schema_version": SCHEMA_VERSION,
        "path": str(weights.path),
        "file_bytes": weights.file_bytes,
        "metadata": weights.metadata,
        "totals": {
            "weights": len(entries),
            "size": size,
            "bytes": stored,
            "bits_per_weight": 8 * stored / size if size else 0.0,
        },
        "weights": [entry.to_dict() for entry in entries],
    }


def _print_entries(weights: WeightFile, entries: list[Entry]) -> None:
    console = open_stdout()
    stored = sum(entry.info.nbytes for entry in entries)
    compressed = any(entry.info.kind != "array" for entry in entries)
    looked = any(entry.values is not None for entry in entries)
    titles = ["name", "shape", "form", *["bits"] * compressed, "size", "share", *["range", "zeros"] * looked]
    digits = 3 if console.width >= WIDTH_FOR_THREE_DIGITS else 2
    cells = [
        [
            entry.name,
            "x".join(map(str, entry.info.shape)) or "-",
            entry.form,
            *[f"{entry.bits_per_weight:.1f}"] * compressed,
            file_size(entry.info.nbytes),
            _share(entry.info.nbytes, stored),
            *([_range(entry.values, digits), _zeros(entry)] if looked else []),
        ]
        for entry in entries
    ]
    # A narrow terminal gets fewer columns rather than names cut to nothing; what goes can be told from the rest.
    columns = list(range(len(titles)))
    for title in ("share", "bits"):
        if _name_width(console.width, titles, cells, columns) < GOOD_NAME_WIDTH and title in titles:
            columns.remove(titles.index(title))
    width = max(LEAST_NAME_WIDTH, _name_width(console.width, titles, cells, columns))
    table = make_table(
        console,
        *(Column(titles[i], "left" if titles[i] in ("name", "shape", "form") else "right") for i in columns),
    )
    for entry, row in zip(entries, cells, strict=True):
        row[0] = shorten(row[0], width)
        bad = entry.values is not None and entry.values.not_finite > 0
        table.add_row(*(Text(row[i]) for i in columns), style="red" if bad else "")
    print_table(console, table)
    if any(len(entry.name) > width for entry in entries):
        console.print(ABBREVIATED, style="dim")
    _print_summary(weights, entries, stored)


def _name_width(width: int, titles: list[str], cells: list[list[str]], columns: list[int]) -> int:
    """Characters that the other columns leave for names."""
    others = (max(len(text) for text in (titles[i], *(row[i] for row in cells))) for i in columns[1:])
    return width - sum(2 + other for other in others)


def _print_summary(weights: WeightFile, entries: list[Entry], stored: int) -> None:
    console = open_stdout()
    size = sum(entry.size for entry in entries)
    bits = 8 * stored / size if size else 0.0
    bad = [entry for entry in entries if entry.values is not None and entry.values.not_finite]
    console.print()
    console.print(
        f"[bold]{len(entries)} weights, {size:,} elements, {file_size(weights.file_bytes)} on disk[/] "
        f"({weights.file_bytes:,} bytes), {bits:.1f} bits an element"
    )
    if bad:
        worst = bad[0]
        assert worst.values is not None
        count = f"{worst.values.not_finite:,} of {worst.size:,} values"
        console.print(
            f"[red]NaN or infinity in {len(bad)} weight{'s' * (len(bad) > 1)}:[/] "
            f"{escape(worst.name)} has {count}; compressing refuses them"
        )
    quoted = quote(weights.path)
    if any(entry.info.kind != "array" for entry in entries):
        console.print("What was lost is not known here: a compressed file does not hold the original.")
        print_next(console, [(f"paring inspect {quoted} --json", "every number, for a program")])
    else:
        smaller = quote(weights.path.with_name(f"{weights.path.name.split('.')[0]}-int8.safetensors"))
        print_next(
            console,
            [
                (f"paring demo {quoted}", "what every recipe would give"),
                (f"paring compress {quoted} -o {smaller}", "make it smaller"),
            ],
        )


def _share(part: int, whole: int) -> str:
    share = part / whole if whole else 0.0
    return "<1 %" if 0 < share < 0.005 else f"{share:.0%}".replace("%", " %")


def _range(values: ValueSummary | None, digits: int) -> str:
    if values is None or values.minimum is None or values.maximum is None:
        return "-"
    if values.integers:
        return f"{values.minimum:.0f} .. {values.maximum:.0f}"
    return f"{significant(values.minimum, digits)} .. {significant(values.maximum, digits)}"


def _zeros(entry: Entry) -> str:
    if entry.values is None or not entry.size:
        return "-"
    share = 100 * entry.values.zeros / entry.size
    return f"{share:.1f} %"
