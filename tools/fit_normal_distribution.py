"""Compute the constants of python/paring/graph/normal_distribution.py and print them.

Run: ``python tools/fit_normal_distribution.py`` (needs mpmath). They are Chebyshev expansions cut where the next terms
fall below the precision, computed with 60 digits and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

NODES = 64


def expand(function: Callable[[Any], Any], degree: int) -> list[Any]:
    """Return the coefficients, in ascending powers, of a function on [-1, 1]."""
    angles = [mpmath.pi * (2 * k + 1) / (2 * NODES) for k in range(NODES)]
    values = [function(mpmath.cos(angle)) for angle in angles]
    powers = [mpmath.mpf(0)] * (degree + 1)
    before, this = [], [mpmath.mpf(1)]  # Chebyshev polynomials number k - 1 and k
    for k in range(degree + 1):
        weight = sum(value * mpmath.cos(k * angle) for value, angle in zip(values, angles, strict=True))
        weight *= mpmath.mpf(2 if k else 1) / NODES
        for i, coefficient in enumerate(this):
            powers[i] += weight * coefficient
        following = [mpmath.mpf(0)] + [(2 if k else 1) * coefficient for coefficient in this]
        for i, coefficient in enumerate(before):
            following[i] -= coefficient
        before, this = this, following
    return powers


def scaled_tail(u: Any) -> Any:
    """Return exp(z*z) * erfc(z) / t with t = (u + 1) / 2 = 1 / (1 + z/4)."""
    t = (u + 1) / 2
    z = 4 * (1 / t - 1)
    return mpmath.exp(z * z) * mpmath.erfc(z) / t


def slope(u: Any) -> Any:
    """Return erf(z) / z with u = 2*z*z - 1."""
    z = mpmath.sqrt((u + 1) / 2)
    return mpmath.erf(z) / z


def main() -> None:
    """Print the four tuples."""
    mpmath.mp.dps = 60
    for name, function, degree, dtype in (
        ("_P64", scaled_tail, 22, np.float64),
        ("_P32", scaled_tail, 11, np.float32),
        ("_Q64", slope, 11, np.float64),
        ("_Q32", slope, 6, np.float32),
    ):
        numbers = ", ".join(repr(float(dtype(float(c)))) for c in expand(function, degree))
        print(f"{name} = ({numbers})")


if __name__ == "__main__":
    main()
