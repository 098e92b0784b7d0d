"""Linear layers beside other libraries and the machine's limits: the section of docs/performance.md, and the README's.

    python bench/dense.py [--rounds N] [--processes N] [--only TEXT] [--json FILE] [--from FILE] [--write]

Every process is ``paring bench kernels --json`` in a fresh interpreter, with what is installed there (the extra
``peers``); a cell is the median of its figures over the processes. OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE, which slow
NumPy where they are set, are unset in those processes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import describe_machine
from pages import PAGE, README, UNSET, microseconds, replace_between
from shapes import COLD_LAYERS, COLD_ROWS, FEWER_LAYERS, FEWER_ROWS, LAYERS, ROWS

MARKS = ("<!-- linear layers: written by bench/dense.py -->", "<!-- end of linear layers -->")
README_MARKS = (
    "<!-- layers beside others: written by bench/dense.py -->",
    "<!-- end of layers beside others -->",
)
# M, K, N, bits, group size and weights of what the README shows, on one thread.
README_CELLS = (
    (1, 384, 1536, 8, None, "hot"),
    (64, 768, 3072, 8, None, "hot"),
    (256, 4096, 4096, 8, None, "hot"),
    (1, 4096, 4096, 8, None, "cold"),
    (1, 4096, 4096, 4, 32, "cold"),
    (256, 4096, 4096, 4, 32, "hot"),
    (64, 768, 3072, 32, None, "hot"),
)


@dataclass(frozen=True)
class Run:
    """One table: what is measured in one call of the command."""

    name: str
    bits: int
    group_size: int
    cold: bool
    layers: tuple[tuple[int, int], ...]
    rows: tuple[int, ...]

    def options(self, threads: int, rounds: int) -> list[str]:
        shapes = [f"--shape={m},{k},{n}" for k, n in self.layers for m in self.rows]
        return [
            *shapes,
            f"--bits={self.bits}",
            f"--group-size={self.group_size}",
            f"--threads={threads}",
            f"--rounds={rounds}",
            *(["--cold"] if self.cold else []),
            "--json",
        ]


RUNS = (
    Run("int8", 8, 32, False, LAYERS, ROWS),
    Run("int4 in groups of 32", 4, 32, False, FEWER_LAYERS, FEWER_ROWS),
    Run("int4 in groups of 128", 4, 128, False, FEWER_LAYERS, FEWER_ROWS),
    Run("float32", 32, 32, False, FEWER_LAYERS, FEWER_ROWS),
    Run("int8, cold weights", 8, 32, True, COLD_LAYERS, COLD_ROWS),
    Run("int4 in groups of 32, cold weights", 4, 32, True, COLD_LAYERS, COLD_ROWS),
)


@dataclass(frozen=True)
class Cell:
    """One contest, over all processes: medians of our time, of the best rival's over it, and of our shares."""

    seconds: float
    ahead: float
    rival: str
    compute: float | None
    read: float


