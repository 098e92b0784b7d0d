"""The mappings that a step is given, checked before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...compression.recipe_steps import did_you_mean
from .states import OptimizerState

__all__ = ["Arrays", "Masks", "Trained", "check_weights", "collect"]

Arrays = Mapping[str, npt.NDArray[Any]]
Masks = Mapping[str, npt.NDArray[Any] | None]

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
MASK_DTYPES = (np.dtype(np.bool_), np.dtype(np.uint8))


@dataclass(frozen=True)
class Trained:
    """One weight of a step; index is that of its name among all weights."""

    index: int
    name: str
    weight: npt.NDArray[Any]
    gradient: npt.NDArray[Any]
    slots: list[npt.NDArray[Any]]
    mask: npt.NDArray[np.uint8] | None


def check_weights(weights: object) -> Arrays:
    """Return `weights` if it is a mapping with something in it."""
    if not isinstance(weights, Mapping):
        raise TypeError(f"weights: expected a mapping of names to arrays, got {type(weights).__name__}")
    if not weights:
        raise ValueError("weights: expected at least one, got an empty mapping")
    return weights


def check_trained(array: object, label: str) -> npt.NDArray[Any]:
    """Return an array that steps can be taken on, called `label`."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{label}: expected an array, got {type(array).__name__}")
    if array.dtype not in DTYPES:
        raise TypeError(
            f"{label}: expected dtype float32 or float64, got {array.dtype.str}; freeze what is not trained"
        )
    return array


def _check_like(array: object, label: str, weight: npt.NDArray[Any], *, written: bool) -> npt.NDArray[Any]:
    """Return `array` if kernels can go along it beside the weight, and write it if asked to."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{label}: expected an array, got {type(array).__name__}")
    if array.dtype != weight.dtype:
        raise TypeError(f"{label}: expected dtype {weight.dtype} like the weight, got {array.dtype.str}")
    if array.shape != weight.shape:
        raise ValueError(f"{label}: expected shape {weight.shape} like the weight, got {array.shape}")
    flags = array.flags
    if not (flags.c_contiguous and flags.aligned):
        raise ValueError(f"{label}: expected a C-contiguous, aligned array")
    if written and not flags.writeable:
        raise ValueError(
            f"{label}: expected a writeable array, got a read-only one (such as `paring.read` gives)"
        )
    return array


def _mask_of(mask: object, label: str, weight: npt.NDArray[Any]) -> npt.NDArray[np.uint8] | None:
    if mask is None:
        return None
    if not isinstance(mask, np.ndarray):
        raise TypeError(f"{label}: expected an array or None, got {type(mask).__name__}")
    if mask.dtype not in MASK_DTYPES:
        raise TypeError(f"{label}: expected dtype bool or uint8, got {mask.dtype.str}")
    if mask.shape != weight.shape:
        raise ValueError(f"{label}: expected shape {weight.shape} like the weight, got {mask.shape}")
    if not mask.flags.c_contiguous:
        raise ValueError(f"{label}: expected a C-contiguous array")
    return mask.view(np.uint8)


def _check_names(names: Iterable[object], known: Arrays, label: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{label}: no weight is called {name!r}{did_you_mean(name, known)}")


def _check_mapping(mapping: object, label: str, known: Arrays) -> Mapping[str, Any]:
    if not isinstance(mapping, Mapping):
        raise TypeError(f"{label}: expected a mapping of names to arrays, got {type(mapping).__name__}")
    _check_names(mapping, known, label)
    return mapping


def collect(
    weights: object,
    gradients: object,
    state: object,
    masks: object,
    slots: tuple[str, ...],
    trained: list[tuple[int, str]],
) -> list[Trained]:
    """Return what the step is about, for the weights of `trained`; TypeError or ValueError if it does not fit."""
    weights = check_weights(weights)
    gradients = _check_mapping(gradients, "gradients", weights)
    masks = {} if masks is None else _check_mapping(masks, "masks", weights)
    if not isinstance(state, OptimizerState):
        raise TypeError(f"state: expected what init gives, an OptimizerState, got {type(state).__name__}")
    if type(state.step) is not int or state.step < 0:
        raise ValueError(f"state.step: expected an int from 0 up, got {state.step!r}")
    _check_names(state.slots, weights, "state")
    jobs = []
    for index, name in trained:
        weight = check_trained(weights[name], repr(name))
        _check_like(weight, repr(name), weight, written=True)
        if name not in gradients:
            raise ValueError(
                f"gradients: expected one for every weight that is not frozen, got none for {name!r}"
            )
        gradient = _check_like(gradients[name], f"the gradient of {name!r}", weight, written=False)
        held = state.slots.get(name, {})
        if set(held) != set(slots):
            raise ValueError(
                f"state of {name!r}: expected the slots {', '.join(slots) or 'none'}, got "
                f"{', '.join(map(str, held)) or 'none'}; is it of another optimizer, or was the weight frozen?"
            )
        arrays = [_check_like(held[s], f"the slot {s} of {name!r}", weight, written=True) for s in slots]
        mask = _mask_of(masks.get(name), f"the mask of {name!r}", weight)
        jobs.append(Trained(index, name, weight, gradient, arrays, mask))
    return jobs
