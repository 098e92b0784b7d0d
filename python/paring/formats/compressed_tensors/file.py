"""Checkpoints that compressed-tensors made, with its weights as `QuantizedWeight`.

What its ``quantization_config`` says of a module becomes the description of the weight, and its tensors are given as
`QuantizedWeight.tensors` would have them: scales in float32, packed codes of 8 bits one a byte. A weight of a kind that
paring has no form for (8-bit floats, blocks, a changed order of columns) stays the arrays that it is in the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ...errors import FormatError
from ..arrays import TensorInfo, nbytes
from ..limits import Limits
from ..shards import ShardedFile
from ..strict_json import parse_object
from ..weight_file import TensorFile
from .config import CONFIG_KEY, METHOD, WEIGHT
from .config_file import CONFIG_NAME, read_config
from .groups import Groups, parse_groups
from .parts import Changed, MisfitError, Parts, find_parts

__all__ = ["CompressedTensorsFile", "with_quantized_weights"]

# Tensors that change what the codes mean, in ways that are not ours.
FOREIGN = ("_g_idx", "_global_scale")

Array = npt.NDArray[Any]


def with_quantized_weights(file: TensorFile, limits: Limits) -> TensorFile:
    """Return the file, or a view of it in which weights are described that its ``quantization_config`` explains.

    The config is that of the file's metadata, or else of the ``config.json`` beside it, which is opened only if there
    are tensors that look quantized and paring's own description is missing.

    Raises
    ------
    FormatError
        If the config is malformed, or tensors and config disagree.
    """
    modules = _quantized_modules(file)
    if file.descriptions or not modules:
        return file
    text, where = file.metadata.get(CONFIG_KEY), f"{file.path}: {CONFIG_KEY}"
    config = parse_object(text, where) if text is not None else _config_beside(file.path, limits)
    if text is None:
        where = f"{file.path.parent / CONFIG_NAME}: {CONFIG_KEY}"
    if config is None or config.get("quant_method") != METHOD:
        return file
    return CompressedTensorsFile(file, modules, config, where)


def _quantized_modules(file: TensorFile) -> list[str]:
    """Return the modules with packed codes, or with a weight and its scale."""
    names = dict.fromkeys(file.names())
    modules: dict[str, None] = {}
    for name in names:
        module, _, last = name.rpartition(".")
        if module and (last == "weight_packed" or (last == "weight_scale" and module + WEIGHT in names)):
            modules[module] = None
    return list(modules)


def _config_beside(path: Path, limits: Limits) -> Mapping[str, Any] | None:
    document = read_config(path.parent, limits, str(path))
    config = None if document is None else document.get(CONFIG_KEY)
    if config is not None and not isinstance(config, dict):
        raise FormatError(f"{path.parent / CONFIG_NAME}: {CONFIG_KEY}: expected an object, got {config!r}")
    return config


class CompressedTensorsFile:
    """A view of another file: its tensors and names, but for parts of quantized weights that paring has otherwise.

    Attributes
    ----------
    source : TensorFile
        The file itself.
    path : Path
    file_bytes : int
    metadata : dict of str to str
        Those of the file, and its config.
    descriptions : dict of str to dict
    shards, places : dict or None
        As those of a `ShardedFile`; None if the source is a single file.
    """

    def __init__(self, source: TensorFile, modules: list[str], config: Mapping[str, Any], where: str) -> None:
        self.source = source
        self.path = source.path
        self.file_bytes = source.file_bytes
        self.metadata: Mapping[str, str] = {**source.metadata, CONFIG_KEY: json.dumps(config)}
        self.descriptions: dict[str, dict[str, Any]] = {}
        self._present = frozenset(source.names())
        self._changed: dict[str, Changed] = {}
        hidden: set[str] = set()
        groups = parse_groups(config, frozenset(modules), where)
        for module in modules:
            parts = self._choose(groups, module)
            if parts is not None:
                self.descriptions[module + WEIGHT] = parts.description
                self._changed |= parts.changed
                hidden.update(parts.hidden)
        renamed = {c.source: name for name, c in self._changed.items() if name not in self._present}
        self._names = [renamed.get(name, name) for name in source.names() if name not in hidden]
        self.places: Mapping[str, str] | None = None
        self.shards: Mapping[str, TensorFile] | None = None
        if isinstance(source, ShardedFile):
            places = source.places
            self.places = {
                renamed.get(name, name): places[name] for name in source.names() if name not in hidden
            }
            self.shards = {name: _Shard(self, name, file) for name, file in source.shards.items()}

    def names(self) -> list[str]:
        return list(self._names)

    def info(self, name: str) -> TensorInfo:
        changed = self._changed.get(name)
        if changed is None:
            return self.source.info(name)
        return TensorInfo(changed.dtype.name, changed.shape, nbytes(changed.shape, changed.dtype))

    def tensor(self, name: str) -> Array:
        changed = self._changed.get(name)
        if changed is None:
            return self.source.tensor(name)
        array = changed.make(self.source.tensor(changed.source))
        array.flags.writeable = False
        return array

    def _choose(self, groups: Groups, module: str) -> Parts | None:
        """Return how the tensors of a module are a weight; None if they stay as they are."""
        name = module + WEIGHT
        candidates = groups.candidates(module)
        if not candidates or any(name + suffix in self._present for suffix in FOREIGN):
            return None
        fitting: list[Parts | None] = []
        problems = []
        for group in candidates:
            if group.scheme is not None:
                try:
                    fitting.append(find_parts(self.source, self._present, name, group.scheme))
                except MisfitError as error:
                    problems.append(f"{self.path}: tensor {error} ({group.where})")
        if fitting:  # several that do not come to the same: nothing is guessed
            return fitting[0] if all(parts == fitting[0] for parts in fitting) else None
        if len(problems) < len(candidates):
            return None
        raise FormatError(problems[0])


class _Shard:
    """The tensors of one shard, as the view of the checkpoint gives them."""

    def __init__(self, whole: CompressedTensorsFile, name: str, file: TensorFile) -> None:
        self._whole = whole
        self._name = name
        self.path = file.path
        self.file_bytes = file.file_bytes
        self.metadata = file.metadata
        self.descriptions = file.descriptions

    def names(self) -> list[str]:
        places = self._whole.places or {}
        return [name for name, place in places.items() if place == self._name]

    def info(self, name: str) -> TensorInfo:
        return self._whole.info(name)

    def tensor(self, name: str) -> Array:
        return self._whole.tensor(name)
