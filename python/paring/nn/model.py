"""Models: a graph, and the weights in it that have PyTorch's names."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..compression.compressor import Progress, compress
from ..compression.quantize_settings import check_integer
from ..compression.recipe_sources import RecipeLike
from ..compression.recipe_steps import did_you_mean
from ..compression.report import Report
from ..graph.checking import check_graph, infer_shapes
from ..graph.evaluation import evaluate
from ..graph.nodes import Graph
from ..graph.operators import Array
from ..graph.passes.fake_quantization import PairSettings
from ..graph.passes.pairs import find_pairs, quantize_pair
from ..weights import QuantizedWeight, Weight
from .arguments import name_arrays
from .assembly import adopt_graph, assemble_layer, assemble_values, check_dtype
from .initialization import Scheme, check_scheme, draw
from .layer import Layer
from .model_files import save_model
from .model_state import ModelState
from .rounding import parts_with_rounding, parts_without_rounding
from .statistics import find_statistics
from .summary import Row, format_model, rows_of_cut
from .values import Value

__all__ = ["Model", "make_model"]


class Model(ModelState):
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

    @property
    def output_shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Shapes of the outputs by name; None for sizes that only a run knows."""
        return {name: tuple(self._shapes[name]) for name in self.graph.outputs}

    @property
    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Shapes of all values by name; None for sizes that only a run knows."""
        return {name: tuple(shape) for name, shape in self._shapes.items()}

    def layer_output(self, layer: str) -> str:
        """Return the name of the value that a layer gives; ValueError unless ``print(model)`` lists the layer."""
        found = {row.name: row.output for row in self._rows}
        if layer not in found:
            raise ValueError(f"expected the name of a layer, got {layer!r}{did_you_mean(layer, found)}")
        return found[layer]

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
        plain = self.without_rounding()
        compressed = compress(self, recipe, progress=progress)
        model = plain.copy({name: weight for name, weight in compressed.items() if name in plain.weights})
        model.report = compressed.report
        return model

    def quantized_weights(self) -> dict[str, QuantizedWeight]:
        """Return the integers and scales of the weights that `paring.training.fake_quantize` rounds, by name.

        Raises
        ------
        ValueError
            If one of these weights, or its scale, is not finite.
        """
        return {name: quantize_pair(self.graph, pair) for name, pair in find_pairs(self.graph).items()}

    def without_rounding(self) -> Model:
        """Return the model as it was before `paring.training.fake_quantize`, over the same arrays."""
        parts = parts_without_rounding(self.graph, self._state, self._rows, self._frozen)
        return self if parts is None else make_model(*parts)

    def with_rounding(self, settings: Mapping[str, PairSettings], activations: bool) -> Model:
        """Return a copy in which weights are rounded before they are used: see `paring.training.fake_quantize`."""
        parts = (self.graph, self._state, self._rows, self._frozen)
        return make_model(*parts_with_rounding(*parts, settings, activations)).copy()

    def with_graph(self, graph: Graph) -> Model:
        """Return a model over another graph with weights of the same names, of other shapes perhaps; they are not
        copied.

        Raises
        ------
        ValueError
            If the graph cannot be run, or lacks a weight.
        """
        missing = [name for name in self._state if name not in graph.initializers]
        if missing:
            raise ValueError(f"graph: expected the weights of the model, got no {missing[0]!r}")
        rows = rows_of_cut(self._rows, self.graph.initializers, graph.initializers)
        return make_model(graph, self._state, rows, self._frozen)

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
