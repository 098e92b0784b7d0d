"""Weight files: `read` gives a lazy mapping of names to weights, `write` makes a file of one.

The suffix names the format. Every format is a module with a class that gives named tensors (`TensorFile`) and
a function that writes them; `naming` makes weights of tensors, the same way for all.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NoReturn

from ..weights import Weight
from . import npy, npz, safetensors
from .atomic import Opening, replacing
from .counting import CountedFile
from .folders import find_in_folder, opening_inside_folder
from .gguf.writer import write_weights as write_gguf
from .limits import DEFAULT_LIMITS, Limits
from .naming import DESCRIPTION_KEY, split_weights
from .readers import any_of, open_tensors
from .strict_json import is_unicode
from .weight_file import WeightFile, WeightInfo

__all__ = [
    "Limits",
    "WeightFile",
    "WeightInfo",
    "check_holds",
    "check_suffix",
    "file_bytes",
    "read",
    "read_part",
    "write",
]

WRITABLE = (".safetensors", ".npz", ".npy", ".gguf")


def read(path: str | os.PathLike[str], *, limits: Limits = DEFAULT_LIMITS) -> WeightFile:
    """Open a weight file; its weights are decoded when they are looked up.

    Parameters
    ----------
    path : str or path
        A ``.safetensors``, ``.npz``, ``.npy``, ``.gguf``, ``.onnx``, ``.pt``, ``.pth``, ``.bin`` or ``.ckpt`` file,
        the ``*.index.json`` of a checkpoint cut into several files, or a folder that holds one of these. Weights that
        the package compressed-tensors has quantized are understood, and matrices that SciPy saved as ``.npz``.
    limits : Limits
        How much the file may ask for.

    Returns
    -------
    WeightFile
        A mapping of names to arrays, `QuantizedWeight` and `SparseWeight`. Arrays are read-only and share the
        file's memory map where the format allows: nothing is read before it is used. A ``.npy`` file holds
        one array, named by the file's stem.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or nothing to read in the folder.
    ValueError
        If the suffix is unknown, or the folder holds several candidates.
    FormatError
        If the file does not hold what its format promises. What is wrong with one weight only (a dtype paring
        does not know, damaged values) is raised when that weight is looked up.

    Examples
    --------
    >>> import numpy as np, paring, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> paring.write(f"{folder.name}/w.safetensors", {"layer.weight": np.eye(3, dtype=np.float32)})
    >>> weights = paring.read(f"{folder.name}/w.safetensors")
    >>> list(weights), weights.describe("layer.weight").shape
    (['layer.weight'], (3, 3))
    >>> weights["layer.weight"].sum()
    np.float32(3.0)
    >>> folder.cleanup()
    """
    if not isinstance(limits, Limits):
        raise TypeError(f"limits: expected Limits, got {type(limits).__name__}")
    return read_part(path, None, limits)


def read_part(
    path: str | os.PathLike[str], shards: Container[str] | None, limits: Limits = DEFAULT_LIMITS
) -> WeightFile:
    """Open a weight file as `read` does, but of a checkpoint only the shards of these names."""
    place = Path(path)
    if not place.is_dir():
        return WeightFile(open_tensors(place, limits, shards))
    found = find_in_folder(place)
    with opening_inside_folder(found):
        return WeightFile(open_tensors(found, limits, shards))


def write(
    path: str | os.PathLike[str],
    weights: Mapping[str, Weight],
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write weights to a file, all of it or nothing.

    Arrays are stored bit for bit, row-major and little-endian. The file is written beside `path` and renamed
    at the end, so that a failure leaves an old file as it was; `path` may be the very file `weights` were
    read from. The same weights and metadata give the same bytes (``.npz`` and ``.gguf``: in the same order).

    Parameters
    ----------
    path : str or path
        ``.safetensors``, ``.npz`` (not compressed by zip), ``.npy`` (one array, named by the file) or ``.gguf``.
        Quantized weights in a ``.safetensors`` follow the package compressed-tensors, and its metadata say so.
    weights : mapping of str to ndarray, QuantizedWeight or SparseWeight
        Arrays are looked up twice and not kept, so a lazy mapping may be larger than memory.
        ``.safetensors`` holds booleans, integers, floats of 16 to 64 bits, bfloat16, two 8-bit floats and
        complex64; ``.npz`` all of these and the other fixed-size dtypes of NumPy, text among them; ``.gguf``
        floats of 16 to 64 bits, bfloat16, signed integers, and what ``paring.quantize(..., granularity="group",
        convention="gguf")`` gives, as Q8_0 and Q4_0, where the last axis is a multiple of 32.
    metadata : mapping of str to str, optional
        Stored beside the weights (not in ``.npy``). By default those of `weights` if it was read from a file.
        ``.safetensors`` also gets ``"format": "pt"``, which other readers look for, unless it is given. The entry
        "gguf" is JSON of the keys of a ``.gguf`` file, as `read` gives it; the others lie in one of its keys.

    Raises
    ------
    TypeError
        If something is neither array nor weight, an array holds objects, or a name or metadata is no str.
    ValueError
        If the suffix is unknown, the format cannot hold a weight exactly, or two weights need the same tensor name
        (a quantized ``"a"`` has an ``"a_scale"``). In these cases nothing is written.
    OSError
        If the file cannot be written; the old one is still there.

    Examples
    --------
    >>> import numpy as np, paring, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> quantized = paring.quantize(np.eye(4, dtype=np.float32), bits=4)
    >>> paring.write(f"{folder.name}/small.npz", {"w": quantized, "ids": np.arange(3)}, metadata={"by": "me"})
    >>> paring.read(f"{folder.name}/small.npz")["w"] == quantized
    True
    >>> folder.cleanup()
    """
    _write(Path(path), weights, metadata, replacing)


