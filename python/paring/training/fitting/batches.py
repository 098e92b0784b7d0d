"""Data as mini-batches: which examples come together is a function of seed and epoch alone, so a run can be resumed."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from ...graph.nodes import Graph, Input

__all__ = [
    "ArrayBatches",
    "Batch",
    "Batches",
    "check_examples",
    "choose_share",
    "split_arrays",
    "take_batches",
]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Batch:
    """Some examples.

    Attributes
    ----------
    inputs : dict of str to ndarray
        By the names of the graph's inputs, examples along the first axis.
    targets : ndarray or None
        None where the objective needs none.
    extras : dict of str to ndarray
        What else belongs to these examples, such as a teacher's outputs.
    """

    inputs: dict[str, Array]
    targets: Array | None
    extras: dict[str, Array] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many examples there are."""
        return len(next(iter(self.inputs.values())))


class Batches(ABC):
    """Where the batches of each epoch come from."""

    count: int | None
    """How many an epoch has, None if that is not known before."""

    @abstractmethod
    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number `start` on."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return what tells this data and its order from others: what a resumed run must share."""


class ArrayBatches(Batches):
    """Batches cut from arrays, `extras` among them."""

    def __init__(
        self,
        inputs: dict[str, Array],
        targets: Array | None,
        batch_size: int,
        seed: int | None,
        never_one: bool = False,
        extras: dict[str, Array] | None = None,
    ) -> None:
        self._arrays, self._targets, self._extras = inputs, targets, extras or {}
        self._batch_size, self._seed = batch_size, seed
        self._size = len(next(iter(inputs.values())))
        self._bounds = list(range(0, self._size, batch_size))
        if never_one and self._size % batch_size == 1 and len(self._bounds) > 1:
            self._bounds.pop()  # the last example joins the batch before
        self._bounds.append(self._size)
        self.count = len(self._bounds) - 1

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        order = None
        if self._seed is not None:
            order = np.random.default_rng([self._seed, number]).permutation(self._size)
        for first, last in zip(self._bounds[start:-1], self._bounds[start + 1 :], strict=True):
            chosen: Any = slice(first, last) if order is None else order[first:last]
            inputs = {name: array[chosen] for name, array in self._arrays.items()}
            extras = {name: array[chosen] for name, array in self._extras.items()}
            yield Batch(inputs, None if self._targets is None else self._targets[chosen], extras)

    def to_dict(self) -> dict[str, Any]:
        arrays = {
            **self._arrays,
            **self._extras,
            **({} if self._targets is None else {"targets": self._targets}),
        }
        return {
            "arrays": {name: [array.dtype.name, *array.shape] for name, array in arrays.items()},
            "batch_size": self._batch_size,
            "seed": self._seed,
        }


class GivenBatches(Batches):
    """Batches that somebody else cuts, in the order in which they come."""

    def __init__(self, given: Iterable[Any], inputs: Sequence[Input]) -> None:
        self._given, self._inputs = given, inputs
        self.count = len(given) if isinstance(given, Sized) else None
        if self.count == 0:
            raise ValueError("data: expected at least one batch, got none")

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        for place, item in enumerate(islice(iter(self._given), start, None), start):
            if not isinstance(item, tuple | list) or len(item) != 2:
                kind = type(item).__name__
                raise TypeError(f"data: expected batches (inputs, targets), got {kind} as number {place}")
            inputs, targets = check_examples(item[0], item[1], self._inputs, f"batch {place}")
            yield Batch(inputs, targets)

    def to_dict(self) -> dict[str, Any]:
        return {"batches": self.count}


def take_batches(
    data: Any, graph: Graph, batch_size: int, seed: int | None, label: str = "data", never_one: bool = False
) -> Batches:
    """Return the batches of ``(inputs, targets)`` arrays, or of an iterable of such pairs.

    Parameters
    ----------
    data : tuple or iterable
        A tuple ``(inputs, targets)`` is arrays, anything else that can be gone through gives such pairs. Inputs are an
        array, or several in the order or by the names of the graph's inputs.
    graph : Graph
    batch_size : int
        For arrays; the last batch may be smaller.
    seed : int or None
        Of the order of arrays; None for the order they have.
    label : str
        What messages call the data.
    never_one : bool
        Whether a single example that is left over joins the batch before, as batch normalization needs it.

    Raises
    ------
    TypeError, ValueError
        If arrays are missing, empty, of different lengths, or do not fit the inputs of the graph.
    """
    if isinstance(data, Batches):
        return data
    if isinstance(data, tuple) and len(data) == 2:
        inputs, targets = check_examples(data[0], data[1], graph.inputs, label)
        return ArrayBatches(inputs, targets, batch_size, seed, never_one)
    if isinstance(data, Iterator):
        raise TypeError(
            f"{label}: expected arrays, or something that can be gone through again each epoch, got an iterator: "
            "give a list, or an object whose __iter__ begins anew"
        )
    if not isinstance(data, Iterable) or isinstance(data, np.ndarray | Mapping | str | tuple):
        raise TypeError(
            f"{label}: expected (inputs, targets), or an iterable of such batches, got {type(data).__name__}"
        )
    return GivenBatches(data, graph.inputs)


