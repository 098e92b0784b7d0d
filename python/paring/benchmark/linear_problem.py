"""A linear layer that everybody is asked to compute: its numbers, and how far an answer may be off."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..compression.quantization import quantize
from ..weights import QuantizedWeight

__all__ = ["BITS", "Floats", "LinearProblem", "Shape"]

Floats = npt.NDArray[np.float32]

# Of the error's norm over the answer's, by bits of the weight: three times what rounding the weight gives with one
# scale a channel (a group for 4 bits), which covers int8 activations with one scale a tensor.
TOLERANCES = {32: 1e-4, 8: 0.03, 4: 0.25}
BITS = tuple(TOLERANCES)


class Shape(NamedTuple):
    """Rows of x, in_features, out_features."""

    m: int
    k: int
    n: int


@dataclass(frozen=True)
class LinearProblem:
    """``y = x @ weight.T + bias``, float32 in and out, with a weight of `bits` a value.

    Parameters
    ----------
    shape : Shape
    bits : {32, 8, 4}
        How the weight is held: float32, int8 with a scale an output channel, or int4 with one a group.
    group_size : int
        Of 4-bit weights.

    Raises
    ------
    ValueError
        If a size is below 1, the bits are others, or the group size does not divide k.

    Examples
    --------
    >>> problem = LinearProblem(Shape(2, 64, 3), bits=8)
    >>> problem.x.shape, problem.weight.shape, problem.operations
    ((2, 64), (3, 64), 768)
    """

    shape: Shape
    bits: int = 8
    group_size: int = 32

    def __post_init__(self) -> None:
        for axis, size in zip("MKN", self.shape, strict=True):
            if size < 1:
                raise ValueError(f"shape: expected sizes of at least 1, got {axis}={size}")
        if self.bits not in BITS:
            raise ValueError(f"bits: expected one of {', '.join(map(str, BITS))}, got {self.bits}")
        if self.bits == 4 and (self.group_size < 1 or self.shape.k % self.group_size):
            raise ValueError(f"group_size: expected one that divides K={self.shape.k}, got {self.group_size}")

    @property
    def operations(self) -> int:
        """Multiplies and adds."""
        m, k, n = self.shape
        return 2 * m * k * n

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weight's values and scales, however they are packed."""
        _, k, n = self.shape
        scales = {32: 0, 8: 4 * n, 4: 4 * n * (k // self.group_size)}[self.bits]
        return n * k * self.bits // 8 + scales

    @property
    def tolerance(self) -> float:
        """The largest norm of an answer's error, over that of the answer."""
        return TOLERANCES[self.bits]

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats, Floats]:
        m, k, n = self.shape
        rng = np.random.default_rng(0)
        weight = rng.standard_normal((n, k), np.float32) / np.float32(np.sqrt(k))
        return rng.standard_normal((m, k), np.float32), weight, rng.standard_normal(n, np.float32)

    @property
    def x(self) -> Floats:
        """``(m, k)``, normal."""
        return self._arrays[0]

    @property
    def weight(self) -> Floats:
        """``(n, k)``, normal."""
        return self._arrays[1]

    @property
    def bias(self) -> Floats:
        """``(n,)``."""
        return self._arrays[2]

    @cached_property
    def quantized(self) -> QuantizedWeight:
        """The weight in its 4 or 8 bits, as paring rounds it."""
        if self.bits == 8:
            return quantize(self.weight)
        return quantize(self.weight, bits=self.bits, granularity="group", group_size=self.group_size)

    @cached_property
    def answer(self) -> Floats:
        """What float32 gives, ``(m, n)``."""
        result: Floats = self.x @ self.weight.T + self.bias
        return result

    def error_of(self, y: npt.NDArray[Any]) -> float:
        """Return the norm of an answer's error, over that of the answer; infinity for another shape."""
        if y.shape != self.answer.shape:
            return float("inf")
        return float(np.linalg.norm(y - self.answer) / np.linalg.norm(self.answer))
