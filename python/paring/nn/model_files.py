"""The file of a model: its weights, its graph, and which of the initializers are weights."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FormatError
from ..formats import read, write
from ..formats.limits import Limits
from ..formats.strict_json import is_unicode, parse_object
from ..graph.documents import MAX_CONSTANT_SIZE, from_document, is_constant_dtype, to_document
from ..graph.nodes import Graph
from ..weights import Weight
from .state import is_weight
from .summary import Row

__all__ = ["GRAPH_KEY", "MODEL_KEY", "ModelParts", "read_model", "save_model"]

GRAPH_KEY = "paring.graph"
MODEL_KEY = "paring.model"
VERSION = 1
SUFFIXES = (".safetensors", ".npz")

ModelParts = tuple[Graph, tuple[str, ...] | None, tuple[str, ...], tuple[Row, ...]]
"""Graph, names of the state (None if the file says nothing of it), names of the frozen, rows."""


def save_model(
    path: str | os.PathLike[str],
    graph: Graph,
    state: Sequence[str],
    frozen: Iterable[str],
    rows: Sequence[Row],
) -> None:
    """Write a model; ValueError if the suffix is none of `SUFFIXES`."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path}: expected a file called *{' or *'.join(SUFFIXES)} for a model")
    in_state = set(state)
    constants = [
        name
        for name, weight in graph.initializers.items()
        if name not in in_state
        and isinstance(weight, np.ndarray)
        and weight.size <= MAX_CONSTANT_SIZE
        and is_constant_dtype(weight.dtype)
    ]
    inside = set(constants)
    weights = {name: weight for name, weight in graph.initializers.items() if name not in inside}
    document = {
        "version": VERSION,
        "state": list(state),
        "frozen": list(frozen),
        "layers": [[row.name, row.layer, row.output, list(row.weights)] for row in rows],
    }
    metadata = {GRAPH_KEY: _text(to_document(graph, constants)), MODEL_KEY: _text(document)}
    write(path, weights, metadata=metadata)


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def read_model(path: str | os.PathLike[str], limits: Limits) -> ModelParts:
    """Return the parts of a model in a file, with arrays of their own.

    Raises
    ------
    FormatError
        If the file does not hold a model that can be run.
    """
    file = read(path, limits=limits)
    if GRAPH_KEY not in file.metadata:
        raise FormatError(
            f"{file.path}: expected a model with a graph (metadata {GRAPH_KEY!r}), got weights only: "
            "build the model and give them to load_state_dict"
        )
    where = f"{file.path}: metadata {GRAPH_KEY!r}"
    document = parse_object(file.metadata[GRAPH_KEY], where)
    weights: dict[str, Weight] = {}
    for name in file:
        weight = file[name]
        weights[name] = np.array(weight, order="C") if isinstance(weight, np.ndarray) else weight
    graph = from_document(document, weights, where)
    text = file.metadata.get(MODEL_KEY)
    if text is None:
        return graph, None, (), ()
    where = f"{file.path}: metadata {MODEL_KEY!r}"
    return graph, *_parse_model(parse_object(text, where), graph, where)


def _parse_model(
    document: Mapping[str, Any], graph: Graph, where: str
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[Row, ...]]:
    keys = ("version", "state", "frozen", "layers")
    if set(document) != set(keys):
        raise FormatError(
            f"{where}: expected {', '.join(keys)}, got {', '.join(sorted(document)) or 'nothing'}"
        )
    if type(document["version"]) is not int or document["version"] != VERSION:
        raise FormatError(f"{where}: version: expected {VERSION}, got {document['version']!r}")
    known = {name for name, weight in graph.initializers.items() if is_weight(weight)}
    state = _names(document["state"], known, f"{where}: state")
    frozen = _names(document["frozen"], set(state), f"{where}: frozen")
    layers = document["layers"]
    if not isinstance(layers, list):
        raise FormatError(f"{where}: layers: expected a list, got {type(layers).__name__}")
    rows = []
    claimed: set[str] = set()
    for i, layer in enumerate(layers):
        here = f"{where}: layers[{i}]"
        texts = layer[:3] if isinstance(layer, list) and len(layer) == 4 else [None]
        if not all(isinstance(text, str) and is_unicode(text) for text in texts):
            raise FormatError(f"{here}: expected [name, layer, output, weights], got {layer!r}")
        weights = _names(layer[3], set(state) - claimed, f"{here}: weights")
        claimed.update(weights)
        rows.append(Row(layer[0], layer[1], layer[2], weights))
    return state, frozen, tuple(rows)


def _names(value: object, known: set[str], where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise FormatError(f"{where}: expected a list of names, got {value!r}")
    for name in value:
        if name not in known:
            raise FormatError(f"{where}: expected names of weights, got {name!r}")
    if len(set(value)) < len(value):
        raise FormatError(f"{where}: expected each name once, got {value!r}")
    return tuple(value)
