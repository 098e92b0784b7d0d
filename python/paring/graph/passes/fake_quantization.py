"""Pairs of QuantizeLinear and DequantizeLinear around weights: put into a graph.

A pair stands between a weight and those who use it:

    weight -> [Reshape to (channels, columns), for groups of filters] -> QuantizeLinear -> DequantizeLinear -> [Reshape]

with the scale from a paring.WeightScale (computed from the weight) or a paring.LearnedScale (trained). Layers that run
on integer kernels become a paring.IntegerDense or paring.IntegerConv over the codes, which does to activations what
these kernels do, so that what is trained is what will run, to the byte.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...weights import Granularity
from ..checking import check_graph
from ..integers import is_deep
from ..nodes import Attribute, Graph, Node
from ..operators import Array
from ..ops.integer_conv import CONV_ATTRIBUTES
from ..ops.weight_scale import scale_shape
from ..uses import consumers, is_plain_product, only_consumer
from .pairs import CONV, DENSE, LEARNED, OBSERVED

__all__ = ["LearnedRange", "PairSettings", "insert_pairs"]

INT8 = 3
ENDS = (":rounded", ":rounded_matrix")


@dataclass(frozen=True)
class LearnedRange:
    """A scale that is trained: what it starts at, and the name of the weight that moves it."""

    start: Array
    step: str


@dataclass(frozen=True)
class PairSettings:
    """How a weight is quantized; channels lie on its first axis."""

    bits: int
    granularity: Granularity
    group_size: int
    symmetric: bool = True
    convention: str = "paring"
    learned: LearnedRange | None = None

    @property
    def codes(self) -> tuple[int, int]:
        """The least and the greatest code."""
        half = 1 << (self.bits - 1)
        narrow = self.bits == 8 and self.symmetric and self.convention == "paring" and self.learned is None
        return (-half + narrow, half - 1)

    @property
    def axes(self) -> dict[str, Attribute]:
        """Attributes that say along which axis the scales lie."""
        return {"axis": 1, "block_size": self.group_size} if self.granularity == "group" else {"axis": 0}

    def scale_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the scales of a weight."""
        return scale_shape(self.granularity, self.group_size, shape[0], math.prod(shape[1:]))


def insert_pairs(graph: Graph, settings: Mapping[str, PairSettings], activations: bool) -> Graph:
    """Return a graph in which weights are rounded before they are used, and the inputs of integer layers too.

    Parameters
    ----------
    graph : Graph
    settings : mapping of str to PairSettings
        By names of weights: arrays of float32 of two axes or more.
    activations : bool
        Whether layers that will run on integer kernels do so already, which rounds what goes into them.
    """
    initializers = dict(graph.initializers)
    nodes: list[Node] = []
    outputs: dict[str, str] = {}
    for name, setting in settings.items():
        weight: Any = graph.initializers[name]
        made, more = _pair_nodes(name, weight.shape, setting)
        nodes += made
        initializers.update(more)
        outputs[name] = made[-1].outputs[0]
    layers = {**_find_dense(graph, settings), **_find_convolutions(graph, settings)} if activations else {}
    gone = {name for layer in layers.values() for name in layer.others}
    for node in graph.nodes:
        if node.name in layers:
            nodes.append(layers[node.name].as_integers(node, settings[layers[node.name].weight]))
        elif node.name not in gone:
            nodes.append(replace(node, inputs=tuple(outputs.get(name, name) for name in node.inputs)))
    kept = _without_unused(nodes, set(outputs.values()), graph.outputs)
    result = Graph(kept, initializers, graph.inputs, graph.outputs)
    check_graph(result)
    return result


@dataclass(frozen=True)
class _Layer:
    """A layer that `paring.Session` will run on integer kernels, with the nodes that go with it."""

    op: str
    weight: str
    bias: str
    output: str
    attributes: Mapping[str, Attribute]
    others: tuple[str, ...] = ()

    def as_integers(self, node: Node, setting: PairSettings) -> Node:
        scales = [f"{self.weight}:scale", "" if setting.symmetric else f"{self.weight}:zero_point"]
        attributes: dict[str, Attribute] = {"bits": setting.bits, **self.attributes, **setting.axes}
        inputs = (node.inputs[0], f"{self.weight}:codes", *scales, self.bias)
        return Node(self.op, inputs, (self.output,), attributes, node.name)


def _find_convolutions(graph: Graph, settings: Mapping[str, PairSettings]) -> dict[str, _Layer]:
    """Return the convolutions with these filters that are deep enough, by the names of their nodes."""
    found: dict[str, _Layer] = {}
    for node in graph.nodes:
        if node.op != "Conv" or node.attributes.get("group", 1) != 1 or node.inputs[1] not in settings:
            continue
        shape, bias = graph.initializers[node.inputs[1]].shape, (*node.inputs, "")[2]
        grouped = settings[node.inputs[1]].granularity == "group"
        if is_deep(shape, grouped) and (not bias or bias in graph.initializers):
            attributes = {key: value for key, value in node.attributes.items() if key in CONV_ATTRIBUTES}
            attributes["kernel_shape"] = shape[2:]
            found[node.name] = _Layer(CONV, node.inputs[1], bias, node.outputs[0], attributes)
    return found


