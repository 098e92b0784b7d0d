"""Pictures by matplotlib, the extra ``plot``: where they may go, how they look, and that they are written whole."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..formats.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["SAME_BYTES", "check_picture", "save_picture", "style_axes"]

SUFFIXES = (".svg", ".png", ".pdf")
SAME_BYTES: Any = {"svg.hashsalt": "paring", "svg.fonttype": "none"}
"""Settings under which the same picture gives the same bytes of ``.svg``: no random names."""


def check_picture(path: str | os.PathLike[str] | None, what: str) -> None:
    """Raise ValueError if a path has another suffix, ImportError without matplotlib."""
    if path is not None and Path(path).suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"{Path(path)}: expected a suffix of {', '.join(SUFFIXES)}, got {Path(path).suffix!r}"
        )
    if find_spec("matplotlib") is None:
        raise ImportError(f"drawing {what} needs matplotlib: pip install 'paring[plot]'")


def style_axes(axes: Axes) -> None:
    """Take away what is not needed to read values."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e0e0e0", linewidth=0.6)
    axes.set_axisbelow(True)


def save_picture(figure: Figure, path: str | os.PathLike[str] | None) -> None:
    """Write a picture, if there is a path, without a date."""
    if path is None:
        return
    kind = Path(path).suffix.lower()[1:]
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    with replacing(Path(path)) as file:
        figure.savefig(file, format=kind, dpi=150, metadata=metadata)
