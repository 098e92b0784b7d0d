"""The ``config.json`` of a model's folder, which may be a stranger's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..containment import open_inside
from ..limits import Limits
from ..strict_json import parse_object

__all__ = ["CONFIG_NAME", "read_config"]

CONFIG_NAME = "config.json"


def read_config(folder: Path, limits: Limits, where: str) -> dict[str, Any] | None:
    """Return the config of a folder, None if it has none.

    Raises
    ------
    FormatError
        If it is too long, no JSON object, or a link out of the folder; for a link the message starts with `where`.
    """
    place = folder / CONFIG_NAME
    if not os.path.lexists(place):
        return None
    descriptor = open_inside(folder, CONFIG_NAME, where, "the model's", cache_links=True)
    with os.fdopen(descriptor, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        limits.check_header(size, str(place))
        return parse_object(stream.read(size), str(place))
