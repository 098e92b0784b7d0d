"""Attention of a sequence to itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .arguments import check_flag, check_size
from .building import Scope, Symbol
from .dense import write_dense
from .initialization import Initial
from .layer import Layer

__all__ = ["MultiHeadAttention"]


@dataclass(frozen=True, repr=False)
class MultiHeadAttention(Layer):
    """Attention of the items of (N, S, embed_dim) to each other, by `num_heads` heads.

    Weights are those of PyTorch's ``MultiheadAttention(..., batch_first=True)`` for one sequence: ``in_proj_weight``
    (3 * embed_dim, embed_dim), ``in_proj_bias``, ``out_proj.weight``, ``out_proj.bias``, and start like them. With
    `causal` an item sees itself and those before it. A second value, bool (N, S), is true for items that nobody sees:
    padding. What sees nothing becomes NaN.

    Examples
    --------
    >>> from paring import nn
    >>> x, padding = nn.Input((None, None, 16)), nn.Input((None, None), "bool", name="padding")
    >>> nn.MultiHeadAttention(16, 4)(x, padding).shape
    (None, None, 16)
    """

    input_counts: ClassVar[tuple[int, int | None]] = (1, 2)

    embed_dim: int
    num_heads: int
    bias: bool = True
    causal: bool = False

    def __post_init__(self) -> None:
        check_size(self.embed_dim, "MultiHeadAttention.embed_dim")
        check_size(self.num_heads, "MultiHeadAttention.num_heads")
        check_flag(self.bias, "MultiHeadAttention.bias")
        check_flag(self.causal, "MultiHeadAttention.causal")
        if self.embed_dim % self.num_heads:
            raise ValueError(
                f"MultiHeadAttention.num_heads: expected one that divides embed_dim {self.embed_dim}, "
                f"got {self.num_heads}"
            )

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        x, size = inputs[0], self.embed_dim
        fits = len(x.shape) == 3 and x.shape[2] in (None, size)
        scope.expect(fits, f"an input of shape (N, S, {size})", x.shape)
        zeros = Initial("constant", 0.0)
        # PyTorch starts the three projections as one Glorot matrix.
        glorot = Initial("uniform", math.sqrt(6 / (4 * size)), (size, 3 * size))
        in_weight = scope.weight("in_proj_weight", (3 * size, size), glorot)
        in_bias = scope.weight("in_proj_bias", (3 * size,), zeros) if self.bias else None
        out_weight = scope.weight("out_proj.weight", (size, size), Initial.of_fans(size, size))
        out_bias = scope.weight("out_proj.bias", (size,), zeros) if self.bias else None

        together = write_dense(scope, x, in_weight, in_bias, "in_proj")
        parts = scope.nodes("Split", together, part="split", outputs=3, axis=-1, num_outputs=3)
        # Queries and values are (N, heads, S, d), keys (N, heads, d, S).
        query, key, value = (
            self._heads(scope, part, name)
            for name, part in zip(("query", "key", "value"), parts, strict=True)
        )
        scale = scope.constant("scale", 1 / math.sqrt(size // self.num_heads))
        query = scope.node("Mul", query, scale, part="scaled_query")
        scores = self._hide(scope, scope.node("MatMul", query, key, part="scores"), *inputs)
        shares = scope.node("Softmax", scores, part="softmax", axis=-1)
        mixed = scope.node("MatMul", shares, value, part="mixed_heads")
        mixed = scope.node("Transpose", mixed, part="mixed", perm=(0, 2, 1, 3))
        shape = scope.constant("joined_shape", [0, 0, size], np.int64)
        return write_dense(
            scope, scope.node("Reshape", mixed, shape, part="joined"), out_weight, out_bias, "out_proj"
        )

    def _heads(self, scope: Scope, part: Symbol, name: str) -> Symbol:
        sizes = [0, 0, self.num_heads, self.embed_dim // self.num_heads]
        shape = scope.constant(f"{name}_shape", sizes, np.int64)
        heads = scope.node("Reshape", part, shape, part=f"{name}_heads")
        return scope.node("Transpose", heads, part=name, perm=(0, 2, 3, 1) if name == "key" else (0, 2, 1, 3))

    def _hide(self, scope: Scope, scores: Symbol, x: Symbol, padding: Symbol | None = None) -> Symbol:
        """Write -inf where a query (row) does not see a key (column)."""
        if self.causal:
            hidden = scope.constant("hidden", -math.inf)
            scores = scope.node("Where", self._later(scope, x), hidden, scores, part="causal")
        if padding is not None:
            is_mask = padding.dtype == "bool" and len(padding.shape) == 2
            scope.expect(is_mask, "padding of bool (N, S)", f"{padding.dtype} {padding.shape}")
            axes = scope.constant("padding_axes", [1, 2], np.int64)
            mask = scope.node("Unsqueeze", padding, axes, part="padding")
            hidden = scope.constant("hidden", -math.inf)
            scores = scope.node("Where", mask, hidden, scores, part="padded")
        return scores

    def _later(self, scope: Scope, x: Symbol) -> Symbol:
        """Write bool (S, S): whether the key of the column comes after the query of the row."""
        length = scope.node("Shape", x, part="length", start=1, end=2)
        ones = scope.node("Expand", scope.constant("one", [1], np.int64), length, part="ones")
        positions = scope.node("CumSum", ones, scope.constant("axis", 0, np.int64), part="positions")
        axes = scope.constant("position_axes", [1], np.int64)
        rows = scope.node("Unsqueeze", positions, axes, part="rows")
        return scope.node("Less", rows, positions, part="later")
