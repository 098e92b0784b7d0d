"""Whether a graph makes sense: every value given once, before it is used, by an operator that exists."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .axes import product
from .nodes import Graph, Node, Shape
from .operators import Array, Known, Run
from .ops import find_operator

__all__ = ["check_graph", "infer_shapes", "sort_nodes"]

# The values that shapes are computed from are short; larger ones are not followed.
_MOST_KNOWN = 64


def sort_nodes(nodes: Iterable[Node], given: Iterable[str]) -> tuple[Node, ...]:
    """Return nodes in an order in which values are there before they are used, otherwise as they came.

    Raises
    ------
    ValueError
        If a value is given twice, an input is given by nobody, or nodes wait for each other in a circle.

    Examples
    --------
    >>> second, first = Node("Exp", ("b",), ("c",), name="two"), Node("Neg", ("a",), ("b",), name="one")
    >>> [node.name for node in sort_nodes([second, first], ["a"])]
    ['one', 'two']
    """
    there = set(given)
    nodes = list(nodes)
    makers: dict[str, int] = {}
    for i, node in enumerate(nodes):
        for output in filter(None, node.outputs):
            if output in there or output in makers:
                raise ValueError(f"{node}: its output {output!r} is given by another node or input as well")
            makers[output] = i
    waits_for: list[set[int]] = []
    feeds: list[list[int]] = [[] for _ in nodes]
    for i, node in enumerate(nodes):
        for name in filter(None, node.inputs):
            if name not in there and name not in makers:
                raise ValueError(f"{node}: its input {name!r} is no input, initializer or output of any node")
        waits_for.append({makers[name] for name in node.inputs if name in makers})
        for maker in waits_for[i]:
            feeds[maker].append(i)
    ready = [i for i, makers_of_node in enumerate(waits_for) if not makers_of_node]
    ordered: list[Node] = []
    while ready:
        i = heapq.heappop(ready)
        ordered.append(nodes[i])
        for follower in feeds[i]:
            waits_for[follower].discard(i)
            if not waits_for[follower]:
                heapq.heappush(ready, follower)
    if len(ordered) < len(nodes):
        circle = _find_circle(waits_for)
        raise ValueError(
            f"{nodes[circle[0]]}: waits for itself: the graph has a circle of "
            f"{', '.join(repr(nodes[i].name) for i in circle[:10])}{' and others' if len(circle) > 10 else ''}"
        )
    return tuple(ordered)


def _find_circle(waits_for: Sequence[set[int]]) -> list[int]:
    """Return nodes of which each feeds the next and the last the first. Done nodes wait for nobody."""
    i = next(i for i, makers in enumerate(waits_for) if makers)
    walked: list[int] = []
    while i not in walked:
        walked.append(i)
        i = min(waits_for[i])
    return walked[walked.index(i) :][::-1]


def check_graph(graph: Graph) -> None:
    """Raise ValueError unless a graph can be run.

    Nodes are sorted, their operators, numbers of inputs and attributes as they should be, their names unique, and all
    outputs given.
    """
    given = [value.name for value in graph.inputs] + list(graph.initializers)
    if len(set(given)) < len(given):
        twice = next(name for name in given if given.count(name) > 1)
        raise ValueError(f"graph: {twice!r} is both an input and an initializer, or an input twice")
    names: set[str] = set()
    for node in graph.nodes:
        _check_node(node)
        if node.name in names:
            raise ValueError(f"graph: expected a name of its own for each node, got {node.name!r} twice")
        names.add(node.name)
    if sort_nodes(graph.nodes, given) != graph.nodes:
        raise ValueError(
            "graph: expected nodes in an order in which values are there before they are used: sort_nodes"
        )
    there = {*given, *(output for node in graph.nodes for output in node.outputs if output)}
    for output in graph.outputs:
        if output not in there:
            raise ValueError(f"graph: its output {output!r} is no input, initializer or output of any node")


def _check_node(node: Node) -> None:
    operator = find_operator(node.op, str(node))
    if operator.inputs is not None:
        least, most = operator.inputs
        count = len(node.inputs)
        if count < least or (most is not None and count > most) or not all(node.inputs[:least]):
            wanted = f"{least}" if most == least else f"{least} to {most}" if most else f"{least} or more"
            got = f"{count}" if count < least or (most is not None and count > most) else "one left out"
            raise ValueError(f"{node}: expected {wanted} inputs, got {got}")
    if operator.attributes is not None:
        for name in node.attributes:
            if name not in operator.attributes:
                known = ", ".join(map(repr, operator.attributes)) or "none"
                raise ValueError(f"{node}: expected attributes of {known}, got {name!r}")


def infer_shapes(graph: Graph) -> dict[str, Shape]:
    """Return the shape of every value, sizes that only a run knows as None.

    Shapes that are computed by nodes, from initializers and sizes that are known, count as known.

    Raises
    ------
    ValueError
        If shapes do not fit; the message names the node.
    """
    shapes: dict[str, Shape] = {value.name: value.shape for value in graph.inputs}
    for name, weight in graph.initializers.items():
        shapes[name] = tuple(weight.shape)
        if isinstance(weight, np.ndarray):
            _know(shapes, name, weight)
    for node in graph.nodes:
        operator = find_operator(node.op, str(node))
        try:
            of_inputs = [shapes[name] if name else None for name in node.inputs]
            results = [tuple(shape) for shape in operator.infer(node, of_inputs)]
            if len(node.outputs) > len(results):
                raise ValueError(f"expected at most {len(results)} outputs, got {len(node.outputs)}")
            shapes.update(zip(node.outputs, results, strict=False))
            for name, value in zip(node.outputs, _fold(node, of_inputs, results), strict=False):
                _know(shapes, name, value)
        except KeyError as error:
            raise ValueError(f"{node}: its input {error} is not there") from error
        except (ValueError, IndexError, TypeError) as error:
            raise ValueError(f"{node}: {error}") from error
    shapes.pop("", None)
    return {name: tuple(shape) for name, shape in shapes.items()}


def _know(shapes: dict[str, Shape], name: str, value: Array) -> None:
    if value.dtype.kind in "iub" and value.size <= _MOST_KNOWN:
        shapes[name] = Known.of(value)


def _fold(node: Node, shapes: Sequence[Any], results: Sequence[Shape]) -> Sequence[Array]:
    """Return the outputs of a node if they are short and known before any run, else nothing."""
    sizes = [product(shape) for shape in results]
    if any(size is None or size > _MOST_KNOWN for size in sizes):
        return ()
    if node.op == "Shape" and None not in shapes[0]:
        # Sizes are all that the operator looks at: an array of them without memory of its own.
        values: list[Any] = [np.broadcast_to(np.zeros((), np.bool_), shapes[0])]
    else:
        values = [None if shape is None else Known.value_of(shape) for shape in shapes]
        if any(value is None and shape is not None for value, shape in zip(values, shapes, strict=True)):
            return ()
    return find_operator(node.op, str(node)).meaning(node, values, Run())
