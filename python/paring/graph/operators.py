"""What an operator is: a shape rule, a meaning in NumPy, and a gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .nodes import Node, Shape

__all__ = ["Array", "Gradient", "Infer", "Known", "Meaning", "Operator", "Run", "as_needed", "same_dtype"]

Array = npt.NDArray[Any]


@dataclass
class Run:
    """One evaluation of a graph.

    Attributes
    ----------
    training : bool
        Whether dropout drops and batch normalization uses the statistics of the batch.
    rng : numpy.random.Generator or None
        Where chance comes from; an operator that needs it refuses to go without.
    kept : dict of str to object, or None
        What an operator keeps for its gradient, by name of the node; None if there will be no gradient, so that
        nothing is kept for nothing.
    """

    training: bool = False
    rng: np.random.Generator | None = None
    kept: dict[str, Any] | None = None

    def keep(self, node: Node, value: object) -> None:
        """Keep something for the gradient of a node, if there will be one."""
        if self.kept is not None:
            self.kept[node.name] = value


class Known(tuple[int | None, ...]):
    """The shape of a value that is known before any run, such as the axes of a reduction, with that value.

    >>> axes = Known.of(np.array([1, 2]))
    >>> axes, Known.value_of(axes), Known.value_of((2,))
    ((2,), array([1, 2]), None)
    """

    value: Array

    @classmethod
    def of(cls, value: Array) -> Known:
        """Return the shape of a value that knows the value."""
        shape = cls(value.shape)
        shape.value = value
        return shape

    @staticmethod
    def value_of(shape: Any) -> Array | None:
        """Return the value that comes with a shape; None if only a run knows it."""
        return shape.value if isinstance(shape, Known) else None


Infer = Callable[[Node, Sequence[Any]], Sequence[Shape]]
"""``(node, shapes of inputs) -> shapes of outputs``; None stands for an input left out. ValueError if they clash.

A shape may be a `Known`, whose value an operator may look at. One that needs a value and has none gives sizes None.
"""

Meaning = Callable[[Node, Sequence[Any], Run], Sequence[Array]]
"""``(node, inputs, run) -> outputs``; None stands for an input left out.

Inputs are never written to. An output may be an input, or a view of one.
"""

Gradient = Callable[
    [Node, Sequence[Any], Sequence[Any], Sequence[Any], Sequence[bool], Any], Sequence[Array | None]
]
"""``(node, inputs, outputs, gradients of outputs, needed, kept) -> gradients of inputs``.

A gradient of an output is None where that output does not count. `needed` says for which inputs a gradient is wanted;
for the others nothing is computed, and None is given. `kept` is what the meaning kept. Nothing given is written to;
what is returned may be, or share memory with, a gradient given.
"""


@dataclass(frozen=True)
class Operator:
    """An operator of ONNX.

    Attributes
    ----------
    name : str
    infer, meaning : callable
    gradient : callable or None
        None for an operator without one: asking for it is an error that names the node.
    differentiable : tuple of int or None
        Positions of the inputs that have gradients (indices and shapes have none); None for all.
    inputs : tuple of int and int or None, or None
        How many inputs it takes at least and at most; None where `infer` says so itself.
    attributes : tuple of str or None
        Names of all its attributes, so that `check_graph` finds the others; None where it does not look.
    codes : tuple of int
        Positions of integer inputs that stand for floats rounded to them: their gradients go through the rounding.
    """

    name: str
    infer: Infer
    meaning: Meaning
    gradient: Gradient | None = None
    differentiable: tuple[int, ...] | None = None
    inputs: tuple[int, int | None] | None = None
    attributes: tuple[str, ...] | None = None
    codes: tuple[int, ...] = ()


def same_dtype(*arrays: Array | None) -> np.dtype[Any]:
    """Return the dtype that arrays share; ValueError if there are two: nothing is converted silently.

    >>> same_dtype(np.ones(2), None, np.ones(3))
    dtype('float64')
    """
    dtypes = list(dict.fromkeys(array.dtype for array in arrays if array is not None))
    if len(dtypes) != 1:
        raise ValueError(f"expected values of one dtype, got {' and '.join(map(str, dtypes))}")
    return dtypes[0]


def as_needed(needed: Sequence[bool], *makers: Callable[[], Array]) -> tuple[Array | None, ...]:
    """Return what the makers of needed gradients give, None for the others.

    >>> as_needed((True, False), lambda: np.ones(2), lambda: 1 / 0)
    (array([1., 1.]), None)
    """
    return tuple(make() if wanted else None for wanted, make in zip(needed, makers, strict=False))
