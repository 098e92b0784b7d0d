"""What every loss is: frozen options with a value and the gradient of it, computed in float64 and rounded once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "Loss",
    "NotFiniteError",
    "Parts",
    "check_finite",
    "check_outputs",
    "check_values",
    "mean_parts",
    "place",
]

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]
DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


class NotFiniteError(ValueError):
    """A loss was given NaN or infinity, or became so: the training has left the numbers.

    Whoever trains can tell it from wrong arguments, and say which layer and step it came from.
    """


@dataclass(frozen=True)
class Parts:
    """What a loss computes of its outputs, in float64.

    ``each`` is the loss of each example; its sum divided by ``weight`` is the value. ``gradient`` is that of the sum,
    before it is divided, None if it was not asked for; it belongs to the receiver.
    """

    each: Float64
    weight: float
    gradient: Float64 | None


class Loss(ABC):
    """A measure of how far outputs are from targets, and its gradient.

    All is computed in float64, whatever the outputs are, and rounded once; float64 outputs give the same numbers
    unrounded. Arguments are not changed.
    """

    _least_axes = 1

    def value_and_gradient(self, outputs: Array, targets: Array) -> tuple[float, Array]:
        """Return the loss, and its gradient with respect to the outputs: a new array of their shape and dtype.

        Parameters
        ----------
        outputs : array of float32 or float64
            What the model gave, examples along the first axis.
        targets : array
            What it should have given; shape and dtype as the class says.

        Raises
        ------
        TypeError
            If an argument is no array, or of another dtype.
        ValueError
            If shapes do not fit, there is no example, or a target is out of range; the message names the first.
        NotFiniteError
            A ValueError: if an output is NaN or infinite, or else the loss or its gradient.
        """
        parts, checked = self._checked(outputs, targets, True)
        value = _value(parts)
        gradient = parts.gradient
        assert gradient is not None
        with np.errstate(over="ignore", under="ignore"):
            if parts.weight > 0:
                gradient /= parts.weight
            rounded = gradient.astype(checked.dtype.newbyteorder("="), order="C", copy=False)
        check_finite(rounded, "gradient")
        return value, rounded

    def value(self, outputs: Array, targets: Array) -> float:
        """Return the loss alone; raises as `value_and_gradient` does."""
        return _value(self._checked(outputs, targets, False)[0])

    def per_example(self, outputs: Array, targets: Array) -> Float64:
        """Return the loss of each example, in float64; raises as `value_and_gradient` does.

        Its mean is the value, unless the class says otherwise.
        """
        each = self._checked(outputs, targets, False)[0].each
        check_finite(each, "loss of example")
        return each

    def _checked(self, outputs: object, targets: object, with_gradient: bool) -> tuple[Parts, Array]:
        checked = check_outputs(outputs, self._least_axes)
        wide = checked.astype(np.float64, copy=False)
        # What leaves the numbers is seen in the result, and said.
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            return self._parts(wide, targets, with_gradient), checked

    @abstractmethod
    def _parts(self, outputs: Float64, targets: object, with_gradient: bool) -> Parts:
        """Return the parts for outputs that are finite and not empty; targets are not checked yet."""


def _value(parts: Parts) -> float:
    """Return the weighted mean, 0 where nothing has a weight."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = float(parts.each.sum())
    value = total / parts.weight if parts.weight > 0 else 0.0
    if not np.isfinite(value):
        check_finite(parts.each, "loss of example")
        raise NotFiniteError(f"loss: expected a finite value, got {value} for all examples together")
    return value


def place(label: str, index: npt.NDArray[np.bool_]) -> tuple[str, tuple[int, ...]]:
    """Return the name and the index of the first element that is marked, such as ``targets[3, 1]``."""
    first = tuple(int(i) for i in np.unravel_index(int(index.argmax()), index.shape))
    return (f"{label}[{', '.join(map(str, first))}]" if first else label), first


def check_finite(array: Array, label: str) -> None:
    """Raise NotFiniteError that names the first element that is NaN or infinite."""
    finite = np.isfinite(array)
    if not finite.all():
        name, first = place(label, ~finite)
        raise NotFiniteError(f"{name}: expected a finite number, got {array[first]}")


def check_outputs(outputs: object, least_axes: int = 1) -> Array:
    """Return outputs that a loss can take: an array of float32 or float64, not empty, finite."""
    if not isinstance(outputs, np.ndarray):
        raise TypeError(f"outputs: expected an array, got {type(outputs).__name__}")
    if outputs.dtype.newbyteorder("=") not in DTYPES:
        raise TypeError(f"outputs: expected dtype float32 or float64, got {outputs.dtype}")
    if outputs.ndim < least_axes:
        axes = "1 axis" if least_axes == 1 else f"{least_axes} axes"
        raise ValueError(f"outputs: expected at least {axes}, got shape {outputs.shape}")
    if not outputs.size:
        raise ValueError(f"outputs: expected at least one example, got shape {outputs.shape}")
    check_finite(outputs, "outputs")
    return outputs


def check_values(targets: object, shape: tuple[int, ...]) -> Float64:
    """Return targets that are numbers of the outputs' shape, as float64."""
    if not isinstance(targets, np.ndarray):
        raise TypeError(f"targets: expected an array, got {type(targets).__name__}")
    if targets.dtype.kind not in "fiub":
        raise TypeError(f"targets: expected real numbers, got dtype {targets.dtype}")
    if targets.shape != shape:
        raise ValueError(f"targets: expected shape {shape} like the outputs, got {targets.shape}")
    values = targets.astype(np.float64, copy=False)
    finite = np.isfinite(values)
    if not finite.all():
        name, first = place("targets", ~finite)
        raise ValueError(f"{name}: expected a finite number, got {values[first]}")
    return values


def mean_parts(elements: Float64, gradient: Float64 | None) -> Parts:
    """Return the parts of a loss that is the mean over all elements, those of an example first."""
    size = elements[0].size
    each = elements.reshape(len(elements), -1).mean(axis=1)
    if gradient is not None:
        gradient /= size
    return Parts(each, len(elements), gradient)
