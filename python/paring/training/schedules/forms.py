"""Schedules of one formula each. Where PyTorch, optax and Keras differ, the docstring says whose numbers these are."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from ..documents import check_count
from ..number_checks import check_flag, check_number
from .base import Schedule, between

__all__ = [
    "Constant",
    "Exponential",
    "InverseTime",
    "LinearWarmup",
    "MultiStep",
    "Polynomial",
    "Step",
]


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate always.

    Examples
    --------
    >>> Constant(0.1)(1000)
    0.1
    """

    initial: float
    kind: ClassVar[str] = "constant"

    def __post_init__(self) -> None:
        self._check_positive("initial")

    def _rate(self, step: int) -> float:
        return self.initial


@dataclass(frozen=True)
class Exponential(Schedule):
    """``initial * rate ** (step / transition_steps)``.

    PyTorch's `ExponentialLR` at ``transition_steps=1``; optax's `exponential_decay` and Keras's `ExponentialDecay` with
    any. With `staircase` the exponent is rounded down. At `end` the rate stops, from above if `rate` is below 1,
    otherwise from below.

    Raises
    ------
    TypeError, ValueError
        Unless `initial` and `rate` are above 0, `transition_steps` is an int above 0 and `end` lies on the way.

    Examples
    --------
    >>> Exponential(1.0, 0.5).values(4).tolist()
    [1.0, 0.5, 0.25, 0.125]
    >>> Exponential(1.0, 0.25, transition_steps=2, end=0.125).values(5).tolist()
    [1.0, 0.5, 0.25, 0.125, 0.125]
    """

    initial: float
    rate: float
    transition_steps: int = 1
    staircase: bool = False
    end: float | None = None
    kind: ClassVar[str] = "exponential"

    def __post_init__(self) -> None:
        self._check_positive("initial", "rate")
        self._check_counts("transition_steps")
        self._set(staircase=check_flag(self.staircase, "staircase"))
        if self.end is None:
            return
        self._check_at_least_zero("end")
        if (self.end > self.initial) if self.rate <= 1 else (self.end < self.initial):
            side = "most" if self.rate <= 1 else "least"
            raise ValueError(
                f"end: expected at {side} the initial {self.initial} with rate {self.rate}, got {self.end}"
            )

    def _rate(self, step: int) -> float:
        whole = step // self.transition_steps
        exponent = whole if self.staircase else step / self.transition_steps
        try:
            value = self.initial * self.rate**exponent
        except OverflowError:
            value = math.inf
        if self.end is None:
            return value
        return max(value, self.end) if self.rate <= 1 else min(value, self.end)


@dataclass(frozen=True)
class InverseTime(Schedule):
    """``initial / (1 + rate * step / transition_steps)``: Keras's `InverseTimeDecay`.

    With `staircase` the quotient ``step / transition_steps`` is rounded down. PyTorch has no such schedule; the
    `lr_decay` of its Adagrad is the same factor.

    Raises
    ------
    TypeError, ValueError
        Unless `initial` and `rate` are above 0 and `transition_steps` is an int above 0.

    Examples
    --------
    >>> InverseTime(1.0, 1.0).values(4).tolist()
    [1.0, 0.5, 0.3333333333333333, 0.25]
    """

    initial: float
    rate: float
    transition_steps: int = 1
    staircase: bool = False
    kind: ClassVar[str] = "inverse_time"

    def __post_init__(self) -> None:
        self._check_positive("initial", "rate")
        self._check_counts("transition_steps")
        self._set(staircase=check_flag(self.staircase, "staircase"))

    def _rate(self, step: int) -> float:
        whole = step // self.transition_steps
        return self.initial / (1 + self.rate * (whole if self.staircase else step / self.transition_steps))


