"""How many threads a call may use: the policy. The pool itself is C++ (csrc/threads)."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from .. import _core

__all__ = ["ThreadCount", "default_num_threads", "set_num_threads"]


MOST_THREADS = 1024


def cgroup_quota(proc: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> float:
    """Return the CPUs that control groups grant this process (both versions, parents included); infinity if none do."""
    try:
        lines = proc.read_text().splitlines()
    except OSError:
        return math.inf
    quota = math.inf
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers == "":
            base = root
        elif "cpu" in controllers.split(","):
            # The hierarchy is mounted under all its names; a link of each alone is usual.
            base = root / ("cpu" if (root / "cpu").is_dir() else controllers)
        else:
            continue
        group = base / path.lstrip("/")
        # Inside a container the path may be that of the host; the mount then shows the group at its root.
        folders = [group, *group.parents] if group.is_dir() else [base]
        for folder in folders[: folders.index(base) + 1 if base in folders else None]:
            quota = min(quota, _quota_of(folder))
    return quota


def _quota_of(folder: Path) -> float:
    try:
        if (folder / "cpu.max").exists():
            limit, period = (folder / "cpu.max").read_text().split()
        else:
            limit = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        if limit in ("max", "-1"):
            return math.inf
        return int(limit) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def requested_num_threads(environment: Mapping[str, str]) -> int | None:
    """Return what PARING_NUM_THREADS, or else OMP_NUM_THREADS, asks for; raises ValueError for a bad value of ours."""
    ours = environment.get("PARING_NUM_THREADS", "").strip()
    if ours:
        if not ours.isdecimal() or int(ours) < 1:
            raise ValueError(f"PARING_NUM_THREADS: expected a positive whole number, got {ours!r}")
        return int(ours)
    # OpenMP allows a list, one number a nesting level.
    first = environment.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) >= 1 else None


def default_num_threads(environment: Mapping[str, str] | None = None) -> int:
    """Return the thread count a process starts with.

    The least of: CPUs this process may run on, the control groups' CPU quota rounded up, and PARING_NUM_THREADS (or
    OMP_NUM_THREADS if that is not set).

    Raises
    ------
    ValueError
        If PARING_NUM_THREADS is not a positive whole number.

    Examples
    --------
    >>> from paring.runtime.threads import default_num_threads
    >>> default_num_threads({"PARING_NUM_THREADS": "1"})
    1
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cpus = len(affinity(0)) if affinity else os.cpu_count() or 1
    requested = requested_num_threads(os.environ if environment is None else environment)
    quota = cgroup_quota()
    limits = [cpus]
    if quota != math.inf:
        limits.append(math.ceil(quota))
    if requested is not None:
        limits.append(requested)
    return max(1, min(limits))


class ThreadCount:
    """What `set_num_threads` returns: as a context manager it puts the earlier count back."""

    def __init__(self, previous: int) -> None:
        self._previous = previous

    def __enter__(self) -> ThreadCount:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _core.set_num_threads(self._previous)


def set_num_threads(n: int) -> ThreadCount:
    """Set how many threads every later call of this process may use, the calling one included.

    Results do not depend on it. Also a context manager, which restores the count before.

    Parameters
    ----------
    n : int
        1 to 1,024.

    Raises
    ------
    TypeError, ValueError
        If ``n`` is no whole number, or out of that range.

    Examples
    --------
    >>> import paring
    >>> with paring.set_num_threads(1):
    ...     paring.kernel_info()["num_threads"]
    1
    """
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"n: expected a whole number of threads, got {n!r}")
    count = n.__index__()
    if not 1 <= count <= MOST_THREADS:
        raise ValueError(f"n: expected 1 to {MOST_THREADS} threads, got {count}")
    previous = _core.get_num_threads()
    _core.set_num_threads(count)
    return ThreadCount(previous)


_core.set_num_threads(default_num_threads())
