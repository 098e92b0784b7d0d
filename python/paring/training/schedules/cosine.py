"""Schedules along cosines: once down, again and again, and the one cycle of a whole run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from ..number_checks import check_flag, check_number
from .base import Schedule, between

__all__ = ["Cosine", "CosineRestarts", "OneCycle"]


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from `initial` to `end` in `steps` updates, then `end`.

    That is optax's `cosine_decay_schedule` (its `alpha` is ``end / initial``) and Keras's `CosineDecay`. PyTorch's
    `CosineAnnealingLR` is the same up to `steps`, and then goes up again.

    Raises
    ------
    TypeError, ValueError
        Unless `initial` is above 0, `end` is at least 0 and `steps` is an int above 0.

    Examples
    --------
    >>> Cosine(1.0, steps=4).values(6).round(4).tolist()
    [1.0, 0.8536, 0.5, 0.1464, 0.0, 0.0]
    """

    initial: float
    steps: int
    end: float = 0.0
    kind: ClassVar[str] = "cosine"

    def __post_init__(self) -> None:
        self._check_positive("initial")
        self._check_at_least_zero("end")
        self._check_counts("steps")

    @property
    def length(self) -> int:
        return self.steps

    def _rate(self, step: int) -> float:
        return between(self.initial, self.end, (1 + math.cos(math.pi * (step / self.steps))) / 2)


@dataclass(frozen=True)
class CosineRestarts(Schedule):
    """Half cosines from `initial` to `end`, one after the other: the first of `steps` updates, each next `multiplier`
    times as long.

    PyTorch's `CosineAnnealingWarmRestarts` (`T_0`, `T_mult`, `eta_min`), with its whole numbers. In Keras's
    `CosineDecayRestarts` lengths may be fractions and `m_mul` lowers the peaks: a `Chain` of `Cosine` does.

    Raises
    ------
    TypeError, ValueError
        Unless `initial` is above 0, `end` is at least 0, and `steps` and `multiplier` are ints above 0.

    Examples
    --------
    >>> CosineRestarts(1.0, steps=2, multiplier=2).values(7).round(4).tolist()
    [1.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 1.0]
    """

    initial: float
    steps: int
    multiplier: int = 1
    end: float = 0.0
    kind: ClassVar[str] = "cosine_restarts"

    def __post_init__(self) -> None:
        self._check_positive("initial")
        self._check_at_least_zero("end")
        self._check_counts("steps", "multiplier")

    def _rate(self, step: int) -> float:
        period = self.steps
        if self.multiplier == 1:
            step %= period
        while step >= period:
            step -= period
            period *= self.multiplier
        return between(self.initial, self.end, (1 + math.cos(math.pi * (step / period))) / 2)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """From ``peak / start_divisor`` up to `peak`, then down to ``peak / start_divisor / end_divisor``.

    The numbers are those of PyTorch's `OneCycleLR`: the peak is at update number ``warmup_fraction * steps - 1``, the
    lowest rate at the last, ``steps - 1``. Differs from it: only the learning rate cycles, the momentum stays; and
    after the last update the rate stays as well, where PyTorch raises. optax's `cosine_onecycle_schedule` gets to the
    lowest rate at update number `steps`.

    Parameters
    ----------
    peak : float
        The largest rate, above 0.
    steps : int
        Updates of the whole run.
    warmup_fraction : float
        From 0 to 1; with three phases to 0.5.
    start_divisor, end_divisor : float
        At least 1.
    shape : {"cosine", "linear"}
        How each phase goes.
    three_phases : bool
        Go down to where it began in as many updates as up, and to the lowest rate in the rest.

    Examples
    --------
    >>> OneCycle(1.0, steps=10).values().round(3).tolist()
    [0.04, 0.52, 1.0, 0.95, 0.812, 0.611, 0.389, 0.188, 0.05, 0.0]
    """

    peak: float
    steps: int
    warmup_fraction: float = 0.3
    start_divisor: float = 25.0
    end_divisor: float = 1e4
    shape: Literal["cosine", "linear"] = "cosine"
    three_phases: bool = False
    kind: ClassVar[str] = "one_cycle"

    def __post_init__(self) -> None:
        self._check_positive("peak")
        self._check_counts("steps")
        fraction = check_number(self.warmup_fraction, "warmup_fraction", least=0)
        self._set(three_phases=check_flag(self.three_phases, "three_phases"))
        most = 0.5 if self.three_phases else 1
        if fraction > most:
            phases = "three phases" if self.three_phases else "two phases"
            raise ValueError(f"warmup_fraction: expected at most {most} with {phases}, got {fraction}")
        self._set(warmup_fraction=fraction)
        for name in ("start_divisor", "end_divisor"):
            self._set(**{name: check_number(getattr(self, name), name, least=1)})
        if self.shape not in ("cosine", "linear"):
            raise ValueError(f"shape: expected 'cosine' or 'linear', got {self.shape!r}")

    @property
    def length(self) -> int:
        return self.steps

    def _phases(self) -> Iterator[tuple[float, float, float]]:
        """Yield (number of the last update, rate before, rate at it) of each phase; a phase may be empty."""
        start = self.peak / self.start_divisor
        up = self.warmup_fraction * self.steps
        yield up - 1, start, self.peak
        if self.three_phases:
            yield 2 * up - 2, self.peak, start
            yield self.steps - 1, start, start / self.end_divisor
        else:
            yield self.steps - 1, self.peak, start / self.end_divisor

    def _rate(self, step: int) -> float:
        begin = 0.0
        rate = self.peak
        for end, before, after in self._phases():
            if step <= end:
                share = (end - step) / (end - begin) if end > begin else 0.0
                if self.shape == "cosine":
                    share = (1 - math.cos(math.pi * share)) / 2
                return between(before, after, share)
            begin, rate = end, after
        return rate
