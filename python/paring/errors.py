"""Exceptions of paring beyond Python's own ``TypeError`` and ``ValueError``."""

__all__ = ["FormatError"]


class FormatError(ValueError):
    """A file does not hold what its format promises.

    The message names the file, what was expected and what was found, and where (tensor name or byte offset).
    """
