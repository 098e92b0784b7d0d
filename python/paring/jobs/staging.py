"""Where a job's file lies until `finish` puts it into its place, and what is known about it.

A folder ``target`` is prepared in ``target/.paring``, a file ``target`` in ``.target.paring`` beside it. There a job
writes its file under the name it will have, and then ``NAME.json``, its `JobResult`. Only `finish` touches the target.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..formats.atomic import replacing
from .job import Job, JobResult

__all__ = ["REPORT_NAME", "Staging", "write_json"]

REPORT_NAME = "paring-report.json"
"""In a finished folder: the report, and the results of the jobs."""


class Staging:
    """The paths of one target."""

    def __init__(self, target: Path, to_folder: bool) -> None:
        self.target = target
        self.to_folder = to_folder
        self.folder = target / ".paring" if to_folder else target.parent / f".{target.name}.paring"

    @classmethod
    def of(cls, job: Job) -> Staging:
        """Return the staging of a job."""
        return cls(Path(job.target), job.to_folder)

    def make(self) -> None:
        """Make the folder."""
        if self.to_folder:
            self.target.mkdir(exist_ok=True)
        self.folder.mkdir(exist_ok=True)

    def staged(self, output: str) -> Path:
        """Where a job writes."""
        return self.folder / output

    def sidecar(self, output: str) -> Path:
        """Where a job's result lies."""
        return self.folder / f"{output}.json"

    def final(self, output: str) -> Path:
        """Where the file ends up."""
        return self.target / output if self.to_folder else self.target

    def result(self, job: Job) -> JobResult | None:
        """Return what a job gave, if it was run by the same plan and its file stands as it was written."""
        for result, file in (
            (_read_result(self.sidecar(job.output)), self.staged(job.output)),
            (self._finished(job), self.final(job.output)),
        ):
            if result is not None and result.key == job.key:
                with suppress(OSError):
                    status = file.stat()
                    if (status.st_size, status.st_mtime_ns) == (result.bytes, result.mtime_ns):
                        return result
        return None

    def _finished(self, job: Job) -> JobResult | None:
        document = _read_json(self.target / REPORT_NAME) if self.to_folder else None
        results = document.get("jobs") if isinstance(document, dict) else None
        for result in results if isinstance(results, list) else []:
            if isinstance(result, dict) and result.get("output") == job.output:
                return _as_result(result)
        return None

    def remove(self) -> None:
        """Remove the folder with what is in it, all of which this module put there."""
        with suppress(FileNotFoundError):
            for file in self.folder.iterdir():
                file.unlink(missing_ok=True)
            self.folder.rmdir()

    def remove_if_empty(self) -> None:
        """Remove the folders made, unless a job has finished there."""
        with suppress(OSError):
            self.folder.rmdir()
            if self.to_folder:
                self.target.rmdir()


def write_json(path: Path, document: object) -> None:
    """Write a JSON file, all of it or nothing."""
    with replacing(path) as file:
        file.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def _read_result(path: Path) -> JobResult | None:
    return _as_result(_read_json(path))


def _as_result(document: Any) -> JobResult | None:
    try:
        return JobResult.from_dict(document)
    except ValueError:
        return None  # of another version, or not ours: the job is run again


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
