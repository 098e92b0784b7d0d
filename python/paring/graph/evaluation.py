"""Running a graph by the meanings of its operators, forward and backward.

Arithmetic is that of IEEE: infinities and NaN go through without a warning. Graphs are taken to be as `check_graph`
wants them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..weights import Weight
from .nodes import Graph, Node
from .operators import Array, Run
from .ops import find_operator

__all__ = ["Tape", "Walk", "evaluate", "record"]


def evaluate(graph: Graph, inputs: Mapping[str, Array], run: Run | None = None) -> dict[str, Array]:
    """Return the outputs of a graph; a value is dropped as soon as nobody needs it any more.

    Raises
    ------
    ValueError
        If an input is missing, unknown or of another shape or dtype, or values do not fit; then the message names the
        node.

    Examples
    --------
    >>> from paring.graph.nodes import Input
    >>> graph = Graph((Node("Relu", ("x",), ("y",)),), {}, (Input("x", (None, 2)),), ("y",))
    >>> evaluate(graph, {"x": np.array([[-1, 2]], np.float32)})
    {'y': array([[0., 2.]], dtype=float32)}
    """
    walk = Walk(graph, inputs, run)
    walk.run_until(len(graph.nodes))
    return walk.outputs()


class Walk:
    """An evaluation that stops where it is told, to be looked at and to go on.

    Attributes
    ----------
    values : dict of str to array or Weight
        Those that later nodes need. They may be replaced by others of the same shape and dtype.
    """

    def __init__(self, graph: Graph, inputs: Mapping[str, Array], run: Run | None = None) -> None:
        self.values = _start(graph, inputs)
        self._graph, self._run, self._place = graph, run or Run(), 0
        self._done = _done_after(graph)

    def run_until(self, place: int) -> None:
        """Run the nodes before the one at a place in ``graph.nodes``."""
        with np.errstate(all="ignore"):
            for number in range(self._place, place):
                _step(self._graph.nodes[number], self.values, self._run)
                for name in self._done[number]:
                    self.values.pop(name, None)
        self._place = max(self._place, place)

    def array(self, name: str) -> Array:
        """Return a value as an array."""
        return _dense(name, self.values)

    def outputs(self) -> dict[str, Array]:
        """Return the outputs, after the last node."""
        return {name: _dense(name, self.values) for name in self._graph.outputs}


def record(graph: Graph, inputs: Mapping[str, Array], watch: Iterable[str], run: Run | None = None) -> Tape:
    """Run a graph so that gradients of the values in `watch` (initializers and inputs) can follow.

    Kept is only what lies between them and the outputs: frozen weights cost neither time nor memory on the way back.

    Raises
    ------
    ValueError
        As `evaluate`, and if a value to watch is neither input nor initializer, or holds no floating-point numbers.

    Examples
    --------
    >>> from paring.graph.nodes import Input
    >>> graph = Graph((Node("Mul", ("x", "w"), ("y",)),), {"w": np.float32([3, 4])}, (Input("x", (2,)),), ("y",))
    >>> tape = record(graph, {"x": np.float32([1, 2])}, ["w"])
    >>> tape.backward({"y": np.ones_like(tape.outputs["y"])})
    {'w': array([1., 2.], dtype=float32)}
    """
    run = run or Run()
    watched = frozenset(watch)
    values = _start(graph, inputs)
    for name in sorted(watched):
        if name not in values:
            raise ValueError(f"watch: expected inputs and initializers of the graph, got {name!r}")
        if not _has_gradient(_dense(name, values)):
            raise ValueError(
                f"watch: expected floating-point values, but {name!r} holds {_dense(name, values).dtype}"
            )
    counts = set(watched)
    kept: dict[str, Any] = {}
    needed = set(graph.outputs)
    try:
        with np.errstate(all="ignore"):
            for node, done in zip(graph.nodes, _done_after(graph), strict=True):
                on_the_way = not counts.isdisjoint(node.inputs) and _passes_gradients(node)
                if on_the_way and node.name in kept:
                    raise ValueError(f"{node}: another node has this name")
                run.kept = kept if on_the_way else None
                _step(node, values, run)
                if on_the_way:
                    counts.update(filter(None, node.outputs))
                    needed.update(node.inputs, node.outputs)
                for name in done:
                    if name not in needed:
                        values.pop(name, None)
    finally:
        run.kept = None
    outputs = {name: _dense(name, values) for name in graph.outputs}
    for name in set(values) - needed:
        del values[name]
    return Tape(graph, values, kept, frozenset(counts), watched, outputs)


@dataclass
class Tape:
    """What `record` computed, as far as gradients need it. Good for one `backward`, which gives memory back as it goes.

    Attributes
    ----------
    graph : Graph
    values : dict of str to ndarray
        Values that gradients may need.
    kept : dict of str to object, or None
        What operators kept for their gradients, by name of the node; None once `backward` has been called.
    counts : frozenset of str
        Values that depend on watched ones.
    watched : frozenset of str
    outputs : dict of str to ndarray
        The outputs of the graph.
    """

    graph: Graph
    values: dict[str, Any]
    kept: dict[str, Any] | None
    counts: frozenset[str]
    watched: frozenset[str]
    outputs: dict[str, Array]

    def backward(self, gradients: Mapping[str, Array]) -> dict[str, Array]:
        """Return the gradients of the watched values; one that no output depends on is missing.

        Each is an array of its own in C order, of the shape and dtype of the value: it may be written to.

        Parameters
        ----------
        gradients : mapping of str to ndarray
            Of the outputs that count, in their shapes and dtypes. They are not changed.

        Raises
        ------
        ValueError
            If a gradient is of no output, or of another shape or dtype than it, or has to go through an operator that
            has no gradient (the message names the node), or if this was called before.
        """
        if self.kept is None:
            raise ValueError("backward: expected to be called once for a tape: record the run again")
        flowing: dict[str, Array] = {}
        for name, gradient in gradients.items():
            if name not in self.outputs:
                raise ValueError(f"gradients: expected names of outputs, got {name!r}")
            output, gradient = self.outputs[name], np.asarray(gradient)
            if gradient.shape != output.shape or gradient.dtype != output.dtype:
                raise ValueError(
                    f"gradient of {name!r}: expected {output.dtype} of shape {output.shape}, "
                    f"got {gradient.dtype} of shape {gradient.shape}"
                )
            flowing[name] = gradient
        kept, self.kept = self.kept, None
        try:
            with np.errstate(all="ignore"):
                for node in reversed(self.graph.nodes):
                    self._step_back(node, flowing, kept.pop(node.name, None))
        finally:
            self.values.clear()
        found = {name: gradient for name, gradient in flowing.items() if name in self.watched}
        return _own(found, gradients.values())

    def _step_back(self, node: Node, flowing: dict[str, Array], kept: Any) -> None:
        given = [flowing.pop(name, None) for name in node.outputs]
        outputs = [self.values.pop(name, None) for name in node.outputs]
        if self.counts.isdisjoint(node.inputs) or all(gradient is None for gradient in given):
            return
        operator = find_operator(node.op, str(node))
        inputs: list[Any] = [_dense(name, self.values) if name else None for name in node.inputs]
        needed = [
            name in self.counts
            and (_has_gradient(inputs[i]) or i in operator.codes)
            and (operator.differentiable is None or i in operator.differentiable)
            for i, name in enumerate(node.inputs)
        ]
        if not any(needed):
            return
        if operator.gradient is None:
            name = node.inputs[needed.index(True)]
            raise ValueError(f"{node}: {node.op} has no gradient, which {name!r} needs")
        results = operator.gradient(node, inputs, outputs, given, needed, kept)
        for name, want, gradient in zip(node.inputs, needed, results, strict=False):
            if want and gradient is not None:
                before = flowing.get(name)
                flowing[name] = np.asarray(gradient if before is None else before + gradient)


def _passes_gradients(node: Node) -> bool:
    return find_operator(node.op, str(node)).differentiable != ()


def _has_gradient(value: Array) -> bool:
    # bfloat16 has a kind of its own.
    return value.dtype.kind == "f" or value.dtype.name == "bfloat16"


def _own(found: dict[str, Array], given: Iterable[Array]) -> dict[str, Array]:
    """Return gradients, copied where one shares memory with another or with what the caller gave."""
    taken = {id(_owner(gradient)) for gradient in given}
    result = {}
    for name, gradient in found.items():
        owner = id(_owner(gradient))
        if owner in taken or not gradient.flags.c_contiguous or not gradient.flags.writeable:
            gradient = gradient.copy(order="C")
        taken.add(owner)
        result[name] = gradient
    return result


def _owner(array: Array) -> Any:
    owner: Any = array
    while isinstance(owner, np.ndarray) and owner.base is not None:
        owner = owner.base
    return owner


def _start(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Any]:
    values: dict[str, Any] = dict(graph.initializers)
    names = [value.name for value in graph.inputs]
    odd = [f"also {name!r}" for name in sorted(set(inputs) - set(names))]
    missing = [f"no {name!r}" for name in names if name not in inputs]
    if odd or missing:
        raise ValueError(
            f"inputs: expected {', '.join(map(repr, names)) or 'none'}, got {' and '.join(missing + odd)}"
        )
    for value in graph.inputs:
        array = np.asarray(inputs[value.name])
        fits = len(array.shape) == len(value.shape) and all(
            size is None or size == got for size, got in zip(value.shape, array.shape, strict=True)
        )
        if not fits:
            raise ValueError(f"input {value.name!r}: expected shape {value.shape}, got {array.shape}")
        values[value.name] = array
    return values


def _dense(name: str, values: dict[str, Any]) -> Array:
    """Return a value as an array: a compressed weight becomes one when it is first needed."""
    value: Weight = values[name]
    if not isinstance(value, np.ndarray):
        value = values[name] = value.dense()
    return value


def _step(node: Node, values: dict[str, Any], run: Run) -> None:
    operator = find_operator(node.op, str(node))
    try:
        inputs = [_dense(name, values) if name else None for name in node.inputs]
        results = operator.meaning(node, inputs, run)
    except KeyError as error:
        raise ValueError(f"{node}: its input {error} is not there") from error
    except (ValueError, IndexError, TypeError) as error:
        raise ValueError(f"{node}: {error}") from error
    if len(node.outputs) > len(results):
        raise ValueError(f"{node}: expected at most {len(results)} outputs, got {len(node.outputs)}")
    # NumPy gives scalars, which are no arrays, where an array without axes is meant.
    values.update(
        {name: np.asarray(value) for name, value in zip(node.outputs, results, strict=False) if name}
    )


def _done_after(graph: Graph) -> list[list[str]]:
    """Return, for each node, the values that nobody needs after it."""
    last: dict[str, int] = {}
    for i, node in enumerate(graph.nodes):
        last.update({name: i for name in (*node.inputs, *node.outputs) if name})
    result: list[list[str]] = [[] for _ in graph.nodes]
    for name, i in last.items():
        if name not in graph.outputs:
            result[i].append(name)
    return result
