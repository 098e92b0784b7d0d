"""Fit the polynomials of csrc/nn/elementary.inl and print them as C++ constants.

Run: ``python tools/fit_polynomials.py`` (needs SciPy). The fit is least squares on Chebyshev nodes, reweighted until
the relative error is nearly level (close to the minimax polynomial).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from numpy.polynomial import chebyshev, polynomial
from scipy.special import erfcx

Array = npt.NDArray[np.float64]


def fit_relative(
    function: Callable[[Array], Array],
    low: float,
    high: float,
    degree: int,
    nodes: int = 4000,
    rounds: int = 60,
) -> tuple[float, Array]:
    """Return (largest relative error, coefficients in ascending powers of x) on [low, high]."""
    unit = np.cos((2 * np.arange(nodes) + 1) * np.pi / (2 * nodes))
    target = function((low + high) / 2 + (high - low) / 2 * unit)
    weights = np.ones(nodes)
    best_error, best = np.inf, np.zeros(degree + 1)
    for _ in range(rounds):
        basis = chebyshev.chebvander(unit, degree) / target[:, None] * weights[:, None]
        coefficients = np.linalg.lstsq(basis, weights, rcond=None)[0]
        error = np.abs(chebyshev.chebval(unit, coefficients) / target - 1)
        if error.max() < best_error:
            best_error, best = float(error.max()), coefficients
        weights = weights * (0.5 + error / error.max())
        weights /= weights.max()
    unit_of_x = np.array([-(low + high) / (high - low), 2 / (high - low)])
    in_x, power = np.zeros(1), np.ones(1)
    for coefficient in chebyshev.cheb2poly(best):
        in_x = polynomial.polyadd(in_x, coefficient * power)
        power = polynomial.polymul(power, unit_of_x)
    return best_error, in_x


def main() -> None:
    """Print both fits."""
    half_log2 = np.log(2) / 2 * 1.001  # the reduction may land a rounding error outside
    slope, farthest = 0.25, 14.0  # beyond 14, exp(-x*x/2) is below float32

    def tail(t: Array) -> Array:
        return np.asarray(0.5 * erfcx((1 / t - 1) / slope / np.sqrt(2)))

    for name, (error, coefficients) in {
        "kExp": fit_relative(np.exp, -half_log2, half_log2, 6),
        "kTail": fit_relative(tail, 1 / (1 + slope * farthest), 1.0, 9),
    }.items():
        numbers = ", ".join(f"{np.float32(c)!s}f" for c in coefficients)
        print(f"// largest relative error {error:.1e}\nconstexpr float {name}[] = {{{numbers}}};")


if __name__ == "__main__":
    main()
