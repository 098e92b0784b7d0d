"""All jobs done, their files are put into place; what names them, the index and the config, comes last."""

from __future__ import annotations

import signal
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..compression.report import Report
from ..formats.arrays import TensorInfo
from ..formats.compressed_tensors.config import CONFIG_KEY, merge_config, quantization_config
from ..formats.compressed_tensors.config_file import CONFIG_NAME, read_config
from ..formats.limits import DEFAULT_LIMITS
from ..formats.readers import open_tensors
from .job import Job, JobResult
from .model_folder import copy_other_files, is_model_folder, merged_config
from .staging import INDEX_NAME, REPORT_NAME, Staging, write_json

__all__ = ["finish"]


def finish(jobs: Sequence[Job]) -> Report:
    """Complete the target of jobs that have all been run.

    The files move to their places; a folder also gets the other files of the source's folder, its ``config.json``
    with the ``quantization_config``, ``paring-report.json`` and, if there are several files, the index, which is
    written last. An index that was there is removed before the first file moves, so that no reader ever finds the files
    of two models as one; files of an earlier model that paring put there, and that this one has not, go with it. May be
    called again, after it was killed as well.

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
        If a file cannot be written, or the source, whose other files belong to a folder, is not there any more.
    """
    jobs = _check_jobs(jobs)
    staging = Staging.of(jobs[0])
    results = _results(staging, jobs)
    report = Report(tuple(row for result in results for row in result.rows))
    # All that can fail is done before the old files go.
    documents = _folder_documents(staging, jobs, results, report) if staging.to_folder else {}
    with _uninterrupted():
        _move(staging, results)
        for name, document in documents.items():
            write_json(staging.target / name, document)
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


def _move(staging: Staging, results: list[JobResult]) -> None:
    moves = [result.output for result in results if staging.is_staged(result)]
    if staging.to_folder and moves:
        # An index of an earlier model would mix its files with these, should the process be killed right here.
        (staging.target / INDEX_NAME).unlink(missing_ok=True)
        for file in set(staging.finished_files()) - {staging.final(result.output) for result in results}:
            file.unlink(missing_ok=True)
    for output in moves:
        staged, final = staging.staged(output), staging.final(output)
        if final.exists():
            staged.chmod(stat.S_IMODE(final.stat().st_mode))
        staged.replace(final)


def _check_jobs(jobs: Iterable[Job]) -> list[Job]:
    jobs = list(jobs)
    for job in jobs:
        if not isinstance(job, Job):
            raise TypeError(f"jobs: expected a list of Job, got {type(job).__name__} in it")
    jobs.sort(key=lambda job: job.number)
    if not jobs:
        raise ValueError("jobs: expected the jobs of a plan, got none")
    if len({job.plan for job in jobs}) > 1 or [job.number for job in jobs] != list(range(jobs[0].count)):
        numbers = ", ".join(str(job.number) for job in jobs)
        raise ValueError(f"jobs: expected all {jobs[0].count} jobs of one plan, got numbers {numbers}")
    return jobs


def _results(staging: Staging, jobs: list[Job]) -> list[JobResult]:
    found = staging.results(jobs)
    missing = [str(job.number) for job, result in zip(jobs, found, strict=True) if result is None]
    if missing:
        shown = ", ".join(missing[:20]) + (", ..." if len(missing) > 20 else "")
        raise ValueError(
            f"{staging.target}: {len(missing)} of {len(jobs)} jobs have not been run since they were planned: {shown}"
        )
    return [result for result in found if result is not None]


def _folder_documents(
    staging: Staging, jobs: list[Job], results: list[JobResult], report: Report
) -> dict[str, Any]:
    """Copy what goes along with the weights of a folder; return what is to be written after them, by name, in order."""
    source = Path(jobs[0].source)
    if not source.exists():
        raise FileNotFoundError(f"{source}: no longer there: its config and the like belong into the target")
    tensors: dict[str, TensorInfo] = {}
    weight_map: dict[str, str] = {}
    descriptions: dict[str, dict[str, Any]] = {}
    for result in results:
        place = staging.staged if staging.is_staged(result) else staging.final
        file = open_tensors(place(result.output), DEFAULT_LIMITS)
        for name in file.names():
            tensors[name] = file.info(name)
            weight_map[name] = result.output
        descriptions.update(file.descriptions)
    documents: dict[str, Any] = {}
    if is_model_folder(source):
        folder = source if source.is_dir() else source.parent
        config = read_config(folder, DEFAULT_LIMITS, str(folder))
        quantization = quantization_config(descriptions, tensors, (config or {}).get(CONFIG_KEY))
        merged = merged_config(config, quantization)
        if merged is not None:
            documents[CONFIG_NAME] = merged
        copy_other_files(folder, staging.target)
    else:
        # What an earlier model left beside would say of these weights what is true of those.
        config = read_config(staging.target, DEFAULT_LIMITS, str(staging.target))
        if config is not None and CONFIG_KEY in config:
            quantization = quantization_config(descriptions, tensors, None)
            documents[CONFIG_NAME] = merge_config(config, quantization)
    documents[REPORT_NAME] = {
        "schema_version": 1,
        "report": report.to_dict(),
        "jobs": [result.to_dict() for result in results],
    }
    if len(jobs) > 1:
        total = sum(info.nbytes for info in tensors.values())
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
        documents[INDEX_NAME] = index
    return documents
