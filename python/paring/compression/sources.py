"""Where weights come from: a mapping, a file, or a model of a framework, which is never imported here."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from ..formats import read
from ..formats.arrays import EXTENSION_DTYPES
from ..formats.weight_file import WeightFile
from ..weights import QuantizedWeight, SparseWeight, Weight

__all__ = ["Outline", "Source", "open_source"]

BORROWED_DTYPES: dict[str, tuple[str, np.dtype[Any]]] = {
    "torch.bfloat16": ("int16", np.dtype(ml_dtypes.bfloat16)),
    "torch.float8_e4m3fn": ("uint8", np.dtype(ml_dtypes.float8_e4m3fn)),
    "torch.float8_e5m2": ("uint8", np.dtype(ml_dtypes.float8_e5m2)),
}
"""PyTorch dtypes that its ``numpy()`` refuses: the one to view them as, and what they are then."""


@dataclass(frozen=True)
class Outline:
    """What is known of a weight without its values: of a compressed one not the dtype."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None = None


@dataclass(frozen=True)
class Source:
    """Named weights, looked up one at a time.

    Attributes
    ----------
    names : tuple of str
        In the order of the source.
    fetch : callable
        From a name to its weight, which may be looked up more than once.
    outline : callable
        From a name to its `Outline`; of a weight that cannot be looked up it raises what looking it up does.
    axis : int
        Which axis of a weight holds the output channels by the habit of the source.
    live : bool
        Whether arrays are the memory of a model, which may train on.
    metadata : dict
        Text that came with the weights.
    trained : mapping of str to QuantizedWeight
        The integers of weights that were trained as such.
    """

    names: tuple[str, ...]
    fetch: Callable[[str], Weight]
    outline: Callable[[str], Outline]
    axis: int = 0
    live: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    trained: Mapping[str, QuantizedWeight] = field(default_factory=dict)


def open_source(weights: object) -> Source:
    """Return the weights of a mapping, a path, or anything with ``state_dict()`` or ``get_weights()``."""
    if isinstance(weights, str | os.PathLike):
        weights = read(weights)
    if isinstance(weights, Mapping):
        return _from_mapping(weights, live=False)
    # A Keras model on PyTorch has both; its own weights and their layout are what its user knows.
    if callable(getattr(weights, "get_weights", None)):
        return _from_list(weights.get_weights())  # type: ignore[attr-defined]
    trained: Mapping[str, QuantizedWeight] = {}
    if callable(getattr(weights, "quantized_weights", None)):
        # A paring.nn.Model, which may stand for integers.
        trained, weights = weights.quantized_weights(), weights.without_rounding()  # type: ignore[attr-defined]
    if callable(getattr(weights, "state_dict", None)):
        state = weights.state_dict()  # type: ignore[attr-defined]
        if not isinstance(state, Mapping):
            raise TypeError(f"weights: state_dict() gave a {type(state).__name__} instead of a mapping")
        return replace(_from_mapping(state, live=True), trained=trained)
    raise TypeError(
        f"weights: expected a mapping of names to arrays, a path, or something with state_dict() or "
        f"get_weights(), got {type(weights).__name__}"
    )


def _from_mapping(weights: Mapping[Any, Any], live: bool) -> Source:
    for name in weights:
        if not isinstance(name, str):
            raise TypeError(f"name of a weight: expected str, got {type(name).__name__} {name!r}")

    def fetch(name: str) -> Weight:
        return as_weight(weights[name], repr(name))

    return Source(
        names=tuple(weights),
        fetch=fetch,
        outline=_outline_in_file(weights) if isinstance(weights, WeightFile) else _outline_by(fetch),
        live=live,
        metadata=dict(weights.metadata) if isinstance(weights, WeightFile) else {},
    )


def _from_list(arrays: Any) -> Source:
    by_name = {str(i): array for i, array in enumerate(arrays)}

    def fetch(name: str) -> Weight:
        return as_weight(by_name[name], repr(name))

    return Source(
        names=tuple(by_name),
        fetch=fetch,
        outline=_outline_by(fetch),
        axis=-1,
        live=True,
    )


def _outline_by(fetch: Callable[[str], Weight]) -> Callable[[str], Outline]:
    def outline(name: str) -> Outline:
        weight = fetch(name)
        return Outline(weight.shape, weight.dtype if isinstance(weight, np.ndarray) else None)

    return outline


def _outline_in_file(weights: WeightFile) -> Callable[[str], Outline]:
    """Go by what the file says, so that nothing is decoded just to be planned."""

    def outline(name: str) -> Outline:
        info = weights.describe(name)
        if info.kind != "array":
            return Outline(info.shape)
        try:
            dtype = EXTENSION_DTYPES.get(info.dtype) or np.dtype(info.dtype)
        except TypeError:  # the file's own name of a dtype that cannot be read
            return _outline_by(weights.__getitem__)(name)
        return Outline(info.shape, dtype)

    return outline


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
