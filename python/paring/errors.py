"""Exceptions of paring beyond Python's own, and what a message may show of a stranger's text."""

__all__ = ["FormatError", "printable"]


LONGEST_MESSAGE = 4000


class FormatError(ValueError):
    """A file does not hold what its format promises.

    The message names the file, what was expected and what was found, and where (tensor name or byte offset). What was
    found may be as long as the file, and hold anything: of a very long message the middle is left out, and it is always
    `printable`.
    """

    def __init__(self, message: str = "") -> None:
        if len(message) > LONGEST_MESSAGE:
            half = LONGEST_MESSAGE // 2
            message = f"{message[:half]} [...] {message[-half:]}"
        super().__init__(printable(message))


def printable(text: str) -> str:
    """Return text with every character written out that a terminal obeys or hides, or that turns the text around.

    Names of weights come from files: one may hold escape sequences.

    >>> print(printable("fc\\x1b[31m.weight"), printable("größe"))
    fc\\x1b[31m.weight größe
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
