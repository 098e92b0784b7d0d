"""State dicts: names, shapes and dtypes that must fit, and what is said when they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..compression.recipe_steps import check_pattern, did_you_mean, matches
from ..compression.sources import as_weight
from ..weights import QuantizedWeight, SparseWeight, Weight

__all__ = ["StateDifference", "find_names", "is_weight", "match_state"]

COUNTER = "num_batches_tracked"
MOST_SHOWN = 10


class StateDifference(NamedTuple):
    """Names that a state dict and a model do not share.

    Attributes
    ----------
    missing : tuple of str
        In the model only.
    unexpected : tuple of str
        In the state dict only.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]


def match_state(
    state: Mapping[str, Any], expected: Mapping[str, Weight], strict: bool
) -> tuple[dict[str, Weight], StateDifference]:
    """Return the weights for a model, as arrays of their own in its dtypes, and which names only one side has.

    Parameters
    ----------
    state : mapping of str to array, tensor or Weight
    expected : mapping of str to Weight
        The model's.
    strict : bool
        Whether a name that only one side has is an error.

    Raises
    ------
    TypeError
        If `state` is no mapping of names.
    ValueError
        One that lists everything that does not fit.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"state dict: expected a mapping of names to arrays, got {type(state).__name__}")
    for name in state:
        if not isinstance(name, str):
            raise TypeError(f"state dict: expected names of str, got {type(name).__name__} {name!r}")
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected and not _is_counter(name, expected)]
    found: dict[str, Weight] = {}
    wrong: list[str] = []
    for name, present in expected.items():
        if name in state:
            weight = as_weight(state[name], f"state dict: {name!r}")
            # A compressed weight stands for float32.
            dtype = present.dtype if isinstance(present, np.ndarray) else np.dtype(np.float32)
            problem = _problem(weight, tuple(present.shape), dtype)
            if problem:
                wrong.append(f"{name!r}: {problem}")
            else:
                found[name] = (
                    weight if isinstance(weight, QuantizedWeight | SparseWeight) else _own(weight, dtype)
                )
    if wrong or (strict and (missing or unexpected)):
        raise ValueError(f"state dict: {_message(missing, unexpected, wrong, expected, strict)}")
    return found, StateDifference(tuple(missing), tuple(unexpected))


def _is_counter(name: str, expected: Mapping[str, Any]) -> bool:
    """Whether PyTorch counts the batches of one of our batch normalizations here."""
    return name.endswith(COUNTER) and f"{name.removesuffix(COUNTER)}running_mean" in expected


def _problem(weight: Weight, shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    if tuple(weight.shape) != shape:
        return f"expected shape {shape}, got {tuple(weight.shape)}"
    if isinstance(weight, QuantizedWeight | SparseWeight):
        return (
            ""
            if dtype == np.float32
            else f"expected an array for a model of {dtype}, got a compressed weight"
        )
    return "" if is_weight(weight) else f"expected floating-point numbers, got {weight.dtype}"


def _own(array: Any, dtype: np.dtype[Any]) -> Any:
    with np.errstate(over="ignore"):
        return np.array(array, dtype, order="C")


def _message(
    missing: Sequence[str],
    unexpected: Sequence[str],
    wrong: Sequence[str],
    expected: Mapping[str, Weight],
    strict: bool,
) -> str:
    parts = []
    if strict and missing:
        shown = [
            f"{name!r} {tuple(expected[name].shape)}{did_you_mean(name, unexpected).replace('; did', ', did')}"
            for name in missing[:MOST_SHOWN]
        ]
        parts.append(f"missing {_listed(shown, len(missing))}")
    if strict and unexpected:
        parts.append(
            f"unexpected {_listed([repr(name) for name in unexpected[:MOST_SHOWN]], len(unexpected))}"
        )
    parts.extend(wrong[:MOST_SHOWN])
    if len(wrong) > MOST_SHOWN:
        parts.append(f"and {len(wrong) - MOST_SHOWN} more that do not fit")
    return "; ".join(parts)


def _listed(shown: Sequence[str], count: int) -> str:
    rest = count - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def is_weight(weight: Weight) -> bool:
    """Whether something can be a weight: floating-point numbers, or a compressed form of them."""
    return not isinstance(weight, np.ndarray) or weight.dtype.kind == "f" or weight.dtype.name == "bfloat16"


def find_names(pattern: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names that match a glob; TypeError or ValueError if it is none or matches none."""
    check_pattern(pattern, "pattern")
    found = tuple(name for name in names if matches(pattern, name))
    if not found:
        raise ValueError(
            f"pattern: no weight has a name that matches {pattern!r}{did_you_mean(pattern, names)}"
        )
    return found
