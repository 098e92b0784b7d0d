"""What threads bring: several callers at once, one layer on more and more threads, layers too small for them.

    python bench/threads.py [--rounds N] [--only TEXT] [--json FILE]

Three tables. Everything is timed in turn, round after round; a figure is the median over the rounds of a ratio to what
ran beside it in the same round.

  callers   two Python threads that call a layer each, beside one: calls a second, together, over those of one; where
            more than one thread is allowed, the first to come takes them all and the other works alone
  scaling   one caller and a layer on 1, 2, ... threads: the time on one thread over that on so many
  small     layers of less work than a waking thread costs: the time on two threads over that on one
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

import paring
from machine import describe_machine
from pages import microseconds
from paring.benchmark.timing import Contestant, time_rounds
from paring.runtime.threads import default_num_threads

CALLERS = 2
SECONDS = 0.1  # for how long callers call
WANTED = {"callers": 1.9, "small": 1.05}

Call = Callable[[], object]


@dataclass(frozen=True)
class Layer:
    """A layer to call: rows of x, in_features, out_features, and the form of its weight."""

    m: int
    k: int
    n: int
    form: str

    @property
    def name(self) -> str:
        return f"{self.form} M={self.m} K={self.k} N={self.n}"

    def bind(self) -> Call:
        """Return a call of a layer of its own, with arrays of its own."""
        rng = np.random.default_rng(0)
        weight = rng.standard_normal((self.n, self.k), np.float32)
        if self.form == "int8":
            packed = paring.PackedLinear(paring.quantize(weight))
        elif self.form == "CSR":
            packed = paring.PackedLinear(paring.sparsify(paring.prune(weight, sparsity=0.9)))
        else:
            packed = paring.PackedLinear(weight)
        x = rng.standard_normal((self.m, self.k), np.float32)
        return partial(packed, x, np.empty((self.m, self.n), np.float32))


LARGE = (
    Layer(1, 768, 3072, "int8"),
    Layer(64, 768, 3072, "int8"),
    Layer(256, 768, 3072, "int8"),
    Layer(64, 768, 3072, "float32"),
    Layer(64, 768, 3072, "CSR"),
)
SMALL = (
    Layer(1, 384, 384, "int8"),
    Layer(1, 384, 1536, "int8"),
    Layer(4, 128, 256, "int8"),
    Layer(1, 256, 256, "float32"),
    Layer(4, 128, 256, "float32"),
    Layer(1, 384, 384, "CSR"),
)


@dataclass(frozen=True)
class Row:
    """One line: `ratio` is what the table is about; `seconds` what a call takes that it is taken to."""

    table: str
    layer: str
    threads: str
    seconds: float
    ratio: float


def calls_a_second(calls: list[Call], seconds: float) -> float:
    """Return how many calls threads make together, one thread for each of `calls`, all starting at once."""
    rates = [0.0] * len(calls)
    barrier = threading.Barrier(len(calls))

    def loop(index: int) -> None:
        barrier.wait()
        count, start = 0, time.perf_counter()
        while (now := time.perf_counter()) < start + seconds:
            calls[index]()
            count += 1
        rates[index] = count / (now - start)

    workers = [threading.Thread(target=loop, args=(index,)) for index in range(len(calls))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(rates)


def callers(rounds: int) -> Iterator[Row]:
    """Yield what two callers get done beside one, each with one thread, and with the default count."""
    for layer in LARGE:
        calls = [layer.bind() for _ in range(CALLERS)]
        for count in sorted({1, default_num_threads()}):
            paring.set_num_threads(count)
            ones, ratios = [], []
            for _ in range(rounds):
                ones.append(calls_a_second(calls[:1], SECONDS))
                ratios.append(calls_a_second(calls, SECONDS) / ones[-1])
            seconds = 1 / statistics.median(ones)
            yield Row("callers", layer.name, str(count), seconds, statistics.median(ratios))


def on_threads(call: Call, count: int) -> Contestant:
    return Contestant(call, lambda: paring.set_num_threads(count))


def scaling(rounds: int) -> Iterator[Row]:
    """Yield, for each layer and thread count, how many times faster it is than on one thread."""
    counts = range(1, (os.cpu_count() or 1) + 1)
    for layer in LARGE:
        call = layer.bind()
        one, *more = time_rounds([on_threads(call, count) for count in counts], rounds)
        for count, own in zip(counts[1:], more, strict=True):
            ratio = statistics.median(first / mine for first, mine in zip(one, own, strict=True))
            yield Row("scaling", layer.name, str(count), statistics.median(one), ratio)


def small(rounds: int) -> Iterator[Row]:
    """Yield, for each small layer, its time where two threads are allowed over that on one."""
    for layer in SMALL:
        call = layer.bind()
        one, two = time_rounds([on_threads(call, 1), on_threads(call, 2)], rounds)
        ratio = statistics.median(mine / first for first, mine in zip(one, two, strict=True))
        yield Row("small", layer.name, "2", statistics.median(one), ratio)


TABLES = {
    "callers": (callers, f"{CALLERS} callers at once, over one", "calls together"),
    "scaling": (scaling, "One layer on more threads", "times faster"),
    "small": (small, "Small layers where two threads are allowed", "time"),
}


def lines_of(name: str, rows: list[Row]) -> Iterator[str]:
    _, title, head = TABLES[name]
    yield f"\n{title}"
    wide = max(len(row.layer) for row in rows)
    yield f"  {'layer':{wide}}  {'alone':>9}  threads  {head:>14}"
    for row in rows:
        yield f"  {row.layer:{wide}}  {microseconds(row.seconds):>9}  {row.threads:>7}  {row.ratio:14.2f}"
    ratios = [row.ratio for row in rows]
    if name == "callers":
        yield f"  lowest {min(ratios):.2f}; wanted on {CALLERS} free processors: {WANTED[name]:.2f} on one thread each"
    elif name == "small":
        yield f"  highest {max(ratios):.2f}; wanted: no more than {WANTED[name]:.2f}"


def main() -> None:
    """Measure, print, and keep if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=TABLES, help="one of the tables")
    parser.add_argument("--json", type=Path, help="where to keep what was measured")
    options = parser.parse_args()
    machine = describe_machine() | {
        "cpus": str(os.cpu_count()),
        "default threads": str(default_num_threads()),
    }
    print(", ".join(f"{name}: {value}" for name, value in machine.items()))
    measured: list[Row] = []
    for name, (measure, *_) in TABLES.items():
        if options.only in (None, name):
            if rows := list(measure(options.rounds)):
                print("\n".join(lines_of(name, rows)), flush=True)
            measured += rows
    if options.json is not None:
        document = {"rounds": options.rounds, "machine": machine, "rows": [asdict(row) for row in measured]}
        options.json.write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
