"""A graph made ready to run: weights packed once, batch norms folded, everything else as the operators mean it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..graph.checking import check_graph
from ..graph.nodes import Graph
from ..graph.operators import Array
from ..graph.passes.batch_norm_folding import fold_batch_norm
from ..graph.passes.constant_folding import fold_constants
from ..graph.passes.pairs import find_pairs
from ..nn.model import Model
from ..nn.saving import load
from .lowering import lower
from .steps import Step
from .threads import set_num_threads

__all__ = ["Session"]


class Session:
    """Runs a model for inference.

    Dense layers over float32, quantized and sparse weights run as `PackedLinear`, convolutions as `PackedConv`, with
    the bias and the activation (ReLU, GELU, SiLU) that follow them; batch normalizations are folded into the layer
    before them; every other node is computed by its operator's meaning in NumPy. A session does not change after it
    was made: any number of threads may run it at once, and its weights are there once.

    Parameters
    ----------
    model : Model, Graph, or path
        A `paring.nn.Model`, a graph, or a file that `Model.save` has written. Of a model that was trained with rounded
        weights (`paring.training.fake_quantize`) the integers are run.
    num_threads : int, optional
        Threads of the kernels in the whole process, as `paring.set_num_threads` sets them; by default left alone.

    Attributes
    ----------
    graph : Graph
        What is run, after folding.
    input_names, output_names : tuple of str

    Raises
    ------
    TypeError
        If `model` is nothing that can be run.
    FormatError
        If a file holds no model.
    OSError
        If it cannot be read.
    ValueError
        If the graph makes no sense: a circle, a value nobody gives, an operator that is not known (named).

    Examples
    --------
    >>> import numpy as np
    >>> from paring.graph.nodes import Graph, Input, Node
    >>> weight = np.array([[1, -1], [2, 0]], np.float32)
    >>> nodes = (Node("Gemm", ("x", "w"), ("h",), {"transB": 1}, "fc"), Node("Relu", ("h",), ("y",), {}, "relu"))
    >>> session = Session(Graph(nodes, {"w": weight}, (Input("x", (None, 2)),), ("y",)))
    >>> session(np.array([[1, 3]], np.float32))
    array([[0., 2.]], dtype=float32)
    """

    def __init__(self, model: Graph | str | os.PathLike[str] | Any, num_threads: int | None = None) -> None:
        graph = _graph_of(model)
        check_graph(graph)
        if num_threads is not None:
            set_num_threads(num_threads)
        self.graph = fold_batch_norm(fold_constants(graph))
        self.input_names = tuple(value.name for value in graph.inputs)
        self.output_names = graph.outputs
        self._steps, self._values = lower(self.graph)
        self._last_uses = _last_uses(self._steps, self.output_names)

    def __call__(self, x: Array, *others: Array) -> Array | tuple[Array, ...]:
        """Return the output, or a tuple of several, for inputs in the order of `input_names`."""
        if 1 + len(others) != len(self.input_names):
            raise ValueError(f"expected {len(self.input_names)} inputs, got {1 + len(others)}")
        outputs = self.run(dict(zip(self.input_names, (x, *others), strict=True)))
        results = tuple(outputs[name] for name in self.output_names)
        return results[0] if len(results) == 1 else results

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs by name.

        Parameters
        ----------
        inputs : mapping of str to ndarray
            Of the shapes and dtypes of the graph's inputs. They are not changed.

        Raises
        ------
        ValueError, TypeError
            If an input is missing, unknown, or of another shape or dtype; or if values do not fit in between: then the
            message names the node.
        """
        values: dict[str, Array] = {**self._values, **self._checked(inputs)}
        with np.errstate(all="ignore"):
            for step, done in zip(self._steps, self._last_uses, strict=True):
                results = step.run([values[name] if name else None for name in step.inputs])
                values.update(
                    {name: value for name, value in zip(step.outputs, results, strict=False) if name}
                )
                for name in done:
                    del values[name]
        return {name: values[name] for name in self.output_names}

    def _checked(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        odd = [f"also {name!r}" for name in inputs if name not in self.input_names]
        missing = [f"no {name!r}" for name in self.input_names if name not in inputs]
        if odd or missing:
            expected = ", ".join(map(repr, self.input_names))
            raise ValueError(f"inputs: expected {expected}, got {' and '.join(missing + odd)}")
        arrays = {}
        for value in self.graph.inputs:
            array = inputs[value.name]
            if not isinstance(array, np.ndarray) or array.dtype.name != value.dtype:
                kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
                raise TypeError(f"input {value.name!r}: expected an array of {value.dtype}, got {kind}")
            fits = array.ndim == len(value.shape) and all(
                size is None or size == got for size, got in zip(value.shape, array.shape, strict=True)
            )
            if not fits:
                raise ValueError(f"input {value.name!r}: expected shape {value.shape}, got {array.shape}")
            arrays[value.name] = array
        return arrays

    @property
    def packed_layers(self) -> dict[str, str]:
        """The kernel of each node that runs as a packed layer, by the node's name."""
        return {step.name: step.layer.kernel for step in self._steps if step.layer is not None}

    def __repr__(self) -> str:
        packed = sum(step.layer is not None for step in self._steps)
        return f"<Session: {', '.join(self.input_names)} -> {', '.join(self.output_names)}, " + (
            f"{len(self._steps)} steps, {packed} of them packed>"
        )


def _graph_of(model: Any) -> Graph:
    if isinstance(model, str | os.PathLike):
        if Path(model).suffix.lower() == ".onnx":
            raise ValueError(
                f"{Path(model)}: expected a file that Model.save has written; of an ONNX file paring.read reads the "
                "weights, and nothing reads the graph yet"
            )
        model = load(model)
    if isinstance(model, Model):
        # Weights that are rounded where they are used become the integers that they stand for.
        return model.compress().graph if find_pairs(model.graph) else model.graph
    if isinstance(model, Graph):
        return model
    raise TypeError(f"model: expected a paring.nn.Model, a Graph, or a path, got {type(model).__name__}")


def _last_uses(steps: list[Step], outputs: tuple[str, ...]) -> list[list[str]]:
    """Return, for each step, the values that nobody needs after it."""
    last: dict[str, int] = {}
    for number, step in enumerate(steps):
        last.update(dict.fromkeys(filter(None, (*step.inputs, *step.outputs)), number))
    result: list[list[str]] = [[] for _ in steps]
    for name, number in last.items():
        if name not in outputs:
            result[number].append(name)
    return result
