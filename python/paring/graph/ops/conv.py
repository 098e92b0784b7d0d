"""Conv: each output is the sum of products of a filter and a window, over the channels of its group, plus a bias.

Input (N, C, L) or (N, C, H, W), filters (O, C / group, ...), bias (O,). Windows are laid out as columns of a matrix,
a chunk at a time, and multiplied by the filters; the gradient of the filters lays them out again, which costs less than
to keep them: they take as much memory as the input times the taps of the kernel. For float32 one kernel does it all
(csrc/products/convolution.h), for float64 NumPy multiplies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ... import _core
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run
from ..windows import (
    Windows,
    as_planes,
    channel_sums,
    check_floats,
    empty_planes,
    find_windows,
    infer_spatial,
)

__all__ = ["OPERATOR", "window_columns"]

# Of the columns that exist at a time. They stay in the second-level cache between being written and multiplied. It is
# fixed, because the sums in filter gradients follow the chunks.
COLUMN_BYTES = 1 << 20


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    x, w, b = (*shapes, None)[:3]
    kernel = _check(node, tuple(x), tuple(w), b)
    return ((x[0], w[0], *infer_spatial(node, x[2:], kernel)),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    x, w, b = (*inputs, None)[:3]
    _check(node, x.shape, w.shape, None if b is None else b.shape)
    check_floats(x=x, w=w, b=b)
    windows = find_windows(node, x.shape[2:], w.shape[2:])
    group = _group(node)
    n, o = len(x), len(w)
    if _is_depthwise(x, w, group):
        return (windows.as_given(_depthwise(windows, x, w, b)),)
    planes, y = empty_planes((n, o, windows.rows.out, windows.columns.out), 1, x.dtype)
    if x.dtype == np.float32:
        of_x, image_axis = as_planes(windows.as_images(x))
        bias = None if b is None else np.ascontiguousarray(b)
        _core.convolve(of_x, image_axis, _filters(windows, w), bias, group, windows.shape, planes)
        return (windows.as_given(y),)
    filters = w.reshape(group, o // group, -1)
    bias = None if b is None else b.reshape(group, o // group, 1)
    flat = planes.reshape(group, o // group, -1)
    for piece, columns in window_columns(windows, x, group):
        part = flat[:, :, piece]
        np.matmul(filters, columns, out=part)
        if bias is not None:
            part += bias
    return (windows.as_given(y),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    x, w = inputs[:2]
    of_x, of_w, of_b = (*needed, False)[:3]
    windows = find_windows(node, x.shape[2:], w.shape[2:])
    group, o = _group(node), len(w)
    if _is_depthwise(x, w, group):
        return _depthwise_gradient(windows, x, w, windows.as_images(gradients[0]), needed)
    dy = np.ascontiguousarray(windows.as_images(gradients[0]).transpose(1, 0, 2, 3)).reshape(
        group, o // group, -1
    )
    if x.dtype == np.float32:
        dw = _fused_filter_gradient(windows, x, dy, w, group) if of_w else None
        dx = _fused_input_gradient(windows, x, dy, w, group) if of_x else None
    else:
        filters = w.reshape(group, o // group, -1)
        dw = _filter_gradient(windows, x, dy, group).reshape(w.shape) if of_w else None
        dx = _input_gradient(windows, x, filters, dy) if of_x else None
    db = dy.reshape(o, -1).sum(axis=1) if of_b else None
    return (dx, dw, db)[: len(needed)]


def _filters(windows: Windows, w: Array) -> Array:
    return np.ascontiguousarray(w).reshape(*w.shape[:2], windows.rows.kernel, windows.columns.kernel)


def _fused_filter_gradient(windows: Windows, x: Array, dy: Array, w: Array, group: int) -> Array:
    planes, image_axis = as_planes(windows.as_images(x))
    gradient = np.empty((*w.shape[:2], windows.rows.kernel, windows.columns.kernel), np.float32)
    outputs = dy.reshape(len(w), len(x), windows.rows.out, windows.columns.out)
    _core.convolve_filter_gradient(planes, image_axis, outputs, group, windows.shape, gradient)
    return gradient.reshape(w.shape)


def _fused_input_gradient(windows: Windows, x: Array, dy: Array, w: Array, group: int) -> Array:
    images = windows.as_images(x)
    image_axis = as_planes(images)[1]
    planes, dx = empty_planes(images.shape, image_axis, np.float32)
    outputs = dy.reshape(len(w), len(x), windows.rows.out, windows.columns.out)
    _core.convolve_input_gradient(outputs, _filters(windows, w), group, windows.shape, planes, image_axis)
    return windows.as_given(dx)


def _filter_gradient(windows: Windows, x: Array, dy: Array, group: int) -> Array:
    taps = windows.rows.kernel * windows.columns.kernel
    total: Array = np.zeros((group, dy.shape[1], x.shape[1] // group * taps), dy.dtype)
    part = np.empty_like(total)
    for piece, columns in window_columns(windows, x, group):
        total += np.matmul(dy[:, :, piece], columns.transpose(0, 2, 1), out=part)
    return total


def _input_gradient(windows: Windows, x: Array, filters: Array, dy: Array) -> Array:
    images = windows.as_images(x)
    turned = filters.transpose(0, 2, 1)
    if _is_pointwise(windows):
        dx = np.matmul(turned, dy).reshape(images.shape[1], len(images), *images.shape[2:])
        return windows.as_given(dx.transpose(1, 0, 2, 3))
    image_axis = as_planes(images)[1]
    planes, dx = empty_planes(images.shape, image_axis, dy.dtype)
    planes[...] = 0
    memory = np.empty(0, dy.dtype)
    for chunk, piece in _chunks(windows, images.shape, dy.itemsize):
        shape = (len(turned), turned.shape[1], piece.stop - piece.start)
        size = shape[0] * shape[1] * shape[2]
        if memory.size < size:
            memory = np.empty(size, dy.dtype)
        columns = memory[:size].reshape(shape)
        np.matmul(turned, dy[:, :, piece], out=columns)
        matrix = columns.reshape(-1, shape[2])
        _core.scatter_columns(matrix, windows.shape, *chunk, planes, image_axis)
    return windows.as_given(dx)


def _is_depthwise(x: Array, w: Array, group: int) -> bool:
    """Whether products are so small that loops over planes beat them: one channel and few filters a group."""
    return group > 1 and group == x.shape[1] and len(w) <= 4 * group


def _depthwise(windows: Windows, x: Array, w: Array, b: Array | None) -> Array:
    planes, image_axis = as_planes(windows.as_images(x))
    shape = (len(x), len(w), windows.rows.out, windows.columns.out)
    y_planes, y = empty_planes(shape, image_axis, x.dtype)
    bias = None if b is None else np.ascontiguousarray(b)
    _core.depthwise(planes, image_axis, _taps(windows, w), bias, windows.shape, y_planes, image_axis)
    return y


def _depthwise_gradient(
    windows: Windows, x: Array, w: Array, dy: Array, needed: Sequence[bool]
) -> Sequence[Array | None]:
    planes, image_axis = as_planes(windows.as_images(x))
    dy_planes, dy_axis = as_planes(dy)
    dx = dw = None
    if needed[0]:
        dx_planes, dx = empty_planes(windows.as_images(x).shape, image_axis, dy.dtype)
        _core.depthwise_input_gradient(
            dy_planes, dy_axis, _taps(windows, w), windows.shape, dx_planes, image_axis
        )
        dx = windows.as_given(dx)
    if needed[1]:
        filters = np.empty((len(w), windows.rows.kernel, windows.columns.kernel), dy.dtype)
        _core.depthwise_filter_gradient(planes, image_axis, dy_planes, dy_axis, windows.shape, filters)
        dw = filters.reshape(w.shape)
    db = channel_sums(dy).astype(dy.dtype) if len(needed) > 2 and needed[2] else None
    return (dx, dw, db)[: len(needed)]


def _taps(windows: Windows, w: Array) -> Array:
    return np.ascontiguousarray(w).reshape(len(w), windows.rows.kernel, windows.columns.kernel)


def window_columns(windows: Windows, x: Array, group: int) -> Iterator[tuple[slice, Array]]:
    """Yield pieces of the output positions, in order, and the windows there as (group, C / group * taps, positions).

    The memory of one is that of the next.
    """
    images = windows.as_images(x)
    channels = images.shape[1]
    if _is_pointwise(windows):
        columns = np.ascontiguousarray(images.transpose(1, 0, 2, 3)).reshape(group, channels // group, -1)
        yield slice(0, columns.shape[2]), columns
        return
    planes, image_axis = as_planes(images)
    rows = channels * windows.rows.kernel * windows.columns.kernel
    memory = np.empty(0, x.dtype)
    for chunk, piece in _chunks(windows, images.shape, x.itemsize):
        size = rows * (piece.stop - piece.start)
        if memory.size < size:
            memory = np.empty(size, x.dtype)
        matrix = memory[:size].reshape(rows, -1)
        _core.gather_columns(planes, image_axis, windows.shape, *chunk, matrix)
        yield piece, matrix.reshape(group, rows // group, -1)


def _chunks(
    windows: Windows, shape: Sequence[int], itemsize: int
) -> Iterator[tuple[tuple[tuple[int, int], tuple[int, int]], slice]]:
    """Yield ((images, output rows), output positions): some whole images, or rows of one, COLUMN_BYTES of columns."""
    n, channels = shape[:2]
    height, width = windows.rows.out, windows.columns.out
    row_bytes = max(channels, 1) * windows.rows.kernel * windows.columns.kernel * width * itemsize
    rows = max(COLUMN_BYTES // row_bytes, 1)
    if rows >= height:
        step = rows // height
        for first in range(0, n, step):
            last = min(first + step, n)
            yield ((first, last), (0, height)), slice(first * height * width, last * height * width)
        return
    for image in range(n):
        for first in range(0, height, rows):
            last = min(first + rows, height)
            start = image * height
            yield ((image, image + 1), (first, last)), slice((start + first) * width, (start + last) * width)


def _is_pointwise(windows: Windows) -> bool:
    """Whether the columns are the input as it is."""
    return all(
        axis.kernel == 1 and axis.stride == 1 and axis.begin == 0 and axis.end == 0
        for axis in (windows.rows, windows.columns)
    )


def _group(node: Node) -> int:
    group: Any = node.attributes.get("group", 1)
    return int(group)


def _check(node: Node, x: Shape, w: Shape, b: Shape | None) -> tuple[int | None, ...]:
    """Return the shape of the kernel as far as it is known, or raise ValueError."""
    if len(x) not in (3, 4):
        raise ValueError(
            f"expected an input of 1 or 2 spatial axes, (N, C, L) or (N, C, H, W), got shape {x}"
        )
    if len(w) != len(x) or 0 in w:
        raise ValueError(f"expected filters of {len(x)} axes like the input, without zeros, got shape {w}")
    group = _group(node)
    if group < 1 or (w[0] is not None and w[0] % group):
        raise ValueError(f"group: expected one that divides the {w[0]} filters, got {group}")
    if x[1] is not None and w[1] is not None and x[1] != w[1] * group:
        raise ValueError(
            f"expected filters over {x[1]} channels / group {group}, got shape {w} for an input of shape {x}"
        )
    if b is not None and (len(b) != 1 or (None not in (b[0], w[0]) and b[0] != w[0])):
        raise ValueError(f"expected a bias of shape {(w[0],)}, got {b}")
    kernel: Any = node.attributes.get("kernel_shape", w[2:])
    fits = len(kernel) == len(w) - 2 and all(
        size in (None, got) for size, got in zip(w[2:], kernel, strict=True)
    )
    if not fits:
        raise ValueError(f"kernel_shape: expected {w[2:]} as the filters have, got {tuple(kernel)}")
    return tuple(kernel)


OPERATOR = Operator("Conv", infer, meaning, gradient)
