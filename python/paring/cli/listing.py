"""Tables whose lines begin with the name of a weight, fitted to the width there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from ..errors import printable
from ..formats import WeightInfo
from .terminal import ABBREVIATED, Column, make_table, print_table, shorten

__all__ = ["Line", "form_text", "print_listing", "shape_text"]

LEAST_NAME_WIDTH = 16
GOOD_NAME_WIDTH = 20


@dataclass(frozen=True)
class Line:
    """The cells of one line, the name first."""

    cells: Sequence[str]
    style: str = ""


def print_listing(
    console: Console,
    columns: Sequence[Column],
    lines: Sequence[Line],
    expendable: Sequence[str] = (),
    last: Sequence[str] = (),
) -> None:
    """Print a table; where it is too wide, without columns that are `expendable`, then with names abbreviated.

    Columns named in `last` go where names would be cut to nothing; the first of either goes first. No other cell is
    ever cut, for half a number is a wrong one: the lines of a table that is still too wide run over the edge. A column
    of which every cell is empty is left out.
    """
    lines = [Line([printable(cell) for cell in line.cells], line.style) for line in lines]
    kept = [i for i in range(len(columns)) if i == 0 or not lines or any(line.cells[i] for line in lines)]
    longest = max((len(line.cells[0]) for line in lines), default=0)
    wishes = [
        *((title, GOOD_NAME_WIDTH) for title in expendable),
        *((title, LEAST_NAME_WIDTH) for title in last),
    ]
    for title, wished in wishes:
        places = [i for i in kept if columns[i].title == title]
        if places and _name_width(console.width, columns, lines, kept) < min(wished, longest):
            kept.remove(places[0])
    width = max(LEAST_NAME_WIDTH, _name_width(console.width, columns, lines, kept))
    table = make_table(console, *(columns[i] for i in kept))
    for line in lines:
        cells = [shorten(line.cells[0], width), *(line.cells[i] for i in kept[1:])]
        table.add_row(*map(Text, cells), style=line.style)
    print_table(console, table)
    if any(len(line.cells[0]) > width for line in lines):
        console.print(ABBREVIATED, style="dim")


def _name_width(width: int, columns: Sequence[Column], lines: Sequence[Line], kept: Sequence[int]) -> int:
    """Characters that the other columns leave for names."""
    others = (
        max(len(text) for text in (columns[i].title, *(line.cells[i] for line in lines))) for i in kept[1:]
    )
    return width - sum(2 + other for other in others)


def form_text(info: WeightInfo) -> str:
    """Return what a table calls the form of a weight, such as ``int4 group 32`` or ``csr float32``."""
    description = info.description or {}
    if info.kind == "quantized":
        group = f"group {description['group_size']}"
        return (
            f"{info.dtype} {group if description['granularity'] == 'group' else description['granularity']}"
        )
    return f"csr {info.dtype}" if info.kind == "sparse" else info.dtype


def shape_text(shape: Sequence[int]) -> str:
    """Return a shape as a table shows it.

    >>> shape_text((64, 96)), shape_text(())
    ('64x96', '-')
    """
    return "x".join(map(str, shape)) or "-"
