"""Models out of files."""

from __future__ import annotations

import os

from ..formats.limits import DEFAULT_LIMITS, Limits
from .model import Model, make_model
from .model_files import read_model

__all__ = ["load"]


def load(path: str | os.PathLike[str], *, limits: Limits = DEFAULT_LIMITS) -> Model:
    """Return the model that `Model.save` has written.

    Nothing in the file is believed: no code runs, sizes are checked before memory is asked for, and the graph is
    checked before it is a model. What a model computes is up to it, though: a stranger's may ask for any amount of
    time and memory when it runs.

    Parameters
    ----------
    path : str or path
    limits : Limits
        How much the file may ask for, as in `paring.read`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FormatError
        If it does not hold a model: weights only, a graph that makes no sense, names that do not match.
    ValueError
        If the suffix is unknown.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from paring import nn
    >>> model = nn.Model(nn.Linear(3, 2), (None, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(f"{folder}/m.safetensors")
    ...     again = nn.load(f"{folder}/m.safetensors")
    >>> x = np.ones((1, 3), np.float32)
    >>> bool((again(x) == model(x)).all())
    True
    """
    graph, state, frozen, rows = read_model(path, limits)
    if state is None:
        return Model(graph)
    return make_model(graph, state, rows, frozen)