def measure(run: Run, threads: int, rounds: int) -> dict[str, Any]:
    environment = {key: value for key, value in os.environ.items() if key not in UNSET}
    command = [sys.executable, "-m", "paring", "bench", "kernels", *run.options(threads, rounds)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def combine(contests: list[dict[str, Any]]) -> Cell:
    """Return the cell of the same contest in several processes."""
    ours = [next(e for e in contest["entries"] if e["name"] == "paring") for contest in contests]
    rivals = {e["name"] for contest in contests for e in contest["entries"]} - {"paring"}

    def ratio(name: str) -> float:
        """Return the median of a rival's time over ours."""
        ratios = [
            entry["relative"] / own["relative"]
            for own, contest in zip(ours, contests, strict=True)
            for entry in contest["entries"]
            if entry["name"] == name
        ]
        return statistics.median(ratios)

    rival = min(rivals, key=ratio)
    compute = [share for own in ours for name, share in own["shares"].items() if not name.startswith("read")]
    return Cell(
        statistics.median(own["seconds"] for own in ours),
        ratio(rival),
        rival,
        statistics.median(compute) if compute else None,
        statistics.median(
            share for own in ours for name, share in own["shares"].items() if name.startswith("read")
        ),
    )


def key_of(contest: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(contest[name] for name in ("m", "k", "n", "bits", "group_size", "weights", "threads"))


def cells_of(documents: list[dict[str, Any]]) -> dict[tuple[Any, ...], Cell]:
    contests: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for document in documents:
        for contest in document["contests"]:
            contests.setdefault(key_of(contest), []).append(contest)
    return {key: combine(same) for key, same in contests.items()}


def share(cell: Cell, m: int) -> str:
    """Return the share of the limit that binds: reading for a few rows, multiplying for many."""
    value = cell.read if m <= 4 or cell.compute is None else cell.compute
    return f"{value:.0%}"


def table(run: Run, threads: int, cells: dict[tuple[Any, ...], Cell]) -> list[str]:
    group = run.group_size if run.bits == 4 else None
    weights = "cold" if run.cold else "hot"
    mine = {
        (m, k, n): cells[key]
        for k, n in run.layers
        for m in run.rows
        if (key := (m, k, n, run.bits, group, weights, threads)) in cells
    }
    if not mine:
        return []
    lines = [
        f"### {run.name}, {threads} thread{'s' * (threads > 1)}",
        "",
        "| K x N | " + " | ".join(f"M={m}" for m in run.rows) + " |",
        "|---" * (len(run.rows) + 1) + "|",
    ]
    for k, n in run.layers:
        shown = []
        for m in run.rows:
            cell = mine.get((m, k, n))
            shown.append(
                ""
                if cell is None
                else f"{microseconds(cell.seconds)}, **{cell.ahead:.2f}x** {cell.rival}, {share(cell, m)}"
            )
        lines.append(f"| {k}x{n} | " + " | ".join(shown) + " |")
    mean = math.exp(statistics.mean(math.log(cell.ahead) for cell in mine.values()))
    ahead = sum(cell.ahead >= 1 for cell in mine.values())
    summary = f"Ahead in {ahead} of {len(mine)} cells, geometric mean {mean:.2f}x."
    many = [cell.compute for (m, _, _), cell in mine.items() if m >= 64 and cell.compute is not None]
    if many:
        summary += (
            f" M >= 64: median {statistics.median(many):.0%} of the multiplier, lowest {min(many):.0%}."
        )
    return [*lines, "", summary, ""]


def versions(documents: list[dict[str, Any]]) -> str:
    found = {
        (entry["name"].split()[0] if entry["name"] != "ONNX Runtime" else "ONNX Runtime", entry["version"])
        for document in documents
        for contest in document["contests"]
        for entry in contest["entries"]
    }
    return ", ".join(sorted({f"{name} {version}" for name, version in found}))


def page(machine: dict[str, str], documents: list[dict[str, Any]], options: argparse.Namespace) -> str:
    cells = cells_of(documents)
    threads = sorted({key[-1] for key in cells})
    lines = [
        "## Linear layers beside other libraries",
        "",
        f"Written by `python bench/dense.py --rounds {options.rounds} --processes {options.processes} --write` on "
        + ", ".join(f"{name}: {value}" for name, value in machine.items())
        + f". With {versions(documents)}.",
        "",
        "Everybody computes y = x W + b in turn in one process, float32 in and out, answers checked first. A cell: "
        "time of a call from Python, **the time of the fastest rival over it**, which one, and the share of the "
        "machine's own limit, measured in the same rounds: of reading the weights where M <= 4 (from a cache where "
        "they are hot), of the multiplier's rate else.",
        "",
    ]
    for run in RUNS:
        for count in threads:
            lines += table(run, count, cells)
    return "\n".join(lines).rstrip()


def readme(machine: dict[str, str], documents: list[dict[str, Any]]) -> str:
    cells = cells_of(documents)
    lines = [
        f"Measured {machine['date']} on one thread of {machine['cpu']}, level {machine['level']}, beside "
        f"{versions(documents)}, by `python bench/dense.py --write`; all of it in "
        "[docs/performance.md](docs/performance.md).",
        "",
        "| layer, float32 in and out | paring | fastest rival | share of the machine's limit |",
        "|---|---|---|---|",
    ]
    for m, k, n, bits, group, weights in README_CELLS:
        cell = cells.get((m, k, n, bits, group, weights, 1))
        if cell is None:
            continue
        form = {32: "float32", 8: "int8", 4: f"int4, groups of {group}"}[bits]
        lines.append(
            f"| {form}, {m} x {k} x {n}, weights {weights} | {microseconds(cell.seconds)} "
            f"| {cell.ahead:.2f}x the time ({cell.rival}) | {share(cell, m)} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, keep, and write the pages if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", default="", help="tables whose name holds this text")
    parser.add_argument("--json", type=Path, help="where to keep what was measured, for --from")
    parser.add_argument("--from", dest="source", type=Path, help="take what was kept instead of measuring")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and README.md")
    options = parser.parse_args()
    if options.source is not None:
        kept = json.loads(options.source.read_text())
        machine, documents = kept["machine"], kept["documents"]
        options.rounds, options.processes = kept["rounds"], kept["processes"]
    else:
        machine, documents = describe_machine(), []
        for process in range(options.processes):
            for run in RUNS:
                if options.only not in run.name:
                    continue
                for threads in options.threads:
                    print(
                        f"process {process + 1}: {run.name}, {threads} threads", file=sys.stderr, flush=True
                    )
                    documents.append(measure(run, threads, options.rounds))
                    if options.json is not None:
                        kept = {"rounds": options.rounds, "processes": options.processes}
                        kept |= {"machine": machine, "documents": documents}
                        options.json.write_text(json.dumps(kept) + "\n")
    print(page(machine, documents, options))
    if options.write:
        PAGE.write_text(replace_between(PAGE.read_text(), MARKS, page(machine, documents, options)))
        README.write_text(replace_between(README.read_text(), README_MARKS, readme(machine, documents)))


if __name__ == "__main__":
    main()
