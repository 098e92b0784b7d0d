"""When numbers leave the finite ones: which node was the first, and what is raised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...graph.evaluation import evaluate
from ...graph.nodes import Graph
from ...graph.operators import Run

__all__ = ["DivergedError", "find_origin"]

Array = npt.NDArray[Any]


class DivergedError(ArithmeticError):
    """Training met NaN or infinity and stopped; the model has finite weights from before that step.

    Attributes
    ----------
    step : int
        How many updates were done.
    epoch : int
        Counted from 0.
    origin : str
        What was the first that is not finite: an input, a weight, the output of a node, a gradient.
    """

    def __init__(
        self, step: int, epoch: int, origin: str, weights: str = "the model has the weights of before"
    ) -> None:
        advice = "try a lower learning rate, or clip gradients"
        super().__init__(f"step {step} (epoch {epoch}): {origin}; {weights}: {advice}")
        self.step, self.epoch, self.origin = step, epoch, origin

    def with_weights(self, weights: str) -> DivergedError:
        """Return the same with other words about the weights that the model has."""
        return DivergedError(self.step, self.epoch, self.origin, weights)


def find_origin(graph: Graph, inputs: Mapping[str, Array], run: Run) -> str:
    """Return the first value of a run that is not finite, in words; empty if all are finite.

    The run is done again with every value kept, which takes the memory of all of them.
    """
    for name, array in inputs.items():
        if not _is_finite(array):
            return f"input {name!r} holds NaN or infinity"
    for name, weight in graph.initializers.items():
        if isinstance(weight, np.ndarray) and not _is_finite(weight):
            return f"weight {name!r} holds NaN or infinity"
    outputs = tuple(dict.fromkeys(name for node in graph.nodes for name in node.outputs if name))
    values = evaluate(Graph(graph.nodes, graph.initializers, graph.inputs, outputs), inputs, run)
    for node in graph.nodes:
        if not all(_is_finite(values[name]) for name in node.outputs if name):
            return f"the output of {node} is the first that is not finite"
    return ""


def _is_finite(array: Array) -> bool:
    if array.dtype.kind in "iub":
        return True
    return bool(np.isfinite(array).all())
