"""What `prune_to_accuracy` can prune: a model, weights by name, or an object that gives and takes its weights."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import numpy.typing as npt

from ...compression.sources import as_weight
from ...nn.model import Model

__all__ = ["PruningTarget", "as_target"]

Array = npt.NDArray[Any]
Weights = dict[str, Array]


class PruningTarget(ABC):
    """Weights that can be replaced, and what a user's `evaluate` is called with."""

    @abstractmethod
    def weights(self) -> Weights:
        """Return all weights as they were given, by name."""

    @abstractmethod
    def with_weights(self, pruned: Mapping[str, Array]) -> Any:
        """Return what `evaluate` is called with when these weights take the place of the given ones."""

    def finish(self, pruned: Mapping[str, Array]) -> Any:
        """Return what the user gets in the end."""
        return self.with_weights(pruned)

    def prunable(self, match: str) -> Weights:
        """Return floating-point weights of two axes or more whose names match a glob; ValueError if there are none."""
        found = {
            name: weight
            for name, weight in self.weights().items()
            if isinstance(weight, np.ndarray)
            and weight.ndim > 1
            and weight.dtype.kind == "f"
            and fnmatchcase(name, match)
        }
        if not found:
            raise ValueError(
                f"match: expected floating-point weights of two axes or more, got none for {match!r} of "
                f"{len(self.weights())} weights"
            )
        return found


class ModelTarget(PruningTarget):
    """A `paring.nn.Model`; copies of it are pruned."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def weights(self) -> Weights:
        initializers = self._model.graph.initializers
        return {name: initializers[name] for name in self._model.weights}  # type: ignore[misc]

    def with_weights(self, pruned: Mapping[str, Array]) -> Model:
        return self._model.copy(dict(pruned))


class MappingTarget(PruningTarget):
    """Weights by name, for whoever has no graph."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self._weights = dict(weights)

    def weights(self) -> Weights:
        return self._weights

    def with_weights(self, pruned: Mapping[str, Array]) -> Weights:
        return {**self._weights, **pruned}


class StateTarget(PruningTarget):
    """An object with ``state_dict`` and ``load_state_dict``, such as a PyTorch module."""

    def __init__(self, holder: Any) -> None:
        self._holder = holder
        self._values = dict(holder.state_dict())
        self._weights = {name: np.array(as_weight(value, repr(name))) for name, value in self._values.items()}

    def weights(self) -> Weights:
        return self._weights

    def with_weights(self, pruned: Mapping[str, Array]) -> Any:
        state = {**self._weights, **pruned}
        self._holder.load_state_dict(
            {name: _like(value, state[name]) for name, value in self._values.items()}
        )
        return self._holder


def _like(value: Any, array: Array) -> Any:
    """Return an array as what a framework had: a tensor of its own for a tensor."""
    if isinstance(value, np.ndarray):
        return array
    framework = sys.modules[type(value).__module__.partition(".")[0]]
    return framework.from_numpy(np.array(array)).to(value.dtype)


class ListTarget(PruningTarget):
    """An object with ``get_weights`` and ``set_weights``, such as a Keras model; names are positions in the list."""

    def __init__(self, holder: Any) -> None:
        self._holder = holder
        self._weights = {str(place): np.array(weight) for place, weight in enumerate(holder.get_weights())}

    def weights(self) -> Weights:
        return self._weights

    def with_weights(self, pruned: Mapping[str, Array]) -> Any:
        self._holder.set_weights([pruned.get(name, weight) for name, weight in self._weights.items()])
        return self._holder


def as_target(model: Any) -> PruningTarget:
    """Return what can be pruned; TypeError for anything else."""
    if isinstance(model, Model):
        return ModelTarget(model)
    if isinstance(model, Mapping):
        return MappingTarget(model)
    if callable(getattr(model, "get_weights", None)) and callable(getattr(model, "set_weights", None)):
        return ListTarget(model)
    if callable(getattr(model, "state_dict", None)) and callable(getattr(model, "load_state_dict", None)):
        return StateTarget(model)
    raise TypeError(
        "model: expected a paring.nn.Model, a mapping of names to arrays, or an object with get_weights and "
        f"set_weights, or state_dict and load_state_dict, got {type(model).__name__}"
    )
