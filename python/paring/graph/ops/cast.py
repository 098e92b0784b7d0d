"""Cast: the same values in another dtype, `to`, a number of ONNX's; towards 0 for integers.

The gradient is cast back. One that comes from integers or booleans ends here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from ..attributes import int_of
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run, as_needed

__all__ = ["OPERATOR"]


_DTYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.uint8),
    3: np.dtype(np.int8),
    4: np.dtype(np.uint16),
    5: np.dtype(np.int16),
    6: np.dtype(np.int32),
    7: np.dtype(np.int64),
    9: np.dtype(np.bool_),
    10: np.dtype(np.float16),
    11: np.dtype(np.float64),
    12: np.dtype(np.uint32),
    13: np.dtype(np.uint64),
    16: np.dtype(ml_dtypes.bfloat16),
}


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    _dtype(node)
    return (tuple(shapes[0]),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    return (inputs[0].astype(_dtype(node), copy=False),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    return as_needed(needed, lambda: gradients[0].astype(inputs[0].dtype, copy=False))


def _dtype(node: Node) -> np.dtype[Any]:
    number = int_of(node, "to", 0)
    if number not in _DTYPES:
        known = ", ".join(f"{key} ({dtype})" for key, dtype in _DTYPES.items())
        raise ValueError(f"attribute 'to': expected one of {known}, got {number}")
    return _DTYPES[number]


OPERATOR = Operator(
    "Cast", infer, meaning, gradient, inputs=(1, 1), attributes=("to", "saturate", "round_mode")
)
