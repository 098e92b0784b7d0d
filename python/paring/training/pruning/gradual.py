"""Pruning while training goes on, a little more at a time."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

import numpy.typing as npt

from ...compression.pruning import prune
from ..documents import check_count
from ..fitting.callbacks import Callback
from ..number_checks import check_number

if TYPE_CHECKING:
    from ..fitting.trainer import Trainer

__all__ = ["GradualPruning"]


class GradualPruning(Callback):
    """A callback of `fit` that prunes by magnitude to a rising share of zeros, and lets what is left adapt.

    After update t the share is ``final + (initial - final) * (1 - (t - start) / (end - start))**3`` (Zhu, Gupta 2017,
    arXiv 1710.01878, section 3): fast while much is superfluous, slow at the end. It takes effect every `every` updates
    from `start` on, and at `end`. Pruned weights stay exactly zero, whatever the optimizer remembers; looking for the
    best epoch begins anew with each pruning, so that what `fit` keeps is as sparse as the last one.

    Parameters
    ----------
    sparsity : float
        The share of zeros at the end, above 0 and below 1.
    end : int
        The update after which it is reached. A run that has fewer is refused: train on after it, so that the weights
        can recover.
    start : int
        The update after which the first pruning comes; below `end`.
    every : int
        Updates between two prunings.
    initial_sparsity : float
        From 0, below `sparsity`.
    match : str
        A glob: of the weights with two axes or more that are trained, those whose names match.
    scope : {"tensor", "global"}
        Whether each weight gets the share, or all together: then small weights go wherever they are.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of these bounds.

    Examples
    --------
    >>> import numpy as np
    >>> from paring import nn
    >>> from paring.training import SGD, MeanSquaredError, fit
    >>> x = np.random.default_rng(0).standard_normal((64, 8)).astype(np.float32)
    >>> model = nn.Model(nn.Linear(8, 4), (None, 8))
    >>> pruning = GradualPruning(0.75, end=30, every=5)
    >>> history = fit(model, (x, x[:, :4]), loss=MeanSquaredError(), optimizer=SGD(0.1), epochs=20, callbacks=[pruning])
    >>> float(np.mean(model.state_dict()["weight"] == 0))
    0.75
    """

    def __init__(
        self,
        sparsity: float,
        *,
        end: int,
        start: int = 0,
        every: int = 100,
        initial_sparsity: float = 0.0,
        match: str = "*",
        scope: Literal["tensor", "global"] = "tensor",
    ) -> None:
        self.sparsity = check_number(sparsity, "sparsity", above=0, below=1)
        self.initial_sparsity = check_number(initial_sparsity, "initial_sparsity", least=0)
        if self.initial_sparsity >= self.sparsity:
            raise ValueError(f"initial_sparsity: expected less than {self.sparsity}, got {initial_sparsity}")
        self.start, self.end = check_count(start, "start"), check_count(end, "end", 1)
        self.every = check_count(every, "every", 1)
        if self.start >= self.end:
            raise ValueError(f"start: expected less than end {self.end}, got {start}")
        if not isinstance(match, str):
            raise TypeError(f"match: expected a glob, got {type(match).__name__}")
        if scope not in ("tensor", "global"):
            raise ValueError(f"scope: expected 'tensor' or 'global', got {scope!r}")
        self.match, self.scope = match, scope

    def sparsity_after(self, step: int) -> float:
        """Return the share of zeros that is wanted after so many updates, 0 before `start`.

        >>> pruning = GradualPruning(0.8, end=100)
        >>> [round(pruning.sparsity_after(step), 3) for step in (0, 25, 50, 100, 1000)]
        [0.0, 0.463, 0.7, 0.8, 0.8]
        """
        if step < self.start:
            return 0.0
        left = max(1 - (step - self.start) / (self.end - self.start), 0.0)
        return self.sparsity + (self.initial_sparsity - self.sparsity) * left**3

    def on_start(self, trainer: Trainer) -> None:
        """Refuse a run that is too short, or in which nothing would be pruned."""
        self._weights(trainer)
        if trainer.steps is None:
            raise ValueError(
                "pruning: expected data whose number of batches is known, to see that the end is reached"
            )
        if trainer.steps < self.end:
            raise ValueError(
                f"pruning: expected a run of at least {self.end} updates (end), got one of {trainer.steps}: "
                f"{self.sparsity:.0%} zeros would not be reached"
            )

    def on_step(self, trainer: Trainer) -> None:
        """Prune if it is time."""
        step = trainer.step
        if self.start <= step <= self.end and ((step - self.start) % self.every == 0 or step == self.end):
            self._prune(trainer, self.sparsity_after(step))

    def _prune(self, trainer: Trainer, share: float) -> None:
        weights = self._weights(trainer)
        pruned: Mapping[str, npt.NDArray[Any]]
        if self.scope == "global":
            pruned = prune(weights, sparsity=share, scope="global")
        else:
            pruned = {name: prune(weight, sparsity=share) for name, weight in weights.items()}
        trainer.set_masks({**trainer.stepper.masks, **{name: array != 0 for name, array in pruned.items()}})

    def _weights(self, trainer: Trainer) -> dict[str, npt.NDArray[Any]]:
        found = {
            name: weight
            for name, weight in trainer.stepper.weights.items()
            if weight.ndim > 1 and fnmatchcase(name, self.match)
        }
        if not found:
            names = reprlib.repr(sorted(trainer.stepper.weights))
            raise ValueError(
                f"match: expected trained weights of two axes or more, got none for {self.match!r} of {names}"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the settings; what was pruned is in the masks."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def restore(self, document: Mapping[str, Any]) -> None:
        """Refuse to go on by other settings: ValueError says which."""
        other = [name for name, value in self.to_dict().items() if document.get(name) != value]
        if other:
            then = ", ".join(f"{name} {document.get(name)!r}" for name in other)
            raise ValueError(f"pruning: expected the settings that the run began with, {then}")
