"""One scale for all activations that go into a layer or come out of it, known before they do."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..weights import QuantizedWeight

__all__ = ["ActivationScale", "bias_with_zero_point"]

LOWEST, HIGHEST = -128, 127
SMALLEST_NORMAL, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class ActivationScale:
    """How float activations stand for int8 codes: ``x = (code - zero_point) * scale``, the same for a whole tensor.

    The rule is ``code = clip(round(x * (1 / scale)) + zero_point, -128, 127)`` in float32, halves to even: that of
    ONNX's QuantizeLinear but for the division, which decides otherwise only beside a half.

    Parameters
    ----------
    scale : float
        Positive and normal in float32, to which it is rounded.
    zero_point : int, optional
        The code of 0, in -128 to 127.

    Raises
    ------
    TypeError, ValueError
        If either is not such a number.

    Examples
    --------
    >>> import numpy as np, paring
    >>> scale = paring.ActivationScale(0.5, -10)
    >>> scale.quantize(np.array([0.0, 1.0, -0.25, 1000.0], np.float32))
    array([-10,  -8, -10, 127], dtype=int8)
    >>> scale.dequantize(np.array([-10, -8], np.int8))
    array([0., 1.], dtype=float32)
    """

    scale: float
    zero_point: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.scale, bool) or not isinstance(self.scale, int | float | np.number):
            raise TypeError(f"scale: expected a number, got {type(self.scale).__name__}")
        with np.errstate(over="ignore", under="ignore"):
            scale = float(np.float32(self.scale))
        if not SMALLEST_NORMAL <= scale <= LARGEST:
            raise ValueError(f"scale: expected a positive normal float32, got {self.scale}")
        if isinstance(self.zero_point, bool) or not isinstance(self.zero_point, int | np.integer):
            raise TypeError(f"zero_point: expected an integer, got {type(self.zero_point).__name__}")
        if not LOWEST <= self.zero_point <= HIGHEST:
            raise ValueError(f"zero_point: expected {LOWEST} to {HIGHEST}, got {self.zero_point}")
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "zero_point", int(self.zero_point))

    @classmethod
    def of(
        cls, batches: npt.NDArray[Any] | Iterable[npt.NDArray[Any]], *, symmetric: bool = False
    ) -> ActivationScale:
        """Return the scale that covers all values seen, with 0 among them.

        Parameters
        ----------
        batches : ndarray or iterable of ndarray
            Activations of calibration data.
        symmetric : bool, optional
            With zero point 0, and codes of -127 to 127.

        Raises
        ------
        ValueError
            If there are no values, or one is NaN or infinite.

        Examples
        --------
        >>> import numpy as np, paring
        >>> paring.ActivationScale.of(np.array([-1.0, 4.1], np.float32))
        ActivationScale(scale=0.019999999552965164, zero_point=-78)
        """
        low = high = 0.0
        seen = 0
        for batch in [batches] if isinstance(batches, np.ndarray) else batches:
            if not np.size(batch):
                continue
            seen += np.size(batch)
            low, high = min(low, float(np.min(batch))), max(high, float(np.max(batch)))
            if not (math.isfinite(low) and math.isfinite(high) and np.isfinite(batch).all()):
                raise ValueError("batches: expected finite numbers, got NaN or infinity")
        if not seen:
            raise ValueError("batches: expected at least one value, got none")
        if symmetric:
            return cls(max(max(-low, high) / HIGHEST, SMALLEST_NORMAL))
        scale = max((high - low) / (HIGHEST - LOWEST), SMALLEST_NORMAL)
        return cls(scale, int(np.clip(round(LOWEST - low / scale), LOWEST, HIGHEST)))

    def quantize(self, x: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
        """Return the codes of float activations, of the shape of `x`; NaN becomes -128."""
        with np.errstate(all="ignore"):
            ratio = np.asarray(x, np.float32) * (np.float32(1) / np.float32(self.scale))
            rounded = np.clip(np.rint(ratio), LOWEST - self.zero_point, HIGHEST - self.zero_point)
        codes = np.where(np.isnan(rounded), LOWEST, rounded + self.zero_point)
        return codes.astype(np.int8)

    def dequantize(self, codes: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
        """Return ``(code - zero_point) * scale`` as float32, of the shape of `codes`."""
        values: npt.NDArray[np.float32] = codes.astype(np.float32) - np.float32(self.zero_point)
        values *= np.float32(self.scale)
        return values


def bias_with_zero_point(
    weight: QuantizedWeight, bias: npt.NDArray[np.float32] | None, scale: ActivationScale
) -> npt.NDArray[np.float32] | None:
    """Return the bias from which what the zero point adds to every sum is taken off.

    Sums of codes are exact, those over groups run in ascending order in float64: the same bytes everywhere.
    """
    if scale.zero_point == 0:
        return bias
    codes = weight.codes()
    matrix = np.moveaxis(codes, weight.axis, 0).reshape(weight.channels, weight.columns)
    size = weight.group_size or max(weight.columns, 1)
    total = np.zeros(weight.channels)
    for group in range(weight.scale.shape[1] if weight.columns else 0):
        piece = matrix[:, group * size : (group + 1) * size]
        of_codes = piece.sum(axis=1, dtype=np.int64)
        if weight.zero_point is not None:
            of_codes -= piece.shape[1] * weight.zero_point[:, group].astype(np.int64)
        total += of_codes * weight.scale[:, group].astype(np.float64)
    start: npt.NDArray[np.float64] = np.zeros(weight.channels) if bias is None else bias.astype(np.float64)
    start -= total * (scale.scale * scale.zero_point)
    return start.astype(np.float32)
