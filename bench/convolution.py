"""Convolutions of ResNet-50 and MobileNet-v1 beside ONNX Runtime and OpenVINO: the section of docs/performance.md.

    python bench/convolution.py [--rounds N] [--threads N] [--only TEXT] [--json FILE] [--write]

Every layer runs alone, one image, with ReLU: int8 in and out (a scale for all of the input and of the output, one for
each filter), and float32. All libraries take turns in one process; a figure is the median over the rounds. The last
line of a net adds its layers as often as it has them.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import time
from pathlib import Path
from typing import Any

import paring
from convolution_peers import PEERS, Layer, Problem, answer_of, check, ours
from machine import describe_machine
from pages import PAGE, replace_between
from shapes import MOBILENET_V1, RESNET50

MARKS = ("<!-- convolutions: written by bench/convolution.py -->", "<!-- end of convolutions -->")
NETS = {"ResNet-50": RESNET50, "MobileNet-v1": MOBILENET_V1}
BURST = 2e-3  # seconds that one library runs before the next one's turn


def measure(layer: Layer, integers: bool, threads: int, rounds: int) -> dict[str, float]:
    """Return the seconds of a call of everybody, who have been compared first."""
    problem = Problem(layer, integers)
    calls = {"paring": ours(problem, threads)}
    wanted = answer_of(calls["paring"], problem)
    for name, peer in PEERS.items():
        if importlib.util.find_spec(name.replace(" ", "").lower()) is None:
            continue
        calls[name] = peer(problem, threads)
        check(f"{name}, {layer}", answer_of(calls[name], problem), wanted, integers)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            call()
            count, start = 0, time.perf_counter()
            while (elapsed := time.perf_counter() - start) < BURST:
                call()
                count += 1
            times[name].append(elapsed / count)
    return {name: statistics.median(values) for name, values in times.items()}


def report(results: list[dict[str, Any]]) -> str:
    """Return tables, a net and kind of number each."""
    lines = []
    for net in NETS:
        for kind in ("int8", "float32"):
            rows = [row for row in results if row["net"] == net and row["kind"] == kind]
            if not rows:
                continue
            names = list(rows[0]["seconds"])
            head = ["layer", "times", *(f"{name} (us)" for name in names), "best rival / ours"]
            lines += [f"\n**{net}, {kind}, {rows[0]['threads']} thread(s)**\n", row_of(head)]
            lines.append(row_of(["---"] + ["---:"] * (len(head) - 1)))
            for row in rows:
                lines.append(row_of([row["layer"], row["count"], *cells(row["seconds"])]))
            totals = {name: sum(row["seconds"][name] * row["count"] for row in rows) for name in names}
            lines.append(row_of(["**all of them**", "", *cells(totals)]))
    return "\n".join(lines)


def cells(seconds: dict[str, float]) -> list[str]:
    """Return the times in microseconds, and the best rival's over ours."""
    rivals = [value for name, value in seconds.items() if name != "paring"]
    ratio = f"{min(rivals) / seconds['paring']:.2f}" if rivals else ""
    return [f"{value * 1e6:,.0f}" for value in seconds.values()] + [ratio]


def row_of(values: list[Any]) -> str:
    """Return a row of a table in Markdown."""
    return "| " + " | ".join(map(str, values)) + " |"


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="nets or kinds whose name contains this")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", action="store_true", help="also into docs/performance.md")
    options = parser.parse_args()
    paring.set_num_threads(options.threads)
    results = []
    for net, layers in NETS.items():
        for kind in ("int8", "float32"):
            if options.only not in f"{net} {kind}":
                continue
            for *sizes, count in layers:
                layer = Layer(*sizes)
                seconds = measure(layer, kind == "int8", options.threads, options.rounds)
                results.append(
                    {
                        "net": net, "kind": kind, "layer": str(layer), "count": count,
                        "threads": options.threads, "seconds": seconds,
                    }
                )  # fmt: skip
                print(f"{net} {kind} {layer}: " + " ".join(cells(seconds)), flush=True)
    machine = describe_machine()
    text = (
        f"Measured on {machine['date']}: {machine['cpu']}, level {machine['level']}, "
        "by `python bench/convolution.py`.\n"
        f"{report(results)}"
    )
    print(text)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    if options.write:
        PAGE.write_text(replace_between(PAGE.read_text(), MARKS, text))


if __name__ == "__main__":
    main()
