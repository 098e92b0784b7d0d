"""Layers over the last axis, and tables of vectors."""

from __future__ import annotations

from dataclasses import dataclass

from .arguments import check_flag, check_size
from .building import Scope, Symbol
from .initialization import Initial
from .layer import Layer

__all__ = ["Embedding", "Linear", "write_dense"]


@dataclass(frozen=True, repr=False)
class Linear(Layer):
    """``x @ weight.T + bias`` over the last axis, weight (out_features, in_features): PyTorch's names and layout.

    Weight and bias start uniform within ``1 / sqrt(in_features)``.

    Examples
    --------
    >>> from paring import nn
    >>> nn.Model(nn.Linear(4, 2), (None, 4)).state_dict()["weight"].shape
    (2, 4)
    """

    in_features: int
    out_features: int
    bias: bool = True

    def __post_init__(self) -> None:
        check_size(self.in_features, "Linear.in_features")
        check_size(self.out_features, "Linear.out_features")
        check_flag(self.bias, "Linear.bias")

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        (x,) = inputs
        fits = len(x.shape) > 0 and x.shape[-1] in (None, self.in_features)
        scope.expect(fits, f"an input of shape (..., {self.in_features})", x.shape)
        shape = (self.out_features, self.in_features)
        weight = scope.weight("weight", shape, Initial.of_fans(self.in_features, self.out_features))
        bias = None
        if self.bias:
            bias = scope.weight("bias", (self.out_features,), Initial.of_bias(self.in_features))
        return write_dense(scope, x, weight, bias)


def write_dense(scope: Scope, x: Symbol, weight: Symbol, bias: Symbol | None, part: str = "") -> Symbol:
    """Write ``x @ weight.T + bias``: one Gemm for matrices, MatMul with the transposed weight for other ranks."""
    if len(x.shape) == 2:
        return scope.node("Gemm", x, weight, *([bias] if bias else []), part=part, transB=1)
    before = f"{part}_" if part else ""
    turned = scope.node("Transpose", weight, part=f"{before}turned", perm=(1, 0))
    product = scope.node("MatMul", x, turned, part=f"{before}product" if bias else part)
    return product if bias is None else scope.node("Add", product, bias, part=part)


@dataclass(frozen=True, repr=False)
class Embedding(Layer):
    """Rows of a table, weight (num_embeddings, embedding_dim), by their numbers; they start as N(0, 1).

    Its input is int64.

    Examples
    --------
    >>> import numpy as np
    >>> from paring import nn
    >>> model = nn.Model(nn.Embedding(10, 4), (None, 3))
    >>> model(np.array([[1, 2, 9]])).shape
    (1, 3, 4)
    """

    num_embeddings: int
    embedding_dim: int

    def __post_init__(self) -> None:
        check_size(self.num_embeddings, "Embedding.num_embeddings")
        check_size(self.embedding_dim, "Embedding.embedding_dim")

    @property
    def takes_integers(self) -> bool:
        """True: numbers of rows."""
        return True

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        (numbers,) = inputs
        scope.expect(numbers.dtype in ("int64", "int32"), "an input of int64 or int32", numbers.dtype)
        table = scope.weight("weight", (self.num_embeddings, self.embedding_dim), Initial("normal", 1.0))
        return scope.node("Gather", table, numbers, axis=0)
