"""Reshape: the same values in another shape, which is the second input.

There, -1 is what is left over and 0 the size that the input has in this place (or no size at all, if allowzero is 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..attributes import int_of
from ..axes import count_of, product, to_integers
from ..nodes import Node, Shape
from ..operators import Array, Known, Operator, Run, as_needed

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    shape, wanted = shapes
    value = Known.value_of(wanted)
    if value is None:
        count = count_of(wanted, "shape")
        if count is None:
            raise ValueError("expected a shape with a known number of axes")
        return ((None,) * count,)
    return (_resolve(node, shape, to_integers(value, "shape")),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    x, wanted = inputs
    return (x.reshape(_resolve(node, x.shape, to_integers(wanted, "shape"))),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    dx, _ = as_needed((needed[0], False), lambda: gradients[0].reshape(inputs[0].shape), lambda: gradients[0])
    return dx, None


def _resolve(node: Node, shape: Sequence[int | None], wanted: tuple[int, ...]) -> Shape:
    """Return the new shape, None where it depends on a size that is not known."""
    allow_zero = int_of(node, "allowzero", 0)
    problem = ValueError(
        f"expected a shape for {product(shape)} values of shape {tuple(shape)}, got {wanted}"
    )
    if wanted.count(-1) > 1 or min(wanted, default=0) < -1 or (allow_zero and 0 in wanted and -1 in wanted):
        raise problem
    sizes: list[int | None] = []
    for i, size in enumerate(wanted):
        if size == 0 and not allow_zero:
            if i >= len(shape):
                raise problem
            sizes.append(shape[i])
        else:
            sizes.append(size)
    # Unknown sizes that are copied cancel out: (None, 3, 4) as (0, -1) is (None, 12).
    unknown = sizes.count(None)
    after = [size for size in sizes if size not in (-1, None)]
    before = [size for size in shape if size is not None] + [None] * (list(shape).count(None) - unknown)
    total, given = product(before), product(after)
    if total is None:
        return tuple(None if size == -1 else size for size in sizes)
    if -1 in sizes:
        if not given or total % given:
            raise problem
        return tuple(total // given if size == -1 else size for size in sizes)
    if total != given:
        raise problem
    return tuple(sizes)


OPERATOR = Operator("Reshape", infer, meaning, gradient, (0,), inputs=(2, 2), attributes=("allowzero",))
