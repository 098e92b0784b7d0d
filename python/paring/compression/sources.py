"""Where weights come from: a mapping, a file, or a model of a framework, which is never imported here."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from ..formats import read
from ..formats.weight_file import WeightFile
from ..weights import QuantizedWeight, SparseWeight, Weight

__all__ = ["Source", "open_source"]

BORROWED_DTYPES: dict[str, tuple[str, np.dtype[Any]]] = {
    "torch.bfloat16": ("int16", np.dtype(ml_dtypes.bfloat16)),
    "torch.float8_e4m3fn": ("uint8", np.dtype(ml_dtypes.float8_e4m3fn)),
    "torch.float8_e5m2": ("uint8", np.dtype(ml_dtypes.float8_e5m2)),
}
"""PyTorch dtypes that its ``numpy()`` refuses: the one to view them as, and what they are then."""


@dataclass(frozen=True)
class Source:
    """Named weights, looked up one at a time.

    Attributes
    ----------
    names : tuple of str
        In the order of the source.
    fetch : callable
        From a name to its weight, which may be looked up more than once.
    axis : int
        Which axis of a weight holds the output channels by the habit of the source.
    live : bool
        Whether arrays are the memory of a model, which may train on.
    metadata : dict
        Text that came with the weights.
    """

    names: tuple[str, ...]
    fetch: Callable[[str], Weight]
    axis: int = 0
    live: bool = False
    metadata: dict[str, str] = field(default_factory=dict)


def open_source(weights: object) -> Source:
    """Return the weights of a mapping, a path, or anything with ``state_dict()`` or ``get_weights()``."""
    if isinstance(weights, str | os.PathLike):
        weights = read(weights)
    if isinstance(weights, Mapping):
        return _from_mapping(weights, live=False)
    # A Keras model on PyTorch has both; its own weights and their layout are what its user knows.
    if callable(getattr(weights, "get_weights", None)):
        return _from_list(weights.get_weights())  # type: ignore[attr-defined]
    if callable(getattr(weights, "state_dict", None)):
        state = weights.state_dict()  # type: ignore[attr-defined]
        if not isinstance(state, Mapping):
            raise TypeError(f"weights: state_dict() gave a {type(state).__name__} instead of a mapping")
        return _from_mapping(state, live=True)
    raise TypeError(
        f"weights: expected a mapping of names to arrays, a path, or something with state_dict() or "
        f"get_weights(), got {type(weights).__name__}"
    )


def _from_mapping(weights: Mapping[Any, Any], live: bool) -> Source:
    for name in weights:
        if not isinstance(name, str):
            raise TypeError(f"name of a weight: expected str, got {type(name).__name__} {name!r}")
    return Source(
        names=tuple(weights),
        fetch=lambda name: as_weight(weights[name], repr(name)),
        live=live,
        metadata=dict(weights.metadata) if isinstance(weights, WeightFile) else {},
    )


def _from_list(arrays: Any) -> Source:
    by_name = {str(i): array for i, array in enumerate(arrays)}
    return Source(
        names=tuple(by_name),
        fetch=lambda name: as_weight(by_name[name], repr(name)),
        axis=-1,
        live=True,
    )


def as_weight(value: Any, label: str) -> Weight:
    """Return an array or tensor of any framework as a NumPy array, compressed weights as they are.

    Raises TypeError, speaking of it as `label`, for anything else.
    """
    if isinstance(value, QuantizedWeight | SparseWeight):
        return value
    if callable(getattr(value, "detach", None)) and callable(getattr(value, "cpu", None)):
        array = _from_tensor(value, label)
    elif hasattr(value, "__array__"):
        array = np.asarray(value)
    else:
        raise TypeError(
            f"{label}: expected an array, a tensor, a QuantizedWeight or a SparseWeight, "
            f"got {type(value).__name__}"
        )
    if array.dtype.hasobject:
        raise TypeError(f"{label}: expected numbers or fixed-size text, got an array of Python objects")
    return array


def _from_tensor(tensor: Any, label: str) -> npt.NDArray[Any]:
    try:
        tensor = tensor.detach().cpu()
        borrowed = BORROWED_DTYPES.get(str(tensor.dtype))
        if borrowed is None:
            return np.asarray(tensor.numpy())
        carrier, dtype = borrowed
        framework = sys.modules[type(tensor).__module__.partition(".")[0]]
        return np.asarray(tensor.view(getattr(framework, carrier)).numpy()).view(dtype)
    except (TypeError, RuntimeError, NotImplementedError) as error:
        raise TypeError(f"{label}: this tensor has no form as a NumPy array: {error}") from error
