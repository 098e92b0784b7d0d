"""How a run of training shows that it goes on. Nothing is shown unless it is asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["ProgressRecord", "Show", "open_progress"]

SHOWN_EVERY = 0.1  # seconds between two drawings of a bar


@dataclass(frozen=True)
class ProgressRecord:
    """Where a run is.

    Attributes
    ----------
    epoch, epochs : int
        The one under way, counted from 0, and how many there are.
    step : int
        Updates done in all.
    epoch_step : int
        Updates done in this epoch.
    epoch_steps : int or None
        How many this epoch has, None if that is not known.
    loss : float
        The mean over the examples of this epoch so far.
    learning_rate : float
    scores : dict of str to float
        Of the last epoch that was measured; complete when `ended`.
    ended : bool
        Whether the epoch is complete and measured.
    """

    epoch: int
    epochs: int
    step: int
    epoch_step: int
    epoch_steps: int | None
    loss: float
    learning_rate: float
    scores: dict[str, float]
    ended: bool


Show = Callable[[ProgressRecord], None]


def open_progress(progress: object) -> tuple[Show | None, Callable[[], None]]:
    """Return what is told of each update, None if nobody is, and what to call at the end.

    Raises
    ------
    TypeError
        If `progress` is neither a flag nor a function.
    """
    if progress is None or progress is False:
        return None, lambda: None
    if progress is True:
        display = _Bar() if sys.stderr.isatty() else _Lines()
        return display.show, display.close
    if not callable(progress):
        raise TypeError(f"progress: expected True, False, or a function, got {type(progress).__name__}")
    return progress, lambda: None


def _words(record: ProgressRecord) -> str:
    scores = "".join(f"  {name.replace('_', ' ')} {value:.4g}" for name, value in record.scores.items())
    return f"loss {record.loss:.4g}{scores}  rate {record.learning_rate:.3g}"


class _Lines:
    """A line for each epoch, where nothing can move."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._first: int | None = None

    def show(self, record: ProgressRecord) -> None:
        self._first = record.epoch if self._first is None else self._first
        if not record.ended:
            return
        seconds = (time.monotonic() - self._start) / (record.epoch + 1 - self._first)
        left = seconds * (record.epochs - record.epoch - 1)
        line = f"epoch {record.epoch + 1} of {record.epochs}  {_words(record)}"
        sys.stderr.write(f"{line}  {seconds:.1f} s an epoch, {left:.0f} s left\n")
        sys.stderr.flush()

    def close(self) -> None:
        pass


class _Bar:
    """A bar over all epochs, by rich."""

    def __init__(self) -> None:
        try:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
        except ImportError as error:
            raise ImportError("a progress bar needs rich: pip install rich, or give a function") from error
        columns: Any = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            TextColumn("{task.fields[words]}"),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), transient=False)
        self._task: Any = None
        self._shown = -SHOWN_EVERY

    def show(self, record: ProgressRecord) -> None:
        now = time.monotonic()
        if self._task is None:
            self._progress.start()
            self._task = self._progress.add_task("", total=float(record.epochs), words="")
        elif not record.ended and now - self._shown < SHOWN_EVERY:
            return
        self._shown = now
        part = record.epoch_step / record.epoch_steps if record.epoch_steps else 0.0
        self._progress.update(
            self._task,
            completed=record.epoch + (1.0 if record.ended else min(part, 1.0)),
            description=f"epoch {record.epoch + 1}/{record.epochs}",
            words=_words(record),
        )

    def close(self) -> None:
        self._progress.stop()
