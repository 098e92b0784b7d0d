"""What ``--json`` prints, and the schemas that say what it is."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

__all__ = ["finite_or_none", "print_answer", "print_schema", "schema_text"]


def print_answer(answer: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout; ValueError for NaN and infinity, which JSON does not have."""
    print(json.dumps(answer, indent=2, allow_nan=False))


def finite_or_none(value: float | None) -> float | None:
    """Return a number that JSON can hold.

    >>> [finite_or_none(value) for value in (1.5, math.inf, math.nan, None)]
    [1.5, None, None, None]
    """
    return value if value is not None and math.isfinite(value) else None


def print_schema(command: str) -> None:
    """Print the JSON schema of what a command gives with ``--json``."""
    print(schema_text(command), end="")


def schema_text(command: str) -> str:
    """Return the JSON schema (draft 2020-12) of what a command gives with ``--json``.

    Raises
    ------
    ValueError
        If there is no such command, or it has no ``--json``.

    Examples
    --------
    >>> json.loads(schema_text("inspect"))["title"]
    'paring inspect --json'
    """
    folder = files(__package__).joinpath("schemas")
    schemas = {entry.name.removesuffix(".json"): entry for entry in folder.iterdir()}
    if command not in schemas:
        raise ValueError(f"expected one of {', '.join(sorted(schemas))}, got {command!r}")
    return schemas[command].read_text(encoding="utf-8")
