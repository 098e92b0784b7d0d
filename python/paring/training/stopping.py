"""Early stopping: when a score has not become better for so long that training may as well end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .documents import Documented, check_count
from .number_checks import check_number
from .score_order import check_best, check_mode, check_score, is_better

__all__ = ["EarlyStopping", "StoppingState"]


@dataclass(frozen=True)
class StoppingState(Documented):
    """What `EarlyStopping` remembers.

    ``best`` is the best score so far, None before the first finite one; ``scores`` counts all of them, ``bad`` those in
    a row that were no better.
    """

    best: float | None = None
    scores: int = 0
    bad: int = 0
    kind: ClassVar[str] = "stopping_state"

    def __post_init__(self) -> None:
        object.__setattr__(self, "best", check_best(self.best))
        for name in ("scores", "bad"):
            object.__setattr__(self, name, check_count(getattr(self, name), name))
        if self.bad > self.scores:
            raise ValueError(f"bad: expected at most the {self.scores} scores, got {self.bad}")

    @property
    def improved(self) -> bool:
        """Whether the last score was the best: the weights of now are those to keep."""
        return self.scores > 0 and self.bad == 0

    @property
    def best_index(self) -> int | None:
        """Which score was the best, counted from 0; None if none was."""
        return None if self.best is None else self.scores - self.bad - 1


@dataclass(frozen=True)
class EarlyStopping(Documented):
    """Stop at bad score number `patience` in a row.

    Bad is a score that is not better than the best by more than `min_delta`; NaN and infinity are bad. Keeping the
    weights of the best score is the caller's: `StoppingState.improved` says when.

    Parameters
    ----------
    patience : int
        Above 0. (`ReduceOnPlateau` acts at bad score number ``patience + 1``.)
    min_delta : float
        At least 0, not relative.
    mode : {"min", "max"}
        Which scores are good.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of these bounds.

    Examples
    --------
    >>> stopping = EarlyStopping(patience=2)
    >>> state = stopping.start()
    >>> for score in [1.0, 0.5, 0.6, 0.7]:
    ...     state = stopping.update(state, score)
    >>> stopping.should_stop(state), state.best, state.best_index
    (True, 0.5, 1)
    """

    patience: int
    min_delta: float = 0.0
    mode: str = "min"
    kind: ClassVar[str] = "early_stopping"

    def __post_init__(self) -> None:
        object.__setattr__(self, "patience", check_count(self.patience, "patience", 1))
        object.__setattr__(self, "min_delta", check_number(self.min_delta, "min_delta", least=0))
        check_mode(self.mode)

    def start(self) -> StoppingState:
        """Return the state before the first score."""
        return StoppingState()

    def update(self, state: StoppingState, score: float) -> StoppingState:
        """Return the state after one more score; `state` is not changed.

        Raises
        ------
        TypeError
            If `state` is none, or `score` is no number.
        """
        _check_state(state)
        number = check_score(score)
        if is_better(number, state.best, self.mode, self.min_delta):
            return StoppingState(number, state.scores + 1, 0)
        return StoppingState(state.best, state.scores + 1, state.bad + 1)

    def should_stop(self, state: StoppingState) -> bool:
        """Return whether the last `patience` scores were bad."""
        return _check_state(state).bad >= self.patience


def _check_state(state: object) -> StoppingState:
    if not isinstance(state, StoppingState):
        raise TypeError(f"state: expected a StoppingState, got {type(state).__name__}")
    return state
