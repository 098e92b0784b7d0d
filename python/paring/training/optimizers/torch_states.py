"""The state of a PyTorch optimizer, for training to go on here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .states import OptimizerState

__all__ = ["state_from_torch"]

PREFIX = "state"


def state_from_torch(
    arrays: Mapping[str, Any], names: Sequence[str], step: int | None = None
) -> OptimizerState:
    """Return an optimizer's state from PyTorch's, whose slots have the same names and meaning.

    SGD's is that of ``SGD(form="pytorch")``.

    Parameters
    ----------
    arrays : mapping of str to array
        What `paring.read` gives for a saved ``optimizer.state_dict()``: names such as ``state.0.exp_avg``. (Of a saved
        training script's dict take the entries under the optimizer's key, without it.)
    names : sequence of str
        The names of the weights in the order in which PyTorch was given them: ``model.named_parameters()``.
    step : int, optional
        How many steps were done; needed for SGD, whose state in PyTorch does not say, and otherwise read from it.

    Raises
    ------
    ValueError
        If there is no state, an index has no name, weights have done different numbers of steps, or `step` is missing
        or another.

    Examples
    --------
    >>> import numpy as np
    >>> saved = {"state.0.step": np.array(7.0), "state.0.exp_avg": np.zeros(2), "state.0.exp_avg_sq": np.ones(2)}
    >>> state = state_from_torch(saved, ["fc.weight"])
    >>> state.step, sorted(state.slots["fc.weight"])
    (7, ['exp_avg', 'exp_avg_sq'])
    """
    steps: dict[str, float] = {}
    slots: dict[str, dict[str, Any]] = {}
    for key, value in arrays.items():
        prefix, _, rest = key.partition(".")
        index, _, slot = rest.partition(".")
        if prefix != PREFIX or not index.isascii() or not index.isdecimal() or not slot:
            continue
        if int(index) >= len(names):
            raise ValueError(f"names: expected one for every weight, got {len(names)} and an entry {key!r}")
        name = names[int(index)]
        array = np.array(value, order="C")
        if slot == "step":
            steps[name] = float(array.reshape(-1)[0]) if array.size == 1 else np.nan
        else:
            slots.setdefault(name, {})[slot] = array.astype(array.dtype.newbyteorder("="))
    if not slots:
        raise ValueError("arrays: expected names such as 'state.0.exp_avg', got none")
    return OptimizerState(_step_of(steps, step), slots)


def _step_of(steps: dict[str, float], step: int | None) -> int:
    if step is not None and (type(step) is not int or step < 0):
        raise ValueError(f"step: expected an int from 0 up, got {step!r}")
    if not steps:
        if step is None:
            raise ValueError("step: expected how many steps were done, since this state does not say")
        return step
    first_name, first = next(iter(steps.items()))
    for name, count in steps.items():
        if count != first:
            raise ValueError(
                f"arrays: {first_name!r} has done {first:g} steps and {name!r} {count:g}; expected the same"
            )
    if first < 0 or not first.is_integer():
        raise ValueError(f"arrays: expected a number of steps, got {first:g}")
    if step is not None and step != first:
        raise ValueError(f"step: expected {first:g} as the state says, got {step}")
    return int(first)
