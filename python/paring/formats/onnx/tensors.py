"""What an ONNX model says about a tensor: type, shape, and where its values lie."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import FormatError
from ..arrays import EXTENSION_DTYPES, MAX_AXES, TensorInfo, dtype_name, nbytes
from .wire import BYTES, Message, Wire

__all__ = ["READABLE", "ElementType", "ExternalData", "OnnxTensor", "read_pair", "read_tensor", "tensor_info"]

TENSOR = Message(
    "tensor",
    {
        1: "dims",
        2: "data_type",
        3: "segment",
        4: "float_data",
        5: "int32_data",
        6: "string_data",
        7: "int64_data",
        8: "name",
        9: "raw_data",
        10: "double_data",
        11: "uint64_data",
        13: "external_data",
        14: "data_location",
    },
    # Of the typed fields one packed block is read; a number at a time is legal too, and no writer does so.
    repeated=frozenset({"dims", "external_data", "string_data"}),
    integers=frozenset({"dims", "data_type", "data_location"}),
)
PAIR = Message("key and value", {1: "key", 2: "value"})
OFFSET = re.compile(r"[0-9]{1,19}")
DEFAULT, EXTERNAL = 0, 1  # data_location


@dataclass(frozen=True, slots=True)
class ElementType:
    """One of ONNX's types: what its values become, how many bits each takes in the file, and its typed field."""

    name: str
    dtype: np.dtype[Any] | None = None
    bits: int = 0
    typed: str = ""


def _type(dtype: str, typed: str, bits: int = 0, name: str = "") -> ElementType:
    found = EXTENSION_DTYPES.get(dtype) or np.dtype(dtype).newbyteorder("<")
    return ElementType(name or dtype, found, bits or 8 * found.itemsize, typed)


TYPES: dict[int, ElementType] = {
    1: _type("float32", "float_data"),
    2: _type("uint8", "int32_data"),
    3: _type("int8", "int32_data"),
    4: _type("uint16", "int32_data"),
    5: _type("int16", "int32_data"),
    6: _type("int32", "int32_data"),
    7: _type("int64", "int64_data"),
    8: ElementType("string"),
    9: _type("bool", "int32_data"),
    10: _type("float16", "int32_data"),
    11: _type("float64", "double_data"),
    12: _type("uint32", "uint64_data"),
    13: _type("uint64", "uint64_data"),
    14: _type("complex64", "float_data"),
    15: _type("complex128", "double_data"),
    16: _type("bfloat16", "int32_data"),
    17: _type("float8_e4m3fn", "int32_data"),
    18: ElementType("float8_e4m3fnuz"),
    19: _type("float8_e5m2", "int32_data"),
    20: ElementType("float8_e5m2fnuz"),
    21: _type("uint8", "int32_data", bits=4, name="uint4"),
    22: _type("int8", "int32_data", bits=4, name="int4"),
    23: ElementType("float4_e2m1"),
    24: ElementType("float8_e8m0"),
    25: ElementType("uint2"),
    26: ElementType("int2"),
    27: ElementType("float6_e2m3"),
    28: ElementType("float6_e3m2"),
}
READABLE = ", ".join(element.name for element in TYPES.values() if element.dtype is not None)


@dataclass(frozen=True, slots=True)
class ExternalData:
    """Where values lie outside the model: a file in its folder, and the bytes in it."""

    location: str
    offset: int
    length: int | None


@dataclass(frozen=True, slots=True)
class OnnxTensor:
    """What a model says about one tensor.

    Attributes
    ----------
    element : ElementType
    shape : tuple of int
    stored : int
        Bytes that the values take in the file, before any encoding as a list of numbers.
    field, begin, end : str, int, int
        The field that holds the values, and where it lies; empty for none.
    external : ExternalData or None
    problem : str
        Why the values cannot be read; empty if they can, or if the reason is the element's type.
    """

    element: ElementType
    shape: tuple[int, ...]
    stored: int
    field: str
    begin: int
    end: int
    external: ExternalData | None
    problem: str = ""


