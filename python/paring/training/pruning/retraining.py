"""Prune, train what is left, prune more: as long as training wins the score back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...compression.pruning import prune
from ...nn.model import Model
from ..fitting.running import fit
from .search import Search

__all__ = ["check_retrain", "search_retraining"]

Array = npt.NDArray[Any]
NEEDED = ("data", "loss", "optimizer")
OWN = ("allow_change", "checkpoint", "checkpoint_steps", "masks", "model", "resume")
FIRST_PART = 0.5
"""Of the weights that are left, the part that goes at first; it is halved whenever that was too much."""


def check_retrain(retrain: object, model: object, method: str) -> dict[str, Any]:
    """Return arguments of `fit`; TypeError or ValueError if they are none, or there is nothing to fit."""
    if not isinstance(retrain, Mapping):
        raise TypeError(f"retrain: expected a dict of arguments of fit, got {type(retrain).__name__}")
    if not isinstance(model, Model):
        raise TypeError(f"model: expected a paring.nn.Model to retrain, got {type(model).__name__}")
    if method == "sensitivity":
        raise ValueError("method: expected 'global' or 'tensor' with retrain, got 'sensitivity'")
    missing = [name for name in NEEDED if name not in retrain]
    if missing:
        raise ValueError(
            f"retrain: expected {', '.join(NEEDED)} among the arguments of fit, got no {missing[0]}"
        )
    own = [name for name in retrain if name in OWN]
    if own:
        raise ValueError(f"retrain: expected arguments of fit without {own[0]}, which the search sets itself")
    return dict(retrain)


def search_retraining(search: Search, retrain: dict[str, Any], method: str, resolution: float) -> None:
    """Go from one model that was kept to a sparser one, trained anew under its masks, until the steps are small."""
    share, part, number = 0.0, FIRST_PART, 0
    best = _Rounds(search, retrain, method)
    while part * (1 - share) > resolution:
        number += 1
        wanted = 1 - (1 - share) * (1 - part)
        make = best.maker(number, wanted)
        if search.accepts_made(f"retrained {number}: {wanted}", best.sparsity(wanted), make):
            best.accept(number, make)
            share = wanted
        else:
            best.reject(number)
            part /= 2


class _Rounds:
    """The model that was kept last, from which the next is made."""

    def __init__(self, search: Search, retrain: dict[str, Any], method: str) -> None:
        self._search, self._retrain, self._method = search, retrain, method
        self._number = 0
        self._current: Callable[[], dict[str, Array]] = dict
        self._made: dict[int, dict[str, Array]] = {}

    def sparsity(self, share: float) -> float:
        """Return the share of zeros that pruning to a share gives, to the element."""
        sizes = [weight.size for weight in self._search.weights.values()]
        if self._method == "global":
            return round(share * sum(sizes)) / sum(sizes)
        return sum(round(share * size) for size in sizes) / sum(sizes)

    def maker(self, number: int, share: float) -> Callable[[], dict[str, Array]]:
        """Return what gives the weights of a round: trained now, or as the journal has them."""

        def make() -> dict[str, Array]:
            if number not in self._made:
                journal = self._search.journal
                known = journal is not None and any(
                    label.startswith(f"retrained {number}: ") for label in journal.scores
                )
                self._made[number] = journal.kept(number) if journal and known else self._train(number, share)
            return self._made[number]

        return make

    def accept(self, number: int, make: Callable[[], dict[str, Array]]) -> None:
        """Go on from this round; its weights are read from the journal only if somebody needs them."""
        if self._search.journal is not None and self._number:
            self._search.journal.forget(self._number)
        self._made.pop(self._number, None)
        self._number, self._current = number, make

    def reject(self, number: int) -> None:
        """Go on from the round before."""
        self._made.pop(number, None)
        if self._search.journal is not None:
            self._search.journal.forget(number)

    def _train(self, number: int, share: float) -> dict[str, Array]:
        model: Model = self._search.target.with_weights(self._current())
        own: dict[str, Any] = {name: model.graph.initializers[name] for name in self._search.weights}
        pruned: Mapping[str, Any]
        if self._method == "global":
            pruned = prune(own, sparsity=share, scope="global")
        else:
            pruned = {name: prune(weight, sparsity=share) for name, weight in own.items()}
        masks = {name: array != 0 for name, array in pruned.items()}
        arguments = {**self._retrain, "seed": int(self._retrain.get("seed", 0)) + number}
        fit(model, arguments.pop("data"), masks=masks, **arguments)
        weights = {name: value for name, value in model.state_dict().items() if isinstance(value, np.ndarray)}
        if self._search.journal is not None:
            self._search.journal.keep(number, weights)
        return weights