def file_bytes(
    path: str | os.PathLike[str],
    weights: Mapping[str, Weight],
    *,
    metadata: Mapping[str, str] | None = None,
) -> int:
    """Return the size of the file that `write` would make of the same arguments, or raise what it would."""
    counted = CountedFile()

    @contextmanager
    def counting(place: Path) -> Iterator[BinaryIO]:
        yield counted

    _write(Path(path), weights, metadata, counting)
    return counted.size


def check_holds(
    path: str | os.PathLike[str],
    weights: Mapping[str, Weight],
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Raise what `write` would of the same arguments, as far as it depends on names, shapes, dtypes and forms."""

    def refusing(place: Path) -> NoReturn:
        raise _OpenedError

    with suppress(_OpenedError):  # which comes after all checks
        _write(Path(path), weights, metadata, refusing)


class _OpenedError(Exception):
    """A writer has asked for its file."""


def _write(
    place: Path, weights: Mapping[str, Weight], metadata: Mapping[str, str] | None, opening: Opening
) -> None:
    suffix = check_suffix(place)
    if not isinstance(weights, Mapping):
        raise TypeError(f"weights: expected a mapping of names to weights, got {type(weights).__name__}")
    if suffix == ".npy" and metadata:
        raise ValueError(f"{place}: a .npy file has no place for metadata: write .safetensors or .npz")
    text = _check_metadata(metadata, weights)
    if suffix == ".gguf":
        write_gguf(place, weights, text, opening)
        return
    tensors, descriptions = split_weights(weights)
    if suffix == ".safetensors":
        safetensors.write_tensors(place, tensors, descriptions, text, opening)
    elif suffix == ".npz":
        npz.write_tensors(place, tensors, descriptions, text, opening)
    else:
        npy.write_tensors(place, tensors, descriptions, opening)


def check_suffix(path: Path) -> str:
    """Return the suffix of a file to write, in small letters; ValueError if paring writes none of that name."""
    suffix = path.suffix.lower()
    if suffix not in WRITABLE:
        raise ValueError(f"{path}: expected a file called {any_of(WRITABLE)}, got suffix {path.suffix!r}")
    return suffix


def _check_metadata(metadata: Mapping[str, str] | None, weights: Mapping[str, Weight]) -> dict[str, str]:
    if metadata is None:
        metadata = weights.metadata if isinstance(weights, WeightFile) else {}
    if not isinstance(metadata, Mapping):
        raise TypeError(f"metadata: expected a mapping of str to str, got {type(metadata).__name__}")
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(
                f"metadata: expected str to str, got {key!r}: {value!r}; encode anything else as JSON"
            )
        for text in (key, value):
            if not is_unicode(text):
                raise ValueError(f"metadata: expected Unicode text, got {text!a}")
    if DESCRIPTION_KEY in metadata:
        raise ValueError(
            f"metadata: the key {DESCRIPTION_KEY!r} is reserved for the description of the weights"
        )
    return dict(metadata)
