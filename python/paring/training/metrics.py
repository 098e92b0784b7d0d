"""Measures of a model that nothing is trained on: plain functions of arrays, computed in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .documents import check_count
from .losses.base import Float64, check_outputs, check_values
from .losses.distances import unit_vectors
from .losses.labels import check_labels

__all__ = ["accuracy", "cosine_similarity", "mean_squared_error", "top_k_accuracy"]

Array = npt.NDArray[Any]


def accuracy(outputs: Array, labels: Array, *, ignore_label: int | None = None) -> float:
    """Return the share of examples whose largest output is that of the right class; of equal ones the first counts.

    Parameters
    ----------
    outputs : array of float32 or float64, (examples, classes, ...)
    labels : array of integers, (examples, ...)
    ignore_label : int, optional
        Examples with this label are left out.

    Raises
    ------
    TypeError, ValueError
        If the arrays do not fit each other, an output is NaN or infinite, or no example is left.

    Examples
    --------
    >>> import numpy as np
    >>> accuracy(np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]), np.array([1, 0, 0]))
    0.6666666666666666
    """
    return top_k_accuracy(outputs, labels, 1, ignore_label=ignore_label)


def top_k_accuracy(outputs: Array, labels: Array, k: int, *, ignore_label: int | None = None) -> float:
    """Return the share of examples whose right class is among the `k` largest outputs.

    Of equal outputs the first ones count as larger, so a model that gives the same for all classes gains nothing.

    Parameters
    ----------
    outputs : array of float32 or float64, (examples, classes, ...)
    labels : array of integers, (examples, ...)
    k : int
        From 1 to the number of classes.
    ignore_label : int, optional
        Examples with this label are left out.

    Raises
    ------
    TypeError, ValueError
        As `accuracy`, or if `k` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> top_k_accuracy(np.array([[0.1, 0.2, 0.7], [0.5, 0.4, 0.1]]), np.array([1, 2]), k=2)
    0.5
    """
    checked = check_outputs(outputs, 2)
    classes = checked.shape[1]
    if not 1 <= check_count(k, "k", 1) <= classes:
        raise ValueError(f"k: expected at most the {classes} classes, got {k}")
    index, counted = check_labels(labels, checked.shape, ignore_label, "labels")
    rows = np.moveaxis(checked, 1, -1).reshape(-1, classes)
    right = index.reshape(-1, 1)
    own = np.take_along_axis(rows, right, axis=1)
    before = (rows > own) | ((rows == own) & (np.arange(classes) < right))
    hits = before.sum(axis=1) < k
    if counted is not None:
        hits = hits[counted.reshape(-1)]
        if not hits.size:
            raise ValueError(f"labels: expected a label other than {ignore_label}, got none")
    return float(hits.mean())


def mean_squared_error(outputs: Array, targets: Array) -> float:
    """Return the mean of the squared differences, over all elements.

    It is infinite where the squares leave float64.

    Raises
    ------
    TypeError, ValueError
        If the arrays are no numbers, empty, not of one shape, or hold NaN or infinity.

    Examples
    --------
    >>> import numpy as np
    >>> mean_squared_error(np.array([1.0, 3.0]), np.array([0.0, 0.0]))
    5.0
    """
    wide, values = _check_pair(outputs, targets, 1)
    with np.errstate(over="ignore"):
        return float(np.square(wide - values).mean())


def cosine_similarity(outputs: Array, targets: Array) -> float:
    """Return the mean cosine of the angles between outputs and targets, vectors along the last axis.

    The cosine with a vector of zeros is 0.

    Raises
    ------
    TypeError, ValueError
        If the arrays are no numbers, empty, not of one shape, of fewer than 2 axes, or hold NaN or infinity.

    Examples
    --------
    >>> import numpy as np
    >>> cosine_similarity(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[3.0, 0.0], [1.0, 0.0]]))
    0.5
    """
    wide, values = _check_pair(outputs, targets, 2)
    with np.errstate(over="ignore", under="ignore"):
        cosines = (unit_vectors(wide)[0] * unit_vectors(values)[0]).sum(axis=-1)
    return float(np.clip(cosines, -1.0, 1.0).mean())


def _check_pair(outputs: object, targets: object, least_axes: int) -> tuple[Float64, Float64]:
    checked = check_outputs(outputs, least_axes)
    return checked.astype(np.float64, copy=False), check_values(targets, checked.shape)
