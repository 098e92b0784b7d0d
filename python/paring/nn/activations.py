"""Activations, and dropout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..compression.quantize_settings import check_integer
from .arguments import check_number
from .building import Scope, Symbol
from .layer import Layer

__all__ = ["GELU", "Dropout", "ReLU", "SiLU", "Sigmoid", "Softmax", "Tanh"]


@dataclass(frozen=True, repr=False)
class ReLU(Layer):
    """``max(x, 0)``."""

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        return scope.node("Relu", *inputs)


@dataclass(frozen=True, repr=False)
class GELU(Layer):
    """``x * P(Z <= x)`` for a standard normal Z, or with `approximate` "tanh" its usual approximation."""

    approximate: Literal["none", "tanh"] = "none"

    def __post_init__(self) -> None:
        if self.approximate not in ("none", "tanh"):
            raise ValueError(f"GELU.approximate: expected 'none' or 'tanh', got {self.approximate!r}")

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        return scope.node("Gelu", *inputs, approximate=self.approximate)


@dataclass(frozen=True, repr=False)
class SiLU(Layer):
    """``x * sigmoid(x)``, also called swish."""

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        return scope.node("Swish", *inputs)


@dataclass(frozen=True, repr=False)
class Tanh(Layer):
    """The hyperbolic tangent."""

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        return scope.node("Tanh", *inputs)


@dataclass(frozen=True, repr=False)
class Sigmoid(Layer):
    """``1 / (1 + exp(-x))``."""

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        return scope.node("Sigmoid", *inputs)


@dataclass(frozen=True, repr=False)
class Softmax(Layer):
    """``exp(x) / sum(exp(x))`` along an axis. A loss over classes wants the numbers before it."""

    axis: int = -1

    def __post_init__(self) -> None:
        check_integer(self.axis, "Softmax.axis")

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        return scope.node("Softmax", *inputs, axis=self.axis)


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """Zeroes a number with probability `p` in training and divides the others by ``1 - p``; at rest does nothing."""

    p: float = 0.5

    def __post_init__(self) -> None:
        check_number(self.p, "Dropout.p", 0, 1)

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        # float32 beside all dtypes, as ONNX allows.
        return scope.node("Dropout", *inputs, scope.constant("ratio", float(self.p), np.float32))
