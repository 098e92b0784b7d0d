"""What depends on nothing but initializers is computed once."""

from __future__ import annotations

import numpy as np

from ..nodes import Graph, Node
from ..operators import Run
from ..ops import find_operator
from ..uses import prune_initializers

__all__ = ["fold_constants"]

CHANCE = ("Dropout",)
MOST_BYTES = 1 << 24
"""A result larger than this is left to be computed: it would cost more memory than it saves time."""


def fold_constants(graph: Graph) -> Graph:
    """Return a graph without nodes whose inputs are all initializers; compressed ones stay what they are."""
    initializers = dict(graph.initializers)
    nodes: list[Node] = []
    for node in graph.nodes:
        arrays = [initializers.get(name) if name else None for name in node.inputs]
        constant = all(
            not name or isinstance(array, np.ndarray) for name, array in zip(node.inputs, arrays, strict=True)
        )
        if not constant or node.op in CHANCE:
            nodes.append(node)
            continue
        results = find_operator(node.op, str(node)).meaning(node, arrays, Run())
        if sum(result.nbytes for result in results) > MOST_BYTES:
            nodes.append(node)
            continue
        initializers.update({name: value for name, value in zip(node.outputs, results, strict=False) if name})
    return prune_initializers(Graph(tuple(nodes), initializers, graph.inputs, graph.outputs))
