"""Processes that work on shards side by side, and leave nothing half done when the user has enough."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from types import FrameType

__all__ = ["open_pool"]


@contextmanager
def open_pool(jobs: int) -> Iterator[Executor | None]:
    """Give a pool of so many processes, or None for a single one.

    An interrupt, or a request to terminate, goes on to what runs there, which removes what it has half written.
    """
    if jobs == 1:
        yield None
        return
    # Not fork: this process may have threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_prepare_worker) as pool, _passing_on():
        yield pool


@contextmanager
def _passing_on() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def pass_on(number: int, frame: FrameType | None) -> None:
        for process in multiprocessing.active_children():
            process.terminate()
        handler = previous[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in previous:
        signal.signal(number, pass_on)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _prepare_worker() -> None:
    """Let the first process alone answer an interrupt of the terminal, which goes to all of them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
