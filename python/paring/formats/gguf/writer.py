"""Writing GGUF files, version 3: arrays as they are, quantized weights of its convention as Q8_0 and Q4_0."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...weights import QuantizedWeight, SparseWeight, Weight
from ..atomic import Opening, replacing
from ..naming import NamedTensor
from ..strict_json import is_unicode, parse_object
from .blocks import blocks_of
from .header import ALIGNMENT, ALIGNMENT_KEY, KEYS_ENTRY, MAGIC, MAX_AXES, OTHER_METADATA_KEY, padding
from .keys import key_bytes, string_bytes
from .types import ARRAY_TYPES, GROUP_SIZE, QUANTIZED_TYPES, TENSOR_TYPES, TensorType, file_type

__all__ = ["write_weights"]

VERSION = 3
MAX_NAME_BYTES = 63  # ggml keeps 64 with a zero at the end
MAX_ALIGNMENT = 1 << 16
QUANTIZATION_VERSION = 2
ARCHITECTURE_KEY = "general.architecture"
FILE_TYPE_KEY = "general.file_type"
QUANTIZATION_VERSION_KEY = "general.quantization_version"

TYPES_BY_NAME = {kind.name: kind for kind in TENSOR_TYPES.values()}
TYPES_BY_DTYPE = {dtype: TYPES_BY_NAME[name] for name, dtype in ARRAY_TYPES.items()}
TYPES_BY_BITS = {bits: TYPES_BY_NAME[name] for name, bits in QUANTIZED_TYPES.items()}


@dataclass(frozen=True)
class Planned:
    """A tensor about to be written."""

    name: str
    type: TensorType
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) // self.type.block_size * self.type.block_bytes


def write_weights(
    path: Path,
    weights: Mapping[str, Weight],
    metadata: Mapping[str, str],
    opening: Opening = replacing,
) -> None:
    """Write weights in the order of the mapping; one of them at a time is in memory.

    Raises
    ------
    TypeError
        If a name is no str, or a weight neither an array nor a compressed weight.
    ValueError
        If the format cannot hold a name, a weight or an entry of `metadata` exactly. Nothing is written then.
    """
    planned = [_plan(name, weights[name]) for name in weights]
    _check_names(planned)
    keys = _keys(planned, metadata)
    alignment = _alignment(keys)
    header = _header_bytes(planned, keys, alignment)
    with opening(path) as file:
        file.write(header + bytes(padding(len(header), alignment)))
        for tensor in planned:
            _write_tensor(file, tensor, weights[tensor.name])
            file.write(bytes(padding(tensor.nbytes, alignment)))


def _plan(name: str, weight: Weight) -> Planned:
    """Return how a weight is stored; TypeError or ValueError if the format cannot hold it exactly."""
    if not isinstance(name, str):
        raise TypeError(f"name of a weight: expected str, got {type(name).__name__} {name!r}")
    if not is_unicode(name) or "\0" in name:
        raise ValueError(f"name of a weight: expected Unicode text without a zero, got {name!a}")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise ValueError(
            f"{name!r}: expected a name of at most {MAX_NAME_BYTES} bytes, which is what GGUF readers take, "
            f"got {len(name.encode())}"
        )
    if isinstance(weight, SparseWeight):
        raise ValueError(
            f"{name!r}: GGUF has no form for a SparseWeight: write .safetensors, or its .dense()"
        )
    if isinstance(weight, QuantizedWeight):
        kind = _quantized_type(weight, repr(name))
    elif isinstance(weight, np.ndarray):
        kind = _array_type(weight, repr(name))
    else:
        raise TypeError(
            f"{name!r}: expected a NumPy array, QuantizedWeight or SparseWeight, got {type(weight).__name__}"
        )
    if len(weight.shape) > MAX_AXES:
        raise ValueError(f"{name!r}: expected at most {MAX_AXES} axes in a GGUF file, got {weight.shape}")
    return Planned(name, kind, weight.shape)


def _array_type(array: np.ndarray[Any, Any], label: str) -> TensorType:
    if array.dtype.hasobject:
        raise TypeError(f"{label}: expected numbers, got an array of Python objects")
    kind = TYPES_BY_DTYPE.get(array.dtype.newbyteorder("<"))
    if kind is None:
        raise ValueError(
            f"{label}: GGUF stores {', '.join(ARRAY_TYPES)}, not {array.dtype}; .safetensors or .npz stores it"
        )
    if kind.name == "BF16" and array.ndim == 0:
        raise ValueError(
            f"{label}: expected one or more axes, as the package gguf fails to read a bfloat16 without: store it "
            f"as float32, or with shape (1,)"
        )
    return kind


def _quantized_type(weight: QuantizedWeight, label: str) -> TensorType:
    """Return Q8_0 or Q4_0; ValueError unless the weight is exactly what that can say."""
    remedy = (
        "quantize with bits 8 or 4, granularity='group', group_size=32 and convention='gguf', as the presets "
        "Q8_0 and Q4_0 do"
    )
    if (
        weight.bits not in TYPES_BY_BITS
        or weight.granularity != "group"
        or weight.group_size != GROUP_SIZE
        or not weight.symmetric
        or weight.axis != 0
    ):
        group = f" {weight.group_size}" if weight.group_size else ""
        raise ValueError(
            f"{label}: GGUF stores codes of 8 or 4 bits, symmetric, in groups of {GROUP_SIZE} along axis 0, not "
            f"{weight.bits} bits, {'symmetric' if weight.symmetric else 'asymmetric'}, "
            f"{weight.granularity}{group}, axis {weight.axis}: {remedy}"
        )
    if len(weight.shape) < 2 or weight.shape[-1] % GROUP_SIZE:
        raise ValueError(
            f"{label}: GGUF stores codes where the last of two or more axes is a multiple of {GROUP_SIZE}, not "
            f"of shape {weight.shape}: leave this weight out when quantizing (skip), or write .safetensors"
        )
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        stored = weight.scale.astype(np.float16).astype(np.float32)
    same = stored.view(np.uint32) == weight.scale.view(np.uint32)
    if not same.all():
        row, column = (int(i) for i in np.argwhere(~same)[0])
        raise ValueError(
            f"{label}: GGUF stores scales as float16, not {weight.scale[row, column]!s} (row {row}, group "
            f"{column}): {remedy}"
        )
    return TYPES_BY_BITS[weight.bits]


def _check_names(planned: list[Planned]) -> None:
    """Raise ValueError if a name is one that a reader of ours needs for a part of a quantized weight."""
    names = {tensor.name for tensor in planned}
    for tensor in planned:
        if tensor.type.name in QUANTIZED_TYPES:
            description = {"bits": QUANTIZED_TYPES[tensor.type.name]}
            required, optional = QuantizedWeight.suffixes(description)
            taken = [tensor.name + suffix for suffix in (*required, *optional) if suffix]
            for name in names.intersection(taken):
                raise ValueError(
                    f"tensor name {name!r} is needed by both {tensor.name!r} and {name!r}: rename one of them"
                )


def _keys(planned: list[Planned], metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return ``{key: [type, value]}``: what `metadata` has, and what the format asks for."""
    keys: dict[str, Any] = parse_object(metadata.get(KEYS_ENTRY, "{}"), f"metadata {KEYS_ENTRY!r}")
    keys.pop(OTHER_METADATA_KEY, None)  # ours to write, and a reader of ours expects its own form there
    others = {key: value for key, value in metadata.items() if key != KEYS_ENTRY}
    if ARCHITECTURE_KEY not in keys:
        architecture = others.get(ARCHITECTURE_KEY, "paring")
        if not re.fullmatch("[a-z0-9]+", architecture):
            raise ValueError(
                f"metadata {ARCHITECTURE_KEY!r}: expected small letters and digits, got {architecture!r}"
            )
        keys = {ARCHITECTURE_KEY: ["string", architecture], **keys}
    if any(tensor.type.name in QUANTIZED_TYPES for tensor in planned):
        keys[QUANTIZATION_VERSION_KEY] = ["uint32", QUANTIZATION_VERSION]
    sizes: dict[str, int] = {}
    for tensor in planned:
        if len(tensor.shape) > 1:
            sizes[tensor.type.name] = sizes.get(tensor.type.name, 0) + math.prod(tensor.shape)
    claimed = keys.get(FILE_TYPE_KEY)
    known = file_type(sizes, claimed[1] if isinstance(claimed, list) and len(claimed) == 2 else None)
    if known is not None:
        keys[FILE_TYPE_KEY] = ["uint32", known]
    elif sizes:
        keys.pop(FILE_TYPE_KEY, None)
    if others:
        keys[OTHER_METADATA_KEY] = ["string", json.dumps(others, separators=(",", ":"))]
    return keys


