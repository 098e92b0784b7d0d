"""Shape: the sizes of the axes from `start` up to but without `end`, as int64. There is no gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..attributes import int_of
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    return ((len(shapes[0][_part(node)]),),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    return (np.array(inputs[0].shape[_part(node)], np.int64),)


def _part(node: Node) -> slice:
    return slice(int_of(node, "start", 0), int_of(node, "end", 0) if "end" in node.attributes else None)


OPERATOR = Operator("Shape", infer, meaning, None, (), inputs=(1, 1), attributes=("start", "end"))
