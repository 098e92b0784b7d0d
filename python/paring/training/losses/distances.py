"""Losses of numbers: how far outputs are from targets of the same shape, element by element or by direction."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from ..number_checks import check_number
from .base import Float64, Loss, Parts, check_values, mean_parts

__all__ = ["CosineSimilarityLoss", "Huber", "MeanAbsoluteError", "MeanSquaredError", "unit_vectors"]


class _Distance(Loss):
    """A loss that is the mean of a function of each difference."""

    def _parts(self, outputs: Float64, targets: object, with_gradient: bool) -> Parts:
        differences = outputs - check_values(targets, outputs.shape)
        return mean_parts(self._distances(differences), self._slopes(differences) if with_gradient else None)

    @abstractmethod
    def _distances(self, differences: Float64) -> Float64:
        """Return the function of each difference."""

    @abstractmethod
    def _slopes(self, differences: Float64) -> Float64:
        """Return its derivative, as a new array."""


@dataclass(frozen=True)
class MeanSquaredError(_Distance):
    """The mean of the squared differences, over all elements: PyTorch's `MSELoss`.

    Examples
    --------
    >>> import numpy as np
    >>> value, gradient = MeanSquaredError().value_and_gradient(np.array([1.0, 3.0]), np.array([0.0, 0.0]))
    >>> value, gradient.tolist()
    (5.0, [1.0, 3.0])
    """

    def _distances(self, differences: Float64) -> Float64:
        return differences * differences

    def _slopes(self, differences: Float64) -> Float64:
        return 2 * differences


@dataclass(frozen=True)
class MeanAbsoluteError(_Distance):
    """The mean of the absolute differences, over all elements: PyTorch's `L1Loss`. The gradient at 0 is 0.

    Examples
    --------
    >>> import numpy as np
    >>> value, gradient = MeanAbsoluteError().value_and_gradient(np.array([1.0, 3.0]), np.array([1.0, 4.0]))
    >>> value, gradient.tolist()
    (0.5, [0.0, -0.5])
    """

    def _distances(self, differences: Float64) -> Float64:
        return np.abs(differences)

    def _slopes(self, differences: Float64) -> Float64:
        return np.sign(differences)


@dataclass(frozen=True)
class Huber(_Distance):
    """Half the square of differences up to `delta`, and a straight line beyond: PyTorch's `HuberLoss`.

    ``d * d / 2`` where ``abs(d) <= delta``, else ``delta * (abs(d) - delta / 2)``. PyTorch's `SmoothL1Loss` with
    ``beta`` is ``Huber(beta)`` divided by ``beta``.

    Examples
    --------
    >>> import numpy as np
    >>> value, gradient = Huber(1.0).value_and_gradient(np.array([0.5, 3.0]), np.array([0.0, 0.0]))
    >>> value, gradient.tolist()
    (1.3125, [0.25, 0.5])
    """

    delta: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "delta", check_number(self.delta, "delta", above=0))

    def _distances(self, differences: Float64) -> Float64:
        sizes = np.abs(differences)
        near = np.minimum(sizes, self.delta)
        return near * (sizes - near / 2)

    def _slopes(self, differences: Float64) -> Float64:
        return np.clip(differences, -self.delta, self.delta)


def unit_vectors(vectors: Float64) -> tuple[Float64, Float64]:
    """Return vectors of length 1 along the last axis, and the lengths with that axis kept; zeros stay zeros."""
    # Divided by the largest first: squares neither overflow nor vanish.
    largest = np.abs(vectors).max(axis=-1, keepdims=True)
    scaled = vectors / np.where(largest > 0, largest, 1.0)
    lengths = np.sqrt((scaled * scaled).sum(axis=-1, keepdims=True))
    return scaled / np.where(lengths > 0, lengths, 1.0), lengths * largest


@dataclass(frozen=True)
class CosineSimilarityLoss(Loss):
    """One less the cosine of the angle between output and target, vectors along the last axis; the mean over them.

    From 0, the same direction, to 2. PyTorch's ``1 - cosine_similarity``, but for vectors of zeros: they have no
    direction, so the cosine is 0 and the gradient 0 (PyTorch's is the target's direction divided by 1e-8).
    `per_example` has the outputs' shape without the last axis.

    Examples
    --------
    >>> import numpy as np
    >>> loss = CosineSimilarityLoss()
    >>> value, gradient = loss.value_and_gradient(np.array([[2.0, 0.0]]), np.array([[0.0, 1.0]]))
    >>> value, gradient.tolist()
    (1.0, [[0.0, -0.5]])
    """

    _least_axes = 2

    def _parts(self, outputs: Float64, targets: object, with_gradient: bool) -> Parts:
        theirs, _ = unit_vectors(check_values(targets, outputs.shape))
        ours, lengths = unit_vectors(outputs)
        cosines = np.clip((ours * theirs).sum(axis=-1, keepdims=True), -1.0, 1.0)
        gradient = None
        if with_gradient:
            gradient = (cosines * ours - theirs) / np.where(lengths > 0, lengths, np.inf)
        each = 1 - cosines[..., 0]
        return Parts(each, each.size, gradient)
