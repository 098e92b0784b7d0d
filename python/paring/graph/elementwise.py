"""Operators that work element by element: their shapes, dtypes and gradients are made here, their formulas given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .attributes import float_of
from .broadcasting import broadcast_shapes, sum_to
from .nodes import Node, Shape
from .operators import Array, Operator, Run, as_needed, same_dtype

__all__ = ["binary", "comparison", "infer_broadcast", "require_floats", "share_gradient", "unary"]


def require_floats(*arrays: Array) -> None:
    """Raise ValueError unless arrays hold floating-point values."""
    for array in arrays:
        # The kinds of booleans, integers, text, objects, dates; bfloat16 has a kind of its own.
        if array.dtype.kind in "biuUSOMm":
            raise ValueError(f"expected floating-point values, got {array.dtype}")


def unary(
    name: str,
    formula: Callable[..., Array],
    derivative: Callable[..., Array],
    *,
    floats: bool = True,
    **defaults: float,
) -> Operator:
    """Return the operator that maps each element of its input.

    Parameters
    ----------
    name : str
    formula : callable
        ``formula(x, *attributes) -> y``, in the dtype of x.
    derivative : callable
        ``derivative(dy, x, y, *attributes) -> dx``.
    floats : bool
        Whether integers are refused.
    **defaults : float
        Attributes, in the order in which both callables take them: as scalars of the dtype of x.
    """

    def values(node: Node, x: Array) -> list[Any]:
        return [x.dtype.type(float_of(node, key, default)) for key, default in defaults.items()]

    def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
        return (tuple(shapes[0]),)

    def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
        (x,) = inputs
        if floats:
            require_floats(x)
        return (np.asarray(formula(x, *values(node, x))),)

    def gradient(
        node: Node,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        gradients: Sequence[Any],
        needed: Sequence[bool],
        kept: Any,
    ) -> Sequence[Array | None]:
        (x,), (y,), (dy,) = inputs, outputs, gradients
        return as_needed(needed, lambda: np.asarray(derivative(dy, x, y, *values(node, x))))

    return Operator(name, infer, meaning, gradient, inputs=(1, 1), attributes=tuple(defaults))


def binary(
    name: str,
    formula: Callable[[Array, Array], Array],
    derivative_of_a: Callable[[Array, Array, Array, Array], Array],
    derivative_of_b: Callable[[Array, Array, Array, Array], Array],
    *,
    one_dtype: bool = True,
) -> Operator:
    """Return the operator that combines two inputs, either stretched to fit the other.

    Parameters
    ----------
    name : str
    formula : callable
        ``formula(a, b) -> y``.
    derivative_of_a, derivative_of_b : callable
        ``derivative(dy, a, b, y) -> gradient``, of the shape of y: what was stretched is summed here.
    one_dtype : bool
        Whether inputs must have the same dtype.
    """

    def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
        a, b = inputs
        if one_dtype:
            same_dtype(a, b)
        return (np.asarray(formula(a, b)),)

    def gradient(
        node: Node,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        gradients: Sequence[Any],
        needed: Sequence[bool],
        kept: Any,
    ) -> Sequence[Array | None]:
        (a, b), (y,), (dy,) = inputs, outputs, gradients
        return as_needed(
            needed,
            lambda: sum_to(derivative_of_a(dy, a, b, y), a.shape),
            lambda: sum_to(derivative_of_b(dy, a, b, y), b.shape),
        )

    return Operator(name, infer_broadcast, meaning, gradient, inputs=(2, 2), attributes=())


def comparison(name: str, formula: Callable[[Array, Array], Array]) -> Operator:
    """Return the operator that compares two inputs: booleans, which have no gradient."""

    def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
        a, b = inputs
        same_dtype(a, b)
        return (np.asarray(formula(a, b)),)

    return Operator(name, infer_broadcast, meaning, None, (), inputs=(2, 2), attributes=())


def infer_broadcast(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    """Return the shape that all inputs have together."""
    return (broadcast_shapes(*shapes),)


def share_gradient(
    inputs: Sequence[Any], y: Array, dy: Array, needed: Sequence[bool]
) -> tuple[Array | None, ...]:
    """Return the gradients of inputs of which y is an extreme: those that are it share dy. NaN is equal to NaN here."""
    chosen = [(x == y) | (x != x) for x in inputs]
    count = np.sum(np.broadcast_arrays(*chosen), axis=0).astype(dy.dtype)
    share = dy / count
    return tuple(
        sum_to(np.asarray(here * share), x.shape) if want else None
        for x, here, want in zip(inputs, chosen, needed, strict=True)
    )
