"""Who makes and who uses the values of a graph."""

from __future__ import annotations

from collections.abc import Iterable

from .nodes import Graph, Node

__all__ = ["consumers", "is_plain_product", "only_consumer", "prune_initializers"]


def consumers(nodes: Iterable[Node]) -> dict[str, list[Node]]:
    """Return the nodes that use each value, one entry a use."""
    result: dict[str, list[Node]] = {}
    for node in nodes:
        for name in filter(None, node.inputs):
            result.setdefault(name, []).append(node)
    return result


def only_consumer(graph: Graph, users: dict[str, list[Node]], name: str) -> Node | None:
    """Return the one node that uses a value; None if several do, or none, or a caller of the graph sees it."""
    found = users.get(name, [])
    return found[0] if len(found) == 1 and name not in graph.outputs else None


def prune_initializers(graph: Graph) -> Graph:
    """Return the graph without initializers that nobody uses."""
    used = {name for node in graph.nodes for name in node.inputs} | set(graph.outputs)
    kept = {name: weight for name, weight in graph.initializers.items() if name in used}
    return Graph(graph.nodes, kept, graph.inputs, graph.outputs)


def is_plain_product(node: Node) -> bool:
    """Whether a node is ``x @ b`` or ``x @ b.T``, perhaps with a bias: no factor, and x as it lies."""
    if node.op not in ("Gemm", "MatMul") or node.attributes.get("transA", 0):
        return False
    return all(node.attributes.get(name, 1.0) == 1.0 for name in ("alpha", "beta"))
