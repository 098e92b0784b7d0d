"""From what a PyTorch file holds to named tensors: dicts and lists become dotted names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...errors import FormatError
from ..naming import DESCRIPTION_KEY
from .globals import NumpyArray
from .pickle_state import show
from .values import Storage, Tensor, UnreadableTensor

__all__ = ["NamedValue", "name_tensors"]

NamedValue = Tensor | UnreadableTensor | NumpyArray

MAX_DEPTH = 64
EXPANSION = 16  # what names and items may grow to by sharing, in lengths of the pickle
ITEM_COST, TENSOR_COST = 4, 160
"""What an item, and a tensor, count for besides the letters of its name.

A name takes some 600 bytes of memory in all the places that list it, so that names alone stay below 100 times the
pickle. Unshared ones are far from it: the pickle of one tensor takes more than a hundred bytes.
"""
MAX_NOTES = 100
MAX_NOTE_LETTERS = 1000
NOT_NOTED = (DESCRIPTION_KEY, "format")  # which have a meaning in the files that paring writes


def name_tensors(
    value: Any, stem: str, pickle_bytes: int, where: str
) -> tuple[dict[str, NamedValue], dict[str, str]]:
    """Return the tensors by name, and what the file says besides.

    A tensor in dicts and lists is named by the keys and positions that lead to it, with dots between them:
    ``{"state_dict": {"fc.weight": w}, "ema": [a]}`` gives ``state_dict.fc.weight`` and ``ema.0``. A tensor alone is
    named `stem`. Of the rest only texts of up to 1,000 letters and numbers that lie directly in the outermost dict
    (``epoch``, ``arch``) are kept, as text, and at most 100 of them.

    Raises
    ------
    FormatError
        If there is neither a tensor nor a container, two tensors need one name, a tensor reaches beyond its storage,
        or containers hold themselves, lie too deep, or are shared so often that the names would take much more
        memory than the file.
    """
    tensor = _as_tensor(value)
    if tensor is not None:
        _check(tensor, f"{where}: tensor {stem!r}")
        return {stem: tensor}, {}
    if type(value) not in (dict, list, tuple):
        raise FormatError(f"{where}: expected a state dict, got {show(value)}")
    named: dict[str, NamedValue] = {}
    for name, tensor in _walk(value, EXPANSION * pickle_bytes, where):
        if name in named:
            raise FormatError(f"{where}: tensor {name!r}: expected one tensor of that name, got several")
        _check(tensor, f"{where}: tensor {name!r}")
        named[name] = tensor
    return named, _notes(value)


def _walk(value: Any, budget: int, where: str) -> Iterator[tuple[str, NamedValue]]:
    """Yield all tensors in the order of the file, without recursion."""
    under_way = [(id(value), "", _children(value))]
    while under_way:
        _, prefix, children = under_way[-1]
        step = next(children, None)
        if step is None:
            under_way.pop()
            continue
        key, child = step
        tensor = _as_tensor(child)
        is_container = tensor is None and type(child) in (dict, list, tuple) and len(child) > 0
        leads = tensor is not None or is_container
        name = f"{prefix}{key.decode() if type(key) is bytes else key}" if leads else ""
        budget -= ITEM_COST + len(name) + (TENSOR_COST if tensor is not None else 0)
        if budget < 0:
            raise FormatError(
                f"{where}: expected dicts and lists that lead to each tensor once, got them shared so often that the "
                f"names take more than {EXPANSION} times the pickle"
            )
        if tensor is not None:
            yield name, tensor
        elif is_container:
            if any(id(child) == container for container, _, _ in under_way):
                raise FormatError(
                    f"{where}: {show(name)}: expected a tree, got a container that holds itself"
                )
            if len(under_way) == MAX_DEPTH:
                raise FormatError(
                    f"{where}: expected dicts and lists at most {MAX_DEPTH} deep, got deeper ones"
                )
            under_way.append((id(child), f"{name}.", _children(child)))


def _children(container: Any) -> Iterator[tuple[Any, Any]]:
    return iter(container.items()) if type(container) is dict else iter(enumerate(container))


def _as_tensor(value: Any) -> NamedValue | None:
    if isinstance(value, Storage):
        return Tensor(value, 0, (value.size,), (1,), value.dtype)
    return value if isinstance(value, Tensor | UnreadableTensor | NumpyArray) else None


def _check(tensor: NamedValue, where: str) -> None:
    mistake = tensor.mistake() if isinstance(tensor, Tensor) else ""
    if mistake:
        raise FormatError(f"{where}: {mistake}")


def _notes(value: Any) -> dict[str, str]:
    notes: dict[str, str] = {}
    for key, item in value.items() if type(value) is dict else ():
        noted = type(key) is str and key not in NOT_NOTED and type(item) in (str, bool, int, float)
        if (
            noted
            and len(notes) < MAX_NOTES
            and len(key) <= MAX_NOTE_LETTERS
            and len(str(item)) <= MAX_NOTE_LETTERS
        ):
            notes[key] = str(item)
    return notes
