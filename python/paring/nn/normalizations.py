"""Normalization over the batch, and over the features of one item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .arguments import Sizes, check_flag, check_number, check_size
from .building import Scope, Symbol
from .initialization import Initial
from .layer import Layer

__all__ = ["BatchNorm1d", "BatchNorm2d", "LayerNorm"]

ONES = Initial("constant", 1.0)
ZEROS = Initial("constant", 0.0)


@dataclass(frozen=True, repr=False)
class BatchNorm(Layer):
    """What batch normalizations of any rank have in common."""

    ranks: ClassVar[tuple[int, ...]]
    axes: ClassVar[str]

    num_features: int
    eps: float = 1e-5
    momentum: float = 0.1
    affine: bool = True

    def __post_init__(self) -> None:
        kind = type(self).__name__
        check_size(self.num_features, f"{kind}.num_features")
        check_number(self.eps, f"{kind}.eps", 0)
        check_number(self.momentum, f"{kind}.momentum", 0, 1)
        check_flag(self.affine, f"{kind}.affine")

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        (x,) = inputs
        fits = len(x.shape) in self.ranks and x.shape[1] in (None, self.num_features)
        scope.expect(fits, f"an input of shape {self.axes.format(self.num_features)}", x.shape)
        shape = (self.num_features,)
        if self.affine:
            scale, shift = scope.weight("weight", shape, ONES), scope.weight("bias", shape, ZEROS)
        else:
            scale = scope.constant("scale", [1.0] * self.num_features)
            shift = scope.constant("shift", [0.0] * self.num_features)
        mean = scope.statistic("running_mean", shape, 0.0)
        var = scope.statistic("running_var", shape, 1.0)
        # ONNX's momentum is the share of the old value.
        momentum = 1 - float(self.momentum)
        return scope.node(
            "BatchNormalization", x, scale, shift, mean, var, epsilon=float(self.eps), momentum=momentum
        )


@dataclass(frozen=True, repr=False)
class BatchNorm1d(BatchNorm):
    """Normalization of each channel of (N, C) or (N, C, L) over the batch; at rest over the running statistics.

    Names, `momentum` (the share of the new value) and `eps` are PyTorch's, and its state loads as it is. In training
    the running variance gets that of the batch divided by n, as ONNX has it, in PyTorch by n - 1: the statistics after
    training differ by that, outputs from the same statistics do not. There is no ``num_batches_tracked``;
    `Model.load_state_dict` passes over it.

    Examples
    --------
    >>> from paring import nn
    >>> list(nn.Model(nn.BatchNorm1d(3), (None, 3)).state_dict())
    ['weight', 'bias', 'running_mean', 'running_var']
    """

    ranks: ClassVar[tuple[int, ...]] = (2, 3)
    axes: ClassVar[str] = "(N, {0}) or (N, {0}, L)"


@dataclass(frozen=True, repr=False)
class BatchNorm2d(BatchNorm):
    """Normalization of each channel of (N, C, H, W) over the batch: see `BatchNorm1d`.

    Examples
    --------
    >>> from paring import nn
    >>> nn.BatchNorm2d(8)(nn.Input((None, 8, 5, 5))).shape
    (None, 8, 5, 5)
    """

    ranks: ClassVar[tuple[int, ...]] = (4,)
    axes: ClassVar[str] = "(N, {0}, H, W)"


@dataclass(frozen=True, repr=False)
class LayerNorm(Layer):
    """Normalization over the last axes, of the sizes `normalized_shape`, with a scale and a shift for each place.

    Examples
    --------
    >>> from paring import nn
    >>> nn.LayerNorm(8)(nn.Input((None, 5, 8))).shape
    (None, 5, 8)
    """

    normalized_shape: Sizes
    eps: float = 1e-5
    affine: bool = True

    def __post_init__(self) -> None:
        if self.normalized_shape == ():
            raise ValueError("LayerNorm.normalized_shape: expected one size or more, got ()")
        self._shape()
        check_number(self.eps, "LayerNorm.eps", 0)
        check_flag(self.affine, "LayerNorm.affine")

    def _shape(self) -> tuple[int, ...]:
        given = self.normalized_shape
        sizes = given if isinstance(given, tuple) else (given,)
        return tuple(check_size(size, "LayerNorm.normalized_shape") for size in sizes)

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        (x,) = inputs
        shape = self._shape()
        last = x.shape[-len(shape) :]
        fits = len(last) == len(shape) and all(
            got in (None, size) for got, size in zip(last, shape, strict=True)
        )
        scope.expect(fits, f"an input of shape (..., {', '.join(map(str, shape))})", x.shape)
        if self.affine:
            parts = (scope.weight("weight", shape, ONES), scope.weight("bias", shape, ZEROS))
        else:
            parts = (scope.constant("scale", 1.0), scope.constant("shift", 0.0))
        return scope.node("LayerNormalization", x, *parts, axis=-len(shape), epsilon=float(self.eps))
