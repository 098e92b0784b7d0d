"""What happened in a run of training: numbers by step and by epoch."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["History"]

Float64 = npt.NDArray[np.float64]


@dataclass(repr=False)
class History:
    """Losses, rates and scores of a run.

    Attributes
    ----------
    steps : dict of str to list of float
        "loss" and "learning_rate" of each update.
    epochs : dict of str to list of float
        Of each complete epoch: "loss", the mean over its examples as they were seen; with validation data
        "validation_loss" and the metrics under their names; without it the metrics are not measured.
    best_epoch : int or None
        Counted from 0, the one whose weights are the best by what was watched; None if nothing was.
    stopped : str
        Why training ended before the last epoch; empty if it did not.
    interrupted : bool
        Whether Ctrl-C ended it.
    """

    steps: dict[str, list[float]] = field(default_factory=lambda: {"loss": [], "learning_rate": []})
    epochs: dict[str, list[float]] = field(default_factory=lambda: {"loss": []})
    best_epoch: int | None = None
    stopped: str = ""
    interrupted: bool = False

    def __getitem__(self, name: str) -> Float64:
        """Return the values of each epoch, or of each step for ``"steps.loss"`` and ``"steps.learning_rate"``.

        Raises
        ------
        KeyError
            If there is no such series; the message lists those that are.
        """
        kind, _, series = name.rpartition(".")
        found = (self.steps if kind == "steps" else self.epochs if not kind else {}).get(series)
        if found is None:
            known = [*self.epochs, *(f"steps.{key}" for key in self.steps)]
            raise KeyError(f"{name!r}: expected one of {', '.join(known)}")
        return np.array(found, np.float64)

    def __repr__(self) -> str:
        """Return what the run came to in a line."""
        best = "" if self.best_epoch is None else f", epoch {self.best_epoch + 1} the best"
        place = -1 if self.best_epoch is None else self.best_epoch
        scores = "".join(f", {name} {values[place]:.4g}" for name, values in self.epochs.items() if values)
        end = f", stopped: {self.stopped}" if self.stopped else ""
        return (
            f"<History: {len(self.steps['loss'])} steps, {self.completed_epochs} epochs{best}{scores}{end}>"
        )

    @property
    def completed_epochs(self) -> int:
        """How many epochs were completed."""
        return len(self.epochs["loss"])

    def to_dict(self) -> dict[str, Any]:
        """Return the history as JSON-able values; NaN and infinity are text."""
        return {
            "steps": {name: _to_json(values) for name, values in self.steps.items()},
            "epochs": {name: _to_json(values) for name, values in self.epochs.items()},
            "best_epoch": self.best_epoch,
            "stopped": self.stopped,
            "interrupted": self.interrupted,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> History:
        """Return what `to_dict` came from.

        Raises
        ------
        TypeError, ValueError
            If it is no such document.
        """
        if not isinstance(document, Mapping) or set(document) != set(cls().to_dict()):
            raise ValueError(f"history: expected the keys {', '.join(cls().to_dict())}")
        series = {kind: _from_json(document[kind], f"history.{kind}") for kind in ("steps", "epochs")}
        best, stopped, interrupted = (document[name] for name in ("best_epoch", "stopped", "interrupted"))
        if (
            not (best is None or type(best) is int)
            or type(stopped) is not str
            or type(interrupted) is not bool
        ):
            raise ValueError("history: expected a number or None, text and true or false, got others")
        for kind, needed in (("steps", ("loss", "learning_rate")), ("epochs", ("loss",))):
            if not set(needed) <= set(series[kind]):
                raise ValueError(f"history.{kind}: expected {' and '.join(needed)} among them")
        return cls(**series, best_epoch=best, stopped=stopped, interrupted=interrupted)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw losses, metrics and the learning rate.

        Parameters
        ----------
        path : path, optional
            Where to write the picture: ``.svg``, ``.png`` or ``.pdf``. The file is there when it is complete.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ImportError
            Without matplotlib, the extra ``plot``.
        ValueError
            If nothing has happened yet, or the path has another suffix.
        OSError
            If the file cannot be written.
        """
        from .history_drawing import draw_history

        return draw_history(self, path)


def _to_json(values: list[float]) -> list[float | str]:
    return [value if math.isfinite(value) else str(value) for value in values]


def _from_json(series: object, where: str) -> dict[str, list[float]]:
    if not isinstance(series, Mapping):
        raise ValueError(f"{where}: expected an object, got {type(series).__name__}")
    found: dict[str, list[float]] = {}
    for name, values in series.items():
        if not isinstance(values, list):
            raise ValueError(f"{where}.{name}: expected a list, got {type(values).__name__}")
        for value in values:
            if isinstance(value, bool) or not (
                isinstance(value, int | float) or value in ("nan", "inf", "-inf")
            ):
                raise ValueError(f"{where}.{name}: expected numbers, got {value!r}")
        found[name] = [float(value) for value in values]
    return found
