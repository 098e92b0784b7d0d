"""Measures beside those of the baseline: rows of a table, and which of them are worse."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# Measures of things: {"avx2 int8 M=1": {"instructions a call": 48715.0}}. The lower the better.
Measures = Mapping[str, Mapping[str, float]]

# Counts follow the addresses of Python's objects by some ten instructions, through the hash tables of the bindings.
SAME = 1e-3


@dataclass(frozen=True)
class Row:
    """One measure of one thing, in the baseline and now; None where it is missing."""

    name: str
    measure: str
    before: float | None
    now: float | None

    @property
    def ratio(self) -> float | None:
        if self.before is None or self.now is None:
            return None
        if self.before == 0:
            return 1.0 if self.now == 0 else math.inf
        return self.now / self.before

    def verdict(self, limit: float) -> str:
        """Return what became of it: the same, better, WORSE than the limit allows, new or gone; nothing within it."""
        if self.ratio is None:
            return "new" if self.before is None else "gone"
        if self.ratio > limit:
            return "WORSE"
        if abs(self.ratio - 1) < SAME:
            return "the same"
        return "better" if self.ratio < 1 / limit else ""


def compare(before: Measures, now: Measures) -> list[Row]:
    """Return a row for every measure of either, those of the baseline first."""
    keys = {(name, measure): None for side in (before, now) for name in side for measure in side[name]}
    return [
        Row(name, measure, before.get(name, {}).get(measure), now.get(name, {}).get(measure))
        for name, measure in keys
    ]


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.3f}"


def table(rows: list[Row], limit: float) -> Iterator[str]:
    """Yield the lines of a table for a terminal."""
    cells = [("row", "measure", "baseline", "now", "ratio", "")]
    cells += [
        (
            row.name,
            row.measure,
            number(row.before),
            number(row.now),
            "-" if row.ratio is None else f"{row.ratio:.2f}",
            row.verdict(limit),
        )
        for row in rows
    ]
    wide = [max(len(line[column]) for line in cells) for column in range(5)]
    for name, measure, *numbers, verdict in cells:
        right = "  ".join(text.rjust(width) for text, width in zip(numbers, wide[2:], strict=True))
        yield f"{name:{wide[0]}}  {measure:{wide[1]}}  {right}  {verdict}".rstrip()
