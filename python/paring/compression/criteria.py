"""What pruning goes by: the four criteria, checked once for `prune` and for recipes."""

from __future__ import annotations

import math
import numbers
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["Criterion", "Scope", "check_criterion", "check_scope"]

Scope = Literal["tensor", "global"]
SCOPES: tuple[Scope, ...] = ("tensor", "global")
Kind = Literal["threshold", "sparsity", "threshold_std", "structure"]


@dataclass(frozen=True)
class Criterion:
    """Which weights go: one of the four ways of `prune`, checked."""

    kind: Kind
    value: float = 0.0
    n: int = 0
    m: int = 0


def check_criterion(
    threshold: object, sparsity: object, threshold_std: object, structure: object
) -> Criterion:
    """Return the one criterion given; TypeError or ValueError unless there is one and it makes sense."""
    given: dict[Kind, object] = {
        "threshold": threshold,
        "sparsity": sparsity,
        "threshold_std": threshold_std,
        "structure": structure,
    }
    named: list[Kind] = [kind for kind, value in given.items() if value is not None]
    if len(named) != 1:
        raise ValueError(
            f"prune: expected exactly one of {', '.join(given)}, got {' and '.join(named) or 'none'}"
        )
    kind = named[0]
    value = given[kind]
    if kind == "structure":
        return _check_structure(value)
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"{kind}: expected a number, got {type(value).__name__} {value!r}")
    limit, range_text = (1.0, "0 to 1") if kind == "sparsity" else (math.inf, "a finite number from 0 up")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not (0 <= number <= limit and math.isfinite(number)):
        raise ValueError(f"{kind}: expected {range_text}, got {value}")
    return Criterion(kind, abs(number))  # -0.0 is 0


def _check_structure(value: object) -> Criterion:
    if not isinstance(value, str):
        raise TypeError(f"structure: expected a str such as '2:4', got {type(value).__name__} {value!r}")
    match = re.fullmatch(r"([0-9]{1,9}):([0-9]{1,9})", value)
    n, m = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= n < m:
        raise ValueError(f"structure: expected 'n:m' with 1 <= n < m, such as '2:4', got {value!r}")
    return Criterion("structure", n=n, m=m)


def check_scope(scope: object) -> None:
    """Raise ValueError unless `scope` is one of the known."""
    if scope not in SCOPES:
        raise ValueError(f"scope: expected {' or '.join(map(repr, SCOPES))}, got {scope!r}")
