"""A convolution over given filters, packed once for this CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from ..graph.integers import centred_codes
from ..graph.nodes import Node
from ..graph.windows import Windows, as_planes, find_windows
from ..weights import QuantizedWeight, SparseWeight
from .activation_scale import ActivationScale
from .layer_arrays import as_bias, as_float_array, check_input, check_out, check_residual, pair_of
from .linear import ActivationName, activation_name

__all__ = ["PackedConv", "Padding", "as_integer_filters"]

Padding = int | Sequence[int] | Sequence[tuple[int, int]]


class PackedConv:
    """``y = activation(conv(x, weight) + bias)`` for images of one or two axes, by the rank of the weight.

    Filters meet the windows where they lie: no matrix of windows is made. The layer never changes after it was made,
    releases the GIL while it runs, and may be used from many threads at once. Its answer is the same to the byte on
    every CPU and with any number of threads.

    Parameters
    ----------
    weight : ndarray or QuantizedWeight
        ``(out_channels, in_channels / groups, length)`` or ``(..., height, width)``. Float filters are computed in
        float32. Filters with a scale for each channel or one for all, of 2 to 8 bits, are computed in integers: every
        image is rounded to int8 by the scale of its largest magnitude / 127. Those with groups of columns, and 8-bit
        ones whose codes without their zero points need more than 8 bits, are computed in float32.
    bias : ndarray, optional
        ``(out_channels,)``, any float dtype.
    activation : {"relu", "gelu", "silu"}, optional
        Applied to the sum. "gelu" is the exact (erf) form.
    stride, dilation : int or sequence of int, optional
        For all axes, or one an axis.
    padding : int, or sequence of int or of (int, int), optional
        Zeros around the image: for all axes, one an axis, or before and after, a pair an axis.
    groups : int, optional
        In how many groups channels and filters are cut. As many groups as channels make a depthwise convolution.
    input_scale : ActivationScale, optional
        For filters that are computed in integers: one scale for all images, whose zero point is the code of padding.
        ``x`` may then come as int8 codes of that scale.
    output_scale : ActivationScale, optional
        The layer gives int8 codes of that scale (integers only).

    Attributes
    ----------
    in_channels, out_channels, groups : int
    kernel_shape : tuple of int
    activation : str or None
    input_scale, output_scale : ActivationScale or None
    kernel : str
        Name of the kernel in use (see `paring.kernel_info`).
    nbytes : int
        Bytes of the packed filters, scales and bias in memory.

    Raises
    ------
    TypeError, ValueError
        If the weight is no such array of finite numbers, or another argument does not fit it.

    Notes
    -----
    An image with NaN or infinity gives NaN everywhere through integer filters; float filters follow IEEE arithmetic.

    Examples
    --------
    >>> import numpy as np, paring
    >>> edges = np.array([[[[1.0, 0.0, -1.0]]]], np.float32)
    >>> layer = paring.PackedConv(edges, padding=(0, 1))
    >>> layer(np.array([[[[1, 2, 4, 8]]]], np.float32))
    array([[[[-2., -3., -6.,  4.]]]], dtype=float32)
    """

    __slots__ = (
        "_attributes",
        "_packed",
        "activation",
        "groups",
        "in_channels",
        "input_scale",
        "kernel_shape",
        "out_channels",
        "output_scale",
    )

    def __init__(
        self,
        weight: npt.NDArray[Any] | QuantizedWeight,
        bias: npt.NDArray[Any] | None = None,
        activation: ActivationName | None = None,
        *,
        stride: int | Sequence[int] = 1,
        padding: Padding = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        input_scale: ActivationScale | None = None,
        output_scale: ActivationScale | None = None,
    ) -> None:
        self.activation = activation_name(activation)
        if isinstance(weight, SparseWeight):
            raise TypeError("weight: expected an array or a QuantizedWeight, got a SparseWeight")
        integers = as_integer_filters(weight) if isinstance(weight, QuantizedWeight) else None
        filters: npt.NDArray[Any] = integers[0] if integers else _float_filters(weight)
        if filters.ndim not in (3, 4) or 0 in filters.shape:
            raise ValueError(
                "weight: expected (out_channels, in_channels / groups, length) or (..., height, width) without zeros, "
                f"got shape {tuple(filters.shape)}"
            )
        rank = filters.ndim - 2
        if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1 or len(filters) % groups:
            raise ValueError(f"groups: expected one that divides {len(filters)} filters, got {groups!r}")
        self.groups, self.out_channels = groups, len(filters)
        self.in_channels, self.kernel_shape = filters.shape[1] * groups, tuple(filters.shape[2:])
        self._attributes = {
            "strides": _numbers(stride, "stride", rank, 1),
            "dilations": _numbers(dilation, "dilation", rank, 1),
            "pads": _pads(padding, rank),
        }
        self.input_scale, self.output_scale = input_scale, output_scale
        for name, scale in (("input_scale", input_scale), ("output_scale", output_scale)):
            if scale is not None and not isinstance(scale, ActivationScale):
                raise TypeError(f"{name}: expected a paring.ActivationScale, got {type(scale).__name__}")
            if scale is not None and not integers:
                raise ValueError(f"{name}: expected filters that are computed in integers, got float ones")
        checked = as_bias(bias, self.out_channels)
        four: npt.NDArray[Any] = np.ascontiguousarray(filters if rank == 2 else filters[:, :, None])
        if integers:
            self._packed = _core.PackedFilters.from_codes(four, integers[1], checked, groups)
        else:
            self._packed = _core.PackedFilters.from_floats(four, checked, groups)

    def __call__(
        self,
        x: npt.NDArray[Any],
        out: npt.NDArray[Any] | None = None,
        *,
        residual: npt.NDArray[np.float32] | None = None,
    ) -> npt.NDArray[Any]:
        """Run the layer.

        Parameters
        ----------
        x : ndarray
            ``float32 (n, in_channels, length)`` or ``(n, in_channels, height, width)``; with an `input_scale` also
            ``int8``, its codes.
        out : ndarray, optional
            ``float32 (n, out_channels, ...)``, or ``int8`` with an `output_scale`. C-contiguous, not overlapping ``x``
            or ``residual``; written and returned.
        residual : ndarray, optional
            ``float32`` of the shape of the output, added before the activation.

        Returns
        -------
        ndarray
            ``float32 (n, out_channels, ...)``, or ``int8`` with an `output_scale`.

        Raises
        ------
        TypeError, ValueError
            If an array is of another dtype or shape, no window fits, or memory overlaps.
        """
        check_input(x, self.input_scale)
        if x.ndim != 2 + len(self.kernel_shape) or x.shape[1] != self.in_channels:
            sizes = ", ".join(("length",) if len(self.kernel_shape) == 1 else ("height", "width"))
            raise ValueError(f"x: expected shape (n, {self.in_channels}, {sizes}), got {x.shape}")
        return self.run_windows(x, self._windows(x.shape[2:]), out, residual)

    def run_windows(
        self,
        x: npt.NDArray[Any],
        windows: Windows,
        out: npt.NDArray[Any] | None = None,
        residual: npt.NDArray[np.float32] | None = None,
    ) -> npt.NDArray[Any]:
        """Run the layer over windows that were found already, of images whose dtype and channels fit."""
        shape = (len(x), self.out_channels, *windows.spatial)
        dtype = np.dtype(np.float32 if self.output_scale is None else np.int8)
        if out is None:
            out = np.empty(shape, dtype)
        else:
            check_out(out, shape, dtype, x)
        if residual is not None:
            check_residual(residual, out)
            residual = np.require(residual, requirements=["C", "A"])
        planes, image_axis = as_planes(windows.as_images(x))
        self._packed.run(
            planes,
            image_axis,
            windows.shape,
            windows.as_images(out),
            self.activation or "",
            input_scale=pair_of(self.input_scale),
            residual=None if residual is None else windows.as_images(residual),
            output_scale=pair_of(self.output_scale),
        )
        return out

    def _windows(self, size: Sequence[int]) -> Windows:
        try:
            return find_windows(Node("Conv", (), (), self._attributes, ""), size, self.kernel_shape)
        except ValueError as error:
            raise ValueError(f"x: {error}") from None

    @property
    def kernel(self) -> str:
        """Name of the kernel in use."""
        return self._packed.kernel

    @property
    def nbytes(self) -> int:
        """Bytes of the packed filters in memory."""
        return self._packed.nbytes

    def __repr__(self) -> str:
        activation = f", activation={self.activation!r}" if self.activation else ""
        return (
            f"PackedConv(in_channels={self.in_channels}, out_channels={self.out_channels}, "
            f"kernel_shape={self.kernel_shape}, groups={self.groups}{activation}, kernel={self.kernel!r}, "
            f"nbytes={self.nbytes})"
        )


def as_integer_filters(
    weight: QuantizedWeight,
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]] | None:
    """Return filters as int8 codes of zero point 0, of the shape of the weight, and a scale for each; None if not such.

    Codes without their zero points need another bit, which 8-bit ones have not.
    """
    if weight.granularity == "group" or weight.axis != 0 or len(weight.shape) not in (3, 4):
        return None
    codes = centred_codes(weight.codes(), weight.zero_point)
    if codes is None:
        return None
    return codes, np.ascontiguousarray(np.broadcast_to(weight.scale[:, 0], weight.channels))


def _float_filters(weight: npt.NDArray[Any] | QuantizedWeight) -> npt.NDArray[np.float32]:
    return as_float_array(weight.dense() if isinstance(weight, QuantizedWeight) else weight, "weight")


def _numbers(given: int | Sequence[int], name: str, rank: int, least: int) -> tuple[int, ...]:
    numbers = (given,) * rank if isinstance(given, int) else tuple(given)
    fit = all(isinstance(number, int | np.integer) and number >= least for number in numbers)
    if len(numbers) != rank or not fit:
        raise ValueError(f"{name}: expected one number of at least {least}, or {rank} of them, got {given!r}")
    return tuple(int(number) for number in numbers)


def _pads(padding: Padding, rank: int) -> tuple[int, ...]:
    """Return the pads of all axes at their beginning, then of all at their end."""
    if isinstance(padding, int):
        padding = (padding,) * rank
    pairs = [(one, one) if isinstance(one, int | np.integer) else tuple(one) for one in padding]
    numbers = [number for pair in pairs for number in pair]
    fit = all(isinstance(number, int | np.integer) and number >= 0 for number in numbers)
    if len(pairs) != rank or any(len(pair) != 2 for pair in pairs) or not fit:
        raise ValueError(
            f"padding: expected a number of at least 0, or {rank} of them or of pairs, got {padding!r}"
        )
    return tuple(int(pair[side]) for side in (0, 1) for pair in pairs)
