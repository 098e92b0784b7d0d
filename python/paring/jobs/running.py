"""One job: the weights of one file compressed one after the other, and written beside the target."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from functools import partial
from pathlib import Path

from .._core import version
from ..compression.application import apply_plan
from ..compression.compressor import Progress
from ..compression.report import ReportRow
from ..formats import read_part, write
from ..formats.weight_file import WeightFile
from ..weights import Weight
from .fingerprint import fingerprint, job_key
from .job import Job, JobResult
from .spool import Spool, SpooledWeights, in_map
from .staging import Staging, write_json

__all__ = ["open_inputs", "output_metadata", "run", "run_anew", "spooled_weights"]

Fetch = Callable[[], Weight]


def run(job: Job, progress: Progress | None = None) -> JobResult:
    """Do one job of `plan`, unless it has been done.

    Its file is written beside the target and renamed when it is complete (see `finish`), so a job may be run twice, by
    two processes at once, or anew after it was killed: the file has the same bytes. At most twice as much memory is
    taken as the largest weight has in float32, and some 100 MB.

    Parameters
    ----------
    job : Job
    progress : callable, optional
        Called as ``progress(done, total, name)`` when a weight of the job is done.

    Returns
    -------
    JobResult
        It is also written beside the file, for `finish`.

    Raises
    ------
    ValueError
        If the source is no longer what it was when the job was planned; for a weight with NaN or infinity.
    FormatError
        If a weight is damaged.
    OSError
        If a file cannot be read or written.
    """
    if not isinstance(job, Job):
        raise TypeError(f"job: expected a Job, got {type(job).__name__}")
    done = Staging.of(job).result(job)
    if done is not None:
        if progress is not None:
            progress(len(job.tasks), len(job.tasks), job.output)
        return replace(done, resumed=True)
    return run_anew(job, progress)


def run_anew(job: Job, progress: Progress | None = None) -> JobResult:
    """Do a job as `run` does, whether or not it has been done."""
    staging = Staging.of(job)
    source = open_inputs(job)
    staging.make()
    with Spool(staging.folder, staging.target) as spool:
        weights, rows = spooled_weights(job, source, spool, progress)
        file = staging.staged(job.output)
        try:
            write(file, weights, metadata=output_metadata(job, source))
        except OSError as error:
            if error.filename == str(file):  # the name it will have says more
                raise OSError(error.errno, error.strerror, str(staging.target)) from error
            raise
    _check_unchanged(job, source.path.parent)
    status = file.stat()
    result = JobResult(job.number, job.output, job.key, status.st_size, status.st_mtime_ns, rows)
    write_json(staging.sidecar(job.output), result.to_dict())
    return result


def open_inputs(job: Job) -> WeightFile:
    """Open the source of a job; ValueError if it is not what was planned for.

    Of a checkpoint only the files are opened that the job reads, unless these make no sense without the others.
    """
    if job.key != job_key(job.tasks, job.inputs, job.output):
        raise ValueError(f"job {job.number}: expected one of paring {version}, got another key: plan again")
    try:
        return _open_checked(job, {item.file for item in job.inputs})
    except ValueError:  # such as: half of a weight that lies in two files
        return _open_checked(job, None)


def _open_checked(job: Job, shards: Container[str] | None) -> WeightFile:
    source = read_part(job.source, shards)
    folder = source.path.parent
    for planned in job.inputs:
        file = source.shards.get(planned.file)
        if file is None:
            raise ValueError(f"{job.source}: {planned.file} is not among its files any more: plan again")
        now = fingerprint(folder, planned.file, file, planned.tensors, bool(planned.contents))
        if now != planned:
            raise ValueError(f"{folder / planned.file}: changed since the jobs were planned: plan again")
    missing = [name for name in job.names if name not in source]
    if missing:
        raise ValueError(f"{job.source}: weight {missing[0]!r} is not in its files: plan again")
    return source


def _check_unchanged(job: Job, folder: Path) -> None:
    """Raise ValueError if a file of the source was changed while it was read."""
    for item in job.inputs:
        status = (folder / item.file).stat()
        if (status.st_size, status.st_mtime_ns) != (item.bytes, item.mtime_ns):
            raise ValueError(f"{folder / item.file}: changed while it was read: plan again")


def spooled_weights(
    job: Job, source: WeightFile, spool: Spool, progress: Progress | None
) -> tuple[SpooledWeights, tuple[ReportRow, ...]]:
    """Do the tasks of a job, one weight at a time in memory; return the weights as they are to be written, and rows."""
    total = len(job.tasks)
    weights: dict[str, Fetch] = {}
    rows: list[ReportRow] = []
    for done, task in enumerate(job.tasks, 1):
        name = task.plan.name
        weight = source[name]
        fetch: Fetch = partial(source.__getitem__, name)
        if not in_map(weight):  # decoded just now: it would be held, or decoded again when it is written
            fetch = spool.put(weight)
            weight = fetch()
        result, row = apply_plan(task.plan, weight, task.cut)
        weights[name] = fetch if result is weight else spool.put(result)
        rows.append(row)
        del weight, result, fetch  # before the next one is made
        if progress is not None:
            progress(done, total, name)
    return SpooledWeights(weights), tuple(rows)


def output_metadata(job: Job, source: WeightFile) -> dict[str, str]:
    """Return the text that goes into a job's file: that of the file it comes from."""
    if Path(job.output).suffix == ".npy":
        return {}
    if not job.to_folder or len(source.shards) == 1:
        return dict(source.metadata)
    return dict(source.shards[source.shard_of(job.names[0])].metadata) if job.names else {}
