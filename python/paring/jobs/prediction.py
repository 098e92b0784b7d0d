"""What compressing a file would give, without writing it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..compression.compressor import Progress
from ..compression.recipe_sources import RecipeLike
from ..compression.report import Report
from ..compression.report_rows import ReportRow
from ..formats import file_bytes, read
from .planning import plan
from .running import open_inputs, output_metadata, spooled_weights
from .spool import Spool
from .targets import existing_folder

__all__ = ["Prediction", "predict"]


@dataclass(frozen=True)
class Prediction:
    """What `compress_file` would give.

    Attributes
    ----------
    report : Report
        The one it would return.
    bytes_before, bytes_after : int
        Of the weight files read, and of those that would be written.
    """

    report: Report
    bytes_before: int
    bytes_after: int


def predict(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    recipe: RecipeLike | None = None,
    *,
    progress: Progress | None = None,
) -> Prediction:
    """Return what `compress_file` would give for the same arguments; no file appears.

    The work is done, all but the last step, so that errors and sizes are those of the files. Weights are put aside on
    the disk of the target meanwhile, as they are by `compress_file`.
    """
    jobs = plan(source, target, recipe)
    total = sum(len(job.tasks) for job in jobs)
    rows: list[ReportRow] = []
    after = 0
    for job in jobs:
        place = Path(job.target)
        weights = open_inputs(job)
        with Spool(existing_folder(place), place) as spool:
            within = None if progress is None else _shifted(progress, len(rows), total)
            compressed, own = spooled_weights(job, weights, spool, within)
            metadata = output_metadata(job, weights)
            after += file_bytes(place / job.output if job.to_folder else place, compressed, metadata=metadata)
        rows += own
    return Prediction(Report(tuple(rows)), read(source).file_bytes, after)


def _shifted(progress: Progress, before: int, total: int) -> Progress:
    return lambda done, _, name: progress(before + done, total, name)
