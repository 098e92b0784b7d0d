"""Concat: inputs one after the other along `axis`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..attributes import int_of
from ..axes import normalize_axis
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run, same_dtype

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    axis = _axis(node, len(shapes[0]))
    if len({len(shape) for shape in shapes}) > 1:
        raise ValueError(
            f"expected inputs with as many axes, got shapes {' and '.join(map(str, map(tuple, shapes)))}"
        )
    result: list[int | None] = []
    for i in range(len(shapes[0])):
        sizes = [shape[i] for shape in shapes]
        if i == axis:
            result.append(None if None in sizes else sum(sizes))
        else:
            known = {size for size in sizes if size is not None}
            if len(known) > 1:
                raise ValueError(
                    f"expected inputs that differ along axis {axis} only, "
                    f"got shapes {' and '.join(map(str, map(tuple, shapes)))}"
                )
            result.append(known.pop() if known else None)
    return (tuple(result),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    same_dtype(*inputs)
    infer(node, [x.shape for x in inputs])
    return (np.concatenate(inputs, axis=_axis(node, inputs[0].ndim)),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    (dy,) = gradients
    axis = _axis(node, dy.ndim)
    results: list[Array | None] = []
    start = 0
    for x, want in zip(inputs, needed, strict=True):
        stop = start + x.shape[axis]
        results.append(dy[(slice(None),) * axis + (slice(start, stop),)] if want else None)
        start = stop
    return results


def _axis(node: Node, rank: int) -> int:
    if "axis" not in node.attributes:
        raise ValueError("expected an attribute 'axis'")
    return normalize_axis(int_of(node, "axis", 0), rank)


OPERATOR = Operator("Concat", infer, meaning, gradient, inputs=(1, None), attributes=("axis",))
