"""Numbers of axes: from attributes, or from inputs whose values may be known before a run."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

from .operators import Array

__all__ = ["count_of", "normalize_axes", "normalize_axis", "product", "to_integers"]


def normalize_axis(axis: int, rank: int, what: str = "axis") -> int:
    """Return an axis counted from the front.

    >>> normalize_axis(-1, 3)
    2
    """
    if not -rank <= axis < rank:
        raise ValueError(f"{what}: expected {-rank} to {rank - 1} for {rank} axes, got {axis}")
    return axis % rank


def normalize_axes(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """Return axes counted from the front, sorted; ValueError if one is named twice."""
    found = sorted(normalize_axis(axis, rank, "axes") for axis in axes)
    if len(set(found)) < len(found):
        raise ValueError(f"axes: expected each axis once, got {list(axes)}")
    return tuple(found)


def to_integers(values: Array, what: str) -> tuple[int, ...]:
    """Return the numbers of an array of integers with at most one axis."""
    if values.dtype.kind not in "iu" or values.ndim > 1:
        raise ValueError(f"{what}: expected a list of integers, got {values.dtype} of shape {values.shape}")
    return tuple(operator.index(value) for value in values.reshape(-1))


def count_of(shape: Sequence[Any], what: str) -> int | None:
    """Return how many numbers an input of this shape holds; None if only a run knows."""
    if len(shape) > 1:
        raise ValueError(f"{what}: expected a list of integers, got shape {tuple(shape)}")
    size: int | None = shape[0] if shape else 1
    return size


def product(sizes: Iterable[int | None]) -> int | None:
    """Return the product of sizes; None if one is not known, unless another is 0.

    >>> product((2, 3)), product((None, 3)), product((None, 0))
    (6, None, 0)
    """
    result, unknown = 1, False
    for size in sizes:
        unknown |= size is None
        result *= 1 if size is None else size
    return None if unknown and result else result
