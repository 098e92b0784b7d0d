"""What an optimizer remembers from step to step: plain data, saved and restored exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..number_checks import check_number

__all__ = ["OptimizerState", "convert_momentum"]

FloatArray = npt.NDArray[np.floating[Any]]
STEP = "step"
SEPARATOR = "/"


@dataclass(eq=False)
class OptimizerState:
    """How many steps are done, and for each weight its slots: arrays of the weight's shape and dtype.

    Slots have PyTorch's names (``momentum_buffer``, ``exp_avg``, ``exp_avg_sq``, ``max_exp_avg_sq``, ``square_avg``,
    ``grad_avg``, ``sum``), but ``velocity`` for the momentum whose form is "classic". A step changes all in place.
    """

    step: int
    slots: dict[str, dict[str, FloatArray]]

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the state under flat names, ``slot/weight`` and ``step``, as `paring.write` takes them.

        The arrays are those of the state, not copies.

        Examples
        --------
        >>> import numpy as np
        >>> state = OptimizerState(3, {"fc.weight": {"exp_avg": np.zeros(2, np.float32)}})
        >>> sorted(state.to_arrays())
        ['exp_avg/fc.weight', 'step']
        """
        arrays: dict[str, npt.NDArray[Any]] = {STEP: np.array(self.step, np.int64)}
        for name, slots in self.slots.items():
            for slot, array in slots.items():
                arrays[f"{slot}{SEPARATOR}{name}"] = array
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> OptimizerState:
        """Return the state of which `to_arrays` made these; every array is copied.

        Raises
        ------
        ValueError
            If there is no ``step`` of one integer from 0 up, or a name is not ``slot/weight``.
        """
        entries = dict(arrays)
        if STEP not in entries:
            raise ValueError(
                f"arrays: expected an entry {STEP!r}, got {', '.join(map(repr, entries)) or 'none'}"
            )
        step = np.asarray(entries.pop(STEP))
        if step.size != 1 or step.dtype.kind not in "iu" or int(step.reshape(-1)[0]) < 0:
            raise ValueError(
                f"arrays[{STEP!r}]: expected one integer from 0 up, got {step.dtype} {step.tolist()}"
            )
        slots: dict[str, dict[str, FloatArray]] = {}
        for key, array in entries.items():
            slot, separator, name = key.partition(SEPARATOR)
            if not (slot and separator and name):
                raise ValueError(f"arrays: expected names such as 'exp_avg{SEPARATOR}fc.weight', got {key!r}")
            slots.setdefault(name, {})[slot] = np.array(array, order="C")
        return cls(int(step.reshape(-1)[0]), slots)


def convert_momentum(
    state: OptimizerState, to: Literal["classic", "pytorch"], learning_rate: float | Mapping[str, float]
) -> OptimizerState:
    """Return the state of an `SGD` of one form for one of the other form to go on with.

    The classic velocity has the learning rate in it, PyTorch's buffer has not: ``velocity = learning_rate * buffer``.
    With the learning rate that was in force at the last step, the next step is the same in both forms as long as the
    rate stays.

    Parameters
    ----------
    state : OptimizerState
        It stays as it is.
    to : {"classic", "pytorch"}
        The form that is wanted; the state must be of the other.
    learning_rate : float, or mapping of str to float
        Above 0; one for all weights, or one for each name.

    Raises
    ------
    ValueError
        If a weight has not the one slot of the other form, or a rate is missing or not above 0.

    Examples
    --------
    >>> import numpy as np
    >>> state = OptimizerState(5, {"w": {"momentum_buffer": np.array([2.0, -4.0])}})
    >>> convert_momentum(state, "classic", 0.5).slots["w"]
    {'velocity': array([ 1., -2.])}
    """
    forms = {"classic": ("momentum_buffer", "velocity"), "pytorch": ("velocity", "momentum_buffer")}
    if to not in forms:
        raise ValueError(f"to: expected 'classic' or 'pytorch', got {to!r}")
    old, new = forms[to]
    slots: dict[str, dict[str, FloatArray]] = {}
    for name, arrays in state.slots.items():
        if list(arrays) != [old]:
            got = ", ".join(map(repr, arrays)) or "none"
            raise ValueError(f"state of {name!r}: expected the slot {old!r} alone, got {got}")
        if isinstance(learning_rate, Mapping):
            if name not in learning_rate:
                raise ValueError(f"learning_rate: expected one for every weight, got none for {name!r}")
            rate = check_number(learning_rate[name], f"learning_rate[{name!r}]", above=0)
        else:
            rate = check_number(learning_rate, "learning_rate", above=0)
        # In float64, as a step is: one rounding.
        wide = arrays[old].astype(np.float64)
        converted = wide * rate if to == "classic" else wide / rate
        slots[name] = {new: converted.astype(arrays[old].dtype)}
    return OptimizerState(state.step, slots)
