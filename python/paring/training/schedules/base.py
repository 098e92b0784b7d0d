"""What every learning-rate schedule is: frozen data that is called with a step, and nothing that remembers."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..documents import LARGEST, Documented, check_count
from ..number_checks import check_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Schedule", "between"]


def between(start: float, end: float, share: float) -> float:
    """Return the mixture of two numbers, exactly `start` at share 1 and exactly `end` at share 0."""
    return start * share + end * (1 - share)


@dataclass(frozen=True)
class Schedule(Documented, ABC):
    """A learning rate as a pure function of the step, which is the number of updates done before.

    A schedule remembers nothing, so a run goes on where it stopped if its step is right. At and after its `length`, if
    it has one, the rate stays as it is. Two schedules are equal if their arguments are.

    To write one, subclass as a frozen dataclass with `_rate`, `length` where there is one, and a `kind` of its own if
    it is to be stored.
    """

    @property
    def length(self) -> int | None:
        """How many updates the schedule is made for, None if it goes on forever; the rate stays after them."""
        return None

    @abstractmethod
    def _rate(self, step: int) -> float:
        """Return the rate at a step from 0 to 2**63 - 1, and to `length` if there is one."""

    def __call__(self, step: int) -> float:
        """Return the rate of the update after `step` others.

        Raises
        ------
        TypeError, ValueError
            If `step` is no int from 0 to 2**63 - 1, or the rate is negative, infinite or NaN there.
        """
        if type(step) is not int or not 0 <= step <= LARGEST:
            step = check_count(step, "step")
        length = self.length
        try:
            rate = float(self._rate(step if length is None else min(step, length)))
        except OverflowError:
            rate = math.inf
        if not 0 <= rate < math.inf:
            raise ValueError(f"{self}: expected a finite rate of at least 0 at step {step}, got {rate}")
        return rate

    def values(self, n: int | None = None) -> npt.NDArray[np.float64]:
        """Return the rates of the first `n` updates, as many as `length` says if it is not given.

        Raises
        ------
        TypeError, ValueError
            If `n` is no int from 0 up, or neither it nor a length is there.
        """
        return np.array([self(step) for step in range(self._count(n))], np.float64)

    def plot(self, n: int | None = None, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw the rates of the first `n` updates, as many as `length` says if it is not given.

        Parameters
        ----------
        n : int, optional
        path : path, optional
            Where to write the picture: ``.svg``, ``.png`` or ``.pdf``. The file is there when it is complete.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ImportError
            Without matplotlib, the extra ``plot``.
        TypeError, ValueError
            As `values`, or if the path has another suffix.
        OSError
            If the file cannot be written.
        """
        from .drawing import draw_schedule

        return draw_schedule(self, self._count(n, least=1), path)

    def _count(self, n: int | None, least: int = 0) -> int:
        if n is not None:
            return check_count(n, "n", least)
        if self.length is None:
            raise ValueError(f"n: expected a number of steps for {self}, which has no length of its own")
        return self.length

    def _set(self, **values: object) -> None:
        """Store checked arguments; for `__post_init__` only."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _check_positive(self, *names: str) -> None:
        self._set(**{name: check_number(getattr(self, name), name, above=0) for name in names})

    def _check_at_least_zero(self, *names: str) -> None:
        self._set(**{name: check_number(getattr(self, name), name, least=0) for name in names})

    def _check_counts(self, *names: str) -> None:
        self._set(**{name: check_count(getattr(self, name), name, 1) for name in names})
