"""Where the result goes, and what is refused before any work: a place that cannot be written, or that would lose data,
and weights that a file of its format cannot hold."""

from __future__ import annotations

import errno
import math
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compression.forms import quantizing_pays
from ..compression.plans import Plan
from ..compression.quantization import empty_weight
from ..compression.quantize_settings import QuantizeSettings
from ..compression.sources import Source
from ..formats import check_holds, check_suffix
from ..formats.shards import INDEX_SUFFIX
from ..formats.weight_file import WeightFile, WeightInfo
from ..weights import QuantizedWeight, SparseWeight, Weight
from .staging import INDEX_NAME, SHARD_SUFFIX, Staging

__all__ = [
    "check_apart",
    "check_forms",
    "check_neighbours",
    "check_target",
    "existing_folder",
    "names_folder",
]

# What remains of a name like Llama-3.1-8B behind its last point is no suffix of a format.
FORMAT_SUFFIX = re.compile(r"\.[A-Za-z]+\d?")

# Formats with tensors enough for every compressed weight.
ANY_FORM = (".safetensors", ".npz")


def check_target(target: str | os.PathLike[str]) -> tuple[Path, bool]:
    """Return the absolute path, and whether it is a folder; ValueError or OSError if nothing can be written there."""
    text = os.fspath(target)
    place = Path(text).absolute()
    to_folder = text.endswith(os.sep) or names_folder(place)
    # What a link leads to is replaced, and not the link: that file's folder counts.
    real = Path(os.path.realpath(place))
    if real.is_symlink():
        raise OSError(errno.ELOOP, "expected a file to replace, got a loop of links", str(place))
    if not to_folder:
        check_suffix(place)
    parent = existing_folder(real)
    if to_folder and place.exists() and not place.is_dir():
        raise NotADirectoryError(f"{place}: expected a folder to write into, got a file")
    if not to_folder and place.exists() and not place.is_file():
        raise ValueError(f"{place}: expected a regular file to replace, got a device, pipe or socket")
    if not real.parent.is_dir():
        raise FileNotFoundError(f"{real.parent}: no such folder to write into")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(f"{parent}: no permission to write into this folder")
    return place, to_folder


def names_folder(place: Path) -> bool:
    """Whether a target is a folder: one that is there, or any name without the suffix of a format."""
    return place.is_dir() or not FORMAT_SUFFIX.fullmatch(place.suffix)


def existing_folder(place: Path) -> Path:
    """Return the nearest folder that is there, the target itself or above it."""
    for folder in (place, *place.parents):
        if folder.is_dir():
            return folder
        if folder != place and os.path.lexists(folder):
            raise NotADirectoryError(f"{place}: expected a folder to write into, but {folder} is a file")
    return place


def check_apart(weights: WeightFile, place: Path, to_folder: bool) -> None:
    """Raise ValueError if the target is the source, or among it."""
    folder = weights.path.parent
    if to_folder:
        if os.path.realpath(place) == os.path.realpath(folder):
            raise ValueError(f"{place}: expected another folder than that of the source")
        return
    for name in (weights.path.name, *weights.shards):
        if os.path.realpath(place) == os.path.realpath(folder / name):
            raise ValueError(f"{place}: expected another file than the source: it would be lost")


def check_neighbours(place: Path, outputs: Collection[str]) -> None:
    """Raise ValueError if a folder holds weights that readers would take for the result, or for a part of it.

    What an earlier run put there is no trouble: `finish` replaces it, or removes it.
    """
    if not place.is_dir():
        return
    ours = {path.name for path in Staging(place, to_folder=True).finished_files()}
    for path in sorted(place.iterdir()):
        name = path.name
        if name.startswith(".") or not name.endswith((SHARD_SUFFIX, SHARD_SUFFIX + INDEX_SUFFIX)):
            continue
        if name != INDEX_NAME and name not in outputs and name not in ours:
            raise ValueError(
                f"{place}: expected a folder without other weights, which would be mixed up with the result, "
                f"got {name}: remove it, or give another folder"
            )


def check_forms(place: Path, plans: Iterable[Plan], source: Source, weights: WeightFile) -> None:
    """Raise ValueError if a file called `place` cannot hold the weights as the plans make them.

    CSR is not looked at: whether a weight becomes it depends on its values.
    """
    suffix = place.suffix.lower()
    metadata: Mapping[str, str] = {} if suffix == ".npy" else weights.metadata
    arrays = {}
    for plan in plans:
        info = weights.describe(plan.name)
        dtype = source.outline(plan.name).dtype
        arrays[plan.name] = _array_stand_in(info.shape, dtype or np.dtype(np.float32))
        weight: Weight | None = arrays[plan.name]
        if suffix not in ANY_FORM:
            if dtype is None:
                weight = _compressed_stand_in(info)
            elif plan.quantize is not None and quantizing_pays(
                plan.name, info.shape, info.nbytes, plan.quantize, plan.axis
            ):
                weight = _quantized_stand_in(info.shape, plan.quantize, plan.axis)
        if weight is not None:
            check_holds(place, {plan.name: weight}, metadata=metadata)
            metadata = {}  # once is enough: a tokenizer's words are a hundred thousand
    if suffix == ".npy":  # of how many it may hold
        check_holds(place, arrays)


def _array_stand_in(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return an array that takes no memory."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def _quantized_stand_in(shape: tuple[int, ...], settings: QuantizeSettings, axis: int) -> QuantizedWeight:
    """Return a weight whose codes nobody touches: they take addresses, and no memory."""
    weight = empty_weight(shape, settings, axis)
    groups = weight.scale.shape
    zero_point = None if settings.symmetric else np.zeros(groups, np.int8)
    return replace(weight, scale=np.zeros(groups, np.float32), zero_point=zero_point)


def _compressed_stand_in(info: WeightInfo) -> Weight | None:
    """Return a weight of the kind that a file describes; None if the description is none, which reading will say."""
    if info.kind == "sparse":  # the kind says enough
        nothing = np.zeros(0, np.int32)
        return SparseWeight(np.zeros(0, np.float32), nothing, np.zeros(2, np.int32), (1, 1))
    described = info.description or {}
    try:
        bits = described["bits"]
        if math.prod(info.shape) * bits > 8 * info.nbytes:  # a claim, for which no memory is asked
            return None
        settings = QuantizeSettings(
            bits,
            described["granularity"],
            described["group_size"] or QuantizeSettings.group_size,
            not any(tensor.endswith("_zero_point") for tensor in info.tensors),
        )
        return _quantized_stand_in(info.shape, settings, described["axis"])
    except (KeyError, IndexError, TypeError, ValueError):
        return None
