"""How weights become named tensors and back, the same in every format.

An array is one tensor under its own name. A compressed weight is several, named by the weight and a suffix
(`QuantizedWeight.tensors`), and a description of the rest, which lies in the file as JSON::

    {"version": 1, "weights": {"layer.weight": {"kind": "quantized", "bits": 4, ...}}}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ..weights import QuantizedWeight, SparseWeight, Weight
from .arrays import nbytes
from .strict_json import is_unicode, parse_object

__all__ = [
    "DESCRIPTION_KEY",
    "NamedTensor",
    "check_descriptions",
    "description_text",
    "group_tensors",
    "parse_descriptions",
    "rebuild_weight",
    "split_weights",
]

DESCRIPTION_KEY = "paring"
VERSION = 1
CHUNK_BYTES = 1 << 24
KINDS: dict[str, type[QuantizedWeight] | type[SparseWeight]] = {
    "quantized": QuantizedWeight,
    "sparse": SparseWeight,
}

Description = dict[str, Any]


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


INTEGER = (_is_integer, "an integer")
FIELDS: dict[str, dict[str, tuple[Callable[[Any], bool], str]]] = {
    "quantized": {
        "bits": INTEGER,
        "granularity": (lambda value: isinstance(value, str), "a string"),
        "group_size": (lambda value: value is None or _is_integer(value), "an integer or null"),
        "axis": INTEGER,
    },
    "sparse": {
        "layout": (lambda value: value in (None, "csr"), "'csr'"),
        "axis": (lambda value: value is None or _is_integer(value), "an integer"),
    },
}
"""Kind: key of a description, whether it can be a value of it, and what it should be.

Whether it fits the tensors, and each other, is found when the weight is made.
"""


@dataclass(frozen=True)
class NamedTensor:
    """One tensor about to be written: what a header says of it, and a way to its values."""

    name: str
    dtype: np.dtype[Any]  # little-endian
    shape: tuple[int, ...]
    fetch: Callable[[], npt.NDArray[Any]]

    @property
    def nbytes(self) -> int:
        return nbytes(self.shape, self.dtype)

    def chunks(self) -> Iterator[memoryview]:
        """Yield the values as bytes: row-major, little-endian, a bounded number at a time."""
        array = self.fetch()
        if array.shape != self.shape or array.dtype.newbyteorder("<") != self.dtype:
            raise ValueError(
                f"{self.name!r} changed while it was being written: expected {self.dtype} {self.shape}, "
                f"got {array.dtype} {array.shape}"
            )
        if array.size == 0:
            return
        raw = np.asarray(array, dtype=self.dtype, order="C").reshape(-1).view(np.uint8)
        for start in range(0, raw.size, CHUNK_BYTES):
            yield raw[start : start + CHUNK_BYTES].data


def split_weights(weights: Mapping[str, Weight]) -> tuple[list[NamedTensor], dict[str, Description]]:
    """Return the tensors to write and the descriptions of the compressed weights.

    Plain arrays are asked for again when their turn comes, so that only one of a lazy mapping is in memory.

    Raises
    ------
    TypeError
        If a name is no str, a weight neither an array nor a compressed weight, or an array holds objects.
    ValueError
        If two weights need the same tensor name, or a name is no Unicode text.
    """
    tensors: list[NamedTensor] = []
    descriptions: dict[str, Description] = {}
    owners: dict[str, str] = {}

    def claim(tensor: str, weight: str) -> None:
        owner = owners.setdefault(tensor, weight)
        if owner != weight:
            raise ValueError(
                f"tensor name {tensor!r} is needed by both {owner!r} and {weight!r}: rename one of them"
            )

    for name in weights:
        if not isinstance(name, str):
            raise TypeError(f"name of a weight: expected str, got {type(name).__name__} {name!r}")
        if not is_unicode(name):
            raise ValueError(f"name of a weight: expected Unicode text, got {name!a}")
        weight = weights[name]
        if isinstance(weight, np.ndarray):
            claim(name, name)
            tensors.append(_named(name, weight, partial(weights.__getitem__, name)))
        elif isinstance(weight, QuantizedWeight | SparseWeight):
            descriptions[name] = weight.describe()
            # Parts this weight does without are claimed as well: a reader would take such a tensor for one.
            for suffix in (s for suffixes in weight.suffixes(descriptions[name]) for s in suffixes):
                claim(name + suffix, name)
            for suffix, part in weight.tensors().items():
                tensors.append(_named(name + suffix, part, _holding(part)))
        else:
            raise TypeError(
                f"{name!r}: expected a NumPy array, QuantizedWeight or SparseWeight, "
                f"got {type(weight).__name__}"
            )
    return tensors, descriptions


def _holding(array: npt.NDArray[Any]) -> Callable[[], npt.NDArray[Any]]:
    return lambda: array


def _named(name: str, array: npt.NDArray[Any], fetch: Callable[[], Any]) -> NamedTensor:
    if array.dtype.hasobject:
        raise TypeError(f"{name!r}: expected numbers or fixed-size text, got an array of Python objects")
    if array.dtype.itemsize == 0:
        raise ValueError(f"{name!r}: expected a dtype with values, got {array.dtype} of zero bytes")
    try:
        nbytes(array.shape, array.dtype)
    except ValueError as error:
        raise ValueError(f"{name!r}: {error}") from None
    return NamedTensor(name, array.dtype.newbyteorder("<"), array.shape, fetch)


def description_text(descriptions: Mapping[str, Description]) -> str:
    """Return the JSON that `parse_descriptions` reads."""
    return json.dumps({"version": VERSION, "weights": descriptions}, separators=(",", ":"), sort_keys=True)


def parse_descriptions(text: str, where: str) -> dict[str, Description]:
    """Return the descriptions in a file's JSON; FormatError if it is not of this version's form."""
    return check_descriptions(parse_object(text, where), where)


def check_descriptions(document: Mapping[str, Any], where: str) -> dict[str, Description]:
    """Return the descriptions of a parsed document; FormatError if they are not of this version's form."""
    if document.get("version") != VERSION:
        raise FormatError(f"{where}: expected version {VERSION}, got {document.get('version')!r}")
    weights = document.get("weights")
    if not isinstance(weights, dict):
        raise FormatError(f"{where}: expected an object 'weights', got {type(weights).__name__}")
    for name, description in weights.items():
        here = f"{where}: weight {name!r}"
        if not isinstance(description, dict):
            raise FormatError(f"{here}: expected an object, got {type(description).__name__}")
        kind, shape = description.get("kind"), description.get("shape")
        if not isinstance(kind, str) or kind not in KINDS:
            raise FormatError(f"{here}: expected kind {' or '.join(KINDS)}, got {kind!r}")
        if not isinstance(shape, list):
            raise FormatError(f"{here}: shape: expected a list, got {shape!r}")
        try:
            nbytes(shape, np.dtype(np.float32))
        except ValueError as error:
            raise FormatError(f"{here}: {error}") from None
        for key, (matches, expected) in FIELDS[kind].items():
            if not matches(description.get(key)):
                raise FormatError(f"{here}: {key}: expected {expected}, got {description.get(key)!r}")
    return weights


