"""Why paring uses as many threads as it does."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._core import get_num_threads
from ..runtime.threads import cgroup_quota, requested_num_threads

__all__ = ["ThreadLimit", "ThreadReport", "explain_threads"]


@dataclass(frozen=True)
class ThreadLimit:
    """Something that bounds the number of threads, and what it says."""

    source: str
    threads: int
    text: str


@dataclass(frozen=True)
class ThreadReport:
    """The thread count in use with all that bounds it, and which of those decided (None: somebody set another)."""

    count: int
    limits: tuple[ThreadLimit, ...]

    @property
    def decided_by(self) -> ThreadLimit | None:
        least = min(self.limits, key=lambda limit: limit.threads)
        return least if least.threads == self.count else None

    def to_dict(self) -> dict[str, Any]:
        decided = self.decided_by
        return {
            "threads": self.count,
            "decided_by": None if decided is None else decided.source,
            "limits": [{"source": limit.source, "threads": limit.threads} for limit in self.limits],
        }


def explain_threads(environment: Mapping[str, str] | None = None) -> ThreadReport:
    """Return the thread count of this process and why: the least of affinity, control-group quota and environment.

    Examples
    --------
    >>> explain_threads({"PARING_NUM_THREADS": "7"}).limits[-1].text
    'PARING_NUM_THREADS=7'
    """
    variables = os.environ if environment is None else environment
    affinity = getattr(os, "sched_getaffinity", None)
    cpus = len(affinity(0)) if affinity else os.cpu_count() or 1
    limits = [ThreadLimit("affinity", cpus, f"this process may run on {cpus} CPU{'s' * (cpus > 1)}")]
    quota = cgroup_quota()
    if quota != math.inf:
        rounded = max(1, math.ceil(quota))
        limits.append(ThreadLimit("cgroup_quota", rounded, f"its control group grants {quota:g} CPUs"))
    requested = requested_num_threads(variables)
    if requested is not None:
        name = "PARING_NUM_THREADS" if variables.get("PARING_NUM_THREADS", "").strip() else "OMP_NUM_THREADS"
        limits.append(ThreadLimit(name, requested, f"{name}={variables[name].strip()}"))
    return ThreadReport(get_num_threads(), tuple(limits))
