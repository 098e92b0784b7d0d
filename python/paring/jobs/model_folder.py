"""What else lies in the folder of a model, config and tokenizer: it goes along, so that the new folder is a model."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import FormatError
from ..formats.atomic import replacing
from ..formats.compressed_tensors.config import merge_config
from ..formats.compressed_tensors.config_file import CONFIG_NAME, read_config
from ..formats.containment import open_inside
from ..formats.limits import DEFAULT_LIMITS
from ..formats.readers import READABLE
from ..formats.shards import INDEX_SUFFIX
from .staging import REPORT_NAME

__all__ = ["check_config", "copy_other_files", "is_model_folder", "merged_config"]

# Of the files that stand beside the weights of published models: texts, tokenizers, code is not among them.
COPIED_SUFFIXES = (".json", ".txt", ".model", ".jinja", ".md", ".tiktoken")
MAX_COPIED_BYTES = 200_000_000


def is_model_folder(source: str | os.PathLike[str]) -> bool:
    """Whether a source names a model, by its folder or its index, and not a file that may lie anywhere."""
    place = Path(source)
    return place.is_dir() or place.name.endswith(INDEX_SUFFIX)


def check_config(folder: Path) -> None:
    """Raise FormatError or ValueError if nothing can be merged into the ``config.json`` of a folder."""
    config = read_config(folder, DEFAULT_LIMITS, str(folder))
    if config is not None:
        try:
            merge_config(config, None)
        except ValueError as error:
            raise ValueError(f"{folder / CONFIG_NAME}: {error}") from error


def merged_config(
    config: Mapping[str, Any] | None, quantization: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Return the source's config with what it must say about quantized weights; None if there is neither."""
    return None if config is None and quantization is None else merge_config(config or {}, quantization)


def copy_other_files(source: Path, target: Path) -> None:
    """Copy the small files beside the weights that a model needs; links that lead elsewhere are left out."""
    for path in sorted(source.iterdir()):
        name = path.name
        if name in (CONFIG_NAME, REPORT_NAME) or name.startswith(".") or name.lower().endswith(READABLE):
            continue
        if path.suffix.lower() not in COPIED_SUFFIXES or not path.is_file():
            continue
        if path.stat().st_size > MAX_COPIED_BYTES:
            continue
        try:
            descriptor = open_inside(source, name, str(source), "a file", cache_links=True)
        except FormatError:
            continue
        with os.fdopen(descriptor, "rb") as original, replacing(target / name) as copy:
            shutil.copyfileobj(original, copy, 1 << 20)
