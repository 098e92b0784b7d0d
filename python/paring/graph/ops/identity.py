"""Identity: the input itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..nodes import Node, Shape
from ..operators import Array, Operator, Run, as_needed

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    return (tuple(shapes[0]),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    return (inputs[0],)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    return as_needed(needed, lambda: gradients[0])


OPERATOR = Operator("Identity", infer, meaning, gradient, inputs=(1, 1), attributes=())
