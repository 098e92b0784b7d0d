"""Pooling, and flattening after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .arguments import Sizes, check_flag, spread
from .building import Scope, Symbol
from .layer import Layer

__all__ = ["AvgPool2d", "Flatten", "GlobalAvgPool2d", "MaxPool2d"]


def _expect_images(scope: Scope, x: Symbol) -> None:
    scope.expect(len(x.shape) == 4, "an input of shape (N, C, H, W)", x.shape)


def _check_pool(pool: MaxPool2d | AvgPool2d) -> None:
    kind = type(pool).__name__
    kernel = spread(pool.kernel_size, 2, f"{kind}.kernel_size")
    if pool.stride is not None:
        spread(pool.stride, 2, f"{kind}.stride")
    padding = spread(pool.padding, 2, f"{kind}.padding", least=0)
    if any(2 * pad > size for pad, size in zip(padding, kernel, strict=True)):
        raise ValueError(f"{kind}.padding: expected at most half of the kernel {kernel}, got {padding}")
    check_flag(pool.ceil_mode, f"{kind}.ceil_mode")


def _windows(pool: MaxPool2d | AvgPool2d) -> dict[str, Any]:
    """Return the attributes that both kinds of pooling have."""
    return {
        "kernel_shape": spread(pool.kernel_size, 2, "kernel_size"),
        "strides": spread(pool.kernel_size if pool.stride is None else pool.stride, 2, "stride"),
        "pads": spread(pool.padding, 2, "padding", least=0) * 2,
        "ceil_mode": int(pool.ceil_mode),
    }


@dataclass(frozen=True, repr=False)
class MaxPool2d(Layer):
    """The largest number of each window of (N, C, H, W); `stride` is the size of the window if it is left out.

    With `ceil_mode` a last window may reach beyond the padding.

    Examples
    --------
    >>> from paring import nn
    >>> nn.MaxPool2d(2)(nn.Input((None, 8, 5, 5))).shape
    (None, 8, 2, 2)
    """

    kernel_size: Sizes
    stride: Sizes | None = None
    padding: Sizes = 0
    dilation: Sizes = 1
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        _check_pool(self)
        spread(self.dilation, 2, "MaxPool2d.dilation")

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        _expect_images(scope, *inputs)
        return scope.node(
            "MaxPool", *inputs, dilations=spread(self.dilation, 2, "dilation"), **_windows(self)
        )


@dataclass(frozen=True, repr=False)
class AvgPool2d(Layer):
    """The mean of each window of (N, C, H, W); padding counts as zeros unless `count_include_pad` is False.

    Examples
    --------
    >>> from paring import nn
    >>> nn.AvgPool2d(3, stride=2, padding=1)(nn.Input((None, 8, 5, 5))).shape
    (None, 8, 3, 3)
    """

    kernel_size: Sizes
    stride: Sizes | None = None
    padding: Sizes = 0
    ceil_mode: bool = False
    count_include_pad: bool = True

    def __post_init__(self) -> None:
        _check_pool(self)
        check_flag(self.count_include_pad, "AvgPool2d.count_include_pad")

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        _expect_images(scope, *inputs)
        return scope.node(
            "AveragePool", *inputs, count_include_pad=int(self.count_include_pad), **_windows(self)
        )


@dataclass(frozen=True, repr=False)
class GlobalAvgPool2d(Layer):
    """The mean of each channel of (N, C, H, W), as (N, C, 1, 1): PyTorch's ``AdaptiveAvgPool2d(1)``."""

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        _expect_images(scope, *inputs)
        return scope.node("GlobalAveragePool", *inputs)


@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """Each item of the batch as one row, (N, everything else)."""

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        scope.expect(len(inputs[0].shape) > 1, "an input of a batch and other axes", inputs[0].shape)
        return scope.node("Flatten", *inputs, axis=1)
