"""Batch normalization: of one batch, and running statistics computed anew from data without any training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..graph.evaluation import evaluate
from ..graph.nodes import Graph, Node
from ..graph.operators import Run
from ..nn.model import Model
from ..nn.statistics import find_statistics
from .documents import check_count
from .fitting.batches import take_batches
from .number_checks import check_number

__all__ = ["normalize_batch", "reestimate_batch_norm"]

NORM = "BatchNormalization"
Float64 = npt.NDArray[np.float64]


def normalize_batch(
    x: npt.NDArray[Any], weight: Any = 1.0, bias: Any = 0.0, *, epsilon: float = 1e-5
) -> npt.NDArray[Any]:
    """Return ``weight * (x - mean) / sqrt(var + epsilon) + bias`` with the mean and variance of the batch.

    The layers `paring.nn.BatchNorm1d` and `BatchNorm2d` do this in training, and follow both with running averages for
    afterwards.

    Parameters
    ----------
    x : ndarray
        Of floats, (examples, channels, ...). Each channel is normalized over all examples and places.
    weight, bias : float or ndarray
        For all channels, or (channels,).
    epsilon : float
        At least 0.

    Returns
    -------
    ndarray
        Of the shape and dtype of `x`; computed in float64.

    Raises
    ------
    TypeError, ValueError
        If `x` is no array of floats with two axes or more, a channel has fewer than two values, or `weight` or `bias`
        is neither a number nor one a channel.

    Notes
    -----
    Ioffe, Szegedy 2015, arXiv 1502.03167, algorithm 1; the variance is that of the values, divided by their number.

    Examples
    --------
    >>> import numpy as np
    >>> normalize_batch(np.array([[1.0, 10.0], [3.0, 10.0]]), epsilon=0.01).round(3)
    array([[-0.995,  0.   ],
           [ 0.995,  0.   ]])
    """
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        kind = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(f"x: expected an array of floats, got {kind}")
    if x.ndim < 2 or x.size < 2 * x.shape[1]:
        raise ValueError(
            f"x: expected (examples, channels, ...) with two values a channel or more, got {x.shape}"
        )
    epsilon = check_number(epsilon, "epsilon", least=0)
    shape = (1, -1, *([1] * (x.ndim - 2)))
    factors = []
    for label, value in (("weight", weight), ("bias", bias)):
        array = np.asarray(value, np.float64)
        if array.shape not in ((), (1,), (x.shape[1],)):
            raise ValueError(f"{label}: expected a number, or shape {(x.shape[1],)}, got shape {array.shape}")
        factors.append(array.reshape(shape))
    axes = (0, *range(2, x.ndim))
    values = x.astype(np.float64)
    centered = values - values.mean(axis=axes, keepdims=True)
    scaled = centered / np.sqrt(np.square(centered).mean(axis=axes, keepdims=True) + epsilon)
    result: npt.NDArray[Any] = (factors[0] * scaled + factors[1]).astype(x.dtype)
    return result


def reestimate_batch_norm(
    model: Model, data: Any, *, batch_size: int = 256, batches: int | None = None, passes: int = 1
) -> tuple[str, ...]:
    """Give the batch normalizations of a model the statistics that its weights of now produce; return their names.

    After pruning or quantizing, means and variances in a model are others than those it stores; others report 14 -> 65
    % of accuracy from this alone (openvinotoolkit/nncf#41). All normalizations take the statistics of the batch while
    the data goes through, as in training, so that a layer sees what it will see. Stored is the mean of the batches'
    means, weighted by their sizes, and the variance around it: within the batches and between them. No weight changes.

    Parameters
    ----------
    model : Model
        Weights may be compressed.
    data : array, or what `fit` takes
        Targets are not looked at, and may be None.
    batch_size : int
        Of arrays. The larger, the nearer are the statistics of a batch to those of all data.
    batches : int, optional
        How many are looked at, at most; some dozens are enough for most models.
    passes : int
        How often the data goes through. From the second time on, layers see what normalizations at rest make of it.

    Raises
    ------
    TypeError, ValueError
        If the model has no batch normalization, or the data does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from paring import nn
    >>> model = nn.Model(nn.BatchNorm1d(1), (None, 1))
    >>> reestimate_batch_norm(model, (np.array([[1], [2], [3], [6]], np.float32), None), batch_size=2)
    ('running_mean', 'running_var')
    >>> model.state_dict()["running_mean"], model.state_dict()["running_var"]
    (array([3.], dtype=float32), array([3.5], dtype=float32))
    """
    if not isinstance(model, Model):
        raise TypeError(f"model: expected a paring.nn.Model, got {type(model).__name__}")
    if batches is not None:
        check_count(batches, "batches", 1)
    check_count(passes, "passes", 1)
    names = find_statistics(model.graph)
    if not names:
        raise ValueError("model: expected batch normalizations whose statistics are arrays, got none")
    if isinstance(data, np.ndarray):
        data = (data, None)
    taken = take_batches(data, model.graph, check_count(batch_size, "batch_size", 1), None, never_one=True)
    for number in range(passes):
        graph, inputs = _watching(model.graph, set(names), of_batch=number == 0)
        sums = {mean: _Sums() for mean in inputs}
        for place, batch in enumerate(taken.epoch(0)):
            if batches is not None and place >= batches:
                break
            values = evaluate(graph, batch.inputs, Run(training=number == 0))
            for mean, (_, value) in inputs.items():
                sums[mean].add(values[value])
        for mean, (variance, _) in inputs.items():
            for name, result in ((mean, sums[mean].mean), (variance, sums[mean].variance)):
                model.graph.initializers[name] = result.astype(model.dtype)
    return names


def _watching(graph: Graph, statistics: set[str], of_batch: bool) -> tuple[Graph, dict[str, tuple[str, str]]]:
    """Return a graph that gives what goes into each normalization, and by its mean (variance, name of that value).

    Dropout, which would drop in a run of training, is left out. Of normalizations that share statistics the first one
    stands for all.
    """
    found: dict[str, tuple[str, str]] = {}
    nodes = []
    for node in graph.nodes:
        if node.op == NORM and set(node.inputs[3:5]) <= statistics:
            found.setdefault(node.inputs[3], (node.inputs[4], node.inputs[0]))
            node = replace(node, attributes={**node.attributes, "training_mode": int(of_batch)})
        elif node.op == "Dropout":
            node = Node("Identity", node.inputs[:1], node.outputs[:1], {}, node.name)
        nodes.append(node)
    watched = tuple(dict.fromkeys(value for _, value in found.values()))
    return Graph(tuple(nodes), graph.initializers, graph.inputs, watched), found


class _Sums:
    """Count, mean and squares around it, joined batch by batch (Chan, Golub, LeVeque 1979, "Updating formulae")."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Float64 = np.zeros(0)
        self._squares: Float64 = np.zeros(0)

    def add(self, x: npt.NDArray[Any]) -> None:
        rows = np.moveaxis(x, 1, 0).reshape(x.shape[1], -1)
        count = rows.shape[1]
        mean = rows.mean(axis=1, dtype=np.float64)
        squares = np.square(rows - mean[:, None]).sum(axis=1, dtype=np.float64)
        if not self.count:
            self.count, self.mean, self._squares = count, mean, squares
            return
        total = self.count + count
        between = mean - self.mean
        self.mean = self.mean + between * (count / total)
        self._squares = self._squares + squares + np.square(between) * (self.count * count / total)
        self.count = total

    @property
    def variance(self) -> Float64:
        return self._squares / self.count
