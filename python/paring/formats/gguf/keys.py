"""The keys of a GGUF file as JSON and back, so that a file of another format can carry them and none is lost.

::

    {"general.architecture": ["string", "llama"], "general.alignment": ["uint32", 32],
     "tokenizer.ggml.scores": ["array[float32]", [-1.0, 0.5]], "nested": ["array[array]", [["array[bool]", [true]]]]}

A float that is not finite is the hexadecimal text of its bits (``"0x7fc00000"``), and a string that is no UTF-8 is
``{"bytes": "ff00"}``. The text is ASCII. It is made piece by piece, so that it takes memory of at most a dozen times
the bytes it was made of.
"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import FormatError
from ..limits import Limits
from ..strict_json import is_unicode

__all__ = [
    "MAX_DEPTH",
    "MAX_KEY_BYTES",
    "NUMBERS",
    "VALUE_TYPES",
    "Cursor",
    "key_bytes",
    "read_key",
    "string_bytes",
]

NUMBERS: dict[str, np.dtype[Any]] = {
    "uint8": np.dtype("u1"),
    "int8": np.dtype("i1"),
    "uint16": np.dtype("<u2"),
    "int16": np.dtype("<i2"),
    "uint32": np.dtype("<u4"),
    "int32": np.dtype("<i4"),
    "float32": np.dtype("<f4"),
    "bool": np.dtype("?"),
    "uint64": np.dtype("<u8"),
    "int64": np.dtype("<i8"),
    "float64": np.dtype("<f8"),
}
"""The types of fixed size."""

VALUE_TYPES = (
    *("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "bool", "string", "array"),
    *("uint64", "int64", "float64"),
)
"""The types of values, in the order of their numbers."""

MAX_DEPTH = 8  # of arrays in arrays
MAX_KEY_BYTES = 65_535
PIECE_ITEMS = 1 << 12
SHORTEST_ITEM = {"string": 8, "array": 12} | {name: dtype.itemsize for name, dtype in NUMBERS.items()}


class Cursor:
    """A place in the header of a mapped file, that moves on with everything read."""

    def __init__(self, data: mmap.mmap, path: Path, limits: Limits) -> None:
        self.data = data
        self.path = path
        self.position = 0
        self._limits = limits

    def at(self, what: str, position: int | None = None) -> str:
        """Return the start of a message about what lies here, or at another position."""
        return f"{self.path}: {what} at byte {self.position if position is None else position}"

    def require(self, count: int, what: str) -> None:
        """Raise FormatError unless `count` more bytes are in the file and within the limit of headers."""
        rest = len(self.data) - self.position
        if count > rest:
            raise FormatError(
                f"{self.at(what)}: expected {count} more bytes, got {rest} until the end of the file (truncated?)"
            )
        if self.position + count > self._limits.header_bytes:
            self._limits.check_header(self.position + count, f"{self.path}: header")

    def take(self, count: int, what: str) -> bytes:
        """Return the next `count` bytes."""
        self.require(count, what)
        start = self.position
        self.position += count
        return self.data[start : self.position]

    def number(self, count: int, what: str) -> int:
        """Return the unsigned integer in the next `count` bytes."""
        return int.from_bytes(self.take(count, what), "little")

    def string(self, what: str) -> bytes:
        """Return the next string: its length in eight bytes, then itself."""
        return self.take(self.number(8, what), what)

    def text(self, what: str) -> str:
        """Return the next string as text; FormatError if it is no UTF-8."""
        start = self.position
        raw = self.string(what)
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise FormatError(f"{self.at(what, start)}: expected UTF-8, got {raw[:40]!r}") from error


def read_key(cursor: Cursor) -> tuple[str, str, Any]:
    """Return the next key, the JSON of its type and value, and the value itself if it is a string or number.

    Raises
    ------
    FormatError
        If they are of no known type, or do not fit in the file.
    """
    start = cursor.position
    key = cursor.text("key")
    if not 1 <= len(key.encode()) <= MAX_KEY_BYTES:
        raise FormatError(
            f"{cursor.at('key', start)}: expected 1 to {MAX_KEY_BYTES} bytes, got {len(key.encode())}"
        )
    what = f"value of {key!r}"
    kind = _value_type(cursor, what)
    if kind == "array":
        return key, "".join(_array_text(cursor, what, 1)), None
    [value] = _items(cursor, kind, 1, what)
    plain = None if isinstance(value, dict) else value
    return key, json.dumps([kind, value], separators=(",", ":")), plain


def _value_type(cursor: Cursor, what: str) -> str:
    number = cursor.number(4, what)
    if number >= len(VALUE_TYPES):
        where = cursor.at(f"type of the {what}", cursor.position - 4)
        raise FormatError(f"{where}: expected 0 to {len(VALUE_TYPES) - 1}, got {number}")
    return VALUE_TYPES[number]


def _array_text(cursor: Cursor, what: str, depth: int) -> Iterator[str]:
    """Yield the JSON of an array in pieces."""
    if depth > MAX_DEPTH:
        raise FormatError(f"{cursor.at(what)}: expected arrays in arrays at most {MAX_DEPTH} deep")
    kind = _value_type(cursor, what)
    count = cursor.number(8, what)
    cursor.require(count * SHORTEST_ITEM[kind], what)
    yield f'["array[{kind}]",['
    for start in range(0, count, 1 if kind == "array" else PIECE_ITEMS):
        if start:
            yield ","
        if kind == "array":
            yield from _array_text(cursor, what, depth + 1)
        else:
            items = _items(cursor, kind, min(PIECE_ITEMS, count - start), what)
            yield json.dumps(items, separators=(",", ":"))[1:-1]
    yield "]]"


def _items(cursor: Cursor, kind: str, count: int, what: str) -> list[Any]:
    """Return `count` values of one type as JSON knows them."""
    if kind == "string":
        return [_json_string(cursor.string(what)) for _ in range(count)]
    dtype = NUMBERS[kind]
    raw = cursor.take(count * dtype.itemsize, what)
    if kind == "bool" and max(raw, default=0) > 1:
        where = cursor.at(what, cursor.position - count)
        raise FormatError(f"{where}: expected booleans 0 or 1, got {max(raw)}")
    values = np.frombuffer(raw, dtype)
    return _json_floats(values) if dtype.kind == "f" else values.tolist()


def _json_string(raw: bytes) -> str | dict[str, str]:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"bytes": raw.hex()}


def _json_floats(values: npt.NDArray[Any]) -> list[float | str]:
    """Return the shortest decimals that round to the values; widened, a float32 would have eight digits more."""
    shortest = [float(str(value)) for value in values]
    differs = (np.array(shortest, values.dtype) != values) & np.isfinite(values)
    result: list[float | str] = [
        float(value) if wrong else short
        for value, wrong, short in zip(values, differs, shortest, strict=True)
    ]
    bits = values.view(f"<u{values.itemsize}")
    for i in np.flatnonzero(~np.isfinite(values)):
        result[i] = f"0x{bits[i]:0{2 * values.itemsize}x}"
    return result


def string_bytes(raw: bytes) -> bytes:
    """Return a string as the file has it."""
    return len(raw).to_bytes(8, "little") + raw


def key_bytes(key: str, value: Any) -> bytes:
    """Return a key as the file has it, of ``[type, value]`` as `read_key` gives it.

    Raises
    ------
    ValueError
        If the key is empty or too long, or the value is not of that form and type.
    """
    where = f"metadata 'gguf': key {key!r}"
    if not is_unicode(key) or not 1 <= len(key.encode()) <= MAX_KEY_BYTES:
        raise ValueError(f"{where}: expected 1 to {MAX_KEY_BYTES} bytes of Unicode text")
    return string_bytes(key.encode()) + b"".join(_typed_bytes(value, where, 0))


def _typed_bytes(typed: Any, where: str, depth: int) -> Iterator[bytes]:
    """Yield the number of the type, then the value; of an array in an array without the number of "array"."""
    match typed:
        case [str(kind), value] if kind in VALUE_TYPES and kind != "array" and depth == 0:
            yield _type_number(kind)
            yield _item_bytes(kind, [value], where)
            return
        case [str(name), list(values)] if array := re.fullmatch(r"array\[(\w+)\]", name):
            kind = array[1]
        case _:
            expected = '["type", value]' if depth == 0 else '["array[type]", [...]]'
            raise ValueError(f"{where}: expected {expected}, got {str(typed)[:60]}")
    if kind not in VALUE_TYPES:
        raise ValueError(f"{where}: expected an array of {', '.join(VALUE_TYPES)}, got {kind!r}")
    if depth == MAX_DEPTH:
        raise ValueError(f"{where}: expected arrays in arrays at most {MAX_DEPTH} deep")
    if depth == 0:
        yield _type_number("array")
    yield _type_number(kind) + len(values).to_bytes(8, "little")
    if kind == "array":
        for value in values:
            yield from _typed_bytes(value, where, depth + 1)
    else:
        yield _item_bytes(kind, values, where)


def _type_number(kind: str) -> bytes:
    return VALUE_TYPES.index(kind).to_bytes(4, "little")


def _item_bytes(kind: str, values: list[Any], where: str) -> bytes:
    if kind == "string":
        return b"".join(string_bytes(_string_of(value, where)) for value in values)
    dtype = NUMBERS[kind]
    wanted = {"b": (bool,), "f": (float, int, str)}.get(dtype.kind, (int,))
    for value in values:
        if type(value) not in wanted:
            raise ValueError(f"{where}: expected {kind}, got {value!r}")
    if dtype.kind == "f":
        return _float_bytes(values, dtype, where)
    if dtype.kind != "b" and values:
        low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
        for value in (min(values), max(values)):
            if not low <= value <= high:
                raise ValueError(f"{where}: expected {kind}, {low} to {high}, got {value}")
    return np.array(values, dtype).tobytes()


def _float_bytes(values: list[Any], dtype: np.dtype[Any], where: str) -> bytes:
    try:
        with np.errstate(over="ignore", under="ignore"):
            result = np.array([0.0 if isinstance(value, str) else float(value) for value in values], dtype)
    except OverflowError as error:
        raise ValueError(f"{where}: expected {dtype.name}, got an integer beyond its range") from error
    if not np.isfinite(result).all():
        wrong = values[int(np.argmin(np.isfinite(result)))]
        raise ValueError(f"{where}: expected {dtype.name}, got {wrong!r}, which is beyond its range")
    bits = result.view(f"<u{dtype.itemsize}")
    for i, value in enumerate(values):
        if isinstance(value, str):
            if not re.fullmatch(rf"0x[0-9a-f]{{{2 * dtype.itemsize}}}", value):
                raise ValueError(
                    f"{where}: expected a number or the {8 * dtype.itemsize} bits of one, such as "
                    f"'0x{'7fc0':0<{2 * dtype.itemsize}}', got {value[:40]!r}"
                )
            bits[i] = int(value, 16)
    return result.tobytes()


def _string_of(value: Any, where: str) -> bytes:
    match value:
        case str() if is_unicode(value):
            return value.encode()
        case {"bytes": str(digits)} if re.fullmatch(r"([0-9a-f]{2})*", digits):
            return bytes.fromhex(digits)
    raise ValueError(f"{where}: expected a string or {{'bytes': hexadecimal}}, got {value!r}")
