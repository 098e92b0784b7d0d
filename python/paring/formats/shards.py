"""Checkpoints cut into several safetensors files, with an ``*.index.json`` as Hugging Face writes it::

{"metadata": {"total_size": int}, "weight_map": {tensor name: file name}}
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import numpy.typing as npt

from ..errors import FormatError
from .arrays import TensorInfo, map_file
from .limits import DEFAULT_LIMITS, Limits
from .safetensors import SafetensorsFile
from .strict_json import parse_object, string_map

__all__ = ["INDEX_SUFFIX", "ShardedFile", "find_in_folder"]

INDEX_SUFFIX = ".index.json"
SHARD_SUFFIX = ".safetensors"


def find_in_folder(folder: Path) -> Path:
    """Return the one index in a folder, or else the one ``.safetensors`` file.

    Raises
    ------
    FileNotFoundError
        If there is neither.
    ValueError
        If there are several.
    """
    for pattern in (f"*{SHARD_SUFFIX}{INDEX_SUFFIX}", f"*{SHARD_SUFFIX}"):
        found = sorted(folder.glob(pattern))
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(path.name for path in found)
            raise ValueError(
                f"{folder}: expected one {pattern} in the folder, got {names}: name the one to read"
            )
    raise FileNotFoundError(
        f"{folder}: expected a *{SHARD_SUFFIX} or *{SHARD_SUFFIX}{INDEX_SUFFIX} in the folder"
    )


class ShardedFile:
    """The tensors of all shards that an index names; the headers are read at once, values when asked for.

    The index says which shard holds a tensor. A tensor that it does not list counts as well, as long as only
    one shard holds it. Metadata are those of all shards; where they differ, the first shard that has the key
    wins.
    """

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self.path = path
        weight_map = _read_weight_map(path, limits)
        self._shards = {name: _open_shard(path, name, limits) for name in dict.fromkeys(weight_map.values())}
        held = {shard: frozenset(file.names()) for shard, file in self._shards.items()}
        for tensor, shard in weight_map.items():
            if tensor not in held[shard]:
                raise FormatError(
                    f"{path}: tensor {tensor!r}: expected it in {shard}, which does not hold it"
                )
        self._places = dict(weight_map)
        for shard, file in self._shards.items():
            for tensor in file.names():
                if tensor not in weight_map and self._places.setdefault(tensor, shard) != shard:
                    raise FormatError(
                        f"{path}: tensor {tensor!r}: expected the index to name one shard, got it in both "
                        f"{self._places[tensor]} and {shard}"
                    )
        self.file_bytes = sum(file.file_bytes for file in self._shards.values())
        self.metadata: dict[str, str] = {}
        self.descriptions: dict[str, dict[str, Any]] = {}
        for shard, file in self._shards.items():
            self.metadata = {**file.metadata, **self.metadata}
            for weight, description in file.descriptions.items():
                if self.descriptions.setdefault(weight, description) != description:
                    raise FormatError(f"{path}: weight {weight!r}: {shard} describes it differently")

    def names(self) -> list[str]:
        return list(self._places)

    def info(self, name: str) -> TensorInfo:
        return self._shards[self._places[name]].info(name)

    def tensor(self, name: str) -> npt.NDArray[Any]:
        return self._shards[self._places[name]].tensor(name)


def _read_weight_map(path: Path, limits: Limits) -> dict[str, str]:
    data = map_file(path, 2, "a JSON object")
    limits.check_header(len(data), f"{path}: index")
    index = parse_object(data[:], str(path))
    if "weight_map" not in index:
        raise FormatError(f"{path}: expected a key 'weight_map', got {', '.join(map(repr, index)) or 'none'}")
    weight_map = string_map(index["weight_map"], f"{path}: weight_map")
    for tensor, shard in weight_map.items():
        # By its text alone: in the folders of model caches all files are symbolic links to elsewhere.
        place = PurePosixPath(shard)
        if place.is_absolute() or ".." in place.parts or "\0" in shard:
            raise FormatError(
                f"{path}: tensor {tensor!r}: expected a shard in the folder of the index, got {shard!r}"
            )
        if place.suffix != SHARD_SUFFIX:
            raise FormatError(f"{path}: tensor {tensor!r}: expected a *{SHARD_SUFFIX} shard, got {shard!r}")
    return weight_map


def _open_shard(index: Path, name: str, limits: Limits) -> SafetensorsFile:
    try:
        return SafetensorsFile(index.parent / name, limits)
    except FileNotFoundError as error:
        raise FormatError(f"{index}: expected a shard {name}, got no such file in {index.parent}") from error
    except OSError as error:
        raise FormatError(f"{index}: expected a shard {name}, got {error}") from error
