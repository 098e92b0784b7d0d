"""Timing rivals fairly inside one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["ROUNDS", "Contestant", "Timing", "time_contest", "time_rounds"]

ROUNDS = 5
# The threads of a BLAS go on polling for work after a product, OpenBLAS's for 2**28 cycles, and would take the
# processor from whoever comes next: that one waits first.
CALM_SECONDS = 0.15
WARM_SECONDS = 0.03  # brings caches and clock up
MEASURED_SECONDS = 0.02
LEAST_CALLS = 3


@dataclass(frozen=True)
class Contestant:
    """Something to time; `prepare` sets up what it needs each time its turn comes, untimed.

    `lingers` says that its threads stay busy for a while after it returned.
    """

    run: Callable[[], object]
    prepare: Callable[[], object] = lambda: None
    lingers: bool = False


@dataclass(frozen=True)
class Timing:
    """Median time of a call, and how many times faster that is than the rival's."""

    seconds: float
    times_faster: float


def time_rounds(
    contestants: Sequence[Contestant],
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
    advance: Callable[[], None] = lambda: None,
    pause: Callable[[float], object] = time.sleep,
) -> list[list[float]]:
    """Time in turn, round after round, so that a machine that changes its pace does so for everybody.

    In a round each is warmed up and then called several times, after a pause if the one before lingers; its figure is
    the median of its calls.

    Returns
    -------
    list of list of float
        Seconds of a call: for each contestant, for each round.

    Examples
    --------
    >>> slow, fast = Contestant(lambda: sum(range(9000))), Contestant(lambda: sum(range(10)))
    >>> [[a], [b]] = time_rounds([slow, fast], rounds=1)
    >>> a > b
    True
    """
    seconds: list[list[float]] = [[] for _ in contestants]
    lingering = False
    for _ in range(rounds):
        for own, contestant in zip(seconds, contestants, strict=True):
            contestant.prepare()
            if lingering:
                pause(CALM_SECONDS)
            lingering = contestant.lingers
            _call_for(contestant.run, WARM_SECONDS, 1, clock)
            own.append(statistics.median(_call_for(contestant.run, MEASURED_SECONDS, LEAST_CALLS, clock)))
            advance()
    return seconds


def time_contest(
    rivals: Sequence[Contestant],
    contestants: Sequence[Contestant],
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
    advance: Callable[[], None] = lambda: None,
    pause: Callable[[float], object] = time.sleep,
) -> tuple[int, Timing, list[Timing]]:
    """Time contestants beside one rival, in the rounds of `time_rounds`.

    Figures are medians over the rounds: of the seconds, and of the ratio to the rival in the same round. `rivals` are
    settings of one rival, who competes with the best of them.

    Returns
    -------
    best : int
        Which of `rivals` was the fastest.
    rival : Timing
        Its time.
    timings : list of Timing
        Of the `contestants`.

    Examples
    --------
    >>> slow, fast = Contestant(lambda: sum(range(9000))), Contestant(lambda: sum(range(10)))
    >>> best, rival, [timing] = time_contest([slow], [fast], rounds=1)
    >>> best, rival.times_faster, timing.times_faster > 1
    (0, 1.0, True)
    """
    seconds = time_rounds([*rivals, *contestants], rounds, clock, advance, pause)
    best = min(range(len(rivals)), key=lambda i: statistics.median(seconds[i]))
    timings = [
        Timing(
            statistics.median(own),
            statistics.median(rival / mine for rival, mine in zip(seconds[best], own, strict=True)),
        )
        for own in seconds
    ]
    return best, timings[best], timings[len(rivals) :]


def _call_for(
    call: Callable[[], object], least_seconds: float, least_calls: int, clock: Callable[[], float]
) -> list[float]:
    """Call until both bounds are met; the seconds of each call."""
    taken: list[float] = []
    start = before = clock()
    while before - start < least_seconds or len(taken) < least_calls:
        call()
        after = clock()
        taken.append(after - before)
        before = after
    return taken
