"""Numbers that users give: what they must be, said the same way everywhere."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable

import numpy as np

__all__ = ["Rate", "check_flag", "check_number", "check_rate", "rate_at"]

Rate = float | Callable[[int], float]
"""A learning rate: a number, or a function of the number of steps done before."""


def check_number(
    value: object,
    label: str,
    *,
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """Return `value` as a finite float within the bounds; TypeError or ValueError otherwise."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"{label}: expected a number, got {type(value).__name__} {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    fits = (
        math.isfinite(number)
        and (least is None or number >= least)
        and (above is None or number > above)
        and (below is None or number < below)
    )
    if not fits:
        bounds = [
            f"{word} {bound:g}"
            for word, bound in (("of at least", least), ("above", above), ("below", below))
            if bound is not None
        ]
        text = " and ".join(bounds)
        raise ValueError(f"{label}: expected a finite number{' ' if text else ''}{text}, got {value}")
    return number


def check_flag(value: object, label: str) -> bool:
    """Return `value` as a bool; TypeError if it is none."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{label}: expected True or False, got {type(value).__name__} {value!r}")
    return bool(value)


def check_rate(value: object, label: str) -> Rate:
    """Return a learning rate: a number above 0 as a float, a callable as it is."""
    if callable(value):
        return value
    try:
        return check_number(value, label, above=0)
    except TypeError:
        raise TypeError(
            f"{label}: expected a number or a function of the step, got {type(value).__name__} {value!r}"
        ) from None


def rate_at(rate: Rate, step: int, label: str) -> float:
    """Return the learning rate for the step after `step` others; a function's answer is checked here."""
    if not callable(rate):
        return rate
    value: object = rate(step)
    where = f"{label} at step {step}"
    return check_number(value, where, least=0)
