"""A search for the sparsest model: what was measured, and the best of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .curve import PruningCurve, PruningPoint
from .journal import Journal
from .targets import PruningTarget

__all__ = ["EndError", "Search"]

Array = npt.NDArray[Any]


class EndError(Exception):
    """The search ends here, for this reason."""


class Search:
    """Scores so far, and the best model of them."""

    def __init__(
        self,
        target: PruningTarget,
        weights: dict[str, Array],
        evaluate: Callable[[Any], float],
        max_drop: float,
        seconds: float | None,
        journal: Journal | None,
    ) -> None:
        self.target, self.weights, self.journal = target, weights, journal
        self.points: list[PruningPoint] = []
        self.least = -math.inf
        self._best: tuple[PruningPoint, Callable[[], Mapping[str, Array]]] | None = None
        self._evaluate, self._max_drop = evaluate, max_drop
        self._end = None if seconds is None else time.monotonic() + seconds
        self._size = sum(weight.size for weight in weights.values())

    def measure_start(self) -> None:
        """Measure the model as it is: everything is compared with that."""
        score = self._score("as given", dict)
        if not math.isfinite(score):
            raise ValueError(f"evaluate: expected a finite score of the model as it is, got {score}")
        self.least = score - self._max_drop
        self._note(self._share({}), score, dict)

    def accepts(self, pruned: Mapping[str, Array], label: str) -> bool:
        """Measure a model with these weights; return whether its score is good enough."""
        return self.accepts_made(label, self._share(pruned), lambda: pruned)

    def accepts_made(self, label: str, share: float, make: Callable[[], Mapping[str, Array]]) -> bool:
        """The same for weights that are made only if the score is not known yet, and again if they are the best."""
        if self._end is not None and time.monotonic() > self._end:
            raise EndError("the time budget is used up")
        try:
            score = self._score(label, make)
        except Exception as error:
            raise EndError(f"evaluate raised {type(error).__name__}: {error}") from error
        return self._note(share, score, make).kept

    def curve(self, stopped: str) -> PruningCurve:
        """Return what was found."""
        if self._best is None:
            raise ValueError(f"evaluate: expected a score of the model as it is, but {stopped}")
        point, make = self._best
        return PruningCurve(tuple(self.points), self.least, point, self.target.finish(make()), stopped)

    def _score(self, label: str, make: Callable[[], Mapping[str, Array]]) -> float:
        known = None if self.journal is None else self.journal.scores.get(label)
        if known is not None:
            return known
        score: Any = self._evaluate(self.target.with_weights(make()))
        if isinstance(score, bool | np.bool_) or not isinstance(
            score, int | float | np.floating | np.integer
        ):
            raise TypeError(f"evaluate: expected a number, got {type(score).__name__}")
        if self.journal is not None:
            self.journal.add(label, float(score))
        return float(score)

    def _share(self, pruned: Mapping[str, Array]) -> float:
        zeros = sum(
            weight.size - np.count_nonzero(pruned.get(name, weight)) for name, weight in self.weights.items()
        )
        return float(zeros) / self._size

    def _note(self, share: float, score: float, make: Callable[[], Mapping[str, Array]]) -> PruningPoint:
        point = PruningPoint(share, score, bool(score >= self.least))
        self.points.append(point)
        if point.kept and (self._best is None or point.sparsity > self._best[0].sparsity):
            self._best = point, make
        return point
