"""What depends on nothing but initializers is computed once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...weights import Weight
from ..nodes import Graph, Node
from ..operators import Run
from ..ops import find_operator
from ..uses import prune_initializers

__all__ = ["fold_constants"]

CHANCE = ("Dropout",)
MOST_BYTES = 1 << 24
"""A result larger than this is left to be computed: it would cost more memory than it saves time."""


def fold_constants(graph: Graph) -> Graph:
    """Return a graph without nodes whose inputs are all initializers; compressed ones stay compressed.

    Of these only a transposed matrix is folded: its channels then lie on the other axis, and nothing moves.
    """
    initializers = dict(graph.initializers)
    nodes: list[Node] = []
    for node in graph.nodes:
        turned = _turned(node, initializers)
        if turned is not None:
            initializers[node.outputs[0]] = turned
            continue
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


def _turned(node: Node, initializers: dict[str, Weight]) -> Weight | None:
    """Return what a node that transposes a compressed matrix gives; None for any other node."""
    if node.op != "Transpose" or node.attributes.get("perm", (1, 0)) != (1, 0):
        return None
    weight = initializers.get(node.inputs[0])
    if weight is None or isinstance(weight, np.ndarray) or len(weight.shape) != 2:
        return None
    return replace(weight, shape=weight.shape[::-1], axis=1 - weight.axis)
