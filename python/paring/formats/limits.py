"""How much a file may ask for before it is believed. SECURITY.md has the table."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ..errors import FormatError

__all__ = ["DEFAULT_LIMITS", "Limits", "check_names"]


@dataclass(frozen=True)
class Limits:
    """What `paring.read` accepts at most; a file beyond it is refused with a FormatError.

    Sizes of tensors need no limit: they are compared with the size of the file before memory is asked for.

    Attributes
    ----------
    header_bytes : int
        Of what describes the tensors: the JSON of a safetensors file, an index, a pickle, the keys of a GGUF file.
        Reading may take 60 times as much memory, of a pickle or an ONNX graph 100 times, so that one of the default
        limit can take 10 GB.
    tensors : int
        How many a file, or all shards of a checkpoint together, may hold.
    name_bytes : int
        Length of one tensor's name in UTF-8.

    Examples
    --------
    >>> import numpy as np, paring, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paring.write(f"{folder}/w.npz", {"a": np.zeros(3), "b": np.zeros(3)})
    ...     paring.read(f"{folder}/w.npz", limits=paring.Limits(tensors=1))
    Traceback (most recent call last):
        ...
    paring.errors.FormatError: ...w.npz: expected at most 1 tensors (limits.tensors), got 2
    """

    header_bytes: int = 100_000_000
    tensors: int = 1_000_000
    name_bytes: int = 65_535

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"limits.{field.name}: expected an int, got {type(value).__name__} {value!r}")
            if value < 1:
                raise ValueError(f"limits.{field.name}: expected 1 or more, got {value}")

    def check_header(self, count: int, where: str) -> None:
        """Raise FormatError starting with `where` if a header of so many bytes is too long."""
        if count > self.header_bytes:
            raise FormatError(
                f"{where}: expected at most {self.header_bytes} bytes (limits.header_bytes), got {count}"
            )


DEFAULT_LIMITS = Limits()


def check_names(names: list[str], limits: Limits, where: str) -> None:
    """Raise FormatError if there are too many names, or one is too long."""
    if len(names) > limits.tensors:
        raise FormatError(
            f"{where}: expected at most {limits.tensors} tensors (limits.tensors), got {len(names)}"
        )
    for name in names:
        # One character is at most four bytes, so most names need not be encoded.
        if 4 * len(name) > limits.name_bytes and len(name.encode()) > limits.name_bytes:
            raise FormatError(
                f"{where}: expected names of at most {limits.name_bytes} bytes (limits.name_bytes), "
                f"got {len(name.encode())} bytes in {name[:40]!r}..."
            )