@dataclass(frozen=True)
class Step(Schedule):
    """``initial * factor ** (step // every)``: PyTorch's `StepLR`.

    Raises
    ------
    TypeError, ValueError
        Unless `initial` and `factor` are above 0 and `every` is an int above 0.

    Examples
    --------
    >>> Step(1.0, every=2, factor=0.5).values(5).tolist()
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    initial: float
    every: int
    factor: float = 0.1
    kind: ClassVar[str] = "step"

    def __post_init__(self) -> None:
        self._check_positive("initial", "factor")
        self._check_counts("every")

    def _rate(self, step: int) -> float:
        return self.initial * self.factor ** (step // self.every)


@dataclass(frozen=True)
class MultiStep(Schedule):
    """`initial`, times `factor` from each of the `milestones` on: PyTorch's `MultiStepLR`.

    A milestone counts from the update that has this step, as in optax's `piecewise_constant_schedule`. Keras's
    `PiecewiseConstantDecay` changes one update later.

    Raises
    ------
    TypeError, ValueError
        Unless `initial` and `factor` are above 0 and `milestones` are ints above 0, each above the one before.

    Examples
    --------
    >>> MultiStep(1.0, [2, 4], factor=0.5).values(5).tolist()
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    initial: float
    milestones: tuple[int, ...]
    factor: float = 0.1
    kind: ClassVar[str] = "multi_step"

    def __post_init__(self) -> None:
        self._check_positive("initial", "factor")
        given: object = self.milestones
        if not isinstance(given, list | tuple):
            raise TypeError(f"milestones: expected a list of steps, got {type(given).__name__} {given!r}")
        if not given:
            raise ValueError("milestones: expected at least one step, got none")
        steps = tuple(check_count(step, f"milestones[{i}]", 1) for i, step in enumerate(given))
        for i, (one, other) in enumerate(pairwise(steps), start=1):
            if other <= one:
                raise ValueError(f"milestones[{i}]: expected more than the {one} before it, got {other}")
        self._set(milestones=steps)

    def _rate(self, step: int) -> float:
        return self.initial * self.factor ** bisect_right(self.milestones, step)


@dataclass(frozen=True)
class Polynomial(Schedule):
    """``end + (initial - end) * (1 - step / steps) ** power``, then `end`.

    PyTorch's `PolynomialLR` at ``end=0`` and its `LinearLR` at power 1; optax's `polynomial_schedule`; Keras's
    `PolynomialDecay`, whose `end` is 0.0001 unless said otherwise.

    Raises
    ------
    TypeError, ValueError
        Unless `initial` and `power` are above 0, `end` is at least 0 and `steps` is an int above 0.

    Examples
    --------
    >>> Polynomial(1.0, steps=4, power=2).values(6).tolist()
    [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]
    """

    initial: float
    steps: int
    power: float = 1.0
    end: float = 0.0
    kind: ClassVar[str] = "polynomial"

    def __post_init__(self) -> None:
        self._check_positive("initial", "power")
        self._check_at_least_zero("end")
        self._check_counts("steps")

    @property
    def length(self) -> int:
        return self.steps

    def _rate(self, step: int) -> float:
        return between(self.initial, self.end, ((self.steps - step) / self.steps) ** self.power)


@dataclass(frozen=True)
class LinearWarmup(Schedule):
    """A straight line from `start`, the rate of the first update, up to `peak` at step `steps`, then `peak`.

    optax's `linear_schedule`, and PyTorch's `LinearLR` with the factors ``start / peak`` and 1. With a `start` of 0 the
    first update does nothing; ``peak / steps`` is a usual choice.

    Raises
    ------
    TypeError, ValueError
        Unless `start` is at least 0 and at most `peak`, which is above 0, and `steps` is an int above 0.

    Examples
    --------
    >>> LinearWarmup(0.25, 1.0, steps=3).values(5).tolist()
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    start: float
    peak: float
    steps: int
    kind: ClassVar[str] = "linear_warmup"

    def __post_init__(self) -> None:
        self._check_positive("peak")
        start = check_number(self.start, "start", least=0)
        if start > self.peak:
            raise ValueError(
                f"start: expected at most the peak {self.peak}, got {start}; Polynomial goes down"
            )
        self._set(start=start)
        self._check_counts("steps")

    @property
    def length(self) -> int:
        return self.steps

    def _rate(self, step: int) -> float:
        return between(self.peak, self.start, step / self.steps)
