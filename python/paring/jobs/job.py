"""What there is to do, and what was done, as frozen values that become JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from ..compression.report import Action, ReportRow
from .documents import (
    Check,
    count,
    flag,
    integer,
    listed,
    number,
    one_of,
    optional,
    path_text,
    read_fields,
    text,
)
from .tasks import Input, Task

__all__ = ["Job", "JobResult"]

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Job:
    """One file to write, with all that is needed to write it: picklable, and JSON-able by `to_dict`.

    Attributes
    ----------
    number, count : int
        Which job this is, from 0, and of how many.
    source : str
        Absolute path of what `paring.plan` was given.
    target : str
        Absolute path of the file, or of the folder, that `finish` completes.
    output : str
        Name of the file this job writes.
    to_folder : bool
        Whether `target` is a folder.
    tasks : tuple of Task
        One a weight, in the order of the source.
    inputs : tuple of Input
    bytes_before : int
        Bytes of its weights in the source.
    bytes_after : int
        Bytes of its weights as they will be; of those stored as CSR, an estimate.
    memory_bytes : int
        What running it takes at most, beyond the interpreter and what the system caches of files.
    key : str
        SHA-256 of all the above that decides what is written: inputs, tasks, output, and paring's version.
    plan : str
        SHA-256 by which the jobs of one plan know each other: of all their keys, source and target.
    """

    number: int
    count: int
    source: str
    target: str
    output: str
    to_folder: bool
    tasks: tuple[Task, ...]
    inputs: tuple[Input, ...]
    bytes_before: int
    bytes_after: int
    memory_bytes: int
    key: str
    plan: str

    def __post_init__(self) -> None:
        file_name(self.output, "job: output")
        if not self.to_folder and self.output != Path(self.target).name:
            raise ValueError(f"job: output: expected the name of {self.target}, got {self.output!r}")
        if not 0 <= self.number < self.count:
            raise ValueError(f"job: number: expected one of {self.count}, from 0, got {self.number}")

    @property
    def names(self) -> tuple[str, ...]:
        """The weights, in order."""
        return tuple(task.plan.name for task in self.tasks)

    def to_dict(self) -> dict[str, Any]:
        """Return the job as JSON-able values."""
        values = dict(vars(self))
        values["tasks"] = [task.to_dict() for task in self.tasks]
        values["inputs"] = [item.to_dict() for item in self.inputs]
        return {"schema_version": SCHEMA_VERSION, **values}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Job:
        """Return what `to_dict` came from.

        Raises
        ------
        ValueError
            If it is no such document, or of another version.
        """
        return cls(**_read_versioned(document, "job", JOB))


@dataclass(frozen=True)
class JobResult:
    """What a job gave: JSON-able by `to_dict`.

    Attributes
    ----------
    number : int
    output : str
        Name of the file written.
    key : str
        That of the job.
    bytes : int
        Of the file written.
    mtime_ns : int
        When it was written, in nanoseconds.
    rows : tuple of ReportRow
        One a weight.
    resumed : bool
        Whether the file was there already.
    """

    number: int
    output: str
    key: str
    bytes: int
    mtime_ns: int
    rows: tuple[ReportRow, ...]
    resumed: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-able values."""
        rows = [row.to_dict() for row in self.rows]
        return {"schema_version": SCHEMA_VERSION, **vars(self), "rows": rows}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> JobResult:
        """Return what `to_dict` came from; ValueError if it is no such document."""
        return cls(**_read_versioned(document, "result", RESULT))


def file_name(value: Any, where: str) -> str:
    """Take the plain name of a file, which cannot lead out of the target's folder; ValueError for anything else."""
    if (
        not isinstance(value, str)
        or not value
        or Path(value).name != value
        or value.startswith(".")
        or "\0" in value
    ):
        raise ValueError(f"{where}: expected the name of a file, got {value!r:.80}")
    return value


def _read_versioned(document: Any, where: str, checks: Mapping[str, Check]) -> dict[str, Any]:
    if not isinstance(document, Mapping):
        raise ValueError(f"{where}: expected an object, got {type(document).__name__}")
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ValueError(f"{where}: expected schema_version {SCHEMA_VERSION}, got {version!r}")
    return read_fields(document, where, checks, ("schema_version",))


def _row(document: Any, where: str) -> ReportRow:
    """Return a row of which `ReportRow.to_dict` gave the document."""
    values = read_fields(document, where, ROW, ("bits_per_weight", "loses_much"))
    if values["sqnr_db"] is None and values["max_error"] is not None:
        # JSON has no infinity, which is what an exact copy has; and nothing better than NaN for the others.
        values["sqnr_db"] = math.inf if values["max_error"] == 0 else math.nan
    return ReportRow(**values)


JOB: dict[str, Check] = {
    "number": count,
    "count": count,
    "source": path_text,
    "target": path_text,
    "output": file_name,
    "to_folder": flag,
    "tasks": listed(Task.from_dict),
    "inputs": listed(Input.from_dict),
    "bytes_before": count,
    "bytes_after": count,
    "memory_bytes": count,
    "key": text,
    "plan": text,
}
ROW: dict[str, Check] = {
    "name": text,
    "shape": listed(count),
    "dtype": text,
    "form": text,
    "actions": listed(one_of(get_args(Action))),
    "reason": text,
    "bytes_before": count,
    "bytes_after": count,
    "sparsity": optional(number),
    "max_error": optional(number),
    "mean_error": optional(number),
    "sqnr_db": optional(number),
    "rules": listed(text),
}
RESULT: dict[str, Check] = {
    "number": count,
    "output": file_name,
    "key": text,
    "bytes": count,
    "mtime_ns": integer,
    "rows": listed(_row),
    "resumed": flag,
}
