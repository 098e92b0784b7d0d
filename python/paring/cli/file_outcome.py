"""What a file of the user's gives, compressed several ways: sizes, losses, and the times of its largest layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .._core import get_num_threads
from ..benchmark.machine import Machine, describe_machine, numpy_settings
from ..benchmark.timing import ROUNDS, Contestant, Timing, time_contest
from ..compression.compressor import compress
from ..compression.report import Report, ReportRow
from ..formats import WeightFile, read, write
from ..runtime.linear import PackedLinear
from ..weights import Weight
from .layers import check_layer, dense_float32, make_numpy_layer
from .progress import Progress
from .variants import FILE_VARIANTS, Variant

__all__ = [
    "BATCHES",
    "FileOutcome",
    "FileResult",
    "choose_layer",
    "choose_names",
    "measure_file",
]

SCHEMA_VERSION = 1
BATCHES = (1, 64)
# As much as this is compressed by every recipe within a minute on two cores; of a larger file, its largest weights.
MOST_BYTES = 1 << 28
FLOAT_DTYPES = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True)
class FileResult:
    """What came of one recipe; timings are those of the layer, one a batch size."""

    variant: Variant
    path: Path
    report: Report
    file_bytes: int
    timings: tuple[Timing, ...]

    @property
    def worst(self) -> ReportRow | None:
        """The weight that lost most, None if none lost anything."""
        return next(iter(self.report.worst(1)), None)


@dataclass(frozen=True)
class FileOutcome:
    """The whole demonstration; `layer` is the name of the one that was run."""

    machine: Machine
    weights: WeightFile
    names: tuple[str, ...]
    layer: str
    layer_shape: tuple[int, ...]
    numpy_timings: tuple[Timing, ...]
    results: tuple[FileResult, ...]

    def to_dict(self, keep: Path | None) -> dict[str, Any]:
        """Return the outcome as JSON-able values; paths only of files that were kept."""
        base = self.results[0]
        return {
            "schema_version": SCHEMA_VERSION,
            "path": str(self.weights.path),
            "file_bytes": self.weights.file_bytes,
            "weights": len(self.names),
            "weights_in_file": len(self.weights),
            "machine": self.machine.to_dict(),
            "layer": self.layer,
            "layer_shape": list(self.layer_shape),
            "batches": list(BATCHES),
            "numpy_seconds": [timing.seconds for timing in self.numpy_timings],
            "rows": [
                {
                    "recipe": result.variant.label,
                    "options": result.variant.options,
                    "path": str(result.path) if keep is not None else None,
                    "file_bytes": result.file_bytes,
                    "ratio": base.file_bytes / result.file_bytes,
                    "worst_weight": None if result.worst is None else result.worst.name,
                    "worst_sqnr_db": None if result.worst is None else _finite(result.worst.sqnr_db),
                    "worst_error": None if result.worst is None else result.worst.max_error,
                    "layer_form": result.report[self.layer].form,
                    "seconds": [timing.seconds for timing in result.timings],
                    "times_faster_than_numpy": [timing.times_faster for timing in result.timings],
                }
                for result in self.results
            ],
        }


def choose_layer(weights: WeightFile) -> str:
    """Return the name of the largest float matrix, tables of embeddings last: nobody multiplies by those."""
    matrices = [
        name
        for name in weights
        if (info := weights.describe(name)).kind == "array"
        and info.dtype in FLOAT_DTYPES
        and len(info.shape) == 2
        and min(info.shape) > 0
    ]
    if not matrices:
        compressed = any(weights.describe(name).kind != "array" for name in weights)
        raise ValueError(
            f"{weights.path}: expected a float matrix to compress and run, got none"
            f"{'; give the file it was compressed from' if compressed else ''}"
        )
    layers = [name for name in matrices if "embed" not in name.lower()]
    return max(layers or matrices, key=lambda name: weights.describe(name).nbytes)


def choose_names(weights: WeightFile, layer: str, most_bytes: int) -> tuple[str, ...]:
    """Return all names in the order of the file, or the layer and the largest of the others that fit the bound."""
    sizes = {name: weights.describe(name).nbytes for name in weights}
    chosen, total = {layer}, sizes[layer]
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if name not in chosen and total + sizes[name] <= most_bytes:
            chosen.add(name)
            total += sizes[name]
    return tuple(name for name in weights if name in chosen)


class Chosen(Mapping[str, Weight]):
    """Some weights of a file, still looked up one at a time."""

    def __init__(self, weights: WeightFile, names: tuple[str, ...]) -> None:
        self._weights, self._names = weights, names

    def __getitem__(self, name: str) -> Weight:
        return self._weights[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def measure_file(weights: WeightFile, layer: str, folder: Path, progress: Progress) -> FileOutcome:
    """Return the outcome, with the files written in `folder`."""
    names = choose_names(weights, layer, MOST_BYTES)
    chosen = Chosen(weights, names)
    original = dense_float32(weights[layer])
    if not np.isfinite(original).all():
        raise ValueError(f"{layer!r}: expected finite values, got NaN or infinity")
    rng = np.random.default_rng(0)
    batches = [rng.standard_normal((rows, original.shape[1]), np.float32) for rows in BATCHES]
    progress.start("compressing", len(FILE_VARIANTS) * len(names))
    reports, packed = [], []
    for variant in FILE_VARIANTS:
        compressed = compress(chosen, variant.recipe, progress=lambda done, total, name: progress.advance(1))
        path = folder / variant.file_name
        write(path, compressed)
        weight = read(path)[layer]
        for x in batches:
            check_layer(weight, None, x)
        reports.append((path, compressed.report))
        packed.append(PackedLinear(weight))
    with numpy_settings(get_num_threads()) as settings:
        progress.start("timing", ROUNDS * len(batches) * (len(settings) + len(packed)))
        numpy_layer = make_numpy_layer(original)
        contests = [
            time_contest(
                [Contestant(partial(numpy_layer, x), setting.apply, lingers=True) for setting in settings],
                [Contestant(partial(layer, x)) for layer in packed],
                advance=lambda: progress.advance(1),
            )
            for x in batches
        ]
        machine = describe_machine([settings[best].threads for best, _, _ in contests])
    numpy_timings = tuple(rival for _, rival, _ in contests)
    timings = list(zip(*(own for _, _, own in contests), strict=True))
    results = tuple(
        FileResult(variant, path, report, path.stat().st_size, own)
        for variant, (path, report), own in zip(FILE_VARIANTS, reports, timings, strict=True)
    )
    return FileOutcome(machine, weights, names, layer, original.shape, numpy_timings, results)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
