"""Arguments of layers: what they must be, said the same way everywhere."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compression.quantize_settings import check_integer
from ..formats.strict_json import is_unicode
from ..graph.nodes import Input

__all__ = ["Sizes", "check_flag", "check_name", "check_number", "check_size", "name_arrays", "spread"]

Sizes = int | tuple[int, ...]
"""A size for each spatial axis, or one for all."""


def check_size(value: object, label: str, least: int = 1) -> int:
    """Return `value` as an int of at least `least`; TypeError or ValueError otherwise."""
    number = check_integer(value, label)
    if number < least:
        raise ValueError(f"{label}: expected an int of at least {least}, got {number}")
    return number


def spread(value: object, rank: int, label: str, least: int = 1) -> tuple[int, ...]:
    """Return a size for each of `rank` axes.

    >>> spread(3, 2, "kernel_size"), spread((3, 5), 2, "kernel_size")
    ((3, 3), (3, 5))
    """
    if not isinstance(value, tuple):
        return (check_size(value, label, least),) * rank
    if len(value) != rank:
        raise ValueError(f"{label}: expected one int or {rank}, got {value!r}")
    return tuple(check_size(item, label, least) for item in value)


def check_number(value: object, label: str, least: float, most: float = math.inf) -> float:
    """Return `value` as a finite float within bounds; TypeError or ValueError otherwise."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"{label}: expected a number, got {type(value).__name__} {value!r}")
    number = float(value)
    if not (math.isfinite(number) and least <= number <= most):
        bounds = f"of at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
        raise ValueError(f"{label}: expected a finite number {bounds}, got {value}")
    return number


def check_flag(value: object, label: str) -> None:
    """Raise TypeError unless `value` is a bool."""
    if not isinstance(value, bool):
        raise TypeError(f"{label}: expected True or False, got {type(value).__name__} {value!r}")


def check_name(name: object, label: str) -> str:
    """Return the name of a layer: parts with dots between them, as in names of weights; colons name values inside."""
    if not isinstance(name, str):
        raise TypeError(f"{label}: expected str, got {type(name).__name__} {name!r}")
    if not all(name.split(".")) or ":" in name or not is_unicode(name):
        raise ValueError(
            f"{label}: expected a name such as 'conv1' or 'encoder.0', without colons and empty parts, got {name!a}"
        )
    return name


def name_arrays(inputs: Sequence[Input], arrays: Sequence[Any]) -> dict[str, npt.NDArray[Any]]:
    """Return arrays by the names of inputs; TypeError or ValueError if their number or dtypes are others."""
    if len(arrays) != len(inputs):
        names = ", ".join(value.name for value in inputs)
        raise ValueError(f"expected {len(inputs)} inputs ({names}), got {len(arrays)}")
    for value, array in zip(inputs, arrays, strict=True):
        if not isinstance(array, np.ndarray) or array.dtype.name != value.dtype:
            kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise TypeError(f"input {value.name!r}: expected an array of {value.dtype}, got {kind}")
    return {value.name: array for value, array in zip(inputs, arrays, strict=True)}
