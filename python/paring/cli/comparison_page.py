"""The page that ``paring compare`` prints."""

from __future__ import annotations

import math

from rich.console import Console
from rich.text import Text

from ..errors import printable
from .comparison import Comparison, Pair
from .listing import Line, form_text, print_listing, shape_text
from .terminal import Column, decibels, print_next, quote

__all__ = ["print_comparison"]

SHOWN_NAMES = 3
WORDS = {
    "equal": "equal",
    "differs": "differs",
    "shape_differs": "other shape",
    "missing_in_a": "only in B",
    "missing_in_b": "only in A",
    "unreadable": "not readable",
}


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print a line a weight, the totals, what is beyond the bounds, and what to try next."""
    a, b = comparison.a, comparison.b
    console.print(Text(f"A  {a.path}"), soft_wrap=True)
    console.print(Text(f"B  {b.path}"), soft_wrap=True)
    console.print()
    beyond = {pair.name for pair in comparison.beyond} if comparison.bounds.given else set()
    columns = [
        *(Column(title) for title in ("weight", "shape", "A", "B")),
        *(Column(title, "right") for title in ("max error", "mean error", "SQNR", "")),
    ]
    lines = [
        Line(_cells(pair), "yellow" if pair.name in beyond else _style(pair)) for pair in comparison.pairs
    ]
    print_listing(console, columns, lines, expendable=("mean error", "shape", "A"), last=("max error", "B"))
    console.print()
    _print_totals(console, comparison)
    _print_problems(console, comparison)
    _print_outcome(console, comparison)
    _print_next(console, comparison)


def _style(pair: Pair) -> str:
    return "dim" if pair.verdict == "equal" else "" if pair.verdict == "differs" else "yellow"


def _cells(pair: Pair) -> tuple[str, ...]:
    difference = pair.difference
    shapes = [shape_text(info.shape) for info in (pair.a, pair.b) if info is not None]
    measured = difference is not None and difference.max_error is not None
    return (
        pair.name,
        " / ".join(dict.fromkeys(shapes)) or "?",
        "-" if pair.a is None else form_text(pair.a),
        "-" if pair.b is None else form_text(pair.b),
        _error(difference.max_error) if measured and difference is not None else "-",
        _error(difference.mean_error) if measured and difference is not None else "-",
        "-" if difference is None or difference.sqnr_db is None else decibels(difference.sqnr_db),
        WORDS[pair.verdict],
    )


def _error(value: float | None) -> str:
    return "-" if value is None else "0" if value == 0 else "inf" if math.isinf(value) else f"{value:.1e}"


def _print_totals(console: Console, comparison: Comparison) -> None:
    before, after = comparison.a.file_bytes, comparison.b.file_bytes
    if after < before:
        change = f"{before / max(after, 1):.2f} times smaller"
    else:
        change = "the same size" if after == before else f"{after / max(before, 1):.2f} times larger"
    console.print(Text(f"A {before:,} bytes, B {after:,} bytes, {change}", "bold"))
    counts = [
        f"{count:,} {word}"
        for verdict, word in {**WORDS, "differs": "different"}.items()
        if (count := sum(pair.verdict == verdict for pair in comparison.pairs))
    ]
    worst, text = comparison.worst, ""
    if worst is not None and worst.difference is not None and worst.difference.sqnr_db is not None:
        text = f"; {printable(worst.name)} differs most ({decibels(worst.difference.sqnr_db)})"
    number = len(comparison.pairs)
    tally = f"{number:,} weight{'s' * (number != 1)}: {', '.join(counts) or 'nothing to compare'}{text}"
    console.print(tally, markup=False)


def _print_problems(console: Console, comparison: Comparison) -> None:
    problems = [pair.problem for pair in comparison.pairs if pair.problem]
    for problem in problems[:SHOWN_NAMES]:
        console.print(problem, markup=False, style="red")
    if len(problems) > SHOWN_NAMES:
        console.print(f"and {len(problems) - SHOWN_NAMES} more, which --json lists", style="red")


def _print_outcome(console: Console, comparison: Comparison) -> None:
    bounds, beyond = comparison.bounds.text(), comparison.beyond
    if not bounds:
        return
    if not beyond:
        console.print(Text(f"Within {bounds}.", "green"))
        return
    names = ", ".join(printable(pair.name) for pair in beyond[:SHOWN_NAMES])
    more = f" and {len(beyond) - SHOWN_NAMES} more" if len(beyond) > SHOWN_NAMES else ""
    console.print(Text(f"Not within {bounds}: {names}{more}", "bold yellow"))


def _print_next(console: Console, comparison: Comparison) -> None:
    a, b = quote(comparison.a.path), quote(comparison.b.path)
    if not comparison.bounds.given and comparison.worst is not None:
        commands = [(f"paring compare {a} {b} --min-sqnr 20", "exit code 0 if every weight keeps 20 dB")]
    else:
        commands = [(f"paring inspect {b}", "look into B")]
    print_next(console, commands)
