"""What there is to do, and what was done, as frozen values that become JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..compression.cuts import Cut
from ..compression.plans import Plan
from ..compression.recipe_document import parse_step, step_to_dict
from ..compression.report import ReportRow

__all__ = ["Input", "Job", "JobResult", "Task"]

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Input:
    """A file that a job reads, and which of its tensors.

    Attributes
    ----------
    file : str
        Its name in the folder of the source.
    tensors : tuple of str
    bytes : int
        Of the file.
    mtime_ns : int
        When the file was changed last, in nanoseconds.
    header : str
        SHA-256 of what the file says about its tensors.
    contents : str
        SHA-256 of the whole file if the plan was made with `verify`, else empty.
    """

    file: str
    tensors: tuple[str, ...]
    bytes: int
    mtime_ns: int
    header: str
    contents: str = ""


@dataclass(frozen=True)
class Task:
    """What happens to one weight: its plan, and where it is cut if all weights together decided that."""

    plan: Plan
    cut: Cut | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the task as JSON-able values."""
        values = dict(vars(self.plan))
        for kind in ("prune", "quantize"):
            values[kind] = None if values[kind] is None else step_to_dict(values[kind])
        values["rules"] = list(self.plan.rules)
        return {**values, "cut": None if self.cut is None else asdict(self.cut)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Task:
        """Return what `to_dict` came from."""
        values = dict(document)
        cut = values.pop("cut")
        for kind in ("prune", "quantize"):
            values[kind] = None if values[kind] is None else parse_step(values[kind], kind)
        values["rules"] = tuple(values["rules"])
        return cls(Plan(**values), None if cut is None else Cut(**cut))


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

    def __post_init__(self) -> None:
        check_output(self.output, "job")

    @property
    def names(self) -> tuple[str, ...]:
        """The weights, in order."""
        return tuple(task.plan.name for task in self.tasks)

    def to_dict(self) -> dict[str, Any]:
        """Return the job as JSON-able values."""
        values = dict(vars(self))
        values["tasks"] = [task.to_dict() for task in self.tasks]
        values["inputs"] = [{**vars(item), "tensors": list(item.tensors)} for item in self.inputs]
        return {"schema_version": SCHEMA_VERSION, **values}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Job:
        """Return what `to_dict` came from.

        Raises
        ------
        ValueError
            If it is no such document, or of another version.
        """
        values = _checked(document, [field.name for field in fields(cls)], "job")
        try:
            values["tasks"] = tuple(Task.from_dict(task) for task in values["tasks"])
            values["inputs"] = tuple(
                Input(**{**item, "tensors": tuple(item["tensors"])}) for item in values["inputs"]
            )
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise ValueError(f"job: expected what Job.to_dict gives, got {error}") from error
        return cls(**values)


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
        values = _checked(document, [field.name for field in fields(cls)], "result")
        try:
            values["rows"] = tuple(row_from_dict(row) for row in values["rows"])
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise ValueError(f"result: expected what JobResult.to_dict gives, got {error}") from error
        return cls(**values)


def check_output(output: object, what: str) -> None:
    """Raise ValueError unless `output` is the plain name of a file, which cannot lead out of the target's folder."""
    if (
        not isinstance(output, str)
        or not output
        or Path(output).name != output
        or output.startswith(".")
        or "\0" in output
    ):
        raise ValueError(f"{what}: output: expected the name of a file, got {output!r}")


def row_from_dict(document: Mapping[str, Any]) -> ReportRow:
    """Return a row of which `ReportRow.to_dict` gave the document."""
    values = {field.name: document[field.name] for field in fields(ReportRow)}
    for name in ("shape", "actions", "rules"):
        values[name] = tuple(values[name])
    if values["sqnr_db"] is None and values["max_error"] is not None:
        # JSON has no infinity, which is what an exact copy has; and nothing better than NaN for the others.
        values["sqnr_db"] = math.inf if values["max_error"] == 0 else math.nan
    return ReportRow(**values)


TYPES: dict[str, type] = {
    **dict.fromkeys(
        ("number", "count", "bytes_before", "bytes_after", "memory_bytes", "bytes", "mtime_ns"), int
    ),
    **dict.fromkeys(("source", "target", "output", "key"), str),
    **dict.fromkeys(("to_folder", "resumed"), bool),
    **dict.fromkeys(("tasks", "inputs", "rows"), list),
}


def _checked(document: Mapping[str, Any], names: list[str], what: str) -> dict[str, Any]:
    if not isinstance(document, Mapping):
        raise ValueError(f"{what}: expected an object, got {type(document).__name__}")
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ValueError(f"{what}: expected schema_version {SCHEMA_VERSION}, got {version!r}")
    missing = [name for name in names if name not in document]
    if missing:
        raise ValueError(f"{what}: expected the keys of to_dict, got no {', '.join(missing)}")
    for name in names:
        value = document[name]
        if not isinstance(value, TYPES[name]) or (isinstance(value, bool) and TYPES[name] is int):
            raise ValueError(
                f"{what}: {name}: expected {TYPES[name].__name__}, got {type(value).__name__} {value!r:.80}"
            )
    return {name: document[name] for name in names}
