"""Recipes as TOML text."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import FormatError

__all__ = ["MAX_BYTES", "read_toml", "toml_text"]

MAX_BYTES = 250_000
"""Of a recipe's file: more than a thousand steps fit, and no text of this length keeps the parser for a minute."""

MAX_KEY_PARTS = 50
"""Of a key with dots: Python's parser takes memory of the square of their number, for 250 kB of ``a.a.a`` 60 GB."""

PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
LONG_KEY = re.compile(rf"(?<![\\A-Za-z0-9_-])(?:{PART}[ \t]*\.[ \t]*){{{MAX_KEY_PARTS}}}")


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a TOML file holds.

    Raises
    ------
    TypeError
        If `path` is none.
    FormatError
        If the file is longer than `MAX_BYTES`, not UTF-8, not TOML, or a key has more than `MAX_KEY_PARTS` parts;
        the message has path and line.
    OSError
        If it cannot be read: it is missing (FileNotFoundError), or a folder.
    """
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise TypeError(f"path: expected a str or an os.PathLike of str, got {type(path).__name__} {path!r}")
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    with Path(path).open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise FormatError(f"{path}: expected a recipe of at most {MAX_BYTES:,} bytes, got more")
    try:
        text = content.decode()
        long_key = LONG_KEY.search(text)
        if long_key is not None:
            line = text.count("\n", 0, long_key.start()) + 1
            raise FormatError(
                f"{path}: expected keys of at most {MAX_KEY_PARTS} parts, got more (at line {line})"
            )
        document: dict[str, Any] = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FormatError(
            f"{path}: expected UTF-8, got byte {content[error.start]:#04x} (at line {line})"
        ) from error
    except RecursionError as error:
        raise FormatError(f"{path}: expected a recipe, got lists within lists without end") from error
    except FormatError:
        raise
    except ValueError as error:  # also of an integer of thousands of digits
        raise FormatError(f"{path}: expected TOML: {error}") from error
    return document


def toml_text(document: Mapping[str, Any]) -> str:
    """Return a document of `Recipe.to_dict` as TOML, the steps last, a table each."""
    plain = {key: value for key, value in document.items() if key != "steps" or not value}
    parts = [_lines(plain), *(f"[[steps]]\n{_lines(step)}" for step in document["steps"])]
    return "\n".join(parts)


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_value_text(value)}\n" for key, value in table.items())


def _value_text(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)  # Python's shortest text of a finite float is TOML's as well.
        case str():
            # JSON escapes what TOML wants escaped, save for one control character.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list():
            return f"[{', '.join(map(_value_text, value))}]"
    raise TypeError(f"recipe: {type(value).__name__} has no form in TOML")
