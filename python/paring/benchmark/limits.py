"""What the machine can do at best, as contestants among the others."""

from __future__ import annotations

import math
import mmap
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .. import _core
from .linear_problem import LinearProblem
from .timing import Contestant

__all__ = ["Limit", "cache_bytes", "compute_limit", "huge_pages", "read_limit", "stream_bytes"]

CPU_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
LEAST_STREAM = 256 << 20
PROBE_SECONDS = 4e-3
TRIAL_ROUNDS = 20_000
READ_BYTES = 8 << 20
PART = 512  # bytes: what a read probe takes at a time


@dataclass(frozen=True)
class Limit:
    """A probe to run in turn with the others, and the work of one call of it."""

    name: str
    unit: str
    work: float
    contestant: Contestant


def cache_bytes(folder: Path = CPU_CACHES) -> int:
    """Return the size of the last-level cache, 0 if the system does not tell."""
    sizes = [0]
    for path in folder.glob("index*/size"):
        text = path.read_text().strip()
        if text.endswith("K") and text[:-1].isdigit():
            sizes.append(int(text[:-1]) << 10)
    return max(sizes)


def huge_pages(count: int) -> npt.NDArray[np.uint8]:
    """Return so many bytes, in large pages where the system has them."""
    memory = mmap.mmap(-1, count)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    array = np.frombuffer(memory, np.uint8)
    array[:] = 1
    return array


def stream_bytes() -> int:
    """Return how much must be read so that nothing is in a cache any more when it comes round again."""
    return max(LEAST_STREAM, 2 * cache_bytes())


@lru_cache(maxsize=1)
def _stream(part: int) -> npt.NDArray[np.uint8]:
    return huge_pages(part * math.ceil(stream_bytes() / part + 1))


def compute_limit(problem: LinearProblem, threads: int) -> Limit | None:
    """Return the rate of the multiply-adds that a kernel of this problem is made of; None if the level has none."""
    name, probe = (
        ("float32 fused multiply-add", _core.probe_float)
        if problem.bits == 32
        else ("int8 dot product", _core.probe_int8)
    )
    probe(TRIAL_ROUNDS, threads)  # finds a cold clock
    trial = probe(TRIAL_ROUNDS, threads)
    if trial is None:
        return None
    operations, seconds = trial
    rounds = max(1, round(TRIAL_ROUNDS * PROBE_SECONDS / seconds))
    work = operations * rounds / TRIAL_ROUNDS
    return Limit(name, "operations", work, Contestant(lambda: probe(rounds, threads)))


def read_limit(problem: LinearProblem, threads: int, cold: bool) -> Limit:
    """Return the rate at which as many bytes as the weight has can be read: from memory, or where they lie when hot."""
    least = PART * threads
    size = max(problem.weight_bytes // least * least, least)
    if not cold:
        data = huge_pages(size)
        passes = max(1, READ_BYTES // size)
        return Limit(
            "read, hot", "bytes", size * passes, Contestant(lambda: _core.probe_read(data, passes, threads))
        )
    stream = _stream(size)
    parts = cycle([stream[start : start + size] for start in range(0, len(stream) - size + 1, size)])
    return Limit("read, cold", "bytes", size, Contestant(lambda: _core.probe_read(next(parts), 1, threads)))