def group_tensors(
    names: Iterable[str], descriptions: Mapping[str, Description], where: str
) -> dict[str, dict[str, str] | None]:
    """Return ``{weight: {suffix: tensor}}`` in file order; FormatError for missing or shared parts.

    For a plain array, which is the tensor of its name, that is ``{weight: None}``: of these there may be a million.
    """
    present = dict.fromkeys(names)
    owners: dict[str, str] = {}
    parts: dict[str, dict[str, str]] = {}
    for weight, description in descriptions.items():
        required, optional = KINDS[description["kind"]].suffixes(description)
        missing = [weight + suffix for suffix in required if weight + suffix not in present]
        if missing:
            raise FormatError(
                f"{where}: weight {weight!r}: expected tensors {', '.join(weight + s for s in required)}, "
                f"got none called {', '.join(missing)}"
            )
        parts[weight] = {s: weight + s for s in (*required, *optional) if weight + s in present}
        for tensor in parts[weight].values():
            owner = owners.setdefault(tensor, weight)
            if owner != weight:
                raise FormatError(f"{where}: tensor {tensor!r} belongs to both {owner!r} and {weight!r}")
    groups: dict[str, dict[str, str] | None] = {}
    for tensor in present:
        weight = owners.get(tensor, tensor)
        if weight in parts and tensor not in owners:
            raise FormatError(f"{where}: {weight!r} is both a tensor and a compressed weight")
        groups[weight] = parts.get(weight)
    return groups


def rebuild_weight(
    parts: Mapping[str, npt.NDArray[Any]], description: Description, where: str
) -> QuantizedWeight | SparseWeight:
    """Return the compressed weight; FormatError if its row-major tensors and its description disagree."""
    try:
        return KINDS[description["kind"]].from_tensors(parts, description)
    except KeyError as error:
        raise FormatError(f"{where}: the description lacks {error}") from error
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise FormatError(f"{where}: its tensors and its description disagree: {error}") from error
