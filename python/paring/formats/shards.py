"""Checkpoints cut into several files, with an ``*.index.json`` as Hugging Face writes it::

{"metadata": {"total_size": int}, "weight_map": {tensor name: file name}}
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ..errors import FormatError
from .arrays import TensorInfo, map_file, opening_through
from .containment import OF_THE_MACHINE, inside_parts, open_inside
from .limits import Limits
from .strict_json import parse_object, string_map
from .weight_file import TensorFile

__all__ = ["INDEX_SUFFIX", "ShardedFile"]

INDEX_SUFFIX = ".index.json"
SHARD_SUFFIXES = (".safetensors", ".bin")  # where the name of an index says what its shards are

OpenShard = Callable[[Path, Limits], TensorFile]


class ShardedFile:
    """The tensors of all shards that an index names; the headers are read at once, values when asked for.

    The index says which shard holds a tensor. A tensor that it does not list counts as well, as long as only
    one shard holds it. Metadata are those of all shards; where they differ, the first shard that has the key
    wins.

    A shard lies in the folder of the index or below and is no link, unless index and shards are in the cache
    of Hugging Face, which consists of links (`containment.open_inside`). A ``*.safetensors.index.json`` names
    ``*.safetensors`` only, a ``*.bin.index.json`` ``*.bin``.

    With `only`, shards of other names are not opened, as if the index did not name them.

    Attributes
    ----------
    path : Path
        The index.
    shards : dict of str to TensorFile
        The shards by the name that the index gives them, in the order in which it first mentions them.
    places : dict of str to str
        Of every tensor the name of its shard: those that the index lists first.
    file_bytes : int
        Size of all shards.
    metadata : dict of str to str
    descriptions : dict of str to dict
    """

    def __init__(
        self, path: Path, limits: Limits, open_shard: OpenShard, only: Container[str] | None = None
    ) -> None:
        self.path = path
        weight_map = _read_weight_map(path, limits)
        if only is not None:
            weight_map = {tensor: shard for tensor, shard in weight_map.items() if shard in only}
        self.shards: Mapping[str, TensorFile] = {
            name: _open(path, name, limits, open_shard) for name in dict.fromkeys(weight_map.values())
        }
        self.places: Mapping[str, str] = _find_tensors(path, weight_map, self.shards)
        self.file_bytes = sum(file.file_bytes for file in self.shards.values())
        self.metadata: dict[str, str] = {}
        self.descriptions: dict[str, dict[str, Any]] = {}
        for shard, file in self.shards.items():
            for key, text in file.metadata.items():
                self.metadata.setdefault(key, text)
            for weight, description in file.descriptions.items():
                if self.descriptions.setdefault(weight, description) != description:
                    raise FormatError(f"{path}: weight {weight!r}: {shard} describes it differently")

    def names(self) -> list[str]:
        return list(self.places)

    def info(self, name: str) -> TensorInfo:
        return self.shards[self.places[name]].info(name)

    def tensor(self, name: str) -> npt.NDArray[Any]:
        return self.shards[self.places[name]].tensor(name)


def _find_tensors(path: Path, weight_map: dict[str, str], shards: Mapping[str, TensorFile]) -> dict[str, str]:
    """Return the shard of every tensor; FormatError if one is missing, or not listed and in two shards."""
    held = {shard: dict.fromkeys(file.names()) for shard, file in shards.items()}
    for tensor, shard in weight_map.items():
        if tensor not in held[shard]:
            raise FormatError(f"{path}: tensor {tensor!r}: expected it in {shard}, which does not hold it")
    places = dict(weight_map)
    for shard, tensors in held.items():
        for tensor in tensors:
            if tensor not in weight_map and places.setdefault(tensor, shard) != shard:
                raise FormatError(
                    f"{path}: tensor {tensor!r}: expected the index to name one shard, got it in both "
                    f"{places[tensor]} and {shard}"
                )
    return places


def _read_weight_map(path: Path, limits: Limits) -> dict[str, str]:
    data = map_file(path, 2, "a JSON object")
    limits.check_header(len(data), f"{path}: index")
    index = parse_object(data[:], str(path))
    if "weight_map" not in index:
        raise FormatError(f"{path}: expected a key 'weight_map', got {', '.join(map(repr, index)) or 'none'}")
    weight_map = string_map(index["weight_map"], f"{path}: weight_map")
    suffix = next((s for s in SHARD_SUFFIXES if path.name.endswith(s + INDEX_SUFFIX)), "")
    first: dict[tuple[str, ...], str] = {}
    for tensor, shard in weight_map.items():
        where = f"{path}: tensor {tensor!r}"
        parts = inside_parts(shard)
        if shard and not parts:
            raise FormatError(f"{where}: expected a shard in the folder of the index, got {shard!r}")
        if not shard.endswith(suffix):
            raise FormatError(f"{where}: expected a *{suffix} shard, got {shard!r}")
        if first.setdefault(parts, shard) != shard:
            raise FormatError(f"{where}: expected one name a shard, got {shard!r} and {first[parts]!r}")
    return weight_map


def _open(index: Path, name: str, limits: Limits, open_shard: OpenShard) -> TensorFile:
    def opener(path: Path) -> int:
        return open_inside(index.parent, name, str(index), "a shard", cache_links=True)

    try:
        with opening_through(opener):
            return open_shard(index.parent / name, limits)
    except FormatError:
        raise
    except (ValueError, OSError) as error:  # of a suffix no reader has; that cannot be read
        if isinstance(error, OSError) and error.errno in OF_THE_MACHINE:
            raise
        raise FormatError(f"{index}: expected a shard {name}, got {error}") from error
