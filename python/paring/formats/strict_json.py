"""JSON as file headers need it: one object, no duplicate key, no half of a surrogate pair, no NaN, not too deep."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from ..errors import FormatError

__all__ = ["MAX_DEPTH", "is_unicode", "parse_object", "string_map"]

MAX_DEPTH = 64
"""Of lists and objects in each other: so few that nothing done with them later can run out of stack."""


def is_unicode(text: str) -> bool:
    """Whether text can be encoded; half of a surrogate pair, which JSON may hold, can not, nor be printed."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for pair in pairs:
        for text in pair:
            if isinstance(text, str) and not is_unicode(text):
                raise ValueError(f"expected Unicode text, got half of a surrogate pair: {text!a}")
    return _any_object(pairs)


def _any_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"expected every key once, got {key!r} twice")
        result[key] = value
    return result


def _constant(name: str) -> NoReturn:
    raise ValueError(f"expected JSON numbers, got {name}")


def parse_object(text: bytes | str, where: str, *, with_paths: bool = False) -> dict[str, Any]:
    """Return the JSON object in `text` (bytes: UTF-8); FormatError starting with `where` otherwise.

    Half of a surrogate pair is admitted `with_paths`: names of files need not be Unicode, and Python has them so.
    """
    try:
        decoded = text if isinstance(text, str) else text.decode()
        result = json.loads(
            decoded, object_pairs_hook=_any_object if with_paths else _object, parse_constant=_constant
        )
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{where}: expected UTF-8, got byte {error.object[error.start]:#04x} at {error.start}"
        ) from error
    except json.JSONDecodeError as error:
        raise FormatError(f"{where}: expected JSON, got {error}") from error
    except ValueError as error:
        raise FormatError(f"{where}: {error}") from error
    except RecursionError as error:
        raise _too_deep(where) from error
    if not isinstance(result, dict):
        raise FormatError(f"{where}: expected a JSON object, got {type(result).__name__}")
    _check_depth(result, where)
    return result


def _check_depth(document: dict[str, Any], where: str) -> None:
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return
    raise _too_deep(where)


def _too_deep(where: str) -> FormatError:
    return FormatError(f"{where}: expected lists and objects at most {MAX_DEPTH} deep, got deeper ones")


def string_map(value: Any, where: str) -> dict[str, str]:
    """Return `value` if it is an object of strings; FormatError otherwise."""
    if not isinstance(value, dict):
        raise FormatError(f"{where}: expected an object of strings, got {type(value).__name__}")
    for key, item in value.items():
        if not isinstance(item, str):
            raise FormatError(f"{where}: expected a string for {key!r}, got {type(item).__name__}")
    return value
