"""Clipping of gradients, as part of a step: gradients are read, not changed."""

from __future__ import annotations

from dataclasses import dataclass

from ..number_checks import check_number

__all__ = ["Clip", "ClipByGlobalNorm", "ClipByNorm", "ClipByValue", "norm_factor"]


@dataclass(frozen=True)
class ClipByGlobalNorm:
    """Scale all gradients so that their norm, all of them together, is at most `max_norm`.

    The factor is exactly ``max_norm / norm``, and nothing is touched where the norm is within bounds. (PyTorch divides
    by ``norm + 1e-6``.) The norm is of the gradients that move weights: frozen and masked ones are left out. NaN or
    infinity is an error that names the tensor.

    Examples
    --------
    >>> ClipByGlobalNorm(1.0)
    ClipByGlobalNorm(max_norm=1.0)
    """

    max_norm: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_norm", check_number(self.max_norm, "max_norm", above=0))


@dataclass(frozen=True)
class ClipByNorm:
    """Scale each gradient whose own norm is above `max_norm` to that norm; otherwise as `ClipByGlobalNorm`.

    Examples
    --------
    >>> ClipByNorm(0.5)
    ClipByNorm(max_norm=0.5)
    """

    max_norm: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_norm", check_number(self.max_norm, "max_norm", above=0))


@dataclass(frozen=True)
class ClipByValue:
    """Set each element of a gradient to the nearest number from ``-limit`` to ``limit``. NaN stays NaN.

    Examples
    --------
    >>> ClipByValue(1)
    ClipByValue(limit=1.0)
    """

    limit: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "limit", check_number(self.limit, "limit", above=0))


Clip = ClipByGlobalNorm | ClipByNorm | ClipByValue


def norm_factor(norm: float, max_norm: float) -> float:
    """Return what gradients of this norm are multiplied by: 1 where the norm is within bounds."""
    return 1.0 if norm <= max_norm else max_norm / norm
