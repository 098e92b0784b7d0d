"""The sparsest model whose measured score stays within a bound."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...compression.pruning import prune
from ...errors import FormatError
from ...formats.atomic import replacing
from ...formats.strict_json import parse_object
from ..number_checks import check_number
from .curve import PruningCurve, PruningPoint
from .targets import PruningTarget, as_target

__all__ = ["prune_to_accuracy"]

Array = npt.NDArray[Any]
SCANNED = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
VERSION = 1


def prune_to_accuracy(
    model: Any,
    evaluate: Callable[[Any], float],
    *,
    max_drop: float = 0.01,
    method: Literal["global", "tensor", "sensitivity"] = "global",
    match: str = "*",
    resolution: float = 0.01,
    seconds: float | None = None,
    journal: str | os.PathLike[str] | None = None,
) -> PruningCurve:
    """Find the sparsest model whose score is at most `max_drop` below that of the model as it is.

    Weights of least magnitude go; nothing is trained (retrain what is found by `fit` with ``masks="zeros"``). What was
    given is not changed, but for an object with ``set_weights``, which ends with the best weights.

    Parameters
    ----------
    model : Model, mapping of str to ndarray, or object with ``get_weights`` and ``set_weights``
    evaluate : callable
        Gives the score of a pruned model: higher is better. It is called with a `Model`, a dict, or the object.
    max_drop : float
        At least 0, in units of the score: 0.01 is one point of an accuracy.
    method : {"global", "tensor", "sensitivity"}
        Where zeros go: by magnitude over all weights together; the same share in every weight; or more where the score
        suffers least, found by pruning each weight alone to several shares first.
    match : str
        A glob: of floating-point weights with two axes or more, those whose names match.
    resolution : float
        How near to the largest share the search ends, above 0.
    seconds : float, optional
        A time budget, above 0; the search ends with the first score after it.
    journal : path, optional
        A ``.json`` file of all scores so far, written after each. A search that was killed and is called again does not
        measure them again.

    Returns
    -------
    PruningCurve
        All points, the best one, and the pruned model. If `evaluate` raises, or is interrupted, the best so far, and
        ``stopped`` says why.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of these bounds, or the model's own score is no finite number.
    FormatError
        If the journal is damaged; ValueError if it is of another search.

    Notes
    -----
    Halving (about ``log2(1 / resolution)`` scores) takes the score to fall with the share. Magnitude as the measure of
    what a weight is worth: Han et al. 2015, arXiv 1506.02626, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> weights = {"w": np.arange(100, dtype=np.float32).reshape(10, 10)}
    >>> curve = prune_to_accuracy(weights, lambda found: np.mean(found["w"] >= 30) / 0.7, max_drop=0.1, method="tensor")
    >>> round(curve.best.sparsity, 2), int((curve.model["w"] == 0).sum())
    (0.37, 37)
    """
    if not callable(evaluate):
        raise TypeError(f"evaluate: expected a function, got {type(evaluate).__name__}")
    if method not in ("global", "tensor", "sensitivity"):
        raise ValueError(f"method: expected 'global', 'tensor' or 'sensitivity', got {method!r}")
    target = as_target(model)
    search = _Search(
        target,
        target.prunable(match),
        evaluate,
        check_number(max_drop, "max_drop", least=0),
        None if seconds is None else check_number(seconds, "seconds", above=0),
        None if journal is None else _Journal(journal, method),
    )
    resolution = check_number(resolution, "resolution", above=0, below=1)
    try:
        search.measure_start()
        if method == "sensitivity":
            _search_sensitivity(search)
        else:
            _search_share(search, method, resolution)
    except _EndError as end:
        return search.curve(str(end))
    except KeyboardInterrupt:
        if not search.points:
            raise
        return search.curve("interrupted")
    return search.curve("")


class _EndError(Exception):
    """The search ends here, for this reason."""


class _Search:
    """Scores so far, and the best model of them."""

    def __init__(
        self,
        target: PruningTarget,
        weights: dict[str, Array],
        evaluate: Callable[[Any], float],
        max_drop: float,
        seconds: float | None,
        journal: _Journal | None,
    ) -> None:
        self.weights = weights
        self.points: list[PruningPoint] = []
        self.best: tuple[PruningPoint, dict[str, Array]] | None = None
        self.least = -math.inf
        self._target, self._evaluate, self._max_drop, self._journal = target, evaluate, max_drop, journal
        self._end = None if seconds is None else time.monotonic() + seconds
        self._size = sum(weight.size for weight in weights.values())

    def measure_start(self) -> None:
        """Measure the model as it is: everything is compared with that."""
        score = self._score({}, "as given")
        if not math.isfinite(score):
            raise ValueError(f"evaluate: expected a finite score of the model as it is, got {score}")
        self.least = score - self._max_drop
        self._note(score, {})

    def accepts(self, pruned: Mapping[str, Array], label: str) -> bool:
        """Measure a model with these weights; return whether its score is good enough."""
        if self._end is not None and time.monotonic() > self._end:
            raise _EndError("the time budget is used up")
        try:
            score = self._score(pruned, label)
        except Exception as error:
            raise _EndError(f"evaluate raised {type(error).__name__}: {error}") from error
        return self._note(score, dict(pruned)).kept

    def curve(self, stopped: str) -> PruningCurve:
        """Return what was found."""
        if self.best is None:
            raise ValueError(f"evaluate: expected a score of the model as it is, but {stopped}")
        point, pruned = self.best
        return PruningCurve(tuple(self.points), self.least, point, self._target.finish(pruned), stopped)

    def _score(self, pruned: Mapping[str, Array], label: str) -> float:
        known = None if self._journal is None else self._journal.scores.get(label)
        if known is not None:
            return known
        score: Any = self._evaluate(self._target.with_weights(pruned))
        if isinstance(score, bool | np.bool_) or not isinstance(
            score, int | float | np.floating | np.integer
        ):
            raise TypeError(f"evaluate: expected a number, got {type(score).__name__}")
        if self._journal is not None:
            self._journal.add(label, float(score))
        return float(score)

    def _note(self, score: float, pruned: dict[str, Array]) -> PruningPoint:
        zeros = sum(
            weight.size - np.count_nonzero(pruned.get(name, weight)) for name, weight in self.weights.items()
        )
        point = PruningPoint(float(zeros) / self._size, score, bool(score >= self.least))
        self.points.append(point)
        if point.kept and (self.best is None or point.sparsity > self.best[0].sparsity):
            self.best = point, pruned
        return point


def _search_share(search: _Search, method: str, resolution: float) -> None:
    """Halve the interval between a share that is good enough and one that is not."""
    low, high = 0.0, 1.0
    while high - low > resolution:
        share = (low + high) / 2
        if method == "global":
            pruned = prune(search.weights, sparsity=share, scope="global")
        else:
            pruned = {name: prune(weight, sparsity=share) for name, weight in search.weights.items()}
        if search.accepts(pruned, f"{method} {share}"):
            low = share
        else:
            high = share


def _search_sensitivity(search: _Search) -> None:
    """Prune each weight alone first; then all of them as far as the same drop allows each."""
    drops: dict[str, dict[float, float]] = {}
    start = search.points[0].score
    for name, weight in search.weights.items():
        drops[name] = {}
        for share in SCANNED:
            search.accepts({name: prune(weight, sparsity=share)}, f"alone {name} {share}")
            drops[name][share] = start - search.points[-1].score
    # NaN is no drop that anybody would allow.
    levels = sorted({drop for own in drops.values() for drop in own.values() if not math.isnan(drop)})
    low, high = -1, len(levels)
    while high - low > 1:
        middle = (low + high) // 2
        shares = {
            name: max((share for share, drop in own.items() if drop <= levels[middle]), default=0.0)
            for name, own in drops.items()
        }
        pruned = {name: prune(search.weights[name], sparsity=share) for name, share in shares.items()}
        if search.accepts(pruned, f"together {sorted(shares.items())}"):
            low = middle
        else:
            high = middle


class _Journal:
    """Scores on disk, by what was measured."""

    def __init__(self, path: str | os.PathLike[str], method: str) -> None:
        self.path, self._method = Path(path), method
        self.scores: dict[str, float] = {}
        if self.path.suffix.lower() != ".json":
            raise ValueError(f"journal: expected a file called *.json, got {self.path}")
        if self.path.exists():
            document = parse_object(self.path.read_bytes(), str(self.path))
            scores = document.get("scores")
            if document.get("version") != VERSION or not isinstance(scores, dict):
                raise FormatError(f"{self.path}: expected a journal of prune_to_accuracy, got something else")
            if document.get("method") != method:
                raise ValueError(
                    f"{self.path}: is the journal of method {document.get('method')!r}, not {method!r}"
                )
            for label, score in scores.items():
                if isinstance(score, bool) or not (
                    isinstance(score, int | float) or score in ("nan", "inf", "-inf")
                ):
                    raise FormatError(
                        f"{self.path}: expected scores that are numbers, got {score!r} for {label!r}"
                    )
                self.scores[label] = float(score)

    def add(self, label: str, score: float) -> None:
        self.scores[label] = score
        scores = {name: value if math.isfinite(value) else str(value) for name, value in self.scores.items()}
        document = {"version": VERSION, "method": self._method, "scores": scores}
        with replacing(self.path) as file:
            file.write(json.dumps(document, indent=1, allow_nan=False).encode() + b"\n")
