"""The ``quantization_config`` by which programs that follow compressed-tensors know what the tensors of a file are.

The tensors themselves are those of `QuantizedWeight.tensors`. The config names the module of each weight (what stands
before ``.weight``) and says with how many bits and scales it was quantized. It lies in a folder's ``config.json``, or
as JSON in the metadata of a single file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any, TypeGuard

from ...errors import FormatError
from ..arrays import TensorInfo
from ..strict_json import parse_object

__all__ = ["CONFIG_KEY", "config_text", "looks_compressed", "merge_config", "quantization_config"]

CONFIG_KEY = "quantization_config"
METHOD = "compressed-tensors"
WEIGHT = ".weight"
FLOATS = ("float16", "bfloat16", "float32", "float64")

# What our integer layers do, and what makes their readers take 8 bits for one code a byte.
TOKEN_ACTIVATIONS = {
    "num_bits": 8,
    "type": "int",
    "symmetric": True,
    "strategy": "token",
    "group_size": None,
    "dynamic": True,
}

Scheme = tuple[int, str, int, bool]
"""Bits, strategy, group size (0 if not in groups), symmetric."""


def quantization_config(
    descriptions: Mapping[str, Mapping[str, Any]],
    tensors: Mapping[str, TensorInfo],
    previous: Mapping[str, Any] | None = None,
) -> dict[str, Any] | None:
    """Return what to tell other programs about the quantized weights of a checkpoint.

    The package decompresses matrices called ``<module>.weight`` whose rows are the output channels, in groups that
    divide a row. Any other compressed weight is described by paring's own note only, and its module is listed under
    ``ignore``, as is the module of every float matrix that was left alone.

    Parameters
    ----------
    descriptions : mapping of str to dict
        What `QuantizedWeight.describe` and `SparseWeight.describe` say, by name of the weight.
    tensors : mapping of str to TensorInfo
        All tensors of the checkpoint, of all shards together.
    previous : mapping, optional
        The config that the checkpoint had before. Its groups are kept, behind ours, if arrays are left that look
        compressed (8-bit floats, say), since nothing else says what they mean.

    Returns
    -------
    dict or None
        JSON-able, the same for any order of the arguments; None if there is nothing to tell.

    Examples
    --------
    >>> import numpy as np, paring
    >>> from paring.formats.arrays import TensorInfo
    >>> weight = paring.quantize(np.eye(64, dtype=np.float32), bits=4)
    >>> tensors = {f"fc.weight{suffix}": TensorInfo("", (), 0) for suffix in weight.tensors()}
    >>> config = quantization_config({"fc.weight": weight.describe()}, tensors)
    >>> config["format"], config["config_groups"]["group_0"]["targets"]
    ('pack-quantized', ['fc'])
    """
    schemes: dict[Scheme, list[str]] = {}
    ignored = set()
    for name, description in descriptions.items():
        module = name.removesuffix(WEIGHT)
        if not module or module == name:
            continue
        scheme = _scheme(description, name + "_zero_point" not in tensors)
        if scheme is None:
            ignored.add(module)
        else:
            schemes.setdefault(scheme, []).append(module)
    for name, info in tensors.items():
        module = name.removesuffix(WEIGHT)
        if module and module != name and len(info.shape) == 2 and info.dtype in FLOATS:
            ignored.add(module)
    groups = [_group(scheme, targets) for scheme, targets in sorted(schemes.items())]
    kept = previous if _is_ours(previous) and looks_compressed(_plain(tensors, descriptions)) else None
    if not groups and kept is None:
        return None
    config = _document(groups, ignored, kept)
    return config if config["config_groups"] else None


def _scheme(description: Mapping[str, Any], symmetric: bool) -> Scheme | None:
    """Return how the package would call this quantization, or None if it has no form for it."""
    if description["kind"] != "quantized":
        return None
    shape, bits, granularity = description["shape"], description["bits"], description["granularity"]
    if len(shape) != 2 or description["axis"] != 0 or 0 in shape:
        return None
    if granularity != "group":
        return bits, granularity, 0, symmetric
    group_size = description["group_size"]
    if group_size >= shape[1]:  # one group is the channel
        return bits, "channel", 0, symmetric
    return None if shape[1] % group_size else (bits, "group", group_size, symmetric)


def _group(scheme: Scheme, targets: list[str]) -> dict[str, Any]:
    bits, strategy, group_size, symmetric = scheme
    return {
        "targets": sorted(targets),
        "weights": {
            "num_bits": bits,
            "type": "int",
            "symmetric": symmetric,
            "strategy": strategy,
            "group_size": group_size or None,
            "dynamic": False,
        },
        "input_activations": dict(TOKEN_ACTIVATIONS) if bits == 8 else None,
        "output_activations": None,
        "format": "int-quantized" if bits == 8 else "pack-quantized",
    }


def _plain(
    tensors: Mapping[str, TensorInfo], descriptions: Mapping[str, Mapping[str, Any]]
) -> dict[str, TensorInfo]:
    parts = ("", "_packed", "_shape", "_scale", "_zero_point")
    taken = {name + part for name in descriptions for part in parts}
    return {name: info for name, info in tensors.items() if name not in taken}


def looks_compressed(tensors: Mapping[str, TensorInfo]) -> bool:
    """Whether an array is a compressed weight of the convention, going by names and dtypes."""
    return any(
        name.endswith(WEIGHT + "_packed")
        or (name.endswith(WEIGHT) and info.dtype not in FLOATS and f"{name}_scale" in tensors)
        for name, info in tensors.items()
    )


def _document(
    groups: list[dict[str, Any]], ignored: set[str], kept: Mapping[str, Any] | None
) -> dict[str, Any]:
    named = {target for group in groups for target in group["targets"]}
    known = named | ignored
    kept = {} if kept is None else kept
    # A name of ours comes before a pattern or class of theirs, whatever the order of the groups.
    for group in kept.get("config_groups", {}).values():
        targets = [target for target in group["targets"] if target not in known]
        if targets:
            form = group.get("format") or kept.get("format") or "dense"
            groups.append({**group, "targets": targets, "format": form})
    ignored |= {module for module in kept.get("ignore") or [] if module not in named}
    formats = {group["format"] for group in groups}
    if len(formats) == 1:  # readers older than mixed precision refuse the key
        groups = [{key: value for key, value in group.items() if key != "format"} for group in groups]
    return {
        **kept,
        "quant_method": METHOD,
        "format": formats.pop() if len(formats) == 1 else "mixed-precision",
        "quantization_status": "compressed",
        "config_groups": {f"group_{index}": group for index, group in enumerate(groups)},
        "ignore": sorted(ignored),
        "kv_cache_scheme": kept.get("kv_cache_scheme"),
        "global_compression_ratio": None,
    }


def merge_config(config: Mapping[str, Any], quantization: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a model's ``config.json`` with this quantization, every other key and the order as they were.

    Raises
    ------
    ValueError
        If the model says that it is quantized by another method.

    Examples
    --------
    >>> merge_config({"model_type": "bert"}, {"quant_method": "compressed-tensors"})
    {'model_type': 'bert', 'quantization_config': {'quant_method': 'compressed-tensors'}}
    """
    present = config.get(CONFIG_KEY)
    if present is not None and not (isinstance(present, dict) and present.get("quant_method") == METHOD):
        method = present.get("quant_method") if isinstance(present, dict) else present
        raise ValueError(
            f"{CONFIG_KEY}: expected none or quant_method {METHOD!r}, got {method!r}: "
            "a model quantized by another method cannot be described as well"
        )
    if quantization is None:
        return {key: value for key, value in config.items() if key != CONFIG_KEY}
    return {**config, CONFIG_KEY: dict(quantization)}


