"""Which of two measured scores is the better one: said once, for plateaus and for early stopping."""

from __future__ import annotations

import math
import numbers

import numpy as np

__all__ = ["check_best", "check_mode", "check_score", "is_better"]

MODES = ("min", "max")


def check_mode(mode: object) -> str:
    """Return `mode` if it is "min" or "max"."""
    if not isinstance(mode, str) or mode not in MODES:
        raise ValueError(f"mode: expected 'min' or 'max', got {mode!r}")
    return mode


def check_score(score: object, label: str = "score") -> float:
    """Return a score as a float; it may be NaN or infinite, as measured ones are."""
    if isinstance(score, bool | np.bool_) or not isinstance(score, numbers.Real):
        raise TypeError(f"{label}: expected a number, got {type(score).__name__} {score!r}")
    try:
        return float(score)
    except OverflowError:
        return -math.inf if score < 0 else math.inf


def check_best(best: object, label: str = "best") -> float | None:
    """Return the best score so far: finite, or None before the first."""
    if best is None:
        return None
    number = check_score(best, label)
    if not math.isfinite(number):
        raise ValueError(f"{label}: expected a finite number or None, got {number}")
    return number


def is_better(score: float, best: float | None, mode: str, margin: float) -> bool:
    """Return whether a score is better than the best so far by more than a margin.

    The first finite score is better than none; NaN and infinity never are, in either direction.

    Examples
    --------
    >>> is_better(0.8, 1.0, "min", 0.1), is_better(0.95, 1.0, "min", 0.1), is_better(float("-inf"), 1.0, "min", 0)
    (True, False, False)
    """
    if not math.isfinite(score):
        return False
    if best is None:
        return True
    return score < best - margin if mode == "min" else score > best + margin
