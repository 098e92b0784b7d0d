"""The state of a model: its weights and statistics by name, and which of them training changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..graph.nodes import Graph
from ..weights import Weight
from .state import StateDifference, find_names, match_state
from .statistics import with_new_statistics

__all__ = ["ModelState"]


class ModelState:
    """What a `Model` knows of its weights. They are initializers of its graph, under PyTorch's names."""

    graph: Graph
    _state: tuple[str, ...]
    _frozen: set[str]
    _statistics: frozenset[str]

    def state_dict(self) -> dict[str, Weight]:
        """Return weights and statistics by PyTorch's names, in its order and layouts.

        Arrays are those of the model, not copies. ``num_batches_tracked``, which PyTorch has beside running statistics,
        is not there; its ``load_state_dict`` does without.
        """
        return {name: self.graph.initializers[name] for name in self._state}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> StateDifference:
        """Take weights and statistics from a state dict: of PyTorch, a file that `paring.read` opened, or a model.

        Values are copied as they are, into the model's dtype; nothing else is converted: the running variance of
        PyTorch means the same at rest. Compressed weights stay compressed. ``num_batches_tracked`` is passed over.

        Parameters
        ----------
        state : mapping of str to array, tensor, QuantizedWeight or SparseWeight
        strict : bool
            Whether names that only one side has are an error.

        Returns
        -------
        StateDifference
            The names that only one side has.

        Raises
        ------
        TypeError, ValueError
            If `state` is no mapping of names to arrays, or names, shapes or dtypes do not fit: one message lists them
            all. Nothing is changed then.
        """
        found, difference = match_state(state, self.state_dict(), strict)
        self.graph.initializers.update(found)
        return difference

    @property
    def weights(self) -> tuple[str, ...]:
        """The names of the weights: the state without statistics."""
        return tuple(name for name in self._state if name not in self._statistics)

    @property
    def trainable(self) -> tuple[str, ...]:
        """The names of the weights that training changes: not frozen, not compressed."""
        return tuple(
            name
            for name in self.weights
            if name not in self._frozen and isinstance(self.graph.initializers[name], np.ndarray)
        )

    @property
    def frozen(self) -> tuple[str, ...]:
        """The names of the weights and statistics that training leaves alone."""
        return tuple(name for name in self._state if name in self._frozen)

    def freeze(self, pattern: str = "*") -> tuple[str, ...]:
        """Keep training from changing the weights and statistics whose names match a glob; return their names.

        A batch normalization one of whose statistics is frozen is at rest in training too. ValueError without a match.
        """
        names = find_names(pattern, self._state)
        self._frozen.update(names)
        return names

    def unfreeze(self, pattern: str = "*") -> tuple[str, ...]:
        """Let training change weights and statistics again; return their names."""
        names = find_names(pattern, self._state)
        self._frozen.difference_update(names)
        return names

    @property
    def statistics(self) -> dict[str, str]:
        """Running statistics that training moves, and the output of `training_graph` with the new value of each."""
        return with_new_statistics(self.graph, self._statistics - self._frozen)[1]

    @property
    def training_graph(self) -> Graph:
        """The graph to train with: over the same weights, batch normalization by the batch.

        After the outputs of `graph` it has those of `statistics`, which a step of training puts in place of the old.
        """
        return with_new_statistics(self.graph, self._statistics - self._frozen)[0]
