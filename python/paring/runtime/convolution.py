"""Convolutions over compressed filters: windows become the rows of a packed linear layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..graph.integers import is_deep
from ..graph.nodes import Graph, Node
from ..graph.operators import Array
from ..graph.ops import find_operator
from ..graph.ops.conv import window_columns
from ..graph.uses import only_consumer
from ..graph.windows import empty_planes, find_windows
from ..weights import QuantizedWeight, SparseWeight
from .linear import PackedLinear
from .steps import Step, activation_of, bias_of, naming

__all__ = ["lower_convolution"]


# Numbers in a filter from which float CSR beats the float kernel: on one thread of an AMD EPYC (family 26), with a
# tenth left it takes 0.85 times the time at 576, and 2.4 times at 500 with 50 filters.
SPARSE_DEPTH = 512


def _pays(weight: QuantizedWeight | SparseWeight) -> bool:
    floats = isinstance(weight, SparseWeight) and weight.data.dtype.kind == "f"
    return math.prod(weight.shape[1:]) >= SPARSE_DEPTH if floats else is_deep(weight.shape)


def lower_convolution(
    graph: Graph, node: Node, users: dict[str, list[Node]]
) -> tuple[Step, tuple[str, ...]] | None:
    """Return the step of a convolution whose filters are quantized or sparse, with the activation that follows it.

    Float filters are left to the operator's meaning, which has a kernel too; so are groups, and filters so shallow that
    turning and rounding their windows takes longer than the integer kernels win.
    """
    weight = graph.initializers.get(node.inputs[1]) if node.op == "Conv" else None
    if not isinstance(weight, QuantizedWeight | SparseWeight) or weight.axis != 0 or 0 in weight.shape:
        return None
    if node.attributes.get("group", 1) != 1 or not _pays(weight):
        return None
    filters = weight.shape[0]
    bias = None
    if node.inputs[2:3] and node.inputs[2]:
        bias = bias_of(graph, node.inputs[2:3], filters)
        if bias is None:
            return None
    output = node.outputs[0]
    others: tuple[str, ...] = ()
    after = only_consumer(graph, users, output)
    activation = activation_of(after)
    if after is not None and activation is not None:
        output, others = after.outputs[0], (after.name,)
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

    return Step(node.name, node.inputs[:1], (output,), naming(node, work), layer), others
