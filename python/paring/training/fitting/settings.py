"""Optimizers and losses as documents to compare: what a checkpoint remembers of the settings it was made with."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from ..documents import Documented

__all__ = ["describe"]


def describe(value: object) -> Any:
    """Return settings as JSON-able values; functions by their names, arrays by shape and sum.

    Examples
    --------
    >>> from paring.training.optimizers import SGD
    >>> document = describe(SGD(0.1, momentum=0.9))
    >>> document["kind"], document["learning_rate"], document["momentum"]
    ('SGD', 0.1, 0.9)
    """
    if isinstance(value, Documented) and value.kind:
        return value.to_dict()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: describe(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"kind": type(value).__qualname__, **fields}
    if isinstance(value, np.ndarray):
        return {"dtype": value.dtype.name, "shape": list(value.shape), "sum": describe(float(value.sum()))}
    if isinstance(value, tuple | list):
        return [describe(item) for item in value]
    if isinstance(value, dict):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return describe(value.item())
    return getattr(value, "__qualname__", type(value).__qualname__)
