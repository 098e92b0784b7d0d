"""Convolutions over one and two axes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from .arguments import Sizes, check_flag, check_size, spread
from .building import Scope, Symbol
from .initialization import Initial
from .layer import Layer

__all__ = ["Conv1d", "Conv2d"]


@dataclass(frozen=True, repr=False)
class Convolution(Layer):
    """What convolutions over any number of axes have in common."""

    rank: ClassVar[int]
    axes: ClassVar[str]

    in_channels: int
    out_channels: int
    kernel_size: Sizes
    stride: Sizes = 1
    padding: Sizes | Literal["same"] = 0
    dilation: Sizes = 1
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        kind = type(self).__name__
        check_size(self.in_channels, f"{kind}.in_channels")
        check_size(self.out_channels, f"{kind}.out_channels")
        check_size(self.groups, f"{kind}.groups")
        check_flag(self.bias, f"{kind}.bias")
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"{kind}.groups: expected one that divides {self.in_channels} and {self.out_channels} channels, "
                f"got {self.groups}"
            )
        for name in ("kernel_size", "stride", "dilation"):
            self._each(name)
        if isinstance(self.padding, str) and self.padding != "same":
            raise ValueError(f"{kind}.padding: expected sizes or 'same', got {self.padding!r}")
        if self.padding == "same" and any(step != 1 for step in self._each("stride")):
            raise ValueError(f"{kind}.padding: expected stride 1 with 'same', got stride {self.stride}")
        self._pads()

    def _each(self, name: str) -> tuple[int, ...]:
        return spread(getattr(self, name), self.rank, f"{type(self).__name__}.{name}")

    def _pads(self) -> tuple[int, ...]:
        """Return the padding before each axis, then that after each; of an odd one the larger half comes after."""
        if self.padding == "same":
            together = [
                step * (size - 1)
                for step, size in zip(self._each("dilation"), self._each("kernel_size"), strict=True)
            ]
            return (*(n // 2 for n in together), *(n - n // 2 for n in together))
        return spread(self.padding, self.rank, f"{type(self).__name__}.padding", least=0) * 2

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        (x,) = inputs
        fits = len(x.shape) == self.rank + 2 and x.shape[1] in (None, self.in_channels)
        scope.expect(fits, f"an input of shape (N, {self.in_channels}, {self.axes})", x.shape)
        kernel = self._each("kernel_size")
        fan_in = self.in_channels // self.groups * math.prod(kernel)
        shape = (self.out_channels, self.in_channels // self.groups, *kernel)
        start = Initial.of_fans(fan_in, self.out_channels * math.prod(kernel))
        weights = [scope.weight("weight", shape, start)]
        if self.bias:
            weights.append(scope.weight("bias", (self.out_channels,), Initial.of_bias(fan_in)))
        return scope.node(
            "Conv",
            x,
            *weights,
            kernel_shape=kernel,
            strides=self._each("stride"),
            pads=self._pads(),
            dilations=self._each("dilation"),
            group=self.groups,
        )


@dataclass(frozen=True, repr=False)
class Conv1d(Convolution):
    """Convolution over (N, C, L), weight (out_channels, in_channels / groups, kernel): PyTorch's names and layout.

    Padding "same" keeps the size (stride 1). Weight and bias start uniform within ``1 / sqrt(fan_in)``.

    Examples
    --------
    >>> from paring import nn
    >>> x = nn.Input((None, 4, 100))
    >>> nn.Conv1d(4, 8, 5, stride=2)(x).shape
    (None, 8, 48)
    """

    rank: ClassVar[int] = 1
    axes: ClassVar[str] = "L"


@dataclass(frozen=True, repr=False)
class Conv2d(Convolution):
    """Convolution over (N, C, H, W), weight (out_channels, in_channels / groups, rows, columns): PyTorch's layout.

    Sizes are one int or a pair. Padding "same" keeps the sizes (stride 1). Weight and bias start uniform within
    ``1 / sqrt(fan_in)``.

    Examples
    --------
    >>> from paring import nn
    >>> x = nn.Input((None, 3, 32, 32))
    >>> nn.Conv2d(3, 8, 3, padding="same")(x).shape
    (None, 8, 32, 32)
    """

    rank: ClassVar[int] = 2
    axes: ClassVar[str] = "H, W"
