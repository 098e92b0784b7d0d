"""One schedule after another, and the list of all."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from typing import Any, ClassVar

from ..documents import DEEPEST, LARGEST, check_count
from .base import Schedule
from .cosine import Cosine, CosineRestarts, OneCycle
from .forms import (
    Constant,
    Exponential,
    InverseTime,
    LinearWarmup,
    MultiStep,
    Polynomial,
    Step,
)

__all__ = ["SCHEDULES", "Chain"]


@dataclass(frozen=True)
class Chain(Schedule):
    """One schedule after the other, each counting its own steps from 0: PyTorch's `SequentialLR`.

    Parameters
    ----------
    parts : list of (schedule, steps)
        How many updates each schedule is for. None stands for its `length`; the last may have neither and goes on
        forever. After the last part the rate stays as it is.

    Raises
    ------
    TypeError, ValueError
        If a part is something else; the message names it.

    Notes
    -----
    Warm-up and cosine as optax has it in ``warmup_cosine_decay_schedule(decay_steps=100)`` is 10 and 90 steps in a run
    of 100; Keras counts the warm-up extra.

    Examples
    --------
    >>> schedule = Chain([(LinearWarmup(0.1, 1.0, steps=3), None), (Cosine(1.0, steps=4), None)])
    >>> schedule.length
    7
    >>> schedule.values(8).round(4).tolist()
    [0.1, 0.4, 0.7, 1.0, 0.8536, 0.5, 0.1464, 0.0]
    """

    parts: tuple[tuple[Schedule, int | None], ...]
    kind: ClassVar[str] = "chain"

    def __post_init__(self) -> None:
        given: object = self.parts
        if not isinstance(given, list | tuple):
            raise TypeError(f"parts: expected a list of (schedule, steps), got {type(given).__name__}")
        if not given:
            raise ValueError("parts: expected at least one (schedule, steps), got none")
        parts = tuple(_check_part(part, f"parts[{i}]") for i, part in enumerate(given))
        for i, (schedule, steps) in enumerate(parts[:-1]):
            if steps is None:
                raise ValueError(
                    f"parts[{i}]: expected a number of steps for {schedule}, which has no length and is not the last"
                )
        if sum(steps or 0 for _, steps in parts) > LARGEST:
            raise ValueError("parts: expected at most 2**63 - 1 steps together")
        self._set(parts=parts)
        if _nesting(self) > DEEPEST:
            raise ValueError(f"parts: expected at most {DEEPEST} chains within each other")

    @property
    def length(self) -> int | None:
        if self.parts[-1][1] is None:
            return None
        return sum(steps or 0 for _, steps in self.parts)

    def _rate(self, step: int) -> float:
        for schedule, steps in self.parts[:-1]:
            if steps is not None and step < steps:
                return schedule(step)
            step -= steps or 0
        return self.parts[-1][0](step)

    def _arguments(self) -> dict[str, Any]:
        return {"parts": [{"schedule": schedule._table(), "steps": steps} for schedule, steps in self.parts]}

    @classmethod
    def _decode(cls, arguments: dict[str, Any], where: str, depth: int) -> dict[str, Any]:
        given = arguments["parts"]
        if not isinstance(given, list | tuple):
            raise TypeError(f"{where}.parts: expected a list of dicts, got {type(given).__name__}")
        parts = []
        for i, part in enumerate(given):
            place = f"{where}.parts[{i}]"
            if not isinstance(part, dict):
                raise TypeError(f"{place}: expected a dict, got {type(part).__name__} {reprlib.repr(part)}")
            if set(part) != {"schedule", "steps"}:
                got = ", ".join(map(reprlib.repr, part)) or "none"
                raise ValueError(f"{place}: expected the keys 'schedule' and 'steps', got {got}")
            parts.append((Schedule._parse(part["schedule"], f"{place}.schedule", depth + 1), part["steps"]))
        return {"parts": parts}


def _nesting(schedule: Schedule) -> int:
    """Return how many chains are within each other."""
    return 1 + max(_nesting(part) for part, _ in schedule.parts) if isinstance(schedule, Chain) else 0


def _check_part(part: object, label: str) -> tuple[Schedule, int | None]:
    if not isinstance(part, list | tuple) or len(part) != 2:
        raise TypeError(f"{label}: expected a pair (schedule, steps), got {reprlib.repr(part)}")
    schedule, steps = part
    if not isinstance(schedule, Schedule):
        raise TypeError(
            f"{label}: expected a schedule, got {type(schedule).__name__} {reprlib.repr(schedule)}"
        )
    if steps is None:
        return schedule, schedule.length
    return schedule, check_count(steps, f"{label}: steps", 1)


SCHEDULES: tuple[type[Schedule], ...] = (
    Constant,
    Exponential,
    InverseTime,
    Step,
    MultiStep,
    Polynomial,
    Cosine,
    CosineRestarts,
    OneCycle,
    LinearWarmup,
    Chain,
)