def config_text(
    descriptions: Mapping[str, Mapping[str, Any]],
    tensors: Iterable[tuple[str, TensorInfo]],
    previous: str | None,
) -> str | None:
    """Return the JSON that a single file carries in its metadata, given what the source carried there."""
    infos = dict(tensors)
    old = _parse_previous(previous)
    if previous is not None and not _is_ours(old) and not descriptions:
        return previous  # of another method, and still as true as it was
    config = quantization_config(descriptions, infos, old)
    return None if config is None else json.dumps(config, separators=(",", ":"))


def _parse_previous(text: str | None) -> dict[str, Any] | None:
    try:
        return None if text is None else parse_object(text, CONFIG_KEY)
    except FormatError:
        return None


def _is_ours(config: Mapping[str, Any] | None) -> TypeGuard[Mapping[str, Any]]:
    """Whether this is a config of the convention, its groups and lists of the types that are used here."""
    if config is None or config.get("quant_method") != METHOD:
        return False
    groups, ignored = config.get("config_groups"), config.get("ignore") or []
    return (
        isinstance(groups, dict)
        and all(isinstance(group, dict) and _is_names(group.get("targets")) for group in groups.values())
        and all(isinstance(owner.get("format", ""), str | NoneType) for owner in (config, *groups.values()))
        and _is_names(ignored)
    )


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
