"""Steps of a program, and what of a graph can become part of a packed one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph.nodes import Graph, Node
from ..graph.operators import Array
from .linear import ActivationName, PackedLinear
from .packed_convolution import PackedConv

__all__ = ["Step", "Work", "activation_of", "bias_of", "naming"]

Work = Callable[[Sequence[Any]], Sequence[Array]]


@dataclass(frozen=True)
class Step:
    """One step of a program.

    Attributes
    ----------
    name : str
        Of the node, or the first of those that became one.
    inputs, outputs : tuple of str
        Names of values.
    run : callable
        From the values of the inputs to those of the outputs. Holds no state, so threads may share it.
    layer : PackedLinear, PackedConv or None
        The layer whose kernel does the work, if one does.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    run: Work
    layer: PackedLinear | PackedConv | None = None


def naming(node: Node, work: Work) -> Work:
    """Return the work, which says in its errors that it is that of a node."""

    def run(values: Sequence[Any]) -> Sequence[Array]:
        try:
            return work(values)
        except (ValueError, IndexError, TypeError) as error:
            raise ValueError(f"{node}: {error}") from error

    return run


def bias_of(graph: Graph, names: Sequence[str], size: int) -> Array | None:
    """Return the initializer that is a bias of so many numbers, if `names` is one such."""
    array = graph.initializers.get(names[0]) if len(names) == 1 else None
    fits = isinstance(array, np.ndarray) and array.dtype == np.float32 and array.shape == (size,)
    return array if fits and isinstance(array, np.ndarray) and bool(np.isfinite(array).all()) else None


def activation_of(node: Node | None) -> ActivationName | None:
    """Return the activation that a packed layer applies itself, if the node is one of them."""
    if node is None:
        return None
    match node.op:
        case "Relu":
            return "relu"
        case "Gelu" if node.attributes.get("approximate", "none") == "none":
            return "gelu"
        case "Swish" if node.attributes.get("alpha", 1.0) == 1.0:
            return "silu"
    return None
