"""Reading what was JSON: every value is of its type and in its range, or a ValueError says which is not.

A check takes a value and where it stands, and returns it as it is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

__all__ = [
    "Check",
    "count",
    "flag",
    "integer",
    "listed",
    "number",
    "one_of",
    "optional",
    "path_text",
    "read_fields",
    "text",
]

Check = Callable[[Any, str], Any]
LARGEST = 2**63 - 1


def read_fields(
    document: object, where: str, checks: Mapping[str, Check], others: Collection[str] = ()
) -> dict[str, Any]:
    """Return the checked values of an object that has the keys of `checks`, and of `others`, which are left out.

    Raises
    ------
    ValueError
        If it is no such object; the message starts with `where`, and goes on with the key.
    """
    if not isinstance(document, Mapping):
        raise ValueError(f"{where}: expected an object, got {type(document).__name__}")
    missing = [name for name in checks if name not in document]
    if missing:
        raise ValueError(f"{where}: expected the keys of to_dict, got no {', '.join(missing)}")
    unknown = [repr(name) for name in document if name not in checks and name not in others]
    if unknown:
        raise ValueError(f"{where}: expected the keys of to_dict, got {', '.join(unknown)} as well")
    return {name: check(document[name], f"{where}: {name}") for name, check in checks.items()}


def _wrong(value: object, where: str, expected: str) -> ValueError:
    return ValueError(f"{where}: expected {expected}, got {type(value).__name__} {value!r:.80}")


def text(value: Any, where: str) -> str:
    """Take any text."""
    if not isinstance(value, str):
        raise _wrong(value, where, "str")
    return value


def path_text(value: Any, where: str) -> str:
    """Take the text of a path."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise _wrong(value, where, "the text of a path")
    return value


def one_of(words: Collection[str]) -> Check:
    """Return the check for one of some words."""

    def check(value: Any, where: str) -> str:
        if not isinstance(value, str) or value not in words:
            raise _wrong(value, where, f"one of {', '.join(words)}")
        return value

    return check


def flag(value: Any, where: str) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise _wrong(value, where, "bool")
    return value


def integer(value: Any, where: str) -> int:
    """Take a whole number of 64 bits."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(value, where, "int")
    if not -LARGEST <= value <= LARGEST:
        raise _wrong(value, where, "a number of 64 bits")
    return value


def count(value: Any, where: str, largest: int = LARGEST) -> int:
    """Take a whole number from 0 up."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(value, where, "int")
    if not 0 <= value <= largest:
        raise _wrong(value, where, f"0 to {largest}")
    return value


def number(value: Any, where: str) -> float:
    """Take a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(value, where, "a number")
    if not -math.inf < value < math.inf:
        raise _wrong(value, where, "a finite number")
    return value


def optional(check: Check) -> Check:
    """Return a check that takes None as well."""
    return lambda value, where: None if value is None else check(value, where)


def listed(check: Check) -> Check:
    """Return the check for a list of such values, which becomes a tuple."""

    def check_all(value: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise _wrong(value, where, "list")
        return tuple(check(item, f"{where}[{index}]") for index, item in enumerate(value))

    return check_all
