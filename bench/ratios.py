"""Linear layers beside NumPy's float32 product and the machine's limit, timed in turn: medians over several processes.

    python bench/ratios.py        the ratios of one process, as JSON

Times, so they only tell: `check.py` shows them beside those of the baseline and fails for none.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys

from pages import UNSET
from paring.benchmark import LinearProblem, Shape, measure_linear
from paring.benchmark.peers.numpy_blas import NumpyPeer
from paring.benchmark.peers.own import ParingPeer

PROCESSES = 3
NUMPY, LIMIT = "time over NumPy's", "time over the limit's"
PROBLEMS = tuple(
    LinearProblem(shape, bits) for bits in (8, 4, 32) for shape in (Shape(1, 384, 1536), Shape(64, 768, 3072))
)


def measure_here() -> dict[str, dict[str, float]]:
    """Return the measures of this process, on one thread."""
    measures = {}
    for problem in PROBLEMS:
        outcome = measure_linear(problem, 1, rounds=3, peers=[ParingPeer(), NumpyPeer()])
        ours = next(entry for entry in outcome.entries if entry.name == "paring")
        numpy = next(entry for entry in outcome.entries if entry.name == "NumPy")
        shape = f"M={problem.shape.m} K={problem.shape.k} N={problem.shape.n}"
        # The limit that binds is the one that it comes nearest to.
        measures[f"{problem.bits} bits {shape}"] = {
            NUMPY: ours.relative / numpy.relative,
            LIMIT: 1 / max(ours.shares.values()),
        }
    return measures


def measure_ratios() -> dict[str, dict[str, float]]:
    """Return the medians over `PROCESSES` fresh processes."""
    environment = {key: value for key, value in os.environ.items() if key not in UNSET}
    command = [sys.executable, __file__]
    found = [
        json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)
        for _ in range(PROCESSES)
    ]
    return {
        name: {measure: statistics.median(one[name][measure] for one in found) for measure in measures}
        for name, measures in found[0].items()
    }


if __name__ == "__main__":
    print(json.dumps(measure_here()))
