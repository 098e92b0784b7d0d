"""Class labels as targets: whole numbers, one for each example, checked against the classes there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .base import place

__all__ = ["check_labels"]


def check_labels(
    targets: object, outputs_shape: tuple[int, ...], ignore_label: int | None, name: str = "targets"
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_] | None]:
    """Return labels as indices, and which of them count; None if all do.

    Outputs are (examples, classes, ...), labels are (examples, ...). Those equal to `ignore_label` become 0.

    Raises
    ------
    TypeError, ValueError
        If labels are no integers, have another shape, or one is out of range: the message names the first.
    """
    if not isinstance(targets, np.ndarray):
        raise TypeError(f"{name}: expected an array of labels, got {type(targets).__name__}")
    if targets.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integer labels, one for each example, got dtype {targets.dtype}")
    shape = (outputs_shape[0], *outputs_shape[2:])
    if targets.shape != shape:
        raise ValueError(
            f"{name}: expected shape {shape} for outputs of shape {outputs_shape}, got {targets.shape}"
        )
    classes = outputs_shape[1]
    counted = None if ignore_label is None else targets != ignore_label
    labels: npt.NDArray[Any] = targets if counted is None or counted.all() else np.where(counted, targets, 0)
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        where, first = place(name, (labels < 0) | (labels >= classes))
        raise ValueError(f"{where}: expected a label from 0 to {classes - 1}, got {labels[first]}")
    return labels.astype(np.intp, copy=False), None if labels is targets else counted