def _find_dense(graph: Graph, weights: Container[str]) -> dict[str, _Layer]:
    """Return the products with these weights, by the names of their nodes: Gemm, or MatMul of the turned weight."""
    users = consumers(graph.nodes)
    turned = {
        node.outputs[0]: node
        for node in graph.nodes
        if node.op == "Transpose"
        and node.inputs[0] in weights
        and node.attributes.get("perm", (1, 0)) == (1, 0)
    }
    found: dict[str, _Layer] = {}
    for node in graph.nodes:
        if not is_plain_product(node) or node.inputs[0] in graph.initializers:
            continue
        if node.attributes.get("transB", 0):
            bias = (*node.inputs, "")[2]
            if node.inputs[1] in weights and (not bias or bias in graph.initializers):
                found[node.name] = _Layer(DENSE, node.inputs[1], bias, node.outputs[0], {"form": "Gemm"})
        elif node.op == "MatMul" and node.inputs[1] in turned:
            before, after = turned[node.inputs[1]], only_consumer(graph, users, node.outputs[0])
            others = (before.name,) if len(users[node.inputs[1]]) == 1 else ()
            bias, output = "", node.outputs[0]
            if after is not None and after.op == "Add":
                added = [name for name in after.inputs if name != output]
                if len(added) == 1 and len(getattr(graph.initializers.get(added[0]), "shape", ())) == 1:
                    bias, output, others = added[0], after.outputs[0], (*others, after.name)
            found[node.name] = _Layer(DENSE, before.inputs[0], bias, output, {"form": "MatMul"}, others)
    return found


def _without_unused(nodes: Sequence[Node], rounded: set[str], outputs: Sequence[str]) -> tuple[Node, ...]:
    """Return nodes without the ends of pairs whose rounded weight nobody uses: there the codes are used."""
    kept = list(nodes)
    for _ in range(2):  # a Reshape, and the DequantizeLinear before it
        used = {name for node in kept for name in node.inputs} | set(outputs)
        ends = [
            node for node in kept if node.op in ("DequantizeLinear", "Reshape") and node.name.endswith(ENDS)
        ]
        gone = {node.name for node in ends if used.isdisjoint(node.outputs)}
        kept = [node for node in kept if node.name not in gone]
    return tuple(kept)


def _pair_nodes(
    name: str, shape: tuple[int, ...], setting: PairSettings
) -> tuple[list[Node], dict[str, Array]]:
    """Return the nodes of a pair in order, the last one giving the rounded weight, and their initializers."""

    def named(part: str) -> str:
        return f"{name}:{part}"

    initializers: dict[str, Array] = {}
    form: dict[str, Attribute] = {
        "bits": setting.bits,
        "granularity": setting.granularity,
        "group_size": setting.group_size,
    }
    if setting.learned is None:
        form |= {"symmetric": int(setting.symmetric), "convention": setting.convention}
        nodes = [Node(OBSERVED, (name,), (named("scale"), named("zero_point")), form, named("scale"))]
    else:
        count = math.prod(shape) // max(math.prod(setting.scale_shape(shape)), 1)
        form["factor"] = 1 / math.sqrt(max(count, 1) * setting.codes[1])
        initializers[named("start")] = setting.learned.start
        nodes = [
            Node(LEARNED, (named("start"), setting.learned.step), (named("scale"),), form, named("scale"))
        ]
    matrix = name
    if setting.granularity == "group" and len(shape) > 2:
        initializers[named("matrix_shape")] = np.array([shape[0], math.prod(shape[1:])], np.int64)
        initializers[named("shape")] = np.array(shape, np.int64)
        matrix = named("matrix")
        nodes.append(Node("Reshape", (name, named("matrix_shape")), (matrix,), {}, matrix))
    low, high = setting.codes
    zero = () if setting.symmetric else (named("zero_point"),)
    scales = (named("scale"), *zero)
    coded: dict[str, Attribute] = {**setting.axes, "output_dtype": INT8, "low": low, "high": high}
    nodes.append(Node("QuantizeLinear", (matrix, *scales), (named("codes"),), coded, named("codes")))
    end = named("rounded")
    flat = named("rounded_matrix") if matrix != name else end
    nodes.append(Node("DequantizeLinear", (named("codes"), *scales), (flat,), setting.axes, flat))
    if matrix != name:
        nodes.append(Node("Reshape", (flat, named("shape")), (end,), {}, end))
    return nodes, initializers
