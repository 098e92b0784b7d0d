"""The error function and the normal distribution, which NumPy lacks, in the precision of the values given.

For ``z >= 0``, ``erfc(z) = exp(-z*z) * t * P(2*t - 1)`` with ``t = 1 / (1 + z/4)``: P is accurate in relative terms, so
that nothing is lost far out, where ``1 - erf(z)`` would cancel. Near 0, ``erf(z) = z * Q(2*z*z - 1)``. With eps the
spacing of numbers at 1, the relative error of `erf` is at most 2 eps, that of `normal_cdf` at most (10 + x*x) eps.
The constants come from tools/fit_normal_distribution.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from .operators import Array

__all__ = ["erf", "normal_cdf", "normal_density"]

# Ascending powers. Largest error of P: 2e-17 relative; of its first 12 terms fitted anew for float32, 3e-9.
_P64 = (
    0.27399891525012277, 0.2441371822702206, 0.19330217556630766, 0.1352134578282994, 0.08271289696957897,
    0.04350273431022308, 0.019095378725927703, 0.006592513332295256, 0.001528013927096598,
    7.023973398478002e-05, -0.00011376324291423201, -4.420327016401017e-05, -9.085509537367428e-07,
    4.715368344745338e-06, 1.1730959784386598e-06, -3.5623660433261754e-07, -2.1091290301404483e-07,
    1.8992248321673757e-08, 3.063220517661313e-08, -2.0595602140369004e-10, -3.81882222497662e-09,
    -6.636136270870042e-11, 3.018454148516381e-10,
)  # fmt: skip
_P32 = (
    0.2739989161491394, 0.24413716793060303, 0.1933022439479828, 0.13521377742290497, 0.08271221816539764,
    0.04350011423230171, 0.019098050892353058, 0.006601642817258835, 0.0015236253384500742, 5.4610511142527685e-05,
    -0.00011134857049910352, -3.1018771551316604e-05,
)  # fmt: skip
_Q64 = (
    0.9654687386698673, -0.1405360890227171, 0.019852496688984218, -0.0022854855611441132, 0.00021751715603563404,
    -1.7537169441124826e-05, 1.2233827638116999e-06, -7.51156928660089e-08, 4.115751497588646e-09,
    -2.035228404899467e-10, 9.211251258348265e-12, -3.8078827395263415e-13,
)  # fmt: skip
_Q32 = (
    0.9654687643051147, -0.1405360996723175, 0.019852498546242714, -0.002285419497638941, 0.00021751198801212013,
    -1.7669080989435315e-05, 1.2316402262513293e-06,
)  # fmt: skip

# Values taken at a time: what a polynomial works on stays in the cache.
_BLOCK = 16384


def erf(x: Array) -> Array:
    """Return the error function of floating-point values.

    >>> erf(np.array([-np.inf, 0.0, 0.5])).round(4)
    array([-1.    ,  0.    ,  0.5205])
    """
    return _in_blocks(_erf, x)


def normal_cdf(x: Array) -> Array:
    """Return the probability that a standard normal variable is at most `x`.

    >>> normal_cdf(np.array([-np.inf, -1.0, 0.0, 3.0])).round(6)
    array([0.      , 0.158655, 0.5     , 0.99865 ])
    """
    return _in_blocks(_normal_cdf, x)


def normal_density(x: Array) -> Array:
    """Return the density of the standard normal distribution.

    >>> normal_density(np.array([0.0, 1.0])).round(6)
    array([0.398942, 0.241971])
    """
    of = x.dtype.type
    result: Array = np.exp(of(-0.5) * x * x) * of(1 / math.sqrt(2 * math.pi))
    return result


def _in_blocks(function: Callable[[Array], Array], x: Array) -> Array:
    # float16 and bfloat16 by way of float32.
    own = x.dtype if x.dtype in (np.float32, np.float64) else np.dtype(np.float32)
    flat = np.ascontiguousarray(x, dtype=own).reshape(-1)
    result = np.empty_like(flat)
    for start in range(0, flat.size, _BLOCK):
        result[start : start + _BLOCK] = function(flat[start : start + _BLOCK])
    return result.reshape(x.shape).astype(x.dtype, copy=False)


def _polynomial(coefficients: Sequence[float], u: Array) -> Array:
    total: Array = np.full_like(u, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total *= u
        total += u.dtype.type(coefficient)
    return total


def _erfc(z: Array, square: Array) -> Array:
    """Return 1 - erf(z) for z >= 0, whose square is given: all that a rounding of it matters to is the exponential."""
    of = z.dtype.type
    t = of(1) / (of(1) + of(0.25) * z)
    p = _polynomial(_P64 if z.dtype == np.float64 else _P32, of(2) * t - of(1))
    result: Array = np.exp(-square) * t * p
    return result


def _erf(x: Array) -> Array:
    z = np.abs(x)
    of = x.dtype.type
    near = np.minimum(z, of(1))
    q = _polynomial(_Q64 if x.dtype == np.float64 else _Q32, of(2) * near * near - of(1))
    result: Array = np.where(z < 1, x * q, np.copysign(of(1) - _erfc(z, z * z), x))
    return result


def _normal_cdf(x: Array) -> Array:
    of = x.dtype.type
    half = of(0.5) * _erfc(np.abs(x) * of(math.sqrt(0.5)), of(0.5) * x * x)
    result: Array = np.where(x < 0, half, of(1) - half)
    return result
