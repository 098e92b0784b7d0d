"""Which format a file is, by its name, and the class that reads it. A format's module is imported when it is needed."""

from __future__ import annotations

from collections.abc import Container
from importlib import import_module
from pathlib import Path
from typing import cast

from .compressed_tensors.file import with_quantized_weights
from .limits import Limits, check_names
from .shards import INDEX_SUFFIX, ShardedFile
from .weight_file import TensorFile

__all__ = ["READABLE", "any_of", "open_tensors"]

READERS = {
    ".safetensors": ("safetensors", "SafetensorsFile"),
    ".npz": ("npz", "NpzFile"),
    ".npy": ("npy", "NpyFile"),
    ".gguf": ("gguf.file", "GgufFile"),
    ".onnx": ("onnx.file", "OnnxFile"),
    ".pt": ("torch.file", "TorchFile"),
    ".pth": ("torch.file", "TorchFile"),
    ".bin": ("torch.file", "TorchFile"),
    ".ckpt": ("torch.file", "TorchFile"),
}
"""Suffix: module of this package, and its class, which is called with a path and `Limits`."""

READABLE = (*READERS, INDEX_SUFFIX)


def open_tensors(path: Path, limits: Limits, only: Container[str] | None = None) -> TensorFile:
    """Open a file (not a folder) of a format that `path` is named after; of an index `only` these shards, if given.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the suffix is unknown.
    FormatError
        If the file does not hold what its format promises.
    """
    file = _open(path, limits, only)
    if path.name.lower().endswith((".safetensors", INDEX_SUFFIX)):
        file = with_quantized_weights(file, limits)
    check_names(file.names(), limits, str(path))
    return file


def _open(path: Path, limits: Limits, only: Container[str] | None) -> TensorFile:
    if path.name.endswith(INDEX_SUFFIX):
        return ShardedFile(path, limits, _open_one, only)
    return _open_one(path, limits)


def _open_one(path: Path, limits: Limits) -> TensorFile:
    reader = READERS.get(path.suffix.lower())
    if reader is not None:
        module, name = reader
        make = getattr(import_module(f".{module}", __package__), name)
        return cast(TensorFile, make(path, limits))
    if not path.suffix and not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    raise ValueError(
        f"{path}: expected a folder or a file called {any_of(READABLE)}, got suffix {path.suffix!r}"
    )


def any_of(suffixes: tuple[str, ...]) -> str:
    """Return the words for "a file of one of these suffixes"."""
    return " or ".join(f"*{suffix}" for suffix in suffixes)
