"""Checkpoints: all that a run needs to go on with the same bytes, in one file that is there whole or not at all.

A checkpoint is a ``.safetensors`` file: weights and statistics under ``model/``, the best ones under ``best/``, the
optimizer's state under ``optimizer/``, masks under ``mask/``; numbers, settings and history are JSON in the metadata
under "paring.checkpoint".
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import FormatError
from ...formats import read, write
from ...formats.strict_json import parse_object
from ...graph.documents import to_document
from ...graph.nodes import Graph

__all__ = ["Checkpoint", "graph_fingerprint", "read_checkpoint", "write_checkpoint"]

Array = npt.NDArray[Any]

KEY = "paring.checkpoint"
VERSION = 1
GROUPS = ("model", "best", "optimizer", "mask")
SUFFIX = ".safetensors"


@dataclass
class Checkpoint:
    """What a file holds.

    Attributes
    ----------
    arrays : dict of str to dict of str to ndarray
        For each of "model", "best", "optimizer", "mask".
    document : dict
        JSON-able.
    """

    arrays: dict[str, dict[str, Array]]
    document: dict[str, Any]


def graph_fingerprint(graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Return a hash of what a graph computes, and of the shapes of its weights: not of their values."""
    bare = Graph(graph.nodes, {}, graph.inputs, graph.outputs)
    text = json.dumps([to_document(bare), sorted((name, list(shape)) for name, shape in shapes.items())])
    return hashlib.sha256(text.encode()).hexdigest()


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; ValueError for another suffix, OSError if it cannot be written: an old one stays."""
    tensors = {
        f"{group}/{name}": array for group in GROUPS for name, array in checkpoint.arrays[group].items()
    }
    text = json.dumps({"version": VERSION, **checkpoint.document}, allow_nan=False)
    write(path, tensors, metadata={KEY: text})


def check_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of a checkpoint; ValueError for another suffix than ``.safetensors``."""
    place = Path(path)
    if place.suffix.lower() != SUFFIX:
        raise ValueError(f"checkpoint: expected a file called *{SUFFIX}, got {place}")
    return place


def read_checkpoint(path: Path) -> Checkpoint:
    """Return what a file holds, in arrays of its own.

    Raises
    ------
    FormatError
        If it is no checkpoint, or cut short.
    OSError
        If it cannot be read.
    """
    file = read(path)
    text = file.metadata.get(KEY)
    if text is None:
        raise FormatError(
            f"{path}: expected a checkpoint of paring.fit, got a file without {KEY!r} in its metadata"
        )
    document = parse_object(text, f"{path}: {KEY}")
    if document.pop("version", None) != VERSION:
        raise FormatError(f"{path}: {KEY}: expected version {VERSION}; it is of another paring")
    arrays: dict[str, dict[str, Array]] = {group: {} for group in GROUPS}
    for key in file:
        group, _, name = key.partition("/")
        array = file[key]
        if group not in arrays or not name or not isinstance(array, np.ndarray):
            raise FormatError(f"{path}: expected names such as 'model/fc.weight', got {key!r}")
        arrays[group][name] = np.array(array, order="C")
    return Checkpoint(arrays, document)
