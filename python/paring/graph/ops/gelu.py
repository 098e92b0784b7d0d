"""Gelu: ``x * P(Z <= x)`` for a standard normal Z, and its approximation by a hyperbolic tangent.

With ``approximate="tanh"`` the probability is ``(1 + tanh(sqrt(2/pi) * (x + 0.044715 * x**3))) / 2``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..attributes import str_of
from ..elementwise import require_floats
from ..nodes import Node, Shape
from ..normal_distribution import normal_cdf, normal_density
from ..operators import Array, Operator, Run, as_needed

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    return (tuple(shapes[0]),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    (x,) = inputs
    require_floats(x)
    half = x.dtype.type(0.5)
    probability = half + half * _tanh(x) if _approximate(node) else normal_cdf(x)
    run.keep(node, probability)
    return (np.asarray(x * probability),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    (x,), (dy,) = inputs, gradients
    of = x.dtype.type
    if _approximate(node):
        # The derivative of (1 + tanh(u)) / 2 is 2 * p * (1 - p) * u'.
        slope = of(2 * _SCALE) * (of(1) + of(3 * _CUBE) * x * x) * kept * (of(1) - kept)
    else:
        slope = normal_density(x)
    return as_needed(needed, lambda: np.asarray(dy * (kept + x * slope)))


_SCALE, _CUBE = math.sqrt(2 / math.pi), 0.044715


def _approximate(node: Node) -> bool:
    return str_of(node, "approximate", "none", ("none", "tanh")) == "tanh"


def _tanh(x: Array) -> Array:
    of = x.dtype.type
    result: Array = np.tanh(of(_SCALE) * (x + of(_CUBE) * x * x * x))
    return result


OPERATOR = Operator("Gelu", infer, meaning, gradient, inputs=(1, 1), attributes=("approximate",))
