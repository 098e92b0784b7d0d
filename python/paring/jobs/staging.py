"""Where a job's file lies until `finish` puts it into its place, and what is known about it.

A folder ``target`` is prepared in ``target/.paring``, a file ``target`` in ``.target.paring`` beside it (beside what it
leads to, if it is a link). There a job writes its file under the name it will have, and then ``NAME.json``, its
`JobResult`. Only `finish` touches the target.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..formats.atomic import replacing
from ..formats.shards import INDEX_SUFFIX
from ..formats.strict_json import is_unicode
from .job import Job, JobResult

__all__ = ["INDEX_NAME", "REPORT_NAME", "SHARD_SUFFIX", "Staging", "write_json"]

SHARD_SUFFIX = ".safetensors"
INDEX_NAME = f"model{SHARD_SUFFIX}{INDEX_SUFFIX}"
REPORT_NAME = "paring-report.json"
"""In a finished folder: the report, and the results of the jobs."""


class Staging:
    """The paths of one target."""

    def __init__(self, target: Path, to_folder: bool) -> None:
        self.target = target
        self.to_folder = to_folder
        self._file = Path(os.path.realpath(target))
        self.folder = target / ".paring" if to_folder else self._file.with_name(f".{self._file.name}.paring")

    @classmethod
    def of(cls, job: Job) -> Staging:
        """Return the staging of a job."""
        return cls(Path(job.target), job.to_folder)

    def check(self) -> None:
        """Raise OSError if a link or a file has the name of the folder: what is behind it is not ours."""
        if self.folder.is_symlink() or (self.folder.exists() and not self.folder.is_dir()):
            kind = "a link" if self.folder.is_symlink() else "a file"
            raise NotADirectoryError(
                f"{self.folder}: expected a folder for unfinished files, got {kind}: remove it"
            )

    def make(self) -> None:
        """Make the folder; OSError as `check`."""
        if self.to_folder:
            self.target.mkdir(exist_ok=True)
        self.check()
        self.folder.mkdir(exist_ok=True)

    def staged(self, output: str) -> Path:
        """Where a job writes."""
        return self.folder / output

    def sidecar(self, output: str) -> Path:
        """Where a job's result lies."""
        return self.folder / f"{output}.json"

    def final(self, output: str) -> Path:
        """Where the file ends up."""
        return self.target / output if self.to_folder else self._file

    def result(self, job: Job) -> JobResult | None:
        """Return what a job gave, if it was run by the same plan and its file stands as it was written."""
        return self.results([job])[0]

    def results(self, jobs: Iterable[Job]) -> list[JobResult | None]:
        """Return `result` of each job; what is known of finished ones is read once."""
        jobs = list(jobs)
        found = []
        for job in jobs:
            document = _read_json(self.sidecar(job.output))
            # A `finish` that was killed has moved some files and not said so.
            places = (self.staged(job.output), self.final(job.output))
            standing = (self._standing(job, document, place) for place in places)
            found.append(next((result for result in standing if result is not None), None))
        if self.to_folder and None in found:
            finished = self._finished()
            for place, job in enumerate(jobs):
                if found[place] is None:
                    found[place] = self._standing(job, finished.get(job.output), self.final(job.output))
        return found

    def is_staged(self, result: JobResult) -> bool:
        """Whether the file of a result waits here, and not some other plan's; else it has been put into its place."""
        return _stands(result, self.staged(result.output))

    def finished_files(self) -> list[Path]:
        """Return the files of weights that an earlier `finish` put into the folder and nobody has changed."""
        found = [
            (self._result(document), self.final(output))
            for output, document in self._finished().items()
            if output.endswith(SHARD_SUFFIX)
        ]
        return [file for result, file in found if result is not None and _stands(result, file)]

    def remove(self) -> None:
        """Remove the folder with what this module put there; what others did stays, and is no reason to fail."""
        with suppress(OSError):
            self.check()
            for file in self.folder.iterdir():
                with suppress(OSError):
                    file.unlink()
            self.folder.rmdir()

    def remove_if_empty(self) -> None:
        """Remove the folders made, unless a job has finished there."""
        with suppress(OSError):
            self.folder.rmdir()
            if self.to_folder:
                self.target.rmdir()

    def _standing(self, job: Job, document: Any, file: Path) -> JobResult | None:
        result = self._result(document)
        return result if result is not None and result.key == job.key and _stands(result, file) else None

    def _finished(self) -> dict[str, Any]:
        """Return the documents of results in the folder's report, by the name of their file."""
        document = _read_json(self.target / REPORT_NAME)
        results = document.get("jobs") if isinstance(document, dict) else None
        named = [item for item in results if isinstance(item, dict)] if isinstance(results, list) else []
        return {item["output"]: item for item in named if isinstance(item.get("output"), str)}

    @staticmethod
    def _result(document: Any) -> JobResult | None:
        try:
            return JobResult.from_dict(document)
        except ValueError:
            return None  # of another version, or not ours: the job is run again


def _stands(result: JobResult, file: Path) -> bool:
    """Whether a file is there and is the one that was written."""
    try:
        status = file.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (result.bytes, result.mtime_ns)


def write_json(path: Path, document: object) -> None:
    """Write a JSON file, all of it or nothing."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    if not is_unicode(text):  # the name of a file need not be
        text = json.dumps(document, indent=2, allow_nan=False)
    with replacing(path) as file:
        file.write(text.encode() + b"\n")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
