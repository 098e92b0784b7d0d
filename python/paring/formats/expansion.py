"""Tensors that share their values: a short file can name any number of long ones."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import FormatError

__all__ = ["EXPANSION", "MIN_EXPANDED_BYTES", "check_expansion"]

EXPANSION = 64
MIN_EXPANDED_BYTES = 1 << 20


def check_expansion(sizes: Mapping[str, int], file_bytes: int, where: str, advice: str) -> None:
    """Raise FormatError if tensors, each written out, would take much more room than the files they lie in.

    Parameters
    ----------
    sizes : mapping of str to int
        Bytes of each tensor as an array of its own, by name.
    file_bytes : int
        Of all files that hold values.
    where, advice : str
        Beginning and end of the message.
    """
    total, limit = sum(sizes.values()), max(EXPANSION * file_bytes, MIN_EXPANDED_BYTES)
    if total > limit:
        largest = max(sizes, key=sizes.__getitem__)
        raise FormatError(
            f"{where}: expected tensors of at most {limit} bytes in a file of {file_bytes} bytes, got {total}: they "
            f"share their values; the largest is {largest!r} of {sizes[largest]} bytes ({advice})"
        )
