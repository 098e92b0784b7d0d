"""Structured pruning: hidden units and filters that are gone, not zero."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import numpy.typing as npt

from ...graph.nodes import Graph
from ...graph.unit_search import find_units
from ...graph.units import Slices, UnitGroup, keep_units
from ...nn.model import Model
from ..number_checks import check_number

__all__ = ["remove_units"]

Array = npt.NDArray[Any]


def remove_units(model: Model, share: float, *, match: str = "*") -> Model:
    """Return a smaller model: of each layer the hidden units or filters that matter least are gone.

    Their rows of the layer go, their entries of biases and batch normalizations, and their columns of the next layers,
    so that what is left is an ordinary dense model: faster on any kernel, a smaller file. Layers that are added to
    each other lose the same units. Outputs stay, and so do units of which the graph does something else than layers,
    activations, pooling, normalization by batch, sums and flattening. Train the result afterwards: `fit`, or `distill`
    from `model`.

    Parameters
    ----------
    model : Model
        It is not changed.
    share : float
        Of the units of each layer, above 0 and below 1; one unit always stays.
    match : str
        A glob: of the layers whose units can go, those whose weights match.

    Returns
    -------
    Model

    Raises
    ------
    TypeError, ValueError
        If an argument is out of its range, or there are no such units.

    Notes
    -----
    What a unit matters is the norm of its row times the norm of its columns, which stays the same when one is scaled
    by a number and the other by its inverse; behind a batch normalization, its factor takes the place of the row. Rows
    alone are Li et al. 2017, arXiv 1608.08710, section 3.1. A unit with either of them zero goes first.

    Examples
    --------
    >>> from paring import nn
    >>> layers = nn.Sequential(nn.Linear(8, 100), nn.ReLU(), nn.Linear(100, 10))
    >>> small = remove_units(nn.Model(layers, (None, 8)), 0.9)
    >>> [weight.shape for weight in small.state_dict().values()]
    [(10, 8), (10,), (10, 10), (10,)]
    """
    if not isinstance(model, Model):
        raise TypeError(f"model: expected a paring.nn.Model, got {type(model).__name__}")
    share = check_number(share, "share", above=0, below=1)
    if not isinstance(match, str):
        raise TypeError(f"match: expected a glob, got {type(match).__name__}")
    groups = find_units(model.graph)
    wanted = [group for group in groups if any(fnmatchcase(part.weight, match) for part in group.made)]
    if not wanted:
        names = sorted(part.weight for group in groups for part in group.made)
        raise ValueError(
            f"match: expected layers whose units can go, got none for {match!r}; those of "
            f"{', '.join(names) or 'no layer'} can"
        )
    kept = []
    for group in wanted:
        count = max(group.size - round(share * group.size), 1)
        order = np.argsort(-_importance(model.graph, group), kind="stable")
        kept.append((group, np.sort(order[:count])))
    return model.with_graph(keep_units(model.graph, kept))


def _importance(graph: Graph, group: UnitGroup) -> Array:
    factors = [node.inputs[1] for node in graph.nodes if node.op == "BatchNormalization"]
    scales = [part for part in group.passed if part.weight in factors]
    before = _norms(graph, group, scales or group.made)
    return before * _norms(graph, group, group.used)


def _norms(graph: Graph, group: UnitGroup, parts: list[Slices]) -> Array:
    squares = np.zeros(group.size)
    for part in parts:
        weight: Any = graph.initializers[part.weight]
        by_unit = np.moveaxis(weight.astype(np.float64), part.axis, 0).reshape(group.size, -1)
        squares += (by_unit**2).sum(axis=1)
    return np.sqrt(squares)
