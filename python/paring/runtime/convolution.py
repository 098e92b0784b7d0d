"""Convolutions of a graph: packed ones, and windows as the rows of a packed linear layer for what those do not do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..graph.attributes import int_of
from ..graph.integers import is_deep
from ..graph.nodes import Graph, Node
from ..graph.operators import Array
from ..graph.ops import find_operator
from ..graph.ops.conv import window_columns
from ..graph.uses import only_consumer
from ..graph.windows import empty_planes, find_windows
from ..weights import QuantizedWeight, SparseWeight, Weight
from .linear import ActivationName, PackedLinear
from .packed_convolution import PackedConv, as_integer_filters
from .steps import Step, Work, activation_of, bias_of, naming

__all__ = ["lower_convolution"]


# Numbers in a filter from which float CSR beats the float kernel: on one thread of an AMD EPYC (family 26), with a
# tenth left it takes 0.85 times the time at 576, and 2.4 times at 500 with 50 filters.
SPARSE_DEPTH = 512


def lower_convolution(
    graph: Graph, node: Node, users: dict[str, list[Node]]
) -> tuple[Step, tuple[str, ...]] | None:
    """Return the step of a convolution over given filters, with the activation that follows it; None for others."""
    weight = graph.initializers.get(node.inputs[1]) if node.op == "Conv" else None
    if weight is None or len(weight.shape) not in (3, 4) or 0 in weight.shape:
        return None
    if weight.shape[0] % max(int_of(node, "group", 1), 1) or not _can_be_packed(weight):
        return None
    bias = None
    if node.inputs[2:3] and node.inputs[2]:
        bias = bias_of(graph, node.inputs[2:3], weight.shape[0])
        if bias is None:
            return None
    output = node.outputs[0]
    others: tuple[str, ...] = ()
    after = only_consumer(graph, users, output)
    activation = activation_of(after)
    if after is not None and activation is not None:
        output, others = after.outputs[0], (after.name,)
    layer, work = _pack(node, weight, bias, activation)
    return Step(node.name, node.inputs[:1], (output,), naming(node, work), layer), others


def _can_be_packed(weight: Weight) -> bool:
    if isinstance(weight, QuantizedWeight | SparseWeight):
        return weight.axis == 0
    return weight.dtype == np.float32 and bool(np.isfinite(weight).all())


def _pack(
    node: Node, weight: Weight, bias: Array | None, activation: ActivationName | None
) -> tuple[PackedConv | PackedLinear, Work]:
    infer, group = find_operator("Conv", str(node)).infer, int_of(node, "group", 1)
    if isinstance(weight, QuantizedWeight | SparseWeight) and (group != 1 or not _pays(weight)):
        weight = weight.dense()
    if isinstance(weight, SparseWeight) or (
        isinstance(weight, QuantizedWeight) and as_integer_filters(weight) is None
    ):
        return _pack_windows(node, weight, bias, activation)
    layer, shape = PackedConv(weight, bias, activation, groups=group), weight.shape

    def work(values: Sequence[Any]) -> Sequence[Array]:
        x = values[0]
        infer(node, [x.shape, shape])
        if x.dtype != np.float32:
            raise ValueError(f"expected an input of float32, got {x.dtype}")
        return (layer.run_windows(x, find_windows(node, x.shape[2:], shape[2:])),)

    return layer, work


def _pays(weight: QuantizedWeight | SparseWeight) -> bool:
    if isinstance(weight, SparseWeight):
        floats = weight.data.dtype.kind == "f"
        return math.prod(weight.shape[1:]) >= SPARSE_DEPTH if floats else is_deep(weight.shape, grouped=True)
    return is_deep(weight.shape, weight.granularity == "group")


def _pack_windows(
    node: Node,
    weight: QuantizedWeight | SparseWeight,
    bias: Array | None,
    activation: ActivationName | None,
) -> tuple[PackedLinear, Work]:
    filters = weight.shape[0]
    layer = PackedLinear(replace(weight, shape=(filters, math.prod(weight.shape[1:]))), bias, activation)
    infer = find_operator("Conv", str(node)).infer

    def work(values: Sequence[Any]) -> Sequence[Array]:
        x = values[0]
        infer(node, [x.shape, weight.shape])
        windows = find_windows(node, x.shape[2:], weight.shape[2:])
        planes, y = empty_planes((len(x), filters, windows.rows.out, windows.columns.out), 1, np.float32)
        flat = planes.reshape(filters, -1)
        for piece, columns in window_columns(windows, x, 1):
            flat[:, piece] = layer(np.ascontiguousarray(columns[0].T)).T
        return (windows.as_given(y),)

    return layer, work
