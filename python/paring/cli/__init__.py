"""The command line. ``main`` is the ``paring`` program; typer and rich are imported when it runs, not before."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ``paring`` program.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the program's name; by default that of this process.

    Returns
    -------
    int
        0: done. 1: failed (a full disk, too little memory, a job of a plan not run yet), or files differ. 2: wrong
        usage, or a file that cannot be read. 130: interrupted; no file is half written.

    Examples
    --------
    >>> from paring.cli import main
    >>> main(["--version"])  # doctest: +ELLIPSIS
    paring ...
    0
    """
    from .failures import run_guarded

    return run_guarded(arguments)
