"""``paring bench kernels``: contests of linear layers, as tables, JSON and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from .._core import get_num_threads
from ..benchmark.linear_contest import LimitRate, LinearOutcome, measure_linear
from ..benchmark.linear_problem import LinearProblem, Shape
from ..benchmark.machine import openblas_threads, processor_name
from ..benchmark.peers import peers_for
from ..runtime.kernels import kernel_info
from ..runtime.threads import set_num_threads
from ..training.pictures import check_picture
from .answers import print_answer
from .progress import open_progress
from .terminal import Column, duration, make_table, open_stderr, open_stdout, print_table

__all__ = ["run_kernel_benchmark"]

SCHEMA_VERSION = 1
PROBES = 2


def run_kernel_benchmark(
    shapes: Sequence[str],
    bits: Sequence[int],
    group_size: int,
    threads: Sequence[int],
    rounds: int,
    cold: bool,
    alone: bool,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Measure every shape with every number of bits and threads, and print what came of it."""
    if plot is not None:
        check_picture(plot, "a roofline")
    for count in threads:
        if count < 1:
            raise ValueError(f"--threads: expected at least 1, got {count}")
    if rounds < 1:
        raise ValueError(f"--rounds: expected at least 1, got {rounds}")
    problems = [LinearProblem(parse_shape(text), b, group_size) for b in bits for text in shapes]
    outcomes = []
    before, blas = get_num_threads(), openblas_threads()
    blas_before = blas[0]() if blas else 0
    try:
        with open_progress(quiet=as_json) as progress:
            for count in threads:
                for problem in problems:
                    peers = [peer for peer in peers_for(problem) if peer.name == "paring" or not alone]
                    here = sum(peer.missing() is None for peer in peers)
                    progress.start(describe(problem, count, cold), rounds * (here + PROBES))
                    set_num_threads(count)
                    outcomes.append(
                        measure_linear(
                            problem,
                            count,
                            rounds=rounds,
                            cold=cold,
                            peers=peers,
                            advance=lambda: progress.advance(1),
                        )
                    )
    finally:
        set_num_threads(before)
        if blas:
            blas[1](blas_before)
    if plot is not None:
        from ..benchmark.roofline import draw_roofline

        draw_roofline(outcomes, plot)
    if as_json:
        print_answer(
            {
                "schema_version": SCHEMA_VERSION,
                "processor": processor_name(),
                "level": kernel_info()["level"],
                "rounds": rounds,
                "plot": None if plot is None else str(plot),
                "contests": [outcome.to_dict() for outcome in outcomes],
            }
        )
        return
    console = open_stdout()
    console.print(f"{processor_name()}, {kernel_info()['level']} kernels", soft_wrap=True)
    for outcome in outcomes:
        print_outcome(console, outcome)
    print_absent(console, outcomes)
    if plot is not None:
        open_stderr().print(f"wrote {plot}", soft_wrap=True)


def parse_shape(text: str) -> Shape:
    """Return the shape that ``M,K,N`` names.

    >>> parse_shape("64,768,3072")
    Shape(m=64, k=768, n=3072)
    """
    parts = text.split(",")
    if len(parts) != len(Shape._fields) or not all(part.strip().isdigit() for part in parts):
        raise ValueError(f"--shape: expected three numbers M,K,N, got {text!r}")
    return Shape(*map(int, parts))


def describe(problem: LinearProblem, threads: int, cold: bool) -> str:
    """Return what a contest is about."""
    m, k, n = problem.shape
    kind = {32: "float32", 8: "int8", 4: f"int4 in groups of {problem.group_size}"}[problem.bits]
    weights = "cold" if cold else "hot"
    return f"M={m} K={k} N={n}, {kind}, {threads} thread{'s' * (threads > 1)}, {weights} weights"


def print_outcome(console: Console, outcome: LinearOutcome) -> None:
    """Print the entries, fastest first, and the limits below them."""
    console.print()
    console.print(Text(describe(outcome.problem, outcome.threads, outcome.cold), "bold"), soft_wrap=True)
    table = make_table(
        console,
        Column("library"),
        Column("version"),
        Column("median", "right"),
        Column("quiet", "right"),
        *(Column(f"of {limit.name}", "right") for limit in outcome.limits),
        Column("error", "right"),
        Column("Relative", "right"),
    )
    for entry in outcome.entries:
        table.add_row(
            entry.name,
            entry.version,
            duration(entry.seconds),
            duration(entry.quiet_seconds),
            *(f"{entry.shares[limit.name]:.0%}" for limit in outcome.limits),
            f"{entry.error:.1e}",
            f"{entry.relative:.2f}",
            style="bold" if entry.name == "paring" else "",
        )
    print_table(console, table)
    rates = ", ".join(f"{limit.name} {limit_text(limit)}" for limit in outcome.limits)
    console.print(Text(f"limits in the same rounds: {rates}", "dim"), soft_wrap=True)


def limit_text(limit: LimitRate) -> str:
    """Return a rate in its unit.

    >>> limit_text(LimitRate("int8 dot product", "operations", 7.1e11, 7.4e11))
    '710 Gop/s'
    """
    return f"{limit.rate / 1e9:.0f} {'Gop/s' if limit.unit == 'operations' else 'GB/s'}"


def print_absent(console: Console, outcomes: Sequence[LinearOutcome]) -> None:
    """Say who did not take part."""
    reasons = dict.fromkeys((absent.name, absent.reason) for outcome in outcomes for absent in outcome.absent)
    if not reasons:
        return
    console.print()
    for name, reason in reasons:
        console.print(Text(f"without {name}: {reason}", "dim"), soft_wrap=True)
