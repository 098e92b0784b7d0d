"""Objects that hold weights: what is done to their matrices, and the form in which the result comes back.

A `paring.nn.Model` gives a model; anything else with ``state_dict()`` (PyTorch) a dict of arrays by name; anything with
``get_weights()`` (Keras) a list of arrays in its order, which ``set_weights`` takes. What was given is not changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..weights import Weight
from .floats import is_float
from .sources import open_source

__all__ = ["change_matrices", "holds_weights"]


def holds_weights(thing: object) -> bool:
    """Whether something has ``state_dict()`` or ``get_weights()``."""
    return any(callable(getattr(thing, name, None)) for name in ("state_dict", "get_weights"))


def change_matrices(holder: Any, change: Callable[[dict[str, Any], int], Mapping[str, Weight]]) -> Any:
    """Return what a holder's weights become: `change` is given arrays of floats of two axes or more, and their axis.

    The axis is that of the output channels. Everything else stays as it is: biases, norms, integers, compressed
    weights.

    Raises
    ------
    ValueError
        If there is no such array.
    """
    source = open_source(holder)
    weights: dict[str, Any] = {name: source.fetch(name) for name in source.names}
    matrices = {
        name: weight
        for name, weight in weights.items()
        if isinstance(weight, np.ndarray) and weight.ndim > 1 and is_float(weight.dtype)
    }
    if not matrices:
        raise ValueError(
            f"expected floating-point weights of two axes or more in {type(holder).__name__}, got none of "
            f"{len(weights)} weights"
        )
    changed = change(matrices, source.axis)
    if callable(getattr(holder, "get_weights", None)):
        result = []
        for name, before in weights.items():
            after = changed.get(name, before)
            dense = after if isinstance(after, np.ndarray) else after.dense()
            result.append(np.array(dense, before.dtype))
        return result
    if callable(getattr(holder, "without_rounding", None)):
        return holder.without_rounding().copy(changed)
    return {
        name: changed[name]
        if name in changed
        else np.array(weight)
        if isinstance(weight, np.ndarray)
        else weight
        for name, weight in weights.items()
    }
