"""What `paring.training.fake_quantize` puts into a model, and taking it out again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..graph.nodes import Graph
from ..graph.passes.fake_quantization import PairSettings, insert_pairs
from ..graph.passes.pairs import find_pairs, remove_pairs
from .summary import Row

__all__ = ["Parts", "parts_with_rounding", "parts_without_rounding"]

Parts = tuple[Graph, Sequence[str], Sequence[Row], Iterable[str]]
"""Graph, names of the state, rows and frozen names: what a model is made of."""


def parts_with_rounding(
    graph: Graph,
    state: Sequence[str],
    rows: Sequence[Row],
    frozen: Iterable[str],
    settings: Mapping[str, PairSettings],
    activations: bool,
) -> Parts:
    """Return the parts of the model in which weights are rounded; what moves a learned scale is a weight more."""
    steps = {name: setting.learned.step for name, setting in settings.items() if setting.learned is not None}
    initializers = dict(graph.initializers)
    names: list[str] = []
    for name in state:
        names.append(name)
        setting = settings.get(name)
        if setting is not None and setting.learned is not None:
            initializers[setting.learned.step] = np.zeros(setting.learned.start.size, np.float32)
            names.append(setting.learned.step)
    wider = [
        replace(
            row, weights=tuple(n for name in row.weights for n in (name, steps.get(name)) if n is not None)
        )
        for row in rows
    ]
    whole = Graph(graph.nodes, initializers, graph.inputs, graph.outputs)
    return insert_pairs(whole, settings, activations), names, wider, frozen


def parts_without_rounding(
    graph: Graph, state: Sequence[str], rows: Sequence[Row], frozen: Iterable[str]
) -> Parts | None:
    """Return the parts of the model with its weights as they are; None if nothing is rounded."""
    pairs = find_pairs(graph)
    if not pairs:
        return None
    gone = {name for pair in pairs.values() for name in pair.initializers}
    kept = [replace(row, weights=tuple(name for name in row.weights if name not in gone)) for row in rows]
    return remove_pairs(graph), [name for name in state if name not in gone], kept, set(frozen) - gone
