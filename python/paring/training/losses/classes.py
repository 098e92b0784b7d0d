"""Losses of classes: outputs are logits, and the exponentials never overflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...compression.quantize_settings import check_integer
from ..number_checks import check_number
from .base import Float64, Loss, Parts, check_values, mean_parts, place
from .labels import check_labels

__all__ = ["BinaryCrossEntropy", "CrossEntropy", "KLDivergence"]

# How far the sum of probabilities may be from 1: float16 probabilities of some thousand classes are within.
SUM_TOLERANCE = 1e-2


def _check_weights(weights: object, label: str) -> tuple[float, ...]:
    """Return weights as a tuple of numbers from 0 up, one of them above."""
    if isinstance(weights, str) or not isinstance(weights, Sequence | np.ndarray):
        raise TypeError(f"{label}: expected a list of numbers, got {type(weights).__name__}")
    checked = tuple(check_number(w, f"{label}[{i}]", least=0) for i, w in enumerate(weights))
    if not any(checked):
        raise ValueError(f"{label}: expected a number above 0 among them, got {list(checked)}")
    return checked


def _check_share(loss: Loss, value: object) -> None:
    smoothing = check_number(value, "label_smoothing", least=0)
    if smoothing > 1:
        raise ValueError(f"label_smoothing: expected at most 1, got {smoothing}")
    object.__setattr__(loss, "label_smoothing", smoothing)


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """The negative logarithm of the softmax at the right class: PyTorch's `CrossEntropyLoss`.

    Outputs are (examples, classes) or (examples, classes, ...), targets integer labels of shape (examples, ...).

    The value is the mean, weighted with the labels' class weights. With smoothing s, C classes and weights w it is
    ``((1 - s) * sum_i w[y_i] * n[i, y_i] + s / C * sum_i sum_c w[c] * n[i, c]) / sum_i w[y_i]``, n the negative
    logarithms of the softmax. `per_example` has the shape of the targets and the terms of that sum over i.

    Parameters
    ----------
    label_smoothing : float
        From 0 to 1.
    class_weights : list of float, optional
        One for each class, at least 0.
    ignore_label : int, optional
        Examples with this label count for nothing, in the mean neither; it may be out of range. (PyTorch's default of
        -100 must be said here.) If no example counts, or their weights are 0, the loss and its gradient are 0, where
        PyTorch's are NaN.

    Examples
    --------
    >>> import numpy as np
    >>> value, gradient = CrossEntropy().value_and_gradient(np.array([[0.0, 0.0], [0.0, 0.0]]), np.array([0, 1]))
    >>> round(value, 6), gradient.tolist()
    (0.693147, [[-0.25, 0.25], [0.25, -0.25]])
    """

    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    ignore_label: int | None = None
    _least_axes = 2

    def __post_init__(self) -> None:
        _check_share(self, self.label_smoothing)
        if self.class_weights is not None:
            object.__setattr__(self, "class_weights", _check_weights(self.class_weights, "class_weights"))
        if self.ignore_label is not None:
            object.__setattr__(self, "ignore_label", check_integer(self.ignore_label, "ignore_label"))

    def _parts(self, outputs: Float64, targets: object, with_gradient: bool) -> Parts:
        shape = outputs.shape
        classes = shape[1]
        if classes < 2:
            raise ValueError(
                f"outputs: expected at least 2 classes along axis 1, got shape {shape}; for a single output there is "
                f"BinaryCrossEntropy"
            )
        if self.class_weights is not None and len(self.class_weights) != classes:
            raise ValueError(
                f"class_weights: expected {classes} for outputs of shape {shape}, got {len(self.class_weights)}"
            )
        labels, counted = check_labels(targets, shape, self.ignore_label)
        rows = np.moveaxis(outputs, 1, -1).reshape(-1, classes)
        shifted = rows - rows.max(axis=1, keepdims=True)
        index = (np.arange(len(rows)), labels.reshape(-1))
        # How much each example counts: the weight of its label.
        weights = None if self.class_weights is None else np.array(self.class_weights)
        own = np.ones(len(rows)) if weights is None else weights[index[1]]
        if counted is not None:
            own = np.where(counted.reshape(-1), own, 0.0)
        exponentials = np.exp(shifted)
        totals = exponentials.sum(axis=1)
        logarithms = np.log(totals)
        hard = 1 - self.label_smoothing
        each = hard * own * (logarithms - shifted[index])
        factors = hard * own
        spread: npt.NDArray[np.float64] | None = None
        if self.label_smoothing:
            shares = np.full(classes, self.label_smoothing / classes)
            shares = shares if weights is None else shares * weights
            spread = np.broadcast_to(shares, shifted.shape)
            if counted is not None:
                spread = spread * counted.reshape(-1, 1)
            # One product a class: summed before, large logits would cancel.
            each = each + (spread * (logarithms[:, None] - shifted)).sum(axis=1)
            factors = factors + spread.sum(axis=1)
        gradient = None
        if with_gradient:
            gradient = exponentials
            gradient *= (factors / totals)[:, None]
            gradient[index] -= hard * own
            if spread is not None:
                gradient -= spread
            gradient = np.moveaxis(gradient.reshape(shape[0], *shape[2:], classes), -1, 1)
        return Parts(each.reshape(labels.shape), float(own.sum()), gradient)


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """Cross-entropy of outputs that are logits of yes or no, each for itself: PyTorch's `BCEWithLogitsLoss`.

    Targets have the outputs' shape: probabilities from 0 to 1, or truth values. The value is the mean over all
    elements, that of an example the mean over its own. Probabilities as outputs are not taken: their logarithms have
    lost what the logits know.

    Parameters
    ----------
    label_smoothing : float
        Targets t become ``t * (1 - s) + s / 2``, as in Keras; from 0 to 1.
    positive_weight : float or list of float, optional
        What the term of yes is multiplied by, at least 0: one number, or one for each element along the last axis.

    Examples
    --------
    >>> import numpy as np
    >>> value, gradient = BinaryCrossEntropy().value_and_gradient(np.array([0.0, 1000.0]), np.array([1.0, 1.0]))
    >>> round(value, 6), gradient.tolist()
    (0.346574, [-0.25, 0.0])
    """

    label_smoothing: float = 0.0
    positive_weight: float | tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        _check_share(self, self.label_smoothing)
        weight: object = self.positive_weight
        if weight is None:
            return
        checked: float | tuple[float, ...]
        if isinstance(weight, Sequence | np.ndarray):
            checked = _check_weights(weight, "positive_weight")
        else:
            checked = check_number(weight, "positive_weight", least=0)
        object.__setattr__(self, "positive_weight", checked)

    def _parts(self, outputs: Float64, targets: object, with_gradient: bool) -> Parts:
        yes = check_values(targets, outputs.shape)
        outside = (yes < 0) | (yes > 1)
        if outside.any():
            name, first = place("targets", outside)
            raise ValueError(f"{name}: expected a probability from 0 to 1, got {yes[first]}")
        if isinstance(self.positive_weight, tuple) and len(self.positive_weight) != outputs.shape[-1]:
            raise ValueError(
                f"positive_weight: expected {outputs.shape[-1]} for outputs of shape {outputs.shape}, "
                f"got {len(self.positive_weight)}"
            )
        if self.label_smoothing:
            yes = yes * (1 - self.label_smoothing) + self.label_smoothing / 2
        no = 1 - yes
        if self.positive_weight is not None:
            yes = yes * np.array(self.positive_weight)
        small = np.exp(-np.abs(outputs))
        tail = np.log1p(small)
        elements = no * (np.maximum(outputs, 0) + tail) + yes * (np.maximum(-outputs, 0) + tail)
        gradient = None
        if with_gradient:
            # Both tails by themselves: 1 - sigmoid would lose the small one.
            positive = outputs >= 0
            gradient = (no * np.where(positive, 1.0, small) - yes * np.where(positive, small, 1.0)) / (
                1 + small
            )
        return mean_parts(elements, gradient)


@dataclass(frozen=True)
class KLDivergence(Loss):
    """How far the softmax of the outputs is from that of a teacher's, both divided by a temperature.

    ``temperature**2 / examples * sum p * (log p - log q)``, p the teacher's softmax, q that of the outputs: always the
    sum over classes and the mean over examples, which PyTorch calls "batchmean" (its default mean divides by the
    classes too), and always times the square of the temperature, so that the gradient keeps its size. ``0 * log 0``
    is 0. Outputs are logits, (examples, classes).

    Parameters
    ----------
    temperature : float
        Above 0.
    target_kind : {"logits", "probabilities"}
        What targets are. Probabilities may be 0, sum to 1 within 0.01 (their sum is then made 1), and are taken to the
        power ``1 / temperature`` and made to sum to 1 again: what the temperature does to the logits they are of.

    Examples
    --------
    >>> import numpy as np
    >>> loss = KLDivergence(temperature=2.0)
    >>> loss.value(np.array([[1.0, 3.0]]), np.array([[5.0, 7.0]]))
    0.0
    """

    temperature: float = 1.0
    target_kind: Literal["logits", "probabilities"] = "logits"
    _least_axes = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "temperature", check_number(self.temperature, "temperature", above=0))
        if self.target_kind not in ("logits", "probabilities"):
            raise ValueError(f"target_kind: expected 'logits' or 'probabilities', got {self.target_kind!r}")

    def _parts(self, outputs: Float64, targets: object, with_gradient: bool) -> Parts:
        if outputs.ndim != 2 or outputs.shape[1] < 2:
            raise ValueError(
                f"outputs: expected shape (examples, classes) with at least 2 classes, got {outputs.shape}"
            )
        teacher = check_values(targets, outputs.shape)
        if self.target_kind == "probabilities":
            _check_probabilities(teacher)
            with np.errstate(divide="ignore"):
                teacher = np.log(teacher)
        theirs, log_theirs = self._softmax(teacher)
        ours, log_ours = self._softmax(outputs)
        each = np.where(theirs > 0, theirs * (log_theirs - log_ours), 0.0).sum(axis=1)
        gradient = self.temperature * (ours - theirs) if with_gradient else None
        return Parts(each * (self.temperature * self.temperature), len(outputs), gradient)

    def _softmax(self, logits: Float64) -> tuple[Float64, Float64]:
        """Return the softmax at the temperature, and its logarithm."""
        shifted = (logits - logits.max(axis=1, keepdims=True)) / self.temperature
        exponentials = np.exp(shifted)
        totals = exponentials.sum(axis=1, keepdims=True)
        return exponentials / totals, shifted - np.log(totals)


def _check_probabilities(values: Float64) -> None:
    """Raise ValueError unless these are rows of probabilities."""
    outside = values < 0
    if outside.any():
        name, first = place("targets", outside)
        raise ValueError(f"{name}: expected a probability of at least 0, got {values[first]}")
    sums = values.sum(axis=1)
    off = np.abs(sums - 1) > SUM_TOLERANCE
    if off.any():
        name, first = place("targets", off)
        raise ValueError(f"{name}: expected probabilities that sum to 1, got {sums[first]:g}")
