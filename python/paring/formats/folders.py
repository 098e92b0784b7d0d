"""Which file of a folder is meant when only the folder is named."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from ..errors import FormatError
from .arrays import opening_through
from .containment import open_inside

__all__ = ["find_in_folder", "opening_inside_folder"]

# In this order: the first line of which the folder has files decides. One name alone is preferred to its suffix,
# because folders of PyTorch models also hold the state of their training.
CHOICES: tuple[tuple[str, ...], ...] = (
    (".safetensors.index.json",),
    (".safetensors",),
    (".bin.index.json",),
    ("pytorch_model.bin",),
    (".pth", ".pt", ".bin"),
    (".gguf",),
    (".onnx",),
    (".npz",),
)


def find_in_folder(folder: Path) -> Path:
    """Return the file of a folder that holds its weights; hidden files and folders inside it do not count.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If there are several of a kind.
    """
    files = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file())
    for endings in CHOICES:
        found = [path for path in files if _has_ending(path.name.lower(), endings)]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(path.name for path in found)
            raise ValueError(
                f"{folder}: expected one {_words(endings)} in the folder, got {names}: name the one to read"
            )
    first, second, *others = CHOICES
    raise FileNotFoundError(
        f"{folder}: expected a {_words(second)} or {_words(first)} in the folder, or else a "
        f"{' or '.join(map(_words, others))}"
    )


def opening_inside_folder(found: Path) -> AbstractContextManager[None]:
    """Let the file that `find_in_folder` found be opened inside the block, unless it is a link out of its folder.

    The folder may be a stranger's, and then so is the name: only a file that the user names may lie anywhere.
    """

    def opener(path: Path) -> int:
        folder = found.parent
        try:
            return open_inside(folder, found.name, str(folder), "a weight file", cache_links=True)
        except FormatError as error:
            if found.is_symlink():
                raise FormatError(f"{error}, or name {found} yourself") from error
            raise

    return opening_through(opener)


def _has_ending(name: str, endings: Sequence[str]) -> bool:
    return any(name.endswith(ending) if ending.startswith(".") else name == ending for ending in endings)


def _words(endings: Sequence[str]) -> str:
    return " or ".join(f"*{ending}" if ending.startswith(".") else ending for ending in endings)
