"""MaxPool: the largest value of each window inside the input, and its place in the flattened input as Indices.

A NaN is larger than everything. Of equal values the first takes all of the gradient, as in PyTorch. There is no
storage_order 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import _core
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run
from ..windows import as_planes, check_floats, empty_planes, find_windows, infer_spatial

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    (x,) = shapes
    shape = (*x[:2], *infer_spatial(node, x[2:], _kernel(node)))
    return (shape,) * len(node.outputs)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    (x,) = inputs
    check_floats(x=x)
    windows = find_windows(node, x.shape[2:], _kernel(node))
    windows.check_inside()
    planes, image_axis = as_planes(windows.as_images(x))
    n, c = x.shape[:2]
    shape = (n, c, windows.rows.out, windows.columns.out)
    y_planes, y = empty_planes(shape, image_axis, x.dtype)
    wanted = len(node.outputs) > 1 and node.outputs[1] != ""
    places = np.empty(y_planes.shape, np.int32) if wanted or run.kept is not None else None
    _core.max_pool(planes, image_axis, windows.shape, y_planes, places)
    run.keep(node, (places, image_axis))
    if not wanted or places is None:
        return (windows.as_given(y),)
    starts = np.arange(n * c).reshape(n, c, 1, 1) * (windows.rows.size * windows.columns.size)
    indices = starts + (places if image_axis == 0 else places.transpose(1, 0, 2, 3))
    return windows.as_given(y), windows.as_given(indices)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    (x,) = inputs
    places, image_axis = kept
    windows = find_windows(node, x.shape[2:], _kernel(node))
    dy, dy_axis = as_planes(windows.as_images(gradients[0]))
    dx_planes, dx = empty_planes(windows.as_images(x).shape, image_axis, dy.dtype)
    _core.max_pool_gradient(dy, dy_axis, places, image_axis, windows.shape, dx_planes)
    return (windows.as_given(dx),)


def _kernel(node: Node) -> tuple[int, ...]:
    kernel: Any = node.attributes.get("kernel_shape")
    if kernel is None:
        raise ValueError("kernel_shape: expected one, got none")
    if node.attributes.get("storage_order", 0):
        raise ValueError("storage_order: expected 0, row-major, got 1")
    return tuple(kernel)


OPERATOR = Operator("MaxPool", infer, meaning, gradient)
