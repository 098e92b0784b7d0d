"""What training lowers: a value of a batch and of what the model made of it, with the gradients of the outputs.

A loss compares the only output with the targets. Whoever needs more, such as a teacher's outputs, subclasses
`Objective`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...nn.model import Model
from ..losses.base import Loss
from ..losses.classes import CrossEntropy
from .batches import Batch
from .settings import describe

__all__ = ["LossObjective", "Objective", "as_objective", "check_labels_of"]

Array = npt.NDArray[Any]


class Objective(ABC):
    """A value to make small."""

    @abstractmethod
    def value_and_gradients(
        self, outputs: Mapping[str, Array], batch: Batch
    ) -> tuple[float, dict[str, Array]]:
        """Return the mean over the examples of a batch, and its gradients by names of outputs.

        Raises
        ------
        NotFiniteError
            If outputs, value or gradients are not finite.
        """

    def value(self, outputs: Mapping[str, Array], batch: Batch) -> float:
        """Return the value alone."""
        return self.value_and_gradients(outputs, batch)[0]

    def to_dict(self) -> dict[str, Any]:
        """Return what a resumed run must share, as JSON-able values."""
        return {"kind": type(self).__qualname__}


@dataclass(frozen=True)
class LossObjective(Objective):
    """A loss between one output and the targets."""

    loss: Loss
    output: str

    def value_and_gradients(
        self, outputs: Mapping[str, Array], batch: Batch
    ) -> tuple[float, dict[str, Array]]:
        value, gradient = self.loss.value_and_gradient(outputs[self.output], self._targets(batch))
        return value, {self.output: gradient}

    def value(self, outputs: Mapping[str, Array], batch: Batch) -> float:
        return self.loss.value(outputs[self.output], self._targets(batch))

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "loss", "loss": describe(self.loss), "output": self.output}

    @staticmethod
    def _targets(batch: Batch) -> Array:
        if batch.targets is None:
            raise ValueError("data: expected targets beside the inputs, got None")
        return batch.targets


def check_labels_of(objective: Objective, data: Any, model: Model) -> None:
    """Raise ValueError for labels in arrays that a loss of classes would refuse, or that say nothing.

    Said before the first step: a batch with the label may come late.
    """
    if not isinstance(objective, LossObjective) or not isinstance(objective.loss, CrossEntropy):
        return
    labels = data[1] if isinstance(data, tuple) and len(data) == 2 else None
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu" or not labels.size:
        return
    ignored = objective.loss.ignore_label
    counted = labels if ignored is None else labels[labels != ignored]
    classes = model.output_shapes[objective.output][1]
    least, most = int(counted.min(initial=0)), int(counted.max(initial=0))
    if least < 0 or (classes is not None and most >= classes):
        wrong = least if least < 0 else most
        raise ValueError(
            f"data: expected labels from 0 to {(classes or 0) - 1}, got {wrong} among the targets"
        )
    if counted.size > 1 and (counted == counted.flat[0]).all():
        raise ValueError(
            f"data: expected labels of at least two classes, got {int(counted.flat[0])} in all {counted.size} targets"
        )


def as_objective(loss: object, outputs: tuple[str, ...]) -> Objective:
    """Return an objective, that of a loss if one is given; TypeError or ValueError for anything else."""
    if isinstance(loss, Objective):
        return loss
    if not isinstance(loss, Loss):
        kind = loss.__name__ if isinstance(loss, type) else type(loss).__name__
        raise TypeError(f"loss: expected one of paring.training.losses, or an Objective, got {kind}")
    if len(outputs) != 1:
        names = ", ".join(outputs)
        raise ValueError(
            f"loss: expected a model of one output, got {names}: give an Objective that compares them"
        )
    return LossObjective(loss, outputs[0])
