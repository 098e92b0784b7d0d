"""How windows slide over images: what convolution and pooling have in common.

Images travel through a graph as (N, C, H, W), in one of two orders of memory: that of the shape, or with channels
outside, (C, N, H, W). The second is what a convolution gives, since the whole batch is then one matrix product without
any transposing, and what elementwise functions and pooling keep. `as_planes` tells them apart.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _core
from .nodes import Node, Shape
from .operators import Array

__all__ = [
    "Axis",
    "Windows",
    "as_planes",
    "channel_sums",
    "check_floats",
    "empty_planes",
    "find_windows",
    "infer_spatial",
]

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


@dataclass(frozen=True)
class Axis:
    """Windows along one axis: output o and tap t meet the input at ``o * stride + t * dilation - begin``.

    Attributes
    ----------
    size, kernel, stride, dilation : int
    begin, end : int
        Padding. With `ceil_mode` the last window may reach beyond it.
    out : int
        How many windows there are.
    """

    size: int
    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int
    out: int

    def taps(self) -> Array:
        """Return the positions of all taps, shape (out, kernel); negative or beyond the size in padding."""
        outputs = np.arange(self.out)[:, None] * self.stride - self.begin
        return outputs + np.arange(self.kernel) * self.dilation


@dataclass(frozen=True)
class Windows:
    """Windows over the rows and columns of images; one-dimensional input is an image of one row."""

    rows: Axis
    columns: Axis
    rank: int

    @functools.cached_property
    def shape(self) -> _core.WindowShape:
        axes = (self.rows, self.columns)

        def both(name: str) -> Any:
            return tuple(getattr(axis, name) for axis in axes)

        return _core.WindowShape(
            both("size"), both("kernel"), both("stride"), both("dilation"), both("begin"), both("out")
        )

    @property
    def spatial(self) -> tuple[int, ...]:
        """The output sizes in the rank of the input."""
        return (self.rows.out, self.columns.out)[-self.rank :]

    def as_images(self, x: Array) -> Array:
        """Return a view of x, (N, C, L) or (N, C, H, W), with four axes."""
        return x if self.rank == 2 else x[:, :, None]

    def as_given(self, images: Array) -> Array:
        """Return a view of images in the rank of the input."""
        return images if self.rank == 2 else images[:, :, 0]

    def check_inside(self) -> None:
        """Raise ValueError if a window has padding only."""
        for axis in (self.rows, self.columns):
            positions = axis.taps()
            if not ((positions >= 0) & (positions < axis.size)).any(axis=1).all():
                raise ValueError(
                    f"expected windows that meet the input, got one of padding only: size {axis.size}, kernel "
                    f"{axis.kernel}, stride {axis.stride}, dilation {axis.dilation}, pads {axis.begin} and {axis.end}"
                )


def find_windows(node: Node, size: Sequence[int], kernel: Sequence[int]) -> Windows:
    """Return the windows of a node over an input of these spatial sizes.

    Raises
    ------
    ValueError
        If attributes make no sense, or no window fits.
    """
    axes = [_axis(*numbers) for numbers in _numbers(node, size, kernel)]
    for axis in axes:
        if axis.out < 1:
            raise ValueError(
                f"expected at least one window to fit, got size {axis.size}, kernel {axis.kernel}, dilation "
                f"{axis.dilation}, pads {axis.begin} and {axis.end}"
            )
    if len(axes) == 1:
        axes.insert(0, Axis(1, 1, 1, 1, 0, 0, 1))
    return Windows(axes[0], axes[1], len(size))


def infer_spatial(node: Node, size: Shape, kernel: Shape) -> Shape:
    """Return the output sizes of a node, None where the size of the input or of the kernel is not known.

    Raises
    ------
    ValueError
        As `find_windows`.
    """
    if len(kernel) != len(size):
        raise ValueError(f"kernel_shape: expected {len(size)} numbers, got {tuple(kernel)}")
    # Sizes that stand in fit any kernel, and kernels any size.
    sizes = [1 << 30 if n is None else n for n in size]
    kernels = [1 if n is None else n for n in kernel]
    windows = find_windows(node, sizes, kernels)
    known = [None not in pair for pair in zip(size, kernel, strict=True)]
    return tuple(out if is_known else None for out, is_known in zip(windows.spatial, known, strict=True))


def _numbers(node: Node, size: Sequence[int], kernel: Sequence[int]) -> list[tuple[Any, ...]]:
    """Return, for each axis, size, kernel, stride, dilation, begin, end, automatic padding and rounding mode."""
    rank = len(size)
    if rank not in (1, 2):
        raise ValueError(f"expected an input of 1 or 2 spatial axes, (N, C, L) or (N, C, H, W), got {rank}")
    if len(kernel) != rank:
        raise ValueError(f"kernel_shape: expected {rank} numbers, got {tuple(kernel)}")

    def numbers(name: str, count: int, default: int, least: int) -> tuple[int, ...]:
        given: Any = node.attributes.get(name)
        values = (default,) * count if given is None else tuple(given)
        if len(values) != count or min(values) < least:
            raise ValueError(f"{name}: expected {count} numbers of at least {least}, got {values}")
        return values

    if min(kernel) < 1:
        raise ValueError(f"kernel_shape: expected numbers of at least 1, got {tuple(kernel)}")
    strides = numbers("strides", rank, 1, 1)
    dilations = numbers("dilations", rank, 1, 1)
    pads = numbers("pads", 2 * rank, 0, 0)
    automatic = node.attributes.get("auto_pad", "NOTSET")
    if automatic not in ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"):
        raise ValueError(f"auto_pad: expected NOTSET, SAME_UPPER, SAME_LOWER or VALID, got {automatic!r}")
    if automatic != "NOTSET" and any(pads):
        raise ValueError(f"pads: expected none beside auto_pad {automatic}, got {pads}")
    ceil = bool(node.attributes.get("ceil_mode", 0))
    return [
        (size[i], kernel[i], strides[i], dilations[i], pads[i], pads[rank + i], automatic, ceil)
        for i in range(rank)
    ]


def _axis(
    size: int, kernel: int, stride: int, dilation: int, begin: int, end: int, automatic: Any, ceil: bool
) -> Axis:
    reach = (kernel - 1) * dilation + 1
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        out = -(-size // stride)
        missing = max((out - 1) * stride + reach - size, 0)
        smaller, larger = missing // 2, missing - missing // 2
        begin, end = (smaller, larger) if automatic == "SAME_UPPER" else (larger, smaller)
        return Axis(size, kernel, stride, dilation, begin, end, out)
    room = size + begin + end - reach
    if room < 0:
        return Axis(size, kernel, stride, dilation, begin, end, 0)
    out = room // stride + 1
    # One more that does not fill its window, unless all it would start in is padding at the end.
    if ceil and room % stride and out * stride < size + begin:
        out += 1
    return Axis(size, kernel, stride, dilation, begin, end, out)


def as_planes(images: Array) -> tuple[Array, int]:
    """Return images as a C-contiguous array and the axis of its images: 0 for (N, C, H, W), 1 for (C, N, H, W).

    Nothing is copied where the memory has one of the two orders already.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.zeros((8, 3, 5, 6)).transpose(1, 0, 2, 3)
    >>> planes, axis = as_planes(images)
    >>> planes.shape, axis, np.shares_memory(planes, images)
    ((8, 3, 5, 6), 1, True)
    """
    if not images.flags.c_contiguous:
        turned = images.transpose(1, 0, 2, 3)
        if turned.flags.c_contiguous and turned.flags.aligned:
            return turned, 1
    return np.require(images, requirements=["C", "A"]), 0


def empty_planes(shape: Sequence[int], image_axis: int, dtype: Any) -> tuple[Array, Array]:
    """Return a new array in an order of memory, and a view of it as (N, C, H, W), the shape given."""
    n, c, h, w = shape
    if image_axis == 0:
        planes: Array = np.empty((n, c, h, w), dtype)
        return planes, planes
    planes = np.empty((c, n, h, w), dtype)
    return planes, planes.transpose(1, 0, 2, 3)


def check_floats(**arrays: Array | None) -> None:
    """Raise ValueError unless the arrays (None is none) are float32, or float64, all of them."""
    dtypes = {name: array.dtype for name, array in arrays.items() if array is not None}
    if len(set(dtypes.values())) > 1 or not set(dtypes.values()) <= set(FLOATS):
        got = ", ".join(f"{name} {dtype}" for name, dtype in dtypes.items())
        raise ValueError(f"expected float32, or float64, in all inputs, got {got}")


def channel_sums(values: Array) -> Array:
    """Return the float64 sums over all axes but the second: pairwise within an image, in float64 between images."""
    n, c = values.shape[:2]
    of_images = values.reshape(n, c, math.prod(values.shape[2:])) if values.ndim != 3 else values
    sums: Array = of_images.sum(axis=2) if of_images.shape[2] != 1 else of_images[:, :, 0]
    total: Array = sums.sum(axis=0, dtype=np.float64)
    return total
