"""How weights start: distributions, and numbers that depend on the seed and the name of the weight alone.

A weight of the same name and shape starts the same in every model of a seed, whatever stands before or after it.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["SCHEMES", "Initial", "Scheme", "check_scheme", "draw"]

Scheme = Literal["pytorch", "he", "he_normal", "he_uniform", "glorot", "glorot_normal", "glorot_uniform"]
SCHEMES: tuple[Scheme, ...] = (
    "pytorch",
    "he",
    "he_normal",
    "he_uniform",
    "glorot",
    "glorot_normal",
    "glorot_uniform",
)


@dataclass(frozen=True)
class Initial:
    """How a weight starts.

    Attributes
    ----------
    distribution : {"constant", "uniform", "normal"}
    spread : float
        The constant; the bound on both sides of 0; the standard deviation around 0.
    fans : (int, int) or None
        Inputs that feed one output, and outputs that one input feeds: for the schemes of He and Glorot. None for
        weights that start the same in every scheme.
    is_bias : bool
        Of a layer with fans: zero in all schemes but PyTorch's.

    Examples
    --------
    >>> Initial.of_fans(100, 50)
    Initial(distribution='uniform', spread=0.1, fans=(100, 50), is_bias=False)
    """

    distribution: Literal["constant", "uniform", "normal"]
    spread: float
    fans: tuple[int, int] | None = None
    is_bias: bool = False

    @classmethod
    def of_fans(cls, fan_in: int, fan_out: int) -> Initial:
        """Return PyTorch's start of dense layers and convolutions: He's uniform one for a slope of sqrt(5)."""
        return cls("uniform", 1 / math.sqrt(fan_in), (fan_in, fan_out))

    @classmethod
    def of_bias(cls, fan_in: int) -> Initial:
        """Return the start of their biases."""
        return cls("uniform", 1 / math.sqrt(fan_in), is_bias=True)

    def under(self, scheme: Scheme) -> Initial:
        """Return how the weight starts in a scheme: He's are for ReLU, Glorot's for tanh and its like."""
        if scheme == "pytorch":
            return self
        if self.is_bias:
            return Initial("constant", 0.0)
        if self.fans is None:
            return self
        fan_in, fan_out = self.fans
        variance = 2 / fan_in if scheme.startswith("he") else 2 / (fan_in + fan_out)
        if scheme in ("he", "he_normal", "glorot_normal"):
            return Initial("normal", math.sqrt(variance))
        return Initial("uniform", math.sqrt(3 * variance))


def check_scheme(scheme: object) -> Scheme:
    """Return `scheme` if it is one; ValueError otherwise."""
    for known in SCHEMES:
        if scheme == known:
            return known
    raise ValueError(f"init: expected one of {', '.join(map(repr, SCHEMES))}, got {scheme!r}")


def draw(
    name: str, shape: tuple[int, ...], initial: Initial, seed: int, dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    """Return the start of a weight; float32 is float64 of the same seed, rounded.

    >>> draw("fc.bias", (3,), Initial("uniform", 0.5), 0, np.dtype("float32"))
    array([0.3201049 , 0.39135286, 0.02754501], dtype=float32)
    """
    if initial.distribution == "constant":
        return np.full(shape, initial.spread, dtype)
    digest = np.frombuffer(hashlib.sha256(name.encode()).digest(), "<u4")
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *digest.tolist()])))
    if initial.distribution == "uniform":
        numbers = rng.uniform(-initial.spread, initial.spread, shape)
    else:
        numbers = rng.standard_normal(shape) * initial.spread
    return numbers.astype(dtype)
