"""The whole way: plan, run every job here or on an executor, finish."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from contextlib import suppress

from .. import _core
from ..compression.compressor import Progress
from ..compression.recipe_sources import RecipeLike
from ..compression.report import Report
from .finishing import finish
from .job import Job, JobResult
from .planning import plan
from .running import run, run_anew
from .staging import Staging

__all__ = ["compress_file"]


def compress_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    recipe: RecipeLike | None = None,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
    verify: bool = False,
) -> Report:
    """Compress a weight file, or a checkpoint of many files, that need not fit into memory.

    The same as ``write(target, compress(source, recipe))``, one weight at a time: at most twice as much memory is taken
    as the largest weight has in float32, and some 100 MB. The target appears at the end, complete; what was there
    before stays as it was until then. A call that was interrupted, called again, goes on with the files it has not
    written. For machines that share a file system and nothing else, see `paring.jobs.plan`, `run` and `finish`.

    Parameters
    ----------
    source : str or path
        What `paring.read` takes: a file, the index of a checkpoint, a folder.
    target : str or path
        A file to write (``.safetensors``, ``.npz``, ``.npy``, ``.gguf``), or a folder, which gets a file for each of
        the source's, an index, and with a folder as source its ``config.json``. While it works, it uses a folder
        ``.paring`` in it, or ``.NAME.paring`` beside it, and disk for twice the result.
    recipe : Recipe, str or path, optional
        As for `paring.compress`.
    executor : concurrent.futures.Executor, optional
        Where jobs run, one for each file of the source: a process pool, Dask's ``Client.get_executor()``. Its workers
        must see the same files. By default they run here, one after the other.
    progress : callable, optional
        Called as ``progress(done, total, name)`` when a weight is done; with an executor, when a file is.
    verify : bool
        Whether to know the source by all its bytes, when deciding what need not be done again.

    Returns
    -------
    Report
        What was done to every weight, and what it cost.

    Raises
    ------
    TypeError, ValueError, OSError, FormatError
        As `paring.read`, `paring.compress` and `paring.write` do.
    ChildProcessError
        If a worker of the executor died, for lack of memory perhaps. Files that are complete are kept.

    Examples
    --------
    >>> import numpy as np, paring, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paring.write(f"{folder}/in.safetensors", {"w": np.eye(64, dtype=np.float32)})
    ...     report = paring.compress_file(f"{folder}/in.safetensors", f"{folder}/out.safetensors", "int8")
    ...     paring.read(f"{folder}/out.safetensors")["w"].bits, report["w"].form
    (8, 'int8 channel')
    """
    if executor is not None and not isinstance(executor, Executor):
        raise TypeError(
            f"executor: expected a concurrent.futures.Executor, got {type(executor).__name__}"
            + (": give its get_executor()" if hasattr(executor, "get_executor") else "")
        )
    jobs = plan(source, target, recipe, verify=verify)
    staging = Staging.of(jobs[0])
    results = staging.results(jobs)
    counted = _Count(progress, sum(len(job.tasks) for job in jobs))
    for job, result in zip(jobs, results, strict=True):
        if result is not None:
            counted.add(job)
    left = [job for job, result in zip(jobs, results, strict=True) if result is None]
    try:
        if executor is None:
            for job in left:
                run_anew(job, counted.within)
                counted.add(job, told=True)
        else:
            _run_on(executor, left, counted)
        return finish(jobs)
    except BaseException:
        staging.remove_if_empty()
        raise


class _Count:
    """Progress over all jobs, of the progress within each."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def within(self, done: int, total: int, name: str) -> None:
        if self._progress is not None:
            self._progress(self._done + done, self._total, name)

    def add(self, job: Job, told: bool = False) -> None:
        """Count a job that is done; `told` if its weights were told of one by one."""
        count = len(job.tasks)
        if not told:
            self.within(count, count, job.output)
        self._done += count


def _run_on(executor: Executor, jobs: Sequence[Job], counted: _Count) -> None:
    from concurrent.futures import ProcessPoolExecutor  # brings multiprocessing, which only this needs

    threads = 0
    if isinstance(executor, ProcessPoolExecutor):
        workers: int = executor._max_workers  # type: ignore[attr-defined]  # nothing public says it
        threads = max(1, _core.get_num_threads() // workers)
    pending: dict[Future[JobResult], Job] = {}
    finished = 0
    try:
        for job in jobs:
            pending[executor.submit(run_in_worker, job, threads)] = job
        for future in as_completed(pending):
            future.result()
            finished += 1
            counted.add(pending[future])
    except BrokenExecutor as error:
        raise ChildProcessError(
            f"a worker process died (killed for lack of memory?) after {finished} of {len(jobs)} files: "
            f"what is complete is kept, the same call goes on from there"
        ) from error
    finally:
        for future in pending:
            future.cancel()
        with suppress(BaseException):
            # Nothing may still write when the caller looks at the target.
            for future in pending:
                if not future.cancelled():
                    future.exception()


def run_in_worker(job: Job, num_threads: int) -> JobResult:
    """Run a job where others run beside it: with its share of the threads, 0 for all."""
    if num_threads:
        _core.set_num_threads(num_threads)
    return run(job)
