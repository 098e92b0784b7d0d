"""Measure the cases of cases.py but the linear layers; write their section of docs/performance.md, and the README's.

``python bench/report.py [--rounds N] [--processes N] [--only TEXT] [--write]``

All candidates of a case run in turn in one process, so that a change of the machine's speed meets all of
them; each is warmed by a call first, and a pause follows NumPy, whose threads go on spinning for a while.
The figure is the median over rounds of (time of NumPy / time of ours), and over several processes the
median of those. OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE, which slow NumPy where they are set, are unset in
the measuring processes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from pages import PAGE, README, UNSET, microseconds, replace_between

MARKS = (
    "<!-- passes and sparse layers: written by bench/report.py -->",
    "<!-- end of passes and sparse layers -->",
)
README_MARKS = ("<!-- numbers written by bench/report.py -->", "<!-- end of numbers -->")
# What the README shows: group, name, column.
README_ROWS = (
    ("sparse 90 %", "M=64 K=4096 N=4096", "float32 csr"),
    ("threshold", "4096x4096 float32", "out="),
    ("threshold", "4096x4096 float32", "fresh"),
    ("quantize int8 channel", "4096x4096 float32", "out="),
    ("quantize int8 channel", "4096x4096 float32", "fresh"),
)
SLOT_SECONDS = 0.03  # a candidate repeats within its slot until this much has passed
# OpenBLAS's threads spin for 2**28 cycles after a call and would take a core from whatever runs next.
CALM_SECONDS = 0.15


def slot(function: Callable[[], object], calm: float = 0.0) -> float:
    """Return seconds per call over one slot, which one call warms after a pause of ``calm`` seconds."""
    time.sleep(calm)
    function()
    start = time.perf_counter()
    calls = 0
    while True:
        function()
        calls += 1
        elapsed = time.perf_counter() - start
        if elapsed >= SLOT_SECONDS:
            return elapsed / calls


def measure(candidates: dict[str, Callable[[], object]], rounds: int) -> dict[str, dict[str, float]]:
    """Return for each candidate its median seconds and the median of NumPy's time divided by its own."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        calm = 0.0
        for name, function in candidates.items():
            times[name].append(slot(function, calm))
            calm = CALM_SECONDS if name == "numpy" else 0.0
    return {
        name: {
            "seconds": statistics.median(values),
            "ratio": statistics.median(n / t for n, t in zip(times["numpy"], values, strict=True)),
        }
        for name, values in times.items()
    }


def measure_process(threads: int, rounds: int, only: str) -> list[dict[str, object]]:
    """Run all cases here and return their rows."""
    from threadpoolctl import threadpool_limits

    import paring
    from cases import all_cases

    rows: list[dict[str, object]] = []
    with paring.set_num_threads(threads), threadpool_limits(threads):
        for case in all_cases():
            # bench/dense.py measures linear layers, beside stronger rivals.
            if only in case.group and case.group != "linear":
                case.check()
                figures = measure(case.candidates, rounds)
                rows.append({"group": case.group, "name": case.name, "threads": threads, "figures": figures})
    return rows


def run_processes(arguments: argparse.Namespace) -> tuple[dict[str, str], list[list[dict]]]:
    """Measure in fresh processes and return (machine, rows of each process)."""
    environment = {k: v for k, v in os.environ.items() if k not in UNSET}
    results = []
    machine: dict[str, str] = {}
    for _ in range(arguments.processes):
        command = [
            sys.executable,
            __file__,
            "--child",
            "--rounds",
            str(arguments.rounds),
            "--only",
            arguments.only,
        ]
        output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        parsed = json.loads(output)
        machine = parsed["machine"]
        results.append(parsed["rows"])
    return machine, results


def combine(results: list[list[dict]]) -> list[dict]:
    """Return one row a case: medians over the processes."""
    rows = []
    for same_case in zip(*results, strict=True):
        figures = {
            name: {
                key: statistics.median(row["figures"][name][key] for row in same_case)
                for key in ("seconds", "ratio")
            }
            for name in same_case[0]["figures"]
        }
        rows.append({**same_case[0], "figures": figures})
    return rows


def to_markdown(machine: dict[str, str], rows: list[dict], arguments: argparse.Namespace) -> str:
    """Return the page."""
    lines = [
        "## Passes over weights, and sparse layers",
        "",
        f"Written by `python bench/report.py --rounds {arguments.rounds} --processes {arguments.processes} "
        "--write`. Each cell: median time of a call, and how many times faster than NumPy doing the "
        "same in the same process, in turn, with as many threads; answers are compared before the clock "
        "starts. `fresh` makes its output, `out=` reuses it; NumPy's own way makes its own.",
        "",
        ", ".join(f"{key}: {value}" for key, value in machine.items()) + ".",
        "",
    ]
    groups = list(dict.fromkeys((row["group"], row["threads"]) for row in rows))
    for group, threads in groups:
        members = [row for row in rows if (row["group"], row["threads"]) == (group, threads)]
        names = list(members[0]["figures"])
        lines += [f"### {group}, {threads} thread{'s' if threads > 1 else ''}", ""]
        lines += ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        for row in members:
            cells = []
            for name in names:
                figure = row["figures"][name]
                ratio = "" if name == "numpy" else f" ({figure['ratio']:.2f}x)"
                cells.append(microseconds(figure["seconds"]) + ratio)
            lines.append(f"| {row['name']} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def to_readme(machine: dict[str, str], rows: list[dict]) -> str:
    """Return the short table: the rows of README_ROWS with one and two threads."""
    found = {(row["group"], row["name"], row["threads"]): row["figures"] for row in rows}
    lines = [
        f"Measured {machine['date']} on {machine['cpu']}, level {machine['level']}, against NumPy "
        f"{machine['numpy']} ({machine['blas']}), by `python bench/report.py --write`; all of it in "
        "[docs/performance.md](docs/performance.md).",
        "",
        "| what | paring, 1 thread | times faster than NumPy | 2 threads | times faster |",
        "|---|---|---|---|---|",
    ]
    for group, name, column in README_ROWS:
        one, two = (found[group, name, threads][column] for threads in (1, 2))
        lines.append(
            f"| {group}, {name}, {column} | {microseconds(one['seconds'])} | {one['ratio']:.1f}x "
            f"| {microseconds(two['seconds'])} | {two['ratio']:.1f}x |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write the page if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--only", default="", help="measure groups whose name holds this text")
    parser.add_argument(
        "--write", action="store_true", help="write docs/performance.md and the table in README.md"
    )
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        from machine import describe_machine

        rows = [
            row for threads in (1, 2) for row in measure_process(threads, arguments.rounds, arguments.only)
        ]
        print(json.dumps({"machine": describe_machine(), "rows": rows}))
        return
    machine, results = run_processes(arguments)
    rows = combine(results)
    page = to_markdown(machine, rows, arguments)
    print(page)
    if arguments.write:
        PAGE.write_text(replace_between(PAGE.read_text(), MARKS, page))
        README.write_text(replace_between(README.read_text(), README_MARKS, to_readme(machine, rows)))


if __name__ == "__main__":
    main()
