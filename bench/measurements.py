"""Files of measured times, whoever wrote them, in one form.

Read are the JSON of pytest-benchmark (``make bench BENCH_FLAGS=--benchmark-json=FILE``), of ``paring bench kernels
--json``, and of ``bench/dense.py --json``.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Who took part in which case.
Key = tuple[str, str]
# What must be the same for times to be comparable.
CONDITIONS = ("cpu", "level", "threads", "blas", "python")


@dataclass(frozen=True)
class Measurements:
    """Median seconds of a call by (case, contestant), and the conditions that the file tells."""

    seconds: dict[Key, float]
    conditions: dict[str, str]

    def relative_to(self, rival: str) -> Measurements:
        """Return times over those of a rival in the same case; cases without it, and the rival itself, are left out."""
        times = {
            (case, name): value / self.seconds[case, rival]
            for (case, name), value in self.seconds.items()
            if name != rival and (case, rival) in self.seconds
        }
        return Measurements(times, self.conditions)


def read_measurements(path: Path) -> Measurements:
    """Read a file of one of the three forms.

    Raises
    ------
    ValueError
        If it is of no such form, or holds no times.
    """
    try:
        document = json.loads(path.read_text())
    except ValueError as problem:
        raise ValueError(f"{path}: no JSON: {problem}") from problem
    if not isinstance(document, dict):
        document = {}
    if "benchmarks" in document:
        found = list(of_pytest(document["benchmarks"]))
        told = [benchmark["extra_info"] for benchmark in document["benchmarks"]]
        known = {name: [info[name] for info in told if name in info] for name in CONDITIONS}
    elif "documents" in document or "contests" in document:
        documents = document.get("documents", [document])
        contests = [contest for one in documents for contest in one["contests"]]
        found = [pair for contest in contests for pair in of_contest(contest)]
        known = {name: [value] for name, value in document.get("machine", {}).items() if name in CONDITIONS}
        known["level"] = [one["level"] for one in documents]
        known.setdefault("cpu", [one["processor"] for one in documents])
        known["threads"] = [contest["threads"] for contest in contests]
    else:
        raise ValueError(
            f"{path}: expected JSON of pytest-benchmark, `paring bench kernels` or bench/dense.py"
        )
    if not found:
        raise ValueError(f"{path}: holds no times")
    times: dict[Key, list[float]] = {}
    for key, seconds in found:
        times.setdefault(key, []).append(seconds)
    return Measurements(
        {key: statistics.median(values) for key, values in times.items()},
        {
            name: ", ".join(sorted({str(value) for value in values}))
            for name, values in known.items()
            if values
        },
    )


def of_pytest(benchmarks: list[dict[str, Any]]) -> Iterator[tuple[Key, float]]:
    for benchmark in benchmarks:
        contestant = (benchmark.get("params") or {}).get("candidate") or benchmark["name"]
        yield (benchmark["group"] or "", contestant), benchmark["stats"]["median"]


def of_contest(contest: dict[str, Any]) -> Iterator[tuple[Key, float]]:
    kind = {32: "float32", 8: "int8", 4: f"int4 group {contest['group_size']}"}[contest["bits"]]
    case = (
        f"{kind}: M={contest['m']} K={contest['k']} N={contest['n']}, "
        f"{contest['threads']} thread{'s' * (contest['threads'] > 1)}, {contest['weights']}"
    )
    for entry in contest["entries"]:
        yield (case, entry["name"]), entry["seconds"]
