"""Max: the largest of any number of inputs, stretched to fit each other.

Inputs that tie share the gradient evenly; NaN wins, and takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..elementwise import infer_broadcast, share_gradient
from ..nodes import Node
from ..operators import Array, Operator, Run, same_dtype

__all__ = ["OPERATOR"]


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    same_dtype(*inputs)
    result = inputs[0]
    for other in inputs[1:]:
        result = np.maximum(result, other)
    return (np.asarray(result),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    return share_gradient(inputs, outputs[0], gradients[0], needed)


OPERATOR = Operator("Max", infer_broadcast, meaning, gradient, inputs=(1, None), attributes=())
