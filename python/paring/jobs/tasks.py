"""What a job is made of: the files it reads, and what happens to each weight."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from ..compression.cuts import KEY_BITS, Cut
from ..compression.plans import Plan
from ..compression.recipe_document import parse_step, step_to_dict
from ..compression.recipe_steps import MAX_AXES, Step
from .documents import Check, count, flag, integer, listed, one_of, optional, path_text, read_fields, text

__all__ = ["Input", "Task"]


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

    def to_dict(self) -> dict[str, Any]:
        """Return the input as JSON-able values."""
        return {**vars(self), "tensors": list(self.tensors)}

    @classmethod
    def from_dict(cls, document: Any, where: str = "input") -> Input:
        """Return what `to_dict` came from; ValueError starting with `where` if it is no such document."""
        return cls(**read_fields(document, where, INPUT))


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
    def from_dict(cls, document: Any, where: str = "task") -> Task:
        """Return what `to_dict` came from; ValueError starting with `where` if it is no such document."""
        values = read_fields(document, where, TASK)
        cut = values.pop("cut")
        return cls(Plan(**values), cut)


def _cut(document: Any, where: str) -> Cut:
    values = read_fields(document, where, CUT)
    count(values["key"], f"{where}: key", 2 ** KEY_BITS[values["kind"]] - 1)
    return Cut(**values)


def _step(kind: str, document: Any, where: str) -> Step:
    try:
        step = parse_step(document, where)
    except TypeError as error:
        raise ValueError(str(error)) from error
    if step.kind != kind:
        raise ValueError(f"{where}: expected a {kind} step, got a {step.kind} step")
    return step


INPUT: dict[str, Check] = {
    "file": path_text,
    "tensors": listed(text),
    "bytes": count,
    "mtime_ns": integer,
    "header": text,
    "contents": text,
}
CUT: dict[str, Check] = {
    "kind": one_of(tuple(KEY_BITS)),
    "key": partial(count, largest=2**64 - 1),
    "equal": count,
}
TASK: dict[str, Check] = {
    "name": text,
    "reason": text,
    "prune": optional(partial(_step, "prune")),
    "quantize": optional(partial(_step, "quantize")),
    "axis": partial(count, largest=MAX_AXES - 1),
    "sparse": flag,
    "rules": listed(text),
    "cut": optional(_cut),
}
