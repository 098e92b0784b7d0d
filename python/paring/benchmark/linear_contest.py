"""One linear layer, computed by everybody who is installed, in turn."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from .limits import Limit, compute_limit, read_limit, stream_bytes
from .linear_problem import LinearProblem
from .peers import Absent, Bound, Peer, peers_for
from .timing import ROUNDS, Contestant, time_rounds

__all__ = ["Entry", "LimitRate", "LinearOutcome", "measure_linear"]


@dataclass(frozen=True)
class Entry:
    """What one library took.

    Attributes
    ----------
    name : str
    version : str
    seconds : float
        Of a call: the median over the rounds.
    quiet_seconds : float
        The lowest of the rounds: what it takes when the machine's other users are quiet.
    relative : float
        The median over the rounds of its time over that of the fastest entry in the same round; 1.0 for that one.
    error : float
        Norm of its answer's error over that of float32's answer.
    shares : dict of str to float
        Of each limit, by name: the median over the rounds of the rate it reached over the rate of the probe.
    """

    name: str
    version: str
    seconds: float
    quiet_seconds: float
    relative: float
    error: float
    shares: dict[str, float]


@dataclass(frozen=True)
class LimitRate:
    """What a probe reached in the same rounds: operations or bytes a second, median and best."""

    name: str
    unit: str
    rate: float
    best: float


@dataclass(frozen=True)
class LinearOutcome:
    """What came of a contest: entries, fastest first; the limits; and who could not take part, with the reason."""

    problem: LinearProblem
    threads: int
    cold: bool
    entries: tuple[Entry, ...]
    limits: tuple[LimitRate, ...]
    absent: tuple[Absent, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON-able values."""
        problem = self.problem
        return {
            "m": problem.shape.m,
            "k": problem.shape.k,
            "n": problem.shape.n,
            "bits": problem.bits,
            "group_size": problem.group_size if problem.bits == 4 else None,
            "threads": self.threads,
            "weights": "cold" if self.cold else "hot",
            "entries": [dict(vars(entry)) for entry in self.entries],
            "limits": [dict(vars(limit)) for limit in self.limits],
            "absent": [dict(vars(absent)) for absent in self.absent],
        }


def measure_linear(
    problem: LinearProblem,
    threads: int = 1,
    *,
    rounds: int = ROUNDS,
    cold: bool = False,
    peers: Sequence[Peer] | None = None,
    advance: Callable[[], None] = lambda: None,
) -> LinearOutcome:
    """Time a linear layer of paring and of every library that is installed, beside the machine's limits.

    Parameters
    ----------
    problem : LinearProblem
    threads : int
        For everybody.
    rounds : int
        How often everybody gets a turn.
    cold : bool
        Rotate copies of the layer through more memory than the last-level cache holds, as a model of many layers
        does, instead of calling one layer again and again.
    peers : sequence of Peer, optional
        Who takes part besides paring; by default all that can compute this problem.
    advance : callable
        Called after every turn.

    Returns
    -------
    LinearOutcome

    Raises
    ------
    AssertionError
        If the answer of paring is off by more than ``problem.tolerance``. A peer's wrong answer makes it absent.
    """
    bounds: list[Bound] = []
    absent: list[Absent] = []
    copies = math.ceil(stream_bytes() / problem.weight_bytes) + 1 if cold else 1
    for peer in peers_for(problem) if peers is None else peers:
        reason = peer.missing()
        if reason is None:
            try:
                bounds.append(peer.bind(problem, threads, copies))
                continue
            except Exception as problem_there:  # whatever another library raises must not end the contest
                reason = f"{type(problem_there).__name__}: {problem_there}".splitlines()[0]
        absent.append(Absent(peer.name, reason))
    checked = []
    for bound in bounds:
        error = problem.error_of(bound.answer())
        if error <= problem.tolerance:
            checked.append((bound, error))
        elif bound.name.startswith("paring"):
            raise AssertionError(f"{bound.name}: error {error:.3g}, expected at most {problem.tolerance:.3g}")
        else:
            absent.append(Absent(bound.name, f"its answer is off by {error:.2g}"))
    limits = [
        limit for limit in (compute_limit(problem, threads), read_limit(problem, threads, cold)) if limit
    ]
    contestants = [limit.contestant for limit in limits]
    contestants += [Contestant(_in_turn(bound.calls), bound.prepare, bound.lingers) for bound, _ in checked]
    seconds = time_rounds(contestants, rounds, advance=advance)
    probed, taken = seconds[: len(limits)], seconds[len(limits) :]
    fastest = min(taken, key=statistics.median)
    entries = [
        Entry(
            bound.name,
            bound.version,
            statistics.median(own),
            min(own),
            statistics.median(mine / best for mine, best in zip(own, fastest, strict=True)),
            error,
            {
                limit.name: _share(limit, _work(limit, problem), probe, own)
                for limit, probe in zip(limits, probed, strict=True)
            },
        )
        for (bound, error), own in zip(checked, taken, strict=True)
    ]
    rates = [
        LimitRate(limit.name, limit.unit, limit.work / statistics.median(probe), limit.work / min(probe))
        for limit, probe in zip(limits, probed, strict=True)
    ]
    entries.sort(key=lambda entry: entry.seconds)
    return LinearOutcome(problem, threads, cold, tuple(entries), tuple(rates), tuple(absent))


def _in_turn(calls: Sequence[Callable[[], object]]) -> Callable[[], object]:
    if len(calls) == 1:
        return calls[0]
    order = cycle(calls)
    return lambda: next(order)()


def _work(limit: Limit, problem: LinearProblem) -> float:
    return problem.operations if limit.unit == "operations" else problem.weight_bytes


def _share(limit: Limit, work: float, probe: Sequence[float], own: Sequence[float]) -> float:
    """The median over the rounds of the rate reached over the rate of the probe."""
    return statistics.median(work / mine * there / limit.work for mine, there in zip(own, probe, strict=True))