def split_arrays(data: Any, share: float, seed: int) -> tuple[Any, Any]:
    """Return what is left of ``(inputs, targets)`` and a random share of it, each in the original order.

    Raises
    ------
    TypeError, ValueError
        If the data is not in arrays, or one of the parts would be empty.
    """
    if not isinstance(data, tuple) or len(data) != 2:
        raise TypeError("validation: expected data of its own, since a share can be cut from arrays only")
    first = next(iter(_as_items(data[0])), data[0])
    if not isinstance(first, np.ndarray) or not first.ndim:
        raise TypeError(f"data: expected arrays, got {type(first).__name__}")
    chosen = choose_share(len(first), share, seed)

    def part(where: Any) -> Any:
        inputs, targets = data
        if isinstance(inputs, Mapping):
            inputs = {name: array[where] for name, array in inputs.items()}
        elif isinstance(inputs, tuple | list):
            inputs = tuple(array[where] for array in inputs)
        else:
            inputs = inputs[where]
        return inputs, None if targets is None else targets[where]

    return part(~chosen), part(chosen)


def choose_share(size: int, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Return which examples a random share is; ValueError if it is none, or all of them."""
    count = math.floor(size * share + 0.5)
    if not 0 < count < size:
        raise ValueError(
            f"validation: expected a share that leaves examples on both sides, got {count} of {size}"
        )
    chosen = np.zeros(size, np.bool_)
    chosen[np.random.default_rng([seed, 2**32]).permutation(size)[:count]] = True
    return chosen


def _as_items(inputs: Any) -> Iterable[Any]:
    if isinstance(inputs, Mapping):
        return inputs.values()
    return inputs if isinstance(inputs, tuple | list) else (inputs,)


def check_examples(
    inputs: Any, targets: Any, expected: Sequence[Input], label: str
) -> tuple[dict[str, Array], Array | None]:
    """Return inputs by name, and targets; TypeError or ValueError starting with `label` if they do not fit."""
    names = [value.name for value in expected]
    if isinstance(inputs, Mapping):
        if set(inputs) != set(names):
            raise ValueError(
                f"{label}: expected inputs {', '.join(names)}, got {', '.join(map(str, inputs))}"
            )
        arrays = {name: inputs[name] for name in names}
    else:
        items = tuple(_as_items(inputs))
        odd = next((item for item in items if not isinstance(item, np.ndarray)), None)
        if odd is not None:
            kind = type(inputs).__name__
            inside = f" of {type(odd).__name__}" if isinstance(inputs, tuple | list) else ""
            raise TypeError(
                f"{label}: expected an array, or a tuple of arrays, for the inputs, got {kind}{inside}"
            )
        if len(items) != len(names):
            raise ValueError(f"{label}: expected {len(names)} inputs ({', '.join(names)}), got {len(items)}")
        arrays = dict(zip(names, items, strict=True))
    for value in expected:
        array = arrays[value.name]
        if not isinstance(array, np.ndarray) or array.dtype.name != value.dtype:
            kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise TypeError(
                f"{label}: expected an array of {value.dtype} for input {value.name!r}, got {kind}"
            )
        fits = (
            array.ndim == len(value.shape)
            and array.ndim > 0
            and all(
                size is None or size == got
                for size, got in zip(value.shape[1:], array.shape[1:], strict=True)
            )
        )
        if not fits:
            raise ValueError(
                f"{label}: expected shape {(None, *value.shape[1:])} for input {value.name!r}, got {array.shape}"
            )
    if targets is not None and not isinstance(targets, np.ndarray):
        raise TypeError(f"{label}: expected an array of targets or None, got {type(targets).__name__}")
    sizes = {name: len(array) for name, array in arrays.items()}
    if targets is not None:
        sizes["targets"] = len(targets) if targets.ndim else 0
    if len(set(sizes.values())) > 1:
        text = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise ValueError(f"{label}: expected as many examples in every array, got {text}")
    if not next(iter(sizes.values())):
        raise ValueError(f"{label}: expected at least one example, got none")
    return arrays, targets
