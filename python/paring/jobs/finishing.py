"""All jobs done, their files are put into place; what names them, the index and the config, comes last."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..compression.report import Report
from ..formats.arrays import TensorInfo
from ..formats.compressed_tensors.config import CONFIG_KEY, quantization_config
from ..formats.limits import DEFAULT_LIMITS
from ..formats.readers import open_tensors
from ..formats.shards import INDEX_SUFFIX
from .job import Job, JobResult
from .model_folder import copy_other_files, is_model_folder, read_config, write_config
from .staging import REPORT_NAME, Staging, write_json

__all__ = ["finish"]

INDEX_NAME = f"model.safetensors{INDEX_SUFFIX}"


def finish(jobs: Sequence[Job]) -> Report:
    """Complete the target of jobs that have all been run.

    The files move to their places; a folder also gets the other files of the source's folder, its ``config.json``
    with the ``quantization_config``, ``paring-report.json`` and, if there are several files, the index, which is
    written last. An index that was there is removed before the first file moves, so that no reader ever finds the files
    of two models as one. May be called again, after it was killed as well.

    Parameters
    ----------
    jobs : sequence of Job
        All jobs of one plan.

    Returns
    -------
    Report
        Of all weights, in the order of the source.

    Raises
    ------
    ValueError
        If some jobs have not been run (the message says which), or these are not the jobs of one plan.
    OSError
        If a file cannot be written.
    """
    jobs = _check_jobs(jobs)
    staging = Staging.of(jobs[0])
    results = _results(staging, jobs)
    report = Report(tuple(row for result in results for row in result.rows))
    with _uninterrupted():
        _move(staging, jobs)
        if staging.to_folder:
            _complete_folder(staging, jobs, results, report)
    staging.remove()
    return report


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait: what is left to do takes no time, and half of it is worse than all or nothing."""
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _move(staging: Staging, jobs: list[Job]) -> None:
    moves = [(staging.staged(job.output), staging.final(job.output)) for job in jobs]
    moves = [(staged, final) for staged, final in moves if staged.exists()]
    if staging.to_folder and moves:
        # An index of an earlier model would mix its files with these, should the process be killed right here.
        (staging.target / INDEX_NAME).unlink(missing_ok=True)
    for staged, final in moves:
        staged.replace(final)


def _check_jobs(jobs: Iterable[Job]) -> list[Job]:
    jobs = list(jobs)
    for job in jobs:
        if not isinstance(job, Job):
            raise TypeError(f"jobs: expected a list of Job, got {type(job).__name__} in it")
    jobs.sort(key=lambda job: job.number)
    if not jobs:
        raise ValueError("jobs: expected the jobs of a plan, got none")
    plans = {(job.source, job.target, job.count) for job in jobs}
    if len(plans) > 1 or [job.number for job in jobs] != list(range(jobs[0].count)):
        numbers = ", ".join(str(job.number) for job in jobs)
        raise ValueError(f"jobs: expected all {jobs[0].count} jobs of one plan, got numbers {numbers}")
    return jobs


def _results(staging: Staging, jobs: list[Job]) -> list[JobResult]:
    found = [(job, staging.result(job)) for job in jobs]
    missing = [str(job.number) for job, result in found if result is None]
    if missing:
        shown = ", ".join(missing[:20]) + (", ..." if len(missing) > 20 else "")
        raise ValueError(
            f"{staging.target}: {len(missing)} of {len(jobs)} jobs have not been run since they were planned: {shown}"
        )
    return [result for _, result in found if result is not None]


def _complete_folder(staging: Staging, jobs: list[Job], results: list[JobResult], report: Report) -> None:
    target = staging.target
    files = [open_tensors(target / job.output, DEFAULT_LIMITS) for job in jobs]
    tensors: dict[str, TensorInfo] = {}
    weight_map: dict[str, str] = {}
    descriptions: dict[str, dict[str, Any]] = {}
    for job, file in zip(jobs, files, strict=True):
        for name in file.names():
            tensors[name] = file.info(name)
            weight_map[name] = job.output
        descriptions.update(file.descriptions)
    source = Path(jobs[0].source)
    if is_model_folder(source):
        folder = source if source.is_dir() else source.parent
        copy_other_files(folder, target)
        config = read_config(folder)
        quantization = quantization_config(descriptions, tensors, (config or {}).get(CONFIG_KEY))
        write_config(target, config, quantization)
    document = {"schema_version": 1, "report": report.to_dict(), "jobs": [item.to_dict() for item in results]}
    write_json(target / REPORT_NAME, document)
    if len(jobs) > 1:
        total = sum(info.nbytes for info in tensors.values())
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
        write_json(target / INDEX_NAME, index)
