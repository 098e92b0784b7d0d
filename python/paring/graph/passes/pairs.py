"""Pairs of QuantizeLinear and DequantizeLinear that are in a graph: found, taken out, read as integers.

See `fake_quantization.py` for what a pair is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ... import _core
from ...weights import Granularity, QuantizedWeight
from ..attributes import int_of, str_of
from ..nodes import Graph, Node
from ..operators import Array, Run
from ..ops import find_operator
from ..ops.integer_conv import CONV_ATTRIBUTES
from ..uses import consumers

__all__ = ["CONV", "DENSE", "LEARNED", "OBSERVED", "Pair", "find_pairs", "quantize_pair", "remove_pairs"]

OBSERVED, LEARNED = "paring.WeightScale", "paring.LearnedScale"
DENSE, CONV = "paring.IntegerDense", "paring.IntegerConv"


@dataclass(frozen=True)
class Pair:
    """A pair in a graph: its weight, what comes out if somebody wants it, and what belongs to it alone."""

    weight: str
    output: str | None
    scale: Node
    quantize: Node
    nodes: tuple[Node, ...]
    initializers: tuple[str, ...]

    @property
    def bits(self) -> int:
        return int_of(self.scale, "bits", 8)

    @property
    def granularity(self) -> Granularity:
        granularity: Any = str_of(self.scale, "granularity", "channel", ("tensor", "channel", "group"))
        return granularity  # type: ignore[no-any-return]

    @property
    def group_size(self) -> int:
        return int_of(self.scale, "group_size", 32)

    @property
    def symmetric(self) -> bool:
        return len(self.quantize.inputs) < 3

    @property
    def learned(self) -> bool:
        return self.scale.op == LEARNED


def find_pairs(graph: Graph) -> dict[str, Pair]:
    """Return the pairs in a graph by the names of their weights."""
    users = consumers(graph.nodes)
    makers = {name: node for node in graph.nodes for name in node.outputs}
    found: dict[str, Pair] = {}
    for scale in graph.nodes:
        if scale.op not in (OBSERVED, LEARNED):
            continue
        quantize = next(node for node in users[scale.outputs[0]] if node.op == "QuantizeLinear")
        nodes, inside = [scale, quantize], list(scale.inputs) if scale.op == LEARNED else []
        name, output = quantize.inputs[0], None
        for end in users.get(quantize.outputs[0], []):
            if end.op == "DequantizeLinear":
                nodes.append(end)
                output = end.outputs[0]
        if name in makers:
            before = makers[name]
            nodes.append(before)
            inside.append(before.inputs[1])
            name = before.inputs[0]
            if output is not None:
                (after,) = users[output]
                nodes.append(after)
                inside.append(after.inputs[1])
                output = after.outputs[0]
        found[name] = Pair(name, output, scale, quantize, tuple(nodes), tuple(inside))
    return found


def remove_pairs(graph: Graph) -> Graph:
    """Return the graph with its weights as they are, and nothing rounded."""
    pairs = find_pairs(graph)
    gone = {node.name for pair in pairs.values() for node in pair.nodes}
    instead = {pair.output: pair.weight for pair in pairs.values() if pair.output is not None}
    weights = {pair.quantize.outputs[0]: pair.weight for pair in pairs.values()}
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.op in (DENSE, CONV):
            nodes += _as_floats(node, weights[node.inputs[1]])
        elif node.name not in gone:
            nodes.append(replace(node, inputs=tuple(instead.get(name, name) for name in node.inputs)))
    inside = {name for pair in pairs.values() for name in pair.initializers}
    initializers = {name: weight for name, weight in graph.initializers.items() if name not in inside}
    return Graph(tuple(nodes), initializers, graph.inputs, graph.outputs)


def _as_floats(node: Node, weight: str) -> list[Node]:
    """Return the nodes that an integer layer stands for."""
    x, bias, name = node.inputs[0], (*node.inputs, "", "")[4], node.name
    if node.op == CONV:
        attributes = {key: value for key, value in node.attributes.items() if key in CONV_ATTRIBUTES}
        return [Node("Conv", (x, weight, *([bias] if bias else [])), node.outputs, attributes, name)]
    if node.attributes["form"] == "Gemm":
        return [Node("Gemm", (x, weight, *([bias] if bias else [])), node.outputs, {"transB": 1}, name)]
    turned, product = f"{name}:turned_weight", f"{name}:product_with_weight"
    result = [
        Node("Transpose", (weight,), (turned,), {"perm": (1, 0)}, turned),
        Node("MatMul", (x, turned), (product,) if bias else node.outputs, {}, name),
    ]
    return [*result, Node("Add", (product, bias), node.outputs, {}, f"{name}:bias")] if bias else result


def quantize_pair(graph: Graph, pair: Pair) -> QuantizedWeight:
    """Return the integers and scales that a pair stands for.

    Raises
    ------
    ValueError
        If the weight or its scale is not finite.
    """
    weight: Any = graph.initializers[pair.weight]
    if not np.isfinite(weight).all():
        raise ValueError(f"{pair.weight!r}: expected finite weights, got NaN or infinity")
    values: dict[str, Array] = {
        name: array for name, array in graph.initializers.items() if isinstance(array, np.ndarray)
    }
    own = {node.name for node in pair.nodes}
    for node in graph.nodes:
        if node.name in own and all(name in values for name in node.inputs):
            results = find_operator(node.op, str(node)).meaning(
                node, [values[name] for name in node.inputs], Run()
            )
            values.update(zip(node.outputs, results, strict=False))
    channels = weight.shape[0]
    codes = np.ascontiguousarray(values[pair.quantize.outputs[0]].reshape(channels, -1))
    scale = values[pair.quantize.inputs[1]]
    two_axes = (*scale.shape, 1, 1)[:2]
    if not np.isfinite(scale).all():
        raise ValueError(f"{pair.weight!r}: expected finite scales, got NaN or infinity")
    grouped = pair.granularity == "group"
    return QuantizedWeight(
        data=codes if pair.bits == 8 else _core.pack_codes(codes, pair.bits),
        scale=np.ascontiguousarray(scale.reshape(two_axes)),
        zero_point=None
        if pair.symmetric
        else np.ascontiguousarray(values[pair.quantize.inputs[2]].reshape(two_axes)),
        shape=weight.shape,
        bits=pair.bits,
        granularity=pair.granularity,
        group_size=pair.group_size if grouped else None,
    )
