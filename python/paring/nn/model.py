"""Models: a graph, and the weights in it that have PyTorch's names."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..compression.compressor import Progress, compress
from ..compression.quantization import check_integer
from ..compression.recipe_sources import RecipeLike
from ..compression.report import Report
from ..graph.checking import check_graph, infer_shapes
from ..graph.evaluation import evaluate
from ..graph.nodes import Graph
from ..graph.operators import Array
from ..weights import Weight
from .arguments import name_arrays
from .assembly import adopt_graph, assemble_layer, assemble_values, check_dtype
from .initialization import Scheme, check_scheme, draw
from .layer import Layer
from .model_files import save_model
from .state import StateDifference, find_names, match_state
from .statistics import find_statistics, with_new_statistics
from .summary import Row, format_model
from .values import Value

__all__ = ["Model", "make_model"]


class Model:
    """A graph with weights: ``Model(layer, input_shape)``, ``Model(inputs, outputs)`` or ``Model(graph)``.

    Parameters
    ----------
    layer, input_shape : Layer and tuple of int or None
        The input is called "input", the output "output".
    inputs, outputs : Value, sequence of Value; outputs also a mapping of str to Value
        The functional form: values of `Input`, and what was made of them. Outputs without names are called "output",
        or "output0" and so on.
    graph : Graph
        One from elsewhere. Its floating-point initializers with an axis or more are taken for weights, those of batch
        normalizations for statistics.
    seed : int
        Of the start of the weights. The start of a weight depends on seed, name and shape alone, so that a layer more
        changes no other.
    init : str
        "pytorch" (its defaults), "he_normal", "he_uniform" ("he" is the normal one) for layers before ReLU,
        "glorot_uniform", "glorot_normal" ("glorot" is the uniform one); then biases are zero.
    dtype : {"float32", "float64"}, optional
        Of weights, and of the input of a layer. By default that of the inputs, or float32.

    Attributes
    ----------
    graph : Graph
        For inference; its initializers are the weights, named as in `state_dict`, and constants. Arrays there belong to
        the model: training changes them in place.
    dtype : numpy.dtype
    report : Report or None
        What compression did, of a model that `compress` made.

    Raises
    ------
    TypeError, ValueError
        If the arguments make no model: shapes that do not fit (the layer is named), names that come twice.

    Examples
    --------
    >>> import numpy as np
    >>> from paring import nn
    >>> model = nn.Model(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3)), (None, 8))
    >>> model(np.zeros((2, 8), np.float32)).shape
    (2, 3)
    >>> print(model)
    Model: input float32 (None, 8) -> output (None, 3)
    layer  kind           output      parameters
    0      Linear(8, 16)  (None, 16)         144
    1      ReLU()         (None, 16)           0
    2      Linear(16, 3)  (None, 3)           51
    195 parameters, 195 of them trainable, 780 bytes
    """

    graph: Graph
    dtype: np.dtype[Any]
    report: Report | None

    def __init__(
        self,
        source: Layer | Value | Sequence[Value] | Graph,
        shape_or_outputs: Any = None,
        /,
        *,
        seed: int = 0,
        init: Scheme = "pytorch",
        dtype: Any = None,
    ) -> None:
        if check_integer(seed, "seed") < 0:
            raise ValueError(f"seed: expected an int of at least 0, got {seed}")
        scheme, wanted = check_scheme(init), check_dtype(dtype)
        if isinstance(source, Graph):
            if shape_or_outputs is not None or wanted is not None:
                raise TypeError("expected nothing beside a graph, which has shapes and dtypes of its own")
            self._set(*adopt_graph(source))
            return
        if isinstance(source, Layer):
            assembly = assemble_layer(source, shape_or_outputs, wanted)
        elif isinstance(source, (Value, tuple, list)):
            assembly = assemble_values(source, shape_or_outputs, wanted)
        else:
            raise TypeError(f"expected a layer, values of nn.Input, or a Graph, got {type(source).__name__}")
        weights = {
            name: draw(name, spec.shape, spec.initial.under(scheme), int(seed), assembly.dtype)
            for name, spec in assembly.specs.items()
        }
        initializers: dict[str, Weight] = {**weights, **assembly.constants}
        graph = Graph(assembly.nodes, initializers, assembly.inputs, assembly.outputs)
        self._set(graph, tuple(weights), assembly.rows)

    def _set(
        self, graph: Graph, state: Sequence[str], rows: Sequence[Row], frozen: Iterable[str] = ()
    ) -> None:
        check_graph(graph)
        self.graph = graph
        self._state = tuple(state)
        self._rows = tuple(rows)
        self._frozen = set(frozen)
        self._shapes = infer_shapes(graph)
        self.report = None
        arrays = [graph.initializers[name] for name in self._state]
        self.dtype = next((a.dtype for a in arrays if isinstance(a, np.ndarray)), np.dtype(np.float32))
        self._statistics = frozenset(find_statistics(graph)) & frozenset(self._state)

    def __call__(self, x: Array, *others: Array) -> Array | tuple[Array, ...]:
        """Return the output, or a tuple of several, for arrays in the order of the inputs, without training.

        Raises
        ------
        TypeError
            If an array is none, or of another dtype than the input.
        ValueError
            If shapes do not fit.
        """
        outputs = evaluate(self.graph, name_arrays(self.graph.inputs, (x, *others)))
        results = tuple(outputs[name] for name in self.graph.outputs)
        return results[0] if len(results) == 1 else results

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

    @property
    def output_shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Shapes of the outputs by name; None for sizes that only a run knows."""
        return {name: tuple(self._shapes[name]) for name in self.graph.outputs}

    @property
    def num_parameters(self) -> int:
        """How many numbers the weights are, without statistics."""
        return self._count(self.weights)

    def _count(self, names: Sequence[str]) -> int:
        return sum(
            math.prod(self.graph.initializers[name].shape) for name in names if name not in self._statistics
        )

    def compress(self, recipe: RecipeLike | None = None, *, progress: Progress | None = None) -> Model:
        """Return a model over the same graph whose weights `paring.compress` has compressed, with its `report`.

        Raises
        ------
        TypeError, ValueError
            As `paring.compress`; and ValueError for a model of float64, since compressed weights stand for float32.

        Examples
        --------
        >>> from paring import nn
        >>> model = nn.Model(nn.Linear(64, 64), (None, 64)).compress()
        >>> type(model.state_dict()["weight"]).__name__, model.report["weight"].form
        ('QuantizedWeight', 'int8 channel')
        """
        if self.dtype != np.float32:
            raise ValueError(f"expected a model of float32 to compress, got {self.dtype}")
        weights = {name: self.graph.initializers[name] for name in self.weights}
        compressed = compress(weights, recipe, progress=progress)
        model = self.copy(compressed)
        model.report = compressed.report
        return model

    def copy(self, weights: Mapping[str, Weight] | None = None) -> Model:
        """Return a model over the same graph with arrays of its own, some weights replaced by those given."""
        initializers = {
            name: weight.copy() if isinstance(weight, np.ndarray) else weight
            for name, weight in {**self.graph.initializers, **(weights or {})}.items()
        }
        graph = Graph(self.graph.nodes, initializers, self.graph.inputs, self.graph.outputs)
        return make_model(graph, self._state, self._rows, self._frozen)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write weights and graph into one ``.safetensors`` (or ``.npz``) file, which `load` makes a model of again.

        The weights are as `paring.write` stores them, compressed or not, and other programs read them by their names;
        the graph is JSON in the metadata under "paring.graph". The same model gives the same bytes.

        Raises
        ------
        ValueError
            If the suffix is another, or a name cannot be stored.
        OSError
            If the file cannot be written; an old one is still there.
        """
        save_model(path, self.graph, self._state, self.frozen, self._rows)

    def __repr__(self) -> str:
        counts = (self.num_parameters, self._count(self.trainable))
        size = sum(weight.nbytes for weight in self.state_dict().values())
        return format_model(self.graph, self._rows, self._shapes, self._count, counts, size)


def make_model(graph: Graph, state: Sequence[str], rows: Sequence[Row], frozen: Iterable[str]) -> Model:
    """Return a model of its parts; arrays of the graph become the model's."""
    model = Model.__new__(Model)
    model._set(graph, state, rows, frozen)
    return model
