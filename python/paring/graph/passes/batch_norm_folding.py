"""Batch normalization at rest is a scale and a shift of each channel: it goes into the layer before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...weights import Weight
from ..nodes import Graph, Node
from ..operators import Array
from ..uses import consumers, only_consumer, prune_initializers

__all__ = ["fold_batch_norm"]

EPSILON = 1e-5  # ONNX's default


def fold_batch_norm(graph: Graph) -> Graph:
    """Return a graph whose batch normalizations are part of the convolution or dense layer before them.

    ``scale * (W x + b - mean) / sqrt(var + epsilon) + shift`` is ``W' x + b'`` with ``W' = factor * W`` and
    ``b' = factor * (b - mean) + shift`` for ``factor = scale / sqrt(var + epsilon)``, computed in float64. Left as they
    are: normalizations of anything but the only use of a Conv or Gemm, those whose new statistics somebody wants, and
    those behind compressed weights, whose scales are not ours to change here.
    """
    makers = {output: node for node in graph.nodes for output in node.outputs}
    users = consumers(graph.nodes)
    initializers: dict[str, Weight] = dict(graph.initializers)
    replaced: dict[str, Node] = {}
    dropped: set[str] = set()
    for norm in graph.nodes:
        statistics = {name for name in norm.outputs[1:] if name}
        if norm.op != "BatchNormalization" or statistics & ({*users} | {*graph.outputs}):
            continue
        layer = makers.get(norm.inputs[0])
        if layer is None or only_consumer(graph, users, norm.inputs[0]) is not norm:
            continue
        parts = _parts(layer, norm, initializers)
        if parts is None:
            continue
        weight, bias, factor, mean, shift = parts
        channels = _channel_axis(layer)
        turned = np.moveaxis(weight.astype(np.float64), channels, 0)
        folded = np.moveaxis(turned * factor.reshape(-1, *[1] * (weight.ndim - 1)), 0, channels)
        names = (f"{layer.name}.folded_weight", f"{layer.name}.folded_bias")
        initializers[names[0]] = np.ascontiguousarray(folded.astype(weight.dtype))
        initializers[names[1]] = (factor * (bias - mean) + shift).astype(weight.dtype)
        replaced[layer.name] = replace(layer, inputs=(layer.inputs[0], *names), outputs=norm.outputs[:1])
        dropped.add(norm.name)
    nodes = tuple(replaced.get(node.name, node) for node in graph.nodes if node.name not in dropped)
    return prune_initializers(Graph(nodes, initializers, graph.inputs, graph.outputs))


def _channel_axis(layer: Node) -> int:
    """Return which axis of the layer's weight holds its outputs."""
    return 1 if layer.op == "Gemm" and not layer.attributes.get("transB", 0) else 0


def _parts(
    layer: Node, norm: Node, initializers: dict[str, Weight]
) -> tuple[Array, Array, Array, Array, Array] | None:
    """Return weight, bias, factor, mean and shift; None if this layer and normalization cannot be one."""
    if layer.op not in ("Conv", "Gemm"):
        return None
    if layer.op == "Gemm" and any(layer.attributes.get(name, 1.0) != 1.0 for name in ("alpha", "beta")):
        return None
    names = [layer.inputs[1], *norm.inputs[1:5], *[name for name in layer.inputs[2:3] if name]]
    arrays = [initializers.get(name) for name in names]
    if not all(isinstance(array, np.ndarray) for array in arrays):
        return None
    weight, scale, shift, mean, variance, *rest = (np.asarray(array) for array in arrays)
    if rest and rest[0].shape != scale.shape:  # a bias that is stretched, or a matrix
        return None
    scale, shift, mean, variance = (array.astype(np.float64) for array in (scale, shift, mean, variance))
    bias = rest[0].astype(np.float64) if rest else np.zeros_like(scale)
    factor = scale / np.sqrt(variance + float(norm.attributes.get("epsilon", EPSILON)))  # type: ignore[arg-type]
    return weight, bias, factor, mean, shift
