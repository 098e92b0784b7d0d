"""Graphs of one node, run forward and back, for the tests of operators."""

import numpy as np

from operator_cases import CASES
from paring.graph.checking import check_graph
from paring.graph.evaluation import evaluate, record
from paring.graph.nodes import Graph, Input, Node
from paring.graph.ops import OPERATORS


def graph_of_arrays(op, arrays, attributes=None, outputs=1):
    names = [f"x{i}" if array is not None else "" for i, array in enumerate(arrays)]
    node = Node(op, names, [f"y{i}" for i in range(outputs)], attributes or {}, "here")
    inputs = [
        Input(name, array.shape, array.dtype.name) for name, array in zip(names, arrays, strict=True) if name
    ]
    return Graph((node,), {}, inputs, node.outputs)


def run(op, *inputs, **attributes):
    arrays = [None if value is None else np.asarray(value) for value in inputs]
    graph = graph_of_arrays(op, arrays, attributes)
    values = {f"x{i}": array for i, array in enumerate(arrays) if array is not None}
    return evaluate(graph, values)["y0"]


def gradients(op, *inputs, dy=None, **attributes):
    """Return the gradients of all inputs that are floats, for a gradient of ones."""
    arrays = [None if value is None else np.asarray(value) for value in inputs]
    graph = graph_of_arrays(op, arrays, attributes)
    values = {f"x{i}": array for i, array in enumerate(arrays) if array is not None}
    watch = [name for name, array in values.items() if array.dtype.kind == "f"]
    tape = record(graph, values, watch)
    found = tape.backward({"y0": np.ones_like(tape.outputs["y0"]) if dy is None else np.asarray(dy)})
    return [found[name] for name in watch if name in found]


def floats(arrays):
    return [i for i, array in enumerate(arrays) if array is not None and array.dtype.kind == "f"]


def graph_of(case, arrays, given=None):
    """Return the graph of one node whose inputs `given` (the floats) are inputs and the others initializers."""
    given = floats(arrays) if given is None else given
    names = [f"x{i}" if array is not None else "" for i, array in enumerate(arrays)]
    node = Node(case.op, names, [f"y{i}" for i in range(case.outputs)], case.attributes, "the node")
    inputs = [Input(names[i], arrays[i].shape, arrays[i].dtype.name) for i in given]
    others = {names[i]: array for i, array in enumerate(arrays) if array is not None and i not in given}
    return Graph((node,), others, inputs, node.outputs)


def values_of(graph, arrays):
    return {value.name: arrays[int(value.name[1:])] for value in graph.inputs}


def run_case(case, arrays):
    graph = graph_of(case, arrays)
    check_graph(graph)
    return list(evaluate(graph, values_of(graph, arrays)).values())


def differentiable(case, arrays):
    """Return the numbers of the inputs that have gradients."""
    operator = OPERATORS[case.op]
    if operator.gradient is None:
        return []
    positions = range(len(arrays)) if operator.differentiable is None else operator.differentiable
    return [i for i in floats(arrays) if i in positions]


def gradient_cases():
    return [case for case in CASES if differentiable(case, case.arrays())]


def weights_for(outputs, dtype=None):
    """Return gradients of the outputs: those of the sum of outputs times these numbers."""
    rng = np.random.default_rng(7)
    return [rng.standard_normal(y.shape).astype(dtype or y.dtype) for y in outputs]


def gradients_of(case, arrays, watch=None):
    graph = graph_of(case, arrays)
    watch = differentiable(case, arrays) if watch is None else watch
    tape = record(graph, values_of(graph, arrays), [f"x{i}" for i in watch])
    weights = weights_for(tape.outputs.values())
    found = tape.backward(dict(zip(graph.outputs, weights, strict=True)))
    return [found.get(f"x{i}") for i in watch], weights
