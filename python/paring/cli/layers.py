"""Layers for a demonstration: ours, NumPy's as the rival, and the check that they agree before anything is timed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..runtime.linear import PackedLinear
from ..weights import QuantizedWeight, SparseWeight, Weight

__all__ = ["check_layer", "dense_float32", "make_numpy_layer"]

Floats = npt.NDArray[np.float32]
FLOAT_TOLERANCE = (
    1e-5  # of the sum of magnitudes; float32 sums of some thousand terms in another order differ by less
)


def dense_float32(weight: Weight) -> Floats:
    """Return the values of a weight as a float32 array."""
    array = weight.dense() if isinstance(weight, QuantizedWeight | SparseWeight) else weight
    return np.asarray(array, np.float32)


def make_numpy_layer(
    weight: Floats, bias: npt.NDArray[Any] | None = None, activation: str | None = None
) -> Callable[[Floats], Floats]:
    """Return ``relu(x @ weight.T + bias)`` as somebody would write it who wants it fast: one product, then in place."""
    columns = weight.T

    def apply(x: Floats) -> Floats:
        y: Floats = x @ columns
        if bias is not None:
            y += bias
        if activation == "relu":
            np.maximum(y, 0, out=y)
        return y

    return apply


def check_layer(weight: Weight, bias: npt.NDArray[Any] | None, x: Floats) -> None:
    """Raise ArithmeticError unless a packed layer gives what NumPy gives, as far as rounding lets it.

    A float layer may differ by the rounding of its sums. A quantized one rounds ``x`` to int8 by the row, by
    at most half of max|x| / 127 an element, so the result by at most that times the sum of the weights' magnitudes.
    """
    dense = dense_float32(weight)
    got = PackedLinear(weight, bias)(x)
    want = make_numpy_layer(dense, bias)(x)
    magnitudes = np.abs(dense).sum(axis=1)
    largest = np.abs(x).max(axis=1, keepdims=True, initial=0)
    integers = isinstance(weight, QuantizedWeight) or (
        isinstance(weight, SparseWeight) and weight.scale is not None
    )
    bound = magnitudes * largest * (FLOAT_TOLERANCE + (0.5 / 127 if integers else 0))
    if bias is not None:
        bound += FLOAT_TOLERANCE * np.abs(np.asarray(bias, np.float32))
    wrong = ~(np.abs(got - want) <= bound)
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        raise ArithmeticError(
            f"layer {dense.shape}: expected {want[row, column]} within {bound[row, column]} at [{row}, {column}], "
            f"got {got[row, column]}: please report this with the output of paring info"
        )
