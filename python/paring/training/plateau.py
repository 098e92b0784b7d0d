"""Learning rates that follow a measured score: what they remember is a few numbers of plain data.

Each has ``state = rates.start()``, ``state = rates.update(state, score)`` after each measurement, and
``rates.rate(state)``. States are frozen, and stored with `to_dict`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from .documents import Documented, check_count
from .number_checks import check_flag, check_number
from .score_order import check_best, check_mode, check_score, is_better

__all__ = [
    "SCORE_DRIVEN",
    "PlateauState",
    "RateState",
    "ReduceOnPlateau",
    "ScoreDriven",
    "ScoreSchedule",
    "ScoreState",
]


@dataclass(frozen=True)
class RateState(Documented):
    """The learning rate in force, and in subclasses what its next change depends on."""

    rate: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", check_number(self.rate, "rate", least=0))


@dataclass(frozen=True)
class PlateauState(RateState):
    """What `ReduceOnPlateau` remembers.

    ``best`` is the best score so far, None before the first; ``bad`` counts scores in a row that were no better;
    ``cooldown`` counts scores that are still to come before bad ones count again.
    """

    best: float | None = None
    bad: int = 0
    cooldown: int = 0
    kind: ClassVar[str] = "plateau_state"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "best", check_best(self.best))
        for name in ("bad", "cooldown"):
            object.__setattr__(self, name, check_count(getattr(self, name), name))


@dataclass(frozen=True)
class ScoreState(RateState):
    """What `ScoreSchedule` remembers: the rate that its function gave last."""

    kind: ClassVar[str] = "score_state"


class ScoreDriven(Documented, ABC):
    """A learning rate that changes with a measured score."""

    @abstractmethod
    def start(self) -> RateState:
        """Return the state before the first score."""

    @abstractmethod
    def update(self, state: RateState, score: float) -> RateState:
        """Return the state after one more score; `state` is not changed."""

    def rate(self, state: RateState) -> float:
        """Return the learning rate of the updates until the next score."""
        if not isinstance(state, RateState):
            raise TypeError(f"state: expected what start or update gave, got {type(state).__name__}")
        return state.rate


@dataclass(frozen=True)
class ReduceOnPlateau(ScoreDriven):
    """Multiply the rate by `factor` when the score has not become better for a while.

    A score is better if it lies below ``best - threshold * abs(best)``, or above ``best + threshold * abs(best)`` with
    mode "max". The rate goes down at bad score number ``patience + 1`` in a row, as in PyTorch (Keras and optax: at
    number `patience`). After that, bad ones do not count for `cooldown` scores, but better ones do. NaN and infinity
    are bad.

    Differs from PyTorch's `ReduceLROnPlateau`: there a relative threshold works the wrong way round below zero, so that
    a constant -1 counts as ever better and the rate never goes down; and changes of at most 1e-8 are left out, which
    matters to small rates only.

    Parameters
    ----------
    initial : float
        The rate to begin with, above 0.
    factor : float
        Above 0 and below 1.
    patience : int
    threshold : float
        At least 0.
    relative : bool
        If not, the threshold is taken as it is: Keras's ``min_delta``.
    cooldown : int
    minimum : float
        The rate goes no lower; from 0 to `initial`.
    mode : {"min", "max"}
        Which scores are good.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of these bounds.

    Examples
    --------
    >>> plateau = ReduceOnPlateau(0.1, factor=0.5, patience=1)
    >>> state = plateau.start()
    >>> for score in [2.0, 1.0, 1.0, 1.0]:
    ...     state = plateau.update(state, score)
    >>> plateau.rate(state), state.best
    (0.05, 1.0)
    """

    initial: float
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    relative: bool = True
    cooldown: int = 0
    minimum: float = 0.0
    mode: str = "min"
    kind: ClassVar[str] = "reduce_on_plateau"

    def __post_init__(self) -> None:
        checked: dict[str, Any] = {
            "initial": check_number(self.initial, "initial", above=0),
            "factor": check_number(self.factor, "factor", above=0, below=1),
            "patience": check_count(self.patience, "patience"),
            "threshold": check_number(self.threshold, "threshold", least=0),
            "relative": check_flag(self.relative, "relative"),
            "cooldown": check_count(self.cooldown, "cooldown"),
            "minimum": check_number(self.minimum, "minimum", least=0),
            "mode": check_mode(self.mode),
        }
        if checked["minimum"] > checked["initial"]:
            raise ValueError(
                f"minimum: expected at most the initial {checked['initial']}, got {checked['minimum']}"
            )
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def start(self) -> PlateauState:
        """Return the state before the first score."""
        return PlateauState(self.initial)

    def update(self, state: RateState, score: float) -> PlateauState:
        """Return the state after one more score; `state` is not changed.

        Raises
        ------
        TypeError
            If `state` is none of this class, or `score` is no number.
        """
        if not isinstance(state, PlateauState):
            raise TypeError(f"state: expected a PlateauState, got {type(state).__name__}")
        number = check_score(score)
        best, bad, cooldown, rate = state.best, state.bad + 1, state.cooldown, state.rate
        margin = self.threshold * (abs(best) if self.relative and best is not None else 1)
        if is_better(number, best, self.mode, margin):
            best, bad = number, 0
        if cooldown:
            cooldown, bad = cooldown - 1, 0
        if bad > self.patience:
            rate, cooldown, bad = max(rate * self.factor, self.minimum), self.cooldown, 0
        return PlateauState(rate, best, bad, cooldown)


@dataclass(frozen=True)
class ScoreSchedule(ScoreDriven):
    """Any function of the measured score.

    The document has the function's name, not the function: it tells another function apart, and `from_dict` refuses it.

    Parameters
    ----------
    function : callable
        From a score to the rate that is in force until the next one: finite, at least 0. It is given NaN and infinity
        as they were measured.
    initial : float
        The rate before the first score, above 0.

    Examples
    --------
    >>> rates = ScoreSchedule(lambda loss: min(0.1, 0.05 * loss), initial=0.1)
    >>> rates.rate(rates.update(rates.start(), 0.5))
    0.025
    """

    function: Callable[[float], float]
    initial: float
    kind: ClassVar[str] = "score_schedule"

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(f"function: expected a function of the score, got {type(self.function).__name__}")
        object.__setattr__(self, "initial", check_number(self.initial, "initial", above=0))

    def start(self) -> ScoreState:
        """Return the state before the first score."""
        return ScoreState(self.initial)

    def update(self, state: RateState, score: float) -> ScoreState:
        """Return the state after one more score.

        Raises
        ------
        TypeError, ValueError
            If `state` is none of this class, `score` is no number, or what the function gave for it is negative,
            infinite, NaN or no number: the message says the score and the value.
        """
        if not isinstance(state, ScoreState):
            raise TypeError(f"state: expected a ScoreState, got {type(state).__name__}")
        number = check_score(score)
        value: object = self.function(number)
        return ScoreState(check_number(value, f"rate of function {self._name} at score {number}", least=0))

    @property
    def _name(self) -> str:
        function = self.function
        name = getattr(function, "__qualname__", type(function).__qualname__)
        return f"{getattr(function, '__module__', None)}.{name}"

    def _arguments(self) -> dict[str, Any]:
        return {"function": self._name, "initial": self.initial}

    @classmethod
    def _decode(cls, arguments: dict[str, Any], where: str, depth: int) -> dict[str, Any]:
        raise ValueError(
            f"{where}.function: expected the schedule to be made by code, since a function is stored by name only; "
            f"compare with check_same"
        )

    def _stored(self, document: object) -> dict[str, Any]:
        if isinstance(document, dict) and document.get("kind") == self.kind:
            return document
        return super()._stored(document)


SCORE_DRIVEN: tuple[type[ScoreDriven], ...] = (ReduceOnPlateau, ScoreSchedule)
