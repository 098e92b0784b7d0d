"""Penalties on weights, as proximal steps after the optimizer's: what should be zero becomes exactly zero.

The gradient of a penalty never gets a weight to zero, it makes it swing around it. A proximal step does: it is the
exact minimum of ``penalty(w) + |w - w'|**2 / (2 * learning_rate)``, with w' what the optimizer's step has left. It goes
by the learning rate alone, also for optimizers that scale each weight's step. The steps of several regularizers on one
weight are taken in the order in which that is the minimum of them all: thresholds, then groups, then squares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...compression.quantize_settings import check_integer
from ...compression.recipe_steps import EVERYTHING, check_pattern
from ..number_checks import check_number

__all__ = ["L1", "L2", "ElasticNet", "GroupLasso", "Regularizer", "group_shape"]

FloatArray = npt.NDArray[np.floating[Any]]


def _set_checked(regularizer: Regularizer, *strengths: str) -> None:
    for name in strengths:
        number = check_number(getattr(regularizer, name), name, least=0)
        object.__setattr__(regularizer, name, number)
    check_pattern(regularizer.match, "match")


@dataclass(frozen=True)
class L1:
    """The penalty ``strength * sum(|w|)``: weights move toward zero by ``learning_rate * strength``, and stop there.

    Examples
    --------
    >>> import numpy as np
    >>> L1(0.1).penalty(np.array([1.0, -2.0]))
    0.30000000000000004
    """

    strength: float
    match: str = field(default=EVERYTHING, kw_only=True)

    def __post_init__(self) -> None:
        _set_checked(self, "strength")

    def penalty(self, weight: FloatArray) -> float:
        """Return the penalty on one weight, in float64."""
        return self.strength * float(np.abs(weight).sum(dtype=np.float64))


@dataclass(frozen=True)
class L2:
    """The penalty ``strength / 2 * sum(w * w)``: each weight is divided by ``1 + learning_rate * strength``.

    The gradient's way to the same end is `weight_decay`: coupled, as PyTorch has it, it goes through the optimizer's
    averages; decoupled, it multiplies by ``1 - learning_rate * weight_decay``, which this does but for the second order
    in the learning rate. Keras writes the penalty without the half.

    Examples
    --------
    >>> import numpy as np
    >>> L2(0.5).penalty(np.array([1.0, -2.0]))
    1.25
    """

    strength: float
    match: str = field(default=EVERYTHING, kw_only=True)

    def __post_init__(self) -> None:
        _set_checked(self, "strength")

    def penalty(self, weight: FloatArray) -> float:
        """Return the penalty on one weight, in float64."""
        return self.strength / 2 * float(np.square(weight, dtype=np.float64).sum())


@dataclass(frozen=True)
class ElasticNet:
    """`L1` and `L2` in one: the threshold first, then the division.

    Examples
    --------
    >>> import numpy as np
    >>> ElasticNet(0.1, 0.5).penalty(np.array([1.0, -2.0]))
    1.55
    """

    l1: float
    l2: float
    match: str = field(default=EVERYTHING, kw_only=True)

    def __post_init__(self) -> None:
        _set_checked(self, "l1", "l2")

    def penalty(self, weight: FloatArray) -> float:
        """Return the penalty on one weight, in float64."""
        return L1(self.l1).penalty(weight) + L2(self.l2).penalty(weight)


@dataclass(frozen=True)
class GroupLasso:
    """The penalty ``strength * sqrt(n) * sum(norm of each group)``, n elements a group: whole groups become zero.

    A group is what has the same index along `axis`: with 0, the rows of a linear layer or the filters of a
    convolution; with 1, what reads one input. Each is multiplied by
    ``max(0, 1 - learning_rate * strength * sqrt(n) / norm)``. Masked elements are zeros of their group.

    Examples
    --------
    >>> import numpy as np
    >>> GroupLasso(0.5).penalty(np.array([[3.0, 4.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]))
    5.0
    """

    strength: float
    axis: int = 0
    match: str = field(default=EVERYTHING, kw_only=True)

    def __post_init__(self) -> None:
        _set_checked(self, "strength")
        object.__setattr__(self, "axis", check_integer(self.axis, "axis"))

    def penalty(self, weight: FloatArray) -> float:
        """Return the penalty on one weight, in float64."""
        outer, groups, inner = group_shape(weight.shape, self.axis, "weight")
        squares = np.square(weight, dtype=np.float64).reshape(outer, groups, inner).sum(axis=(0, 2))
        return self.strength * math.sqrt(outer * inner) * float(np.sqrt(squares).sum())


Regularizer = L1 | L2 | ElasticNet | GroupLasso


def group_shape(shape: tuple[int, ...], axis: int, label: str) -> tuple[int, int, int]:
    """Return (outer, groups, inner): the axes before `axis` as one, `axis`, those after it as one."""
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"{label}: GroupLasso: expected an axis {axis}, got shape {shape}")
    axis %= len(shape)
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
