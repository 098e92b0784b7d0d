"""What the digit classifier gives, compressed several ways: files, answers and times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import demo
from .._core import get_num_threads
from ..benchmark.machine import Machine, describe_machine, numpy_settings
from ..benchmark.timing import ROUNDS, Contestant, Timing, time_contest
from ..compression.compressor import compress
from ..compression.report import Report
from ..formats import read, write
from ..runtime.linear import PackedLinear
from ..weights import Weight
from .layers import Floats, check_layer, dense_float32, make_numpy_layer
from .progress import Progress
from .variants import DIGITS_VARIANTS, Variant

__all__ = ["BATCH", "DigitsOutcome", "DigitsResult", "measure_digits"]

SCHEMA_VERSION = 1
BATCH = 64


@dataclass(frozen=True)
class DigitsResult:
    """What came of one recipe: of its file, of the digits, and of the clock."""

    variant: Variant
    path: Path
    report: Report
    file_bytes: int
    guesses: npt.NDArray[np.intp]
    right: int
    largest_error: float
    timing: Timing


@dataclass(frozen=True)
class DigitsOutcome:
    """The whole demonstration: NumPy's own figures, and the result of every recipe, float32 first."""

    machine: Machine
    images: Floats
    labels: npt.NDArray[np.uint8]
    logits_range: tuple[float, float]
    numpy_timing: Timing
    results: tuple[DigitsResult, ...]

    def to_dict(self, keep: Path | None) -> dict[str, Any]:
        """Return the outcome as JSON-able values; paths only of files that were kept."""
        return {
            "schema_version": SCHEMA_VERSION,
            "model": demo.model_path().name,
            "images": len(self.labels),
            "batch": BATCH,
            "machine": self.machine.to_dict(),
            "logits_minimum": self.logits_range[0],
            "logits_maximum": self.logits_range[1],
            "numpy_seconds": self.numpy_timing.seconds,
            "rows": [
                {
                    "recipe": result.variant.label,
                    "options": result.variant.options,
                    "path": str(result.path) if keep is not None else None,
                    "file_bytes": result.file_bytes,
                    "ratio": self.results[0].file_bytes / result.file_bytes,
                    "accuracy": result.right / len(self.labels),
                    "largest_logit_error": result.largest_error,
                    "seconds": result.timing.seconds,
                    "times_faster_than_numpy": result.timing.times_faster,
                    "forms": {row.name: row.form for row in result.report.rows},
                }
                for result in self.results
            ],
        }


def measure_digits(folder: Path, progress: Progress) -> DigitsOutcome:
    """Return the outcome, with the files written in `folder`."""
    images, labels = demo.load_digits()
    batch = np.ascontiguousarray(images[:BATCH])
    progress.start("compressing", len(DIGITS_VARIANTS))
    original = read(demo.model_path())
    numpy_net = make_net(original, lambda w, b, a: make_numpy_layer(dense_float32(w), b, a))
    expected = numpy_net(images)
    reports, nets, logits = [], [], []
    for variant in DIGITS_VARIANTS:
        compressed = compress(original, variant.recipe)
        write(folder / variant.file_name, compressed)
        weights = read(folder / variant.file_name)
        check_net(weights, images)
        nets.append(make_net(weights, PackedLinear))
        logits.append(nets[-1](images))
        reports.append(compressed.report)
        progress.advance(1)
    with numpy_settings(get_num_threads()) as settings:
        progress.start("timing", ROUNDS * (len(settings) + len(nets)))
        best, numpy_timing, timings = time_contest(
            [Contestant(partial(numpy_net, batch), setting.apply, lingers=True) for setting in settings],
            [Contestant(partial(net, batch)) for net in nets],
            advance=lambda: progress.advance(1),
        )
        machine = describe_machine([settings[best].threads])
    results = []
    for variant, report, answer, timing in zip(DIGITS_VARIANTS, reports, logits, timings, strict=True):
        path = folder / variant.file_name
        guesses = answer.argmax(axis=1)
        right = int((guesses == labels).sum())
        error = float(np.abs(answer - expected).max())
        results.append(
            DigitsResult(variant, path, report, path.stat().st_size, guesses, right, error, timing)
        )
    span = (float(expected.min()), float(expected.max()))
    return DigitsOutcome(machine, images, labels, span, numpy_timing, tuple(results))


def make_net(weights: Any, make_layer: Callable[[Any, Any, Any], Any]) -> Callable[[Floats], Floats]:
    """Return the model as one function from images to logits."""
    layers = demo.make_layers(weights, make_layer)
    return lambda x: demo.run_layers(x, layers)


def check_net(weights: Any, images: Floats) -> None:
    """Check every layer on what NumPy hands it, before anybody is timed."""
    x = images
    for name, activation in demo.LAYERS:
        weight: Weight = weights[f"{name}.weight"]
        bias = weights[f"{name}.bias"]
        check_layer(weight, bias, x)
        x = make_numpy_layer(dense_float32(weight), bias, activation)(x)
