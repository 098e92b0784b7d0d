"""A model's loss and metrics on data that it is not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy.typing as npt

from ...graph.evaluation import evaluate
from ...nn.model import Model
from .batches import Batches, take_batches
from .objectives import Objective, as_objective

__all__ = ["Metrics", "as_metrics", "measure", "measure_batches"]

Array = npt.NDArray[Any]
Metric = Callable[[Array, Array], float]
Metrics = Iterable[Metric] | Mapping[str, Metric]


def measure(
    model: Model, data: Any, *, loss: Any = None, metrics: Metrics = (), batch_size: int = 256
) -> dict[str, float]:
    """Return loss and metrics of a model, means over all examples, without training.

    Parameters
    ----------
    model : Model
    data : tuple or iterable
        As for `fit`.
    loss : Loss or Objective, optional
        Given under the name "loss".
    metrics : functions of (outputs, targets), or a mapping of names to them
        Such as `paring.training.metrics.accuracy`; means over the examples of a batch.
    batch_size : int
        Of arrays.

    Raises
    ------
    TypeError, ValueError
        If the data does not fit the model, or a metric refuses it.

    Examples
    --------
    >>> import numpy as np
    >>> from paring import nn
    >>> from paring.training.metrics import accuracy
    >>> model = nn.Model(nn.Linear(2, 2, bias=False), (None, 2))
    >>> model.state_dict()["weight"][...] = [[1, 0], [0, 1]]
    >>> x = np.array([[3, 1], [1, 2], [5, 4]], np.float32)
    >>> measure(model, (x, np.array([0, 1, 1])), metrics=[accuracy])
    {'accuracy': 0.6666666666666666}
    """
    objective = None if loss is None else as_objective(loss, model.graph.outputs)
    batches = take_batches(data, model.graph, batch_size, None)
    return measure_batches(model, batches, objective, as_metrics(metrics))


def as_metrics(metrics: Metrics) -> dict[str, Metric]:
    """Return metrics by name; TypeError or ValueError if they are none, or two have one name."""
    if isinstance(metrics, Mapping):
        found = dict(metrics)
    else:
        if callable(metrics) or not isinstance(metrics, Iterable):
            raise TypeError(f"metrics: expected a list of functions, got {type(metrics).__name__}")
        listed = list(metrics)
        for metric in listed:
            if not callable(metric):
                raise TypeError(
                    f"metrics: expected functions of (outputs, targets), got {type(metric).__name__}"
                )
        found = {getattr(metric, "__name__", type(metric).__name__): metric for metric in listed}
        if len(found) < len(listed):
            raise ValueError(
                "metrics: expected names of their own, got one twice: give a mapping of names to them"
            )
    for name, metric in found.items():
        if not callable(metric):
            raise TypeError(f"metrics[{name!r}]: expected a function of (outputs, targets)")
        if not isinstance(name, str) or name in ("", "loss", "validation_loss") or "." in name:
            raise ValueError(f"metrics: expected a name other than loss and without points, got {name!r}")
    return found


def measure_batches(
    model: Model, batches: Batches, objective: Objective | None, metrics: Mapping[str, Metric]
) -> dict[str, float]:
    """Return the means of objective (as "loss") and metrics over all examples."""
    sums = dict.fromkeys((*(() if objective is None else ("loss",)), *metrics), 0.0)
    count = 0
    for batch in batches.epoch(0):
        outputs = evaluate(model.graph, batch.inputs)
        if objective is not None:
            sums["loss"] += objective.value(outputs, batch) * batch.size
        if metrics:
            first = outputs[model.graph.outputs[0]]
            if batch.targets is None:
                raise ValueError("metrics: expected targets beside the inputs, got None")
            for name, metric in metrics.items():
                sums[name] += float(metric(first, batch.targets)) * batch.size
        count += batch.size
    if not count:
        raise ValueError("data: expected at least one batch, got none")
    return {name: value / count for name, value in sums.items()}
