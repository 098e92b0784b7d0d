"""Progress on stderr: a bar on a terminal, and in a log a line a stage, with others at most every ten seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console

from .terminal import is_rich, open_stderr

__all__ = ["Progress", "open_progress"]

SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_FRAMES = 0.1


class Progress(Protocol):
    """Stages of work, one after the other, each with a total that `advance` counts towards."""

    def start(self, stage: str, total: float) -> None:
        """Begin a stage."""

    def advance(self, amount: float) -> None:
        """Count work of the stage as done."""


@contextmanager
def open_progress(quiet: bool = False, announce: bool = False) -> Iterator[Progress]:
    """Give a `Progress` on stderr; with `announce` every stage gets a line in a log, else only a slow one does."""
    console = open_stderr()
    if quiet:
        yield NoProgress()
    elif is_rich(console):
        with bar_progress(console) as progress:
            yield progress
    else:
        yield LineProgress(announce)


class NoProgress:
    """Nothing shown."""

    def start(self, stage: str, total: float) -> None:
        pass

    def advance(self, amount: float) -> None:
        pass


class LineProgress:
    """Lines for a log."""

    def __init__(self, announce: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._announce = announce
        self._clock = clock
        self._last = clock()
        self._stage, self._total, self._done = "", 0.0, 0.0

    def start(self, stage: str, total: float) -> None:
        self._stage, self._total, self._done = stage, total, 0.0
        if self._announce:
            self._print(stage)

    def advance(self, amount: float) -> None:
        self._done += amount
        if self._clock() - self._last >= SECONDS_BETWEEN_LINES and self._total:
            self._print(f"{self._stage}: {min(self._done / self._total, 1.0):.0%}")

    def _print(self, line: str) -> None:
        self._last = self._clock()
        print(f"paring: {line}", file=sys.stderr, flush=True)


@contextmanager
def bar_progress(console: Console) -> Iterator[Progress]:
    """Give a `Progress` that is one bar at the bottom of a terminal, gone when the work is done."""
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    # No thread that redraws: it would run beside what is being timed.
    with RichProgress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        auto_refresh=False,
    ) as rich_progress:
        task = rich_progress.add_task("")

        class BarProgress:
            drawn = 0.0

            def start(self, stage: str, total: float) -> None:
                rich_progress.reset(task, description=stage, total=max(total, 1.0))
                rich_progress.refresh()

            def advance(self, amount: float) -> None:
                rich_progress.advance(task, amount)
                if time.monotonic() - self.drawn >= SECONDS_BETWEEN_FRAMES:
                    self.drawn = time.monotonic()
                    rich_progress.refresh()

        yield BarProgress()
