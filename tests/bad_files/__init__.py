"""Files that are wrong on purpose, made byte by byte: the same on every machine and with every library.

A module a format; each has `FILES`, a list of `BadFile`. `tests/make_bad_files.py` writes them all, named by what
is wrong, and `tests/test_bad_files.py` holds each to its message.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

SENTINEL = "paring-ran-code-of-a-file"
"""What the code inside the malicious files would make, in the working directory."""

WHEN = ("open", "look-up")


@dataclass(frozen=True)
class BadFile:
    """One file, and what `paring.read` says of it.

    Attributes
    ----------
    name : str
        What is wrong, and the suffix.
    content : bytes
    message : str
        Regular expression that the FormatError's text matches after the file's name; empty for a file that looks
        bad and is none: it is read, and nothing else happens.
    when : {"open", "look-up"}
        Whether opening fails, or only looking up the weight called ``w``.
    """

    name: str
    content: bytes
    message: str
    when: str = "open"


def bad_files(
    contents: Mapping[str, bytes], messages: Mapping[str, str], at_look_up: Collection[str], suffix: str = ""
) -> list[BadFile]:
    """Put contents and messages together; here messages are plain text."""
    assert contents.keys() == messages.keys()
    return [
        BadFile(f"{name}{suffix}", content, re.escape(messages[name]), WHEN[name in at_look_up])
        for name, content in contents.items()
    ]
