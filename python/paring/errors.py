"""Exceptions of paring beyond Python's own, and what a message may show of a stranger's text."""

__all__ = ["FormatError", "printable"]


class FormatError(ValueError):
    """A file does not hold what its format promises.

    The message names the file, what was expected and what was found, and where (tensor name or byte offset).
    """


def printable(text: str) -> str:
    """Return text with every character written out that a terminal obeys or hides, or that turns the text around.

    Names of weights come from files: one may hold escape sequences.

    >>> print(printable("fc\\x1b[31m.weight"), printable("größe"))
    fc\\x1b[31m.weight größe
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
