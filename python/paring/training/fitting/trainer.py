"""A run of training while it goes on: what `fit` drives, and what callbacks see."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...nn.model import Model
from ..losses.base import NotFiniteError
from ..plateau import ScoreDriven
from ..stopping import EarlyStopping
from .batches import Batches
from .callbacks import Callback
from .divergence import DivergedError
from .history import History
from .measuring import Metric, measure_batches
from .objectives import Objective
from .progress import ProgressRecord, Show
from .stepping import Masks, Stepper

__all__ = ["Trainer", "Watch", "check_masks", "put_state"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Watch:
    """Which score of an epoch is looked at, and what follows from it.

    ``judge`` keeps account of the best one; it never stops where no `EarlyStopping` was given.
    """

    name: str
    judge: EarlyStopping
    stops: bool
    keeps_best: bool
    plateau: ScoreDriven | None


@dataclass
class Trainer:
    """The state of a run. Callbacks may read all of it, and call `set_masks` and `stop`.

    Attributes
    ----------
    model : Model
    epochs : int
        How many there will be.
    epoch : int
        The one under way, counted from 0.
    epoch_step : int
        Updates done in this epoch.
    history : History
    stepper : Stepper
        Weights, masks, optimizer and its state.
    """

    model: Model
    objective: Objective
    stepper: Stepper
    data: Batches
    validation: Batches | None
    metrics: Mapping[str, Metric]
    epochs: int
    accumulate: int
    watch: Watch
    callbacks: Sequence[Callback]
    checkpoint: Path | None
    checkpoint_steps: int | None
    show: Show | None
    seed: int
    write: Callable[[Trainer, Path], None]

    def __post_init__(self) -> None:
        self.history = History()
        self.epoch = 0
        self.epoch_step = 0
        self.batch = 0  # batches of this epoch that are done
        self.best: dict[str, Array] = {}
        self.judged = self.watch.judge.start()
        self.rate_state = self.watch.plateau.start() if self.watch.plateau is not None else None
        self.seen = 0
        self.lost = 0.0
        if self.rate_state is not None:
            self.take_rate()

    @property
    def step(self) -> int:
        """Updates done in all."""
        return self.stepper.state.step

    @property
    def steps(self) -> int | None:
        """How many updates there will be in all epochs; None if the data does not say."""
        return None if self.data.count is None else math.ceil(self.data.count / self.accumulate) * self.epochs

    def set_masks(self, masks: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keep weights at zero where a mask is False, from now on.

        The best weights so far were found under other masks: with new ones, looking for the best begins anew.

        Raises
        ------
        TypeError, ValueError
            If a name is none of a trained weight, or a mask is no array of bool in its shape.
        """
        checked = check_masks(masks, self.stepper.weights)
        own = self.stepper.masks
        same = checked.keys() == own.keys() and all(np.array_equal(checked[name], own[name]) for name in own)
        self.stepper.set_masks(checked)
        if not same:
            self.best, self.history.best_epoch = {}, None
            self.judged = self.watch.judge.start()

    def stop(self, reason: str) -> None:
        """End training after this step, or after this epoch if that is where it is said."""
        self.history.stopped = reason or "a callback stopped it"

    def run(self) -> None:
        """Train until the last epoch, or until something stops it."""
        while self.epoch < self.epochs and not self.history.stopped:
            before = {name: np.array(value) for name, value in self.arrays().items()}
            try:
                self._run_epoch()
            except DivergedError as error:
                if all(np.isfinite(value).all() for value in self.arrays().values()):
                    raise
                # The step before was finite, and what it made of the weights was not.
                put_state(self.model, before)
                raise error.with_weights(
                    f"the model has the weights from the start of epoch {self.epoch}"
                ) from error

    def _run_epoch(self) -> None:
        batches = self.data.epoch(self.epoch, self.batch)
        while together := list(islice(batches, self.accumulate)):
            loss, done = self.stepper.step(together, self.epoch)
            size = sum(batch.size for batch in together)
            self.seen += size
            self.lost += loss * size
            self.history.steps["loss"].append(loss)
            self.history.steps["learning_rate"].append(done.learning_rate)
            self.batch += len(together)
            self.epoch_step += 1
            for callback in self.callbacks:
                callback.on_step(self)
            if self.show is not None:
                self.show(self._record(done.learning_rate, ended=False))
            if self.checkpoint_steps is not None and self.step % self.checkpoint_steps == 0:
                self.save()
            if self.history.stopped:
                return
        if not self.epoch_step:
            raise ValueError("data: expected at least one batch in an epoch, got none")
        self._end_epoch()

    def _end_epoch(self) -> None:
        scores = {"loss": self.lost / self.seen}
        self._check_weights()
        if self.validation is not None:
            try:
                found = measure_batches(self.model, self.validation, self.objective, self.metrics)
            except NotFiniteError as error:
                raise DivergedError(self.step, self.epoch, f"validation: {error}") from error
            scores |= {"validation_loss": found.pop("loss"), **found}
        for name, value in scores.items():
            self.history.epochs.setdefault(name, []).append(value)
        score = scores[self.watch.name]
        self.judged = self.watch.judge.update(self.judged, score)
        if self.watch.keeps_best and self.judged.improved:
            self.history.best_epoch = self.epoch
            self.best = {name: np.array(value) for name, value in self.arrays().items()}
        if self.watch.plateau is not None and self.rate_state is not None:
            self.rate_state = self.watch.plateau.update(self.rate_state, score)
            self.take_rate()
        if self.watch.stops and self.watch.judge.should_stop(self.judged):
            self.stop(f"{self.watch.name} has not become better for {self.judged.bad} epochs")
        for callback in self.callbacks:
            callback.on_epoch(self)
        if self.show is not None:
            self.show(self._record(self.history.steps["learning_rate"][-1], ended=True))
        self.epoch += 1
        self.epoch_step = self.batch = self.seen = 0
        self.lost = 0.0
        self.save()

    def take_rate(self) -> None:
        if self.watch.plateau is not None and self.rate_state is not None:
            self.stepper.set_rate(self.watch.plateau.rate(self.rate_state))

    def _record(self, rate: float, ended: bool) -> ProgressRecord:
        count = None if self.data.count is None else math.ceil(self.data.count / self.accumulate)
        scores = {
            name: values[-1] for name, values in self.history.epochs.items() if name != "loss" and values
        }
        return ProgressRecord(
            epoch=self.epoch,
            epochs=self.epochs,
            step=self.step,
            epoch_step=self.epoch_step,
            epoch_steps=count,
            loss=self.lost / self.seen,
            learning_rate=rate,
            scores=scores,
            ended=ended,
        )

    def arrays(self) -> dict[str, Array]:
        return {
            name: value for name, value in self.model.state_dict().items() if isinstance(value, np.ndarray)
        }

    def restore_best(self) -> None:
        """Give the model the weights of the best epoch, if one was kept."""
        if self.best:
            put_state(self.model, self.best)

    def _check_weights(self) -> None:
        """Raise DivergedError if the last step spoilt a weight: nothing is measured or kept of it."""
        for name, weight in self.stepper.weights.items():
            if not np.isfinite(weight).all():
                raise DivergedError(self.step, self.epoch, f"weight {name!r} holds NaN or infinity")

    def save(self) -> None:
        """Write a checkpoint, if there is a path for one."""
        if self.checkpoint is not None:
            self._check_weights()
            self.write(self, self.checkpoint)


def check_masks(masks: object, weights: Mapping[str, Array]) -> Masks:
    """Return masks as arrays of bool; TypeError or ValueError if they do not fit the weights."""
    if not isinstance(masks, Mapping):
        raise TypeError(f"masks: expected a mapping of names to arrays, got {type(masks).__name__}")
    found: Masks = {}
    for name, mask in masks.items():
        if name not in weights:
            raise ValueError(f"masks: expected names of trained weights, got {name!r}")
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            kind = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
            raise TypeError(f"masks[{name!r}]: expected an array of bool, got {kind}")
        if mask.shape != weights[name].shape:
            raise ValueError(f"masks[{name!r}]: expected shape {weights[name].shape}, got {mask.shape}")
        found[name] = np.ascontiguousarray(mask)
    return found


def put_state(model: Model, state: Mapping[str, Array]) -> None:
    """Write values into a model: into its arrays where they are trained in place, statistics as new arrays."""
    for name, value in state.items():
        own = model.graph.initializers[name]
        if isinstance(own, np.ndarray) and own.flags.writeable:
            own[...] = value
        else:
            model.graph.initializers[name] = np.array(value)