def _alignment(keys: Mapping[str, Any]) -> int:
    match keys.get(ALIGNMENT_KEY, ["uint32", ALIGNMENT]):
        case ["uint32", int(alignment)] if alignment.bit_count() == 1 and 1 <= alignment <= MAX_ALIGNMENT:
            return alignment
    raise ValueError(
        f"metadata {KEYS_ENTRY!r}: {ALIGNMENT_KEY}: expected a power of two up to {MAX_ALIGNMENT} as uint32, got "
        f"{str(keys[ALIGNMENT_KEY])[:60]}"
    )


def _header_bytes(planned: list[Planned], keys: Mapping[str, Any], alignment: int) -> bytes:
    parts = [MAGIC, _number(VERSION, 4), _number(len(planned), 8), _number(len(keys), 8)]
    parts += [key_bytes(key, value) for key, value in keys.items()]
    begin = 0
    for tensor in planned:
        parts += [string_bytes(tensor.name.encode()), _number(len(tensor.shape), 4)]
        parts += [_number(size, 8) for size in reversed(tensor.shape)]
        parts += [_number(tensor.type.number, 4), _number(begin, 8)]
        begin += tensor.nbytes + padding(tensor.nbytes, alignment)
    return b"".join(parts)


def _number(value: int, count: int) -> bytes:
    return value.to_bytes(count, "little")


def _write_tensor(file: BinaryIO, tensor: Planned, weight: Weight) -> None:
    if _plan(tensor.name, weight) != tensor:
        raise ValueError(f"{tensor.name!r} changed while it was being written")
    for chunk in _chunks(tensor, weight):
        file.write(chunk)


def _chunks(tensor: Planned, weight: Weight) -> Iterator[memoryview]:
    if isinstance(weight, QuantizedWeight):
        for blocks in blocks_of(weight):
            yield blocks.view(np.uint8).data
    elif isinstance(weight, np.ndarray):
        dtype = ARRAY_TYPES[tensor.type.name]
        yield from NamedTensor(tensor.name, dtype, tensor.shape, lambda: weight).chunks()