def read_tensor(wire: Wire, begin: int, end: int) -> tuple[str, OnnxTensor]:
    """Return the name and the rest of a tensor message, its sizes checked as far as the model has them."""
    where = wire.where(TENSOR.name, begin)
    name, number, location = "", 0, DEFAULT
    dims: list[int] = []
    entries: dict[str, str] = {}
    values = ("", 0, 0)
    problem = ""
    for field, kind, value, stop in wire.fields(TENSOR, begin, end):
        if field == "name":
            name = wire.text(value, stop, f"{where}: name")
        elif field == "data_type":
            number = value
        elif field == "data_location":
            location = value
        elif field == "dims":
            _add_sizes(wire, dims, kind, value, stop, where)
        elif field == "external_data":
            _add_entry(wire, entries, value, stop)
        elif field == "segment":
            problem = "expected a whole tensor, got a segment of one"
        elif stop > value:
            if values[0] and values[0] != field:
                problem = f"expected values in one field, got {values[0]} and {field}"
            values = (field, value, stop)
    if name:
        where = f"{wire.path}: tensor {name!r}"
    element = TYPES.get(number, ElementType(f"type {number}"))
    try:
        count = nbytes(dims, np.dtype(np.uint8))
        nbytes(dims, np.dtype(np.uint8) if element.dtype is None else element.dtype)
    except ValueError as error:
        raise FormatError(f"{where}: {error}") from None
    if location not in (DEFAULT, EXTERNAL):
        raise FormatError(f"{where}: expected data_location {DEFAULT} or {EXTERNAL}, got {location}")
    external = _external(entries, where) if location == EXTERNAL else None
    if external and values[0]:
        problem = f"expected values in {external.location!r}, got {values[0]} too"
    stored = values[2] - values[1] if element.dtype is None else -(-count * element.bits // 8)
    tensor = OnnxTensor(element, tuple(dims), stored, *values, external, problem)
    if element.dtype is not None and not problem:
        _check_size(tensor, where)
    return name, tensor


def _add_sizes(wire: Wire, dims: list[int], kind: int, value: int, stop: int, where: str) -> None:
    if kind != BYTES:
        dims.append(_signed(value))
    else:
        while value < stop and len(dims) <= MAX_AXES:
            size, value = wire.varint("dims", value, stop)
            dims.append(_signed(size))
    if len(dims) > MAX_AXES:  # before there are millions of them
        raise FormatError(f"{where}: shape: expected at most {MAX_AXES} axes, got more")


def _signed(value: int) -> int:
    return value - 2**64 if value >> 63 else value


def _add_entry(wire: Wire, entries: dict[str, str], begin: int, end: int) -> None:
    key, value = read_pair(wire, begin, end)
    if key in ("location", "offset", "length"):  # of others, such as a checksum, nothing is believed
        if key in entries:
            raise FormatError(
                f"{wire.where('external_data', begin)}: expected every key once, got {key!r} twice"
            )
        entries[key] = value


def read_pair(wire: Wire, begin: int, end: int) -> tuple[str, str]:
    """Return an entry of a list of keys with values; what it lacks is empty text, as the format has it."""
    pair = {"key": "", "value": ""}
    for field, _, value, stop in wire.fields(PAIR, begin, end):
        pair[field] = wire.text(value, stop, wire.where(field, value))
    return pair["key"], pair["value"]


def _external(entries: dict[str, str], where: str) -> ExternalData:
    if not entries.get("location"):
        raise FormatError(f"{where}: expected external data with a location, got none")
    numbers: dict[str, int] = {}
    for key in ("offset", "length"):
        text = entries.get(key)
        if text is not None:
            if not OFFSET.fullmatch(text):
                raise FormatError(
                    f"{where}: {key} of external data: expected an integer from 0, got {text[:40]!r}"
                )
            numbers[key] = int(text)
    return ExternalData(entries["location"], numbers.get("offset", 0), numbers.get("length"))


def _check_size(tensor: OnnxTensor, where: str) -> None:
    """Raise FormatError if the bytes that the model promises are not those of the shape."""
    got: int | None
    if tensor.external:
        got = tensor.external.length
    elif tensor.field in ("", "raw_data", "float_data", "double_data"):
        got = tensor.end - tensor.begin
    else:
        got = None  # the length of a list of integers is known when it is decoded
    if got is not None and got != tensor.stored:
        raise FormatError(
            f"{where}: expected {tensor.stored} bytes for {tensor.element.name} {list(tensor.shape)}, got {got} "
            f"in {'external data' if tensor.external else tensor.field or 'no field'}"
        )
    if not tensor.external and tensor.field not in ("", "raw_data", tensor.element.typed):
        raise FormatError(
            f"{where}: expected {tensor.element.name} values in {tensor.element.typed} or raw_data, got {tensor.field}"
        )


def tensor_info(tensor: OnnxTensor) -> TensorInfo:
    """Return dtype, shape and size of the array that `tensor_values` gives."""
    dtype = tensor.element.dtype
    if dtype is None:
        return TensorInfo(tensor.element.name, tensor.shape, tensor.stored)
    return TensorInfo(dtype_name(dtype), tensor.shape, nbytes(tensor.shape, dtype))
