"""Running statistics: numbers that batch normalization moves in training, beside what gradients move."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..graph.nodes import Graph, Node

__all__ = ["find_statistics", "with_new_statistics"]

NORM = "BatchNormalization"


def find_statistics(graph: Graph) -> tuple[str, ...]:
    """Return the initializers that are means and variances of batch normalizations."""
    names = [name for node in graph.nodes if node.op == NORM for name in node.inputs[3:5]]
    return tuple(dict.fromkeys(name for name in names if name in graph.initializers))


def with_new_statistics(graph: Graph, names: Collection[str]) -> tuple[Graph, dict[str, str]]:
    """Return a graph to train with, and which of its outputs are the new values of which statistics.

    Its batch normalizations take the statistics of the batch and give the new running ones, which are outputs after
    those of `graph`. Those whose statistics are not both in `names`, or that share them with one before, are at rest.
    """
    taken = {name for node in graph.nodes for name in (node.name, *node.outputs)}
    found: dict[str, str] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.op != NORM:
            nodes.append(node)
            continue
        own = node.inputs[3:5]
        moves = set(own) <= set(names) and len(set(own) - set(found)) == 2
        attributes = {**node.attributes, "training_mode": int(moves)}
        if not moves:
            nodes.append(replace(node, attributes=attributes))
            continue
        values = [_find_name(f"{node.name}:{what}", taken) for what in ("mean", "var")]
        nodes.append(replace(node, outputs=(node.outputs[0], *values), attributes=attributes))
        found.update(zip(own, values, strict=True))
    outputs = (*graph.outputs, *found.values())
    return Graph(tuple(nodes), graph.initializers, graph.inputs, outputs), found


def _find_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name += ":"
    taken.add(name)
    return name
