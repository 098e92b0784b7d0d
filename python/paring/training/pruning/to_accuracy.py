"""The sparsest model whose measured score stays within a bound."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from typing import Any, Literal

from ...compression.pruning import prune
from ..number_checks import check_number
from .curve import PruningCurve
from .journal import Journal
from .retraining import check_retrain, search_retraining
from .search import EndError, Search
from .targets import as_target

__all__ = ["prune_to_accuracy"]

SCANNED = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


def prune_to_accuracy(
    model: Any,
    evaluate: Callable[[Any], float],
    *,
    max_drop: float = 0.01,
    method: Literal["global", "tensor", "sensitivity"] = "global",
    match: str = "*",
    resolution: float = 0.01,
    retrain: Mapping[str, Any] | None = None,
    seconds: float | None = None,
    journal: str | os.PathLike[str] | None = None,
) -> PruningCurve:
    """Find the sparsest model whose score is at most `max_drop` below that of the model as it is.

    Weights of least magnitude go. Without `retrain` nothing is trained; with it, each model is trained under its masks
    before it is measured, and the next one is pruned from it. What was given is not changed, but for an object that
    takes weights, which ends with the best ones.

    Parameters
    ----------
    model : Model, mapping of str to ndarray, or object that gives and takes weights
        By ``get_weights`` and ``set_weights`` (Keras), or ``state_dict`` and ``load_state_dict`` (PyTorch).
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
    retrain : dict, optional
        Arguments of `fit` (data, loss, optimizer, epochs and the like) for a model: half of the weights go and the rest
        is trained, then half of what is left, as long as the score stays; where it does not, a smaller part is tried
        from the last model that was good enough.
    seconds : float, optional
        A time budget, above 0; the search ends with the first score after it.
    journal : path, optional
        A ``.json`` file of all scores so far, written after each; beside it the weights of the best model, if it was
        trained. A search that was killed and is called again does not train and measure them again.

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
    arguments = None if retrain is None else check_retrain(retrain, model, method)
    search = Search(
        target,
        target.prunable(match),
        evaluate,
        check_number(max_drop, "max_drop", least=0),
        None if seconds is None else check_number(seconds, "seconds", above=0),
        None if journal is None else Journal(journal, method if retrain is None else f"{method}, retrained"),
    )
    resolution = check_number(resolution, "resolution", above=0, below=1)
    try:
        search.measure_start()
        if arguments is not None:
            search_retraining(search, arguments, method, resolution)
        elif method == "sensitivity":
            _search_sensitivity(search)
        else:
            _search_share(search, method, resolution)
    except EndError as end:
        return search.curve(str(end))
    except KeyboardInterrupt:
        if not search.points:
            raise
        return search.curve("interrupted")
    return search.curve("")


def _search_share(search: Search, method: str, resolution: float) -> None:
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


def _search_sensitivity(search: Search) -> None:
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
