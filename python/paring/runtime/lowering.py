"""From a graph to the steps that run it: packed layers where there is a kernel, the operator's meaning elsewhere."""

from __future__ import annotations

import numpy as np

from ..graph.nodes import Graph, Node
from ..graph.operators import Array, Run
from ..graph.ops import find_operator
from ..graph.uses import consumers, is_plain_product, only_consumer
from ..weights import QuantizedWeight, SparseWeight, Weight
from .convolution import lower_convolution
from .linear import PackedLinear
from .steps import Step, activation_of, bias_of, naming

__all__ = ["lower"]


def lower(graph: Graph) -> tuple[list[Step], dict[str, Array]]:
    """Return the steps of a graph, and the initializers that they take as values."""
    users = consumers(graph.nodes)
    taken: set[str] = set()
    steps = []
    for node in graph.nodes:
        if node.name in taken:
            continue
        step, others = (
            _lower_dense(graph, node, users)
            or lower_convolution(graph, node, users)
            or (_lower_meaning(node), ())
        )
        taken.update(others)
        steps.append(step)
    wanted = {name for step in steps for name in step.inputs} | set(graph.outputs)
    values = {
        name: weight if isinstance(weight, np.ndarray) else weight.dense()
        for name, weight in graph.initializers.items()
        if name in wanted
    }
    return steps, values


def _lower_meaning(node: Node) -> Step:
    operator = find_operator(node.op, str(node))
    run = naming(node, lambda values: operator.meaning(node, values, Run()))
    return Step(node.name, node.inputs, node.outputs, run)


def _lower_dense(
    graph: Graph, node: Node, users: dict[str, list[Node]]
) -> tuple[Step, tuple[str, ...]] | None:
    """Return the step of a dense layer with the bias and activation that follow it, and the names of those nodes."""
    parts = _dense_parts(graph, node)
    if parts is None:
        return None
    weight, bias = parts
    output = node.outputs[0]
    others: list[str] = []
    after = only_consumer(graph, users, output)
    if bias is None and after is not None and after.op == "Add":
        added = bias_of(graph, [name for name in after.inputs if name != output], _out_features(weight))
        if added is not None:
            bias, output = added, after.outputs[0]
            others.append(after.name)
            after = only_consumer(graph, users, output)
    activation = activation_of(after)
    if after is not None and activation is not None:
        output = after.outputs[0]
        others.append(after.name)
    layer = PackedLinear(weight, bias, activation)
    run = naming(node, lambda values: (layer(values[0]),))
    return Step(node.name, node.inputs[:1], (output,), run, layer), tuple(others)


def _dense_parts(graph: Graph, node: Node) -> tuple[Weight, Array | None] | None:
    """Return weight (out_features, in_features) and bias of a node that a packed layer can do; else None."""
    if not is_plain_product(node) or node.inputs[0] in graph.initializers:
        return None
    weight = graph.initializers.get(node.inputs[1])
    if weight is None or len(weight.shape) != 2 or 0 in weight.shape or not _has_kernel(weight):
        return None
    turned = bool(node.attributes.get("transB", 0))  # then it lies as (out_features, in_features)
    if isinstance(weight, np.ndarray):
        weight = weight if turned else weight.T
    elif weight.axis != (0 if turned else 1):
        return None
    if not node.inputs[2:3] or not node.inputs[2]:
        return weight, None
    bias = bias_of(graph, node.inputs[2:3], _out_features(weight))
    return None if bias is None else (weight, bias)


def _has_kernel(weight: Weight) -> bool:
    match weight:
        case QuantizedWeight() | SparseWeight():
            return True
        case _:
            return weight.dtype == np.float32 and bool(np.isfinite(weight).all())


def _out_features(weight: Weight) -> int:
    return weight.shape[0] if isinstance(weight, np.ndarray) else weight.shape[weight.axis]
