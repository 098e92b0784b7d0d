"""How the program looks: consoles, tables and numbers, for a terminal and for a pipe."""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = [
    "ABBREVIATED",
    "Column",
    "bar",
    "decibels",
    "duration",
    "file_size",
    "is_rich",
    "make_table",
    "open_stderr",
    "open_stdout",
    "print_next",
    "print_table",
    "quote",
    "shorten",
    "significant",
    "speed",
    "times",
]

# A pipe has no width: a row is a line, however long.
UNBOUNDED_WIDTH = 10_000
GAP = 2
ABBREVIATED = "Names are abbreviated to fit; a wider terminal, or a pipe, has them in full."


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    title: str
    justify: Literal["left", "right"] = "left"


class PipedConsole(Console):
    """A console that leaves it to the program what happens when nobody reads on."""

    def on_broken_pipe(self) -> None:
        """Let the exception through; rich would exit with a code that means something else here."""
        raise


def open_stdout() -> Console:
    """Return the console for what the user asked for."""
    return _open_console(stderr=False)


def open_stderr() -> Console:
    """Return the console for progress and messages."""
    return _open_console(stderr=True)


def _open_console(stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    bounded = stream.isatty() or "COLUMNS" in os.environ
    return PipedConsole(
        stderr=stderr, highlight=False, soft_wrap=not bounded, width=None if bounded else UNBOUNDED_WIDTH
    )


def is_rich(console: Console) -> bool:
    """Whether pictures and bars make sense: a terminal that can do more than print letters."""
    return console.is_terminal and not console.is_dumb_terminal and console.encoding.startswith("utf")


def make_table(console: Console, *columns: Column) -> Table:
    """Return an empty table with a quiet look: titles, a line under them, and space."""
    with_line = is_rich(console)
    table = Table(
        box=box.SIMPLE_HEAD if with_line else None,
        show_edge=False,
        pad_edge=False,
        padding=(0, GAP - with_line, 0, 0),  # the box puts a space of its own between columns
        header_style="bold",
        border_style="dim",
    )
    for column in columns:
        table.add_column(column.title, justify=column.justify, no_wrap=True)
    return table


def print_table(console: Console, table: Table) -> None:
    """Print a table, without the spaces that would fill its lines up to the right edge.

    Its lines run over the edge of a terminal that is too narrow: half a number would be a wrong one.
    """
    width = console.width
    unbounded = console.options.update(max_width=UNBOUNDED_WIDTH)
    console.width = max(width, console.measure(table, options=unbounded).maximum)
    try:
        if is_rich(console):
            console.print(table)
            return
        with console.capture() as capture:
            console.print(table)
    finally:
        console.width = width
    for line in capture.get().splitlines():
        console.out(line.rstrip(), highlight=False)


def print_next(console: Console, commands: Sequence[tuple[str, str]]) -> None:
    """Print what to try next: commands to copy, each with its purpose."""
    console.print("\nNext")
    width = max(len(command) for command, _ in commands)
    explained = all(width + len(purpose) + 4 <= console.width for _, purpose in commands)
    for command, purpose in commands:
        line = Text(f"  {command}", "bold")
        if explained and purpose:
            line.append(f"{'':{width - len(command)}}  {purpose}", "not bold dim")
        console.print(line, soft_wrap=True)


def quote(path: Path) -> str:
    """Return a path as it is typed into a shell."""
    return shlex.quote(str(path))


def shorten(name: str, width: int) -> str:
    """Abbreviate the name of a weight to so many characters: its longest words first, numbers and the last word never.

    >>> shorten("encoder.layer.11.attention.output.dense.weight", 32)
    'enco.laye.11.atte.out.den.weight'
    >>> shorten("embeddings", 8)
    'embeddi…'
    """
    parts = name.split(".")
    words = [i for i, part in enumerate(parts[:-1]) if len(part) > 1 and not part.isdecimal()]
    while words and len(".".join(parts)) > width:
        longest = max(words, key=lambda i: (len(parts[i]), i))
        parts[longest] = parts[longest][:-1]
        words = [i for i in words if len(parts[i]) > 1]
    short = ".".join(parts)
    return short if len(short) <= width else short[: width - 1] + "…"


def file_size(count: int) -> str:
    """Return bytes in the unit that leaves three digits.

    >>> [file_size(n) for n in (0, 999, 1000, 90_868_376, 14_000_000_000)]
    ['0 B', '999 B', '1.00 kB', '90.9 MB', '14.0 GB']
    """
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            break
        value /= 1000
    return f"{count} B" if unit == "B" else f"{value:#.3g}".rstrip(".") + f" {unit}"


def significant(value: float, digits: int = 3) -> str:
    """Return a number with so many digits that count, and none when it is zero.

    >>> [significant(v) for v in (0.0, -0.91847, 123.4, 5e-7, 1e20)]
    ['0', '-0.918', '123', '5.00e-07', '1.00e+20']
    """
    return "0" if value == 0 else format(value, f"#.{digits}g").rstrip(".")


def times(ratio: float) -> str:
    """Return a ratio as ``3.9x``."""
    return f"{ratio:.0f}x" if ratio >= 99.95 else f"{ratio:.1f}x" if ratio >= 0.95 else f"{ratio:.2f}x"


def speed(ratio: float) -> Text:
    """Return how many times faster something is, coloured where it is more than the noise of a measurement."""
    return Text(times(ratio), "green" if ratio >= 1.05 else "yellow" if ratio < 0.95 else "")


def duration(seconds: float) -> str:
    """Return a time with three digits that count, in the unit that shows them shortest.

    >>> [duration(s) for s in (5.3e-6, 0.000105, 0.0123, 2.5)]
    ['5.30 µs', '105 µs', '12.3 ms', '2.50 s']
    """
    for unit, scale in (("µs", 1e6), ("ms", 1e3)):
        if seconds * scale < 999.5:
            return f"{significant(seconds * scale)} {unit}"
    return f"{significant(seconds)} s"


def decibels(value: float) -> str:
    """Return a ratio in dB; of an exact copy it has none."""
    return "exact" if value == math.inf else f"{value:.1f} dB"


def bar(share: float, width: int) -> str:
    """Return a bar that fills `share` (0 to 1) of `width` characters, drawn in eighths."""
    eighths = max(1, round(min(max(share, 0.0), 1.0) * width * 8))
    full, rest = divmod(eighths, 8)
    return "█" * full + " ▏▎▍▌▋▊▉"[rest].strip()
