"""BatchNormalization: ``scale * (x - mean) / sqrt(var + epsilon) + b`` for each channel of (N, C, ...).

Inputs x, scale, b, mean, var. Where ``training_mode`` is 1 and the run is one of training, mean and variance are those
of the batch (the variance divided by n, in the normalization and in what is stored), and outputs 1 and 2 are the new
statistics, ``momentum * old + (1 - momentum) * of the batch``. Otherwise they are the inputs. A node with
training_mode 0 has frozen statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..nodes import Node, Shape
from ..operators import Array, Operator, Run
from ..windows import channel_sums, check_floats

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    x, *others = shapes
    if len(others) != 4 or len(x) < 2:
        raise ValueError(f"expected x (N, C, ...), scale, b, mean and var, got shapes {tuple(shapes)}")
    for name, shape in zip(("scale", "b", "mean", "var"), others, strict=True):
        channels = (x[1],) if x[1] is not None else (others[0] or (None,))[:1]
        if len(shape) != 1 or (None not in (*shape, *channels) and tuple(shape) != channels):
            raise ValueError(f"expected {name} of shape {channels}, got {shape}")
    return (tuple(x), tuple(others[2]), tuple(others[3]))[: max(len(node.outputs), 1)]


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    infer(node, [array.shape for array in inputs])
    x, scale, b, mean, var = inputs
    check_floats(x=x, scale=scale, b=b)
    check_floats(mean=mean, var=var)
    epsilon = float(_number(node, "epsilon", 1e-5))
    of_batch = run.training and bool(node.attributes.get("training_mode", 0))
    new_mean, new_var = mean, var
    if of_batch:
        count = x.size // max(x.shape[1], 1)
        if count < 2:
            raise ValueError(
                f"expected more than one value for each channel in training, got shape {x.shape}: "
                "its variance would be 0; use a larger batch, or leave it out"
            )
        batch_mean = channel_sums(x) / count
        centered = x - _stretched(batch_mean.astype(x.dtype), x)
        # What the mean lost when it became float32 is still in the centered values.
        lost = batch_mean - batch_mean.astype(x.dtype)
        batch_var = np.maximum(channel_sums(centered * centered) / count - lost * lost, 0)
        momentum = float(_number(node, "momentum", 0.9))
        new_mean = (momentum * mean.astype(np.float64) + (1 - momentum) * batch_mean).astype(mean.dtype)
        new_var = (momentum * var.astype(np.float64) + (1 - momentum) * batch_var).astype(var.dtype)
        mean, var = batch_mean, batch_var
    else:
        centered = x - _stretched(mean.astype(x.dtype), x)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = (1 / np.sqrt(var.astype(np.float64) + epsilon)).astype(x.dtype)
    run.keep(node, (mean.astype(x.dtype), inverse, of_batch))
    centered *= _stretched(inverse * scale, x)
    centered += _stretched(b, x)
    return (centered, new_mean, new_var)[: max(len(node.outputs), 1)]


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    dy = gradients[0]
    if dy is None or any(gradient is not None for gradient in gradients[1:]):
        raise ValueError(f"{node}: BatchNormalization has no gradient through the statistics that it stores")
    x, scale = inputs[:2]
    mean, inverse, of_batch = kept
    of_x, of_scale, of_b = needed[:3]
    through_statistics = of_x and of_batch
    normal = None
    if through_statistics or of_scale:
        normal = x - _stretched(mean, x)
        normal *= _stretched(inverse, x)
    dscale = channel_sums(dy * normal) if normal is not None else None
    db = channel_sums(dy) if through_statistics or of_b else None
    dx = None
    if of_x:
        factor = _stretched(inverse * scale, x)
        if through_statistics and normal is not None and dscale is not None and db is not None:
            count = x.size // max(x.shape[1], 1)
            normal *= _stretched((dscale / count).astype(x.dtype), x)
            dx = dy - normal
            dx -= _stretched((db / count).astype(x.dtype), x)
            dx *= factor
        else:
            dx = dy * factor
    return (
        dx,
        dscale.astype(x.dtype) if of_scale and dscale is not None else None,
        db.astype(x.dtype) if of_b and db is not None else None,
        None,
        None,
    )


def _stretched(values: Array, x: Array) -> Array:
    return values.reshape(-1, *(1,) * (x.ndim - 2))


def _number(node: Node, name: str, default: float) -> Any:
    return node.attributes.get(name, default)


OPERATOR = Operator("BatchNormalization", infer, meaning, gradient, differentiable=(0, 1, 2))
