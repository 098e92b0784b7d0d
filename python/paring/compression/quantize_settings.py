"""How to quantize: bits, what shares a scale, and the formulas; with the checks of numbers that others need too."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..weights import GRANULARITIES, Granularity
from .gguf_convention import GROUP_SIZE

__all__ = ["CONVENTIONS", "Convention", "QuantizeSettings", "check_axis", "check_integer"]

Convention = Literal["paring", "compressed-tensors", "gguf"]
CONVENTIONS: tuple[Convention, ...] = ("paring", "compressed-tensors", "gguf")
MAX_GROUP_SIZE = 2**31 - 1


@dataclass(frozen=True)
class QuantizeSettings:
    """How to quantize, whatever the weight, in the terms of `quantize`. Checked when made."""

    bits: int = 8
    granularity: Granularity = "channel"
    group_size: int = 32
    symmetric: bool = True
    convention: Convention = "paring"

    def __post_init__(self) -> None:
        for name in ("bits", "group_size"):
            object.__setattr__(self, name, check_integer(getattr(self, name), name))
        if not 2 <= self.bits <= 8:
            raise ValueError(f"bits: expected one of 2, 3, 4, 5, 6, 7, 8, got {self.bits}")
        if self.granularity not in GRANULARITIES:
            raise ValueError(
                f"granularity: expected one of {', '.join(map(repr, GRANULARITIES))}, "
                f"got {self.granularity!r}"
            )
        if not 1 <= self.group_size <= MAX_GROUP_SIZE:
            raise ValueError(f"group_size: expected 1 to 2**31 - 1, got {self.group_size}")
        if not isinstance(self.symmetric, bool):
            raise TypeError(f"symmetric: expected a bool, got {type(self.symmetric).__name__}")
        if self.convention not in CONVENTIONS:
            raise ValueError(
                f"convention: expected {' or '.join(map(repr, CONVENTIONS))}, got {self.convention!r}"
            )
        if self.convention == "gguf":
            self._check_gguf()

    def _check_gguf(self) -> None:
        """Raise ValueError unless these are the settings of Q8_0 or Q4_0."""
        for name, allowed in (
            ("bits", (8, 4)),
            ("granularity", ("group",)),
            ("group_size", (GROUP_SIZE,)),
            ("symmetric", (True,)),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"convention 'gguf': expected {name} {' or '.join(map(repr, allowed))}, "
                    f"got {getattr(self, name)!r}"
                )


def check_integer(value: object, label: str) -> int:
    """Return `value` as an int; TypeError if it is none."""
    try:
        if not isinstance(value, bool | np.bool_):
            return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        pass
    raise TypeError(f"{label}: expected an int, got {type(value).__name__} {value!r}")


def check_axis(axis: object, ndim: int, label: str) -> int:
    """Return `axis` counted from the front; ValueError if an array of `ndim` axes has no such one."""
    number = check_integer(axis, "axis")
    count = max(ndim, 1)  # a single number counts as one channel
    if not -count <= number < count:
        raise ValueError(f"axis: expected {-count} to {count - 1} for {label} of {ndim} axes, got {number}")
    return number % count
