"""Constant: the one of `value_float`, `value_floats`, `value_int`, `value_ints` that there is: float32 or int64.

Larger constants are initializers of a graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..attributes import float_of, floats_of, int_of, ints_of
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run

__all__ = ["OPERATOR"]


_NAMES = ("value_float", "value_floats", "value_int", "value_ints")


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    return (_value(node).shape,)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    return (_value(node),)


def _value(node: Node) -> Array:
    given = [name for name in _NAMES if name in node.attributes]
    if len(given) != 1:
        raise ValueError(f"expected one attribute of {', '.join(_NAMES)}, got {', '.join(given) or 'none'}")
    (name,) = given
    if name == "value_float":
        return np.array(float_of(node, name, 0.0), np.float32)
    if name == "value_int":
        return np.array(int_of(node, name, 0), np.int64)
    if name == "value_floats":
        return np.array(floats_of(node, name), np.float32)
    return np.array(ints_of(node, name), np.int64)


OPERATOR = Operator("Constant", infer, meaning, None, (), inputs=(0, 0), attributes=_NAMES)
