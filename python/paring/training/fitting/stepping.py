"""One update: forward, objective, backward, optimizer, over one batch or several that count as one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import _core
from ...graph.evaluation import record
from ...graph.operators import Run
from ...nn.model import Model
from ..losses.base import NotFiniteError
from ..optimizers.base import Optimizer, StepRecord
from .batches import Batch
from .divergence import DivergedError, find_origin
from .objectives import Objective

__all__ = ["Stepper"]

Array = npt.NDArray[Any]
Masks = dict[str, npt.NDArray[np.bool_]]


class Stepper:
    """Takes updates of a model.

    Attributes
    ----------
    weights : dict of str to ndarray
        Those that are trained: the model's own arrays.
    optimizer : Optimizer
        May be replaced by one of the same kind.
    state : OptimizerState
    masks : dict of str to ndarray of bool
        False keeps a weight at zero.
    """

    def __init__(self, model: Model, objective: Objective, optimizer: Optimizer, seed: int) -> None:
        initializers = model.graph.initializers
        weights: dict[str, Array] = {name: initializers[name] for name in model.trainable}  # type: ignore[misc]
        if not weights:
            raise ValueError(
                "model: expected weights to train, got none that are neither frozen nor compressed"
            )
        self.optimizer = optimizer
        self.state = optimizer.init(weights)
        # A group may freeze some: they are not in the state.
        self.weights = {name: weights[name] for name in self.state.slots}
        self.masks: Masks = {}
        self._model, self._objective, self._seed = model, objective, seed
        self._graph, self._statistics = model.training_graph, model.statistics
        self._watched = frozenset(self.weights)
        self._by_chance = any(node.op == "Dropout" for node in self._graph.nodes)

    def set_masks(self, masks: Masks) -> None:
        """Put zeros where masks are False, and keep them there from now on."""
        for name, mask in masks.items():
            np.copyto(self.weights[name], 0, where=~mask)  # times False would be -0
        self.masks = masks

    def step(self, batches: Sequence[Batch], epoch: int) -> tuple[float, StepRecord]:
        """Take one update; return the mean of the objective over all examples, and what the optimizer did.

        Raises
        ------
        DivergedError
            If something is not finite: then nothing was changed.
        """
        total = sum(batch.size for batch in batches)
        values = 0.0
        gradients: dict[str, Array] = {}
        # Statistics move with every batch, and back if one of them diverges.
        before = {name: self._array(name) for name in self._statistics} if len(batches) > 1 else {}
        fresh: dict[str, Array] = {}
        try:
            for number, batch in enumerate(batches):
                try:
                    value, found, fresh = self._gradients(batch, self._run(number), batch.size / total)
                except NotFiniteError as error:
                    origin = find_origin(self._graph, batch.inputs, self._run(number)) or str(error)
                    raise self._diverged(origin, epoch) from error
                values += value * batch.size / total
                for name, gradient in found.items():
                    if name in gradients:
                        gradients[name] += gradient
                    else:
                        gradients[name] = gradient
                if number + 1 < len(batches):
                    self._model.graph.initializers.update(fresh)
            for name, gradient in gradients.items():
                if not math.isfinite(_core.sum_of_squares(gradient, None)):
                    raise self._diverged(f"the gradient of {name!r} holds NaN or infinity", epoch)
        except BaseException:
            self._model.graph.initializers.update(before)
            raise
        for name in self._watched - gradients.keys():  # no output depends on it
            gradients[name] = np.zeros_like(self.weights[name])
        done = self.optimizer.step(self.weights, gradients, self.state, self.masks or None)
        self._model.graph.initializers.update(fresh)
        return values, done

    def set_rate(self, rate: float) -> None:
        """Give the optimizer another learning rate."""
        self.optimizer = replace(self.optimizer, learning_rate=rate)

    def _gradients(
        self, batch: Batch, run: Run, share: float
    ) -> tuple[float, dict[str, Array], dict[str, Array]]:
        """Return value, gradients times the batch's share of the examples, and the new running statistics."""
        tape = record(self._graph, batch.inputs, self._watched, run)
        outputs = {name: tape.outputs[name] for name in self._model.graph.outputs}
        value, gradients = self._objective.value_and_gradients(outputs, batch)
        if not math.isfinite(value):
            raise NotFiniteError(f"the objective is {value}")
        if share != 1:
            gradients = {name: gradient * gradient.dtype.type(share) for name, gradient in gradients.items()}
        fresh = {name: tape.outputs[output] for name, output in self._statistics.items()}
        return value, tape.backward(gradients), fresh

    def _run(self, number: int) -> Run:
        """Return a run of training, whose chance is a function of seed and step, so that it can be resumed."""
        rng = np.random.default_rng([self._seed, self.state.step, number]) if self._by_chance else None
        return Run(training=True, rng=rng)

    def _array(self, name: str) -> Array:
        array: Array = self._model.graph.initializers[name]  # type: ignore[assignment]
        return array

    def _diverged(self, origin: str, epoch: int) -> DivergedError:
        return DivergedError(self.state.step, epoch, origin)
