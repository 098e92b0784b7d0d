"""Arrays to prune, checked, and what each criterion does with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .criteria import Criterion, Scope
from .floats import FLOAT_NAMES, as_float32, as_native, explain_not_finite
from .outputs import check_apart, check_out, is_same_memory

__all__ = ["Job", "make_jobs", "refuse_not_finite", "run_jobs", "standard_deviation", "threshold_bits"]


@dataclass(frozen=True)
class Job:
    """One array to prune: what messages call it, its elements as the kernel takes them, and where they go."""

    label: str
    weight: npt.NDArray[Any]  # as_native
    out: npt.NDArray[Any]  # the same dtype and shape, C-contiguous

    @property
    def kind(self) -> str:
        return FLOAT_NAMES[self.weight.dtype]

    @property
    def columns(self) -> int:
        """Length of the last axis; 1 for a single number."""
        return self.weight.shape[-1] if self.weight.ndim else 1

    @property
    def bits(self) -> npt.NDArray[Any]:
        return self.weight.reshape(-1).view(f"u{self.weight.itemsize}")

    @property
    def out_bits(self) -> npt.NDArray[Any]:
        return np.asarray(self.out).reshape(-1).view(f"u{self.out.itemsize}")


def make_jobs(
    entries: list[tuple[str, str, npt.NDArray[Any], npt.NDArray[Any] | None]],
) -> tuple[list[Job], bool]:
    """Return a job for every (label, label of out, array, out or None), and whether any is in place."""
    jobs = []
    in_place = False
    for label, out_label, array, out in entries:
        weight = as_native(array)
        if out is None:
            jobs.append(Job(label, weight, np.empty_like(weight, order="C", subok=False)))
            continue
        check_out(out, out_label, weight.dtype, weight.shape)
        same = is_same_memory(out, array)
        if not same and np.shares_memory(out, array):
            raise ValueError(f"{out_label}: overlaps {label}; pass {label} itself or memory of its own")
        in_place = in_place or same
        jobs.append(Job(label, weight, out))
    check_apart([(out_label, array, out) for _, out_label, array, out in entries if out is not None])
    return jobs, in_place


def refuse_not_finite(job: Job) -> None:
    """Raise ValueError, saying where, if a weight is NaN or infinite."""
    error = explain_not_finite(job.weight, job.label)
    if error is not None:
        raise error


def run_jobs(jobs: list[Job], criterion: Criterion, scope: Scope) -> None:
    """Prune arrays into their outs, by the criterion of each or of all together."""
    groups = [jobs] if scope == "global" and jobs else [[job] for job in jobs]
    try:
        # Whatever can be refused is refused before the first array is written.
        match criterion.kind:
            case "threshold":
                for job in jobs:
                    _prune_below(job, criterion.value)
            case "threshold_std":
                thresholds = [criterion.value * standard_deviation(group) for group in groups]
                for group, threshold in zip(groups, thresholds, strict=True):
                    for job in group:
                        _prune_below(job, threshold)
            case "sparsity":
                for group in groups:
                    _prune_smallest(group, criterion.value)
            case "structure":
                for job in jobs:
                    _check_divisible(job, criterion.m)
                for job in jobs:
                    _prune_n_of_m(job, criterion.n, criterion.m)
    except ValueError:
        # Kernels find NaN and infinity on the way; where in the caller's terms is worked out here.
        for job in jobs:
            refuse_not_finite(job)
        raise


def _prune_below(job: Job, threshold: float) -> None:
    bits = threshold_bits(threshold, job.weight.dtype)
    _core.prune_below(job.bits, job.kind, bits, job.out_bits)


def threshold_bits(threshold: float, dtype: np.dtype[Any]) -> int:
    """Return the bits of the smallest number of `dtype` (infinity at most) not below `threshold` >= 0.

    A number w of that dtype is below one exactly if it is below the other; and the order of the bits of
    numbers >= 0 is theirs.
    """
    with np.errstate(over="ignore", under="ignore"):
        rounded = np.array(threshold, np.float64).astype(dtype)
    # A cast rounds to one of the two neighbours; the upper one is wanted.
    return int(rounded.view(f"u{dtype.itemsize}")) + (float(rounded) < threshold)


def standard_deviation(jobs: list[Job]) -> float:
    """Return the population standard deviation of all weights of the jobs together, 0 if there are none."""
    parts = []
    for job in jobs:
        if job.weight.size:
            values = job.weight if job.weight.dtype == np.float64 else as_float32(job.weight)
            parts.append((job.weight.size, *_core.moments(values.reshape(-1))))
    count = sum(size for size, _, _ in parts)
    try:
        mean = math.fsum(size * mean for size, mean, _ in parts) / max(count, 1)
        square = math.fsum(size * (std * std + (part - mean) ** 2) for size, part, std in parts)
    except (OverflowError, ValueError):  # of numbers beyond 1e154, or infinities of both signs
        square = math.inf
    if not math.isfinite(square):
        raise ValueError(
            f"{jobs[0].label}: threshold_std: the variance is beyond float64; give threshold instead"
        )
    return parts[0][2] if len(parts) == 1 else math.sqrt(square / max(count, 1))


def _prune_smallest(jobs: list[Job], sparsity: float) -> None:
    count = round(sparsity * sum(job.weight.size for job in jobs))
    _core.prune_smallest(
        [job.bits for job in jobs], [job.kind for job in jobs], count, [job.out_bits for job in jobs]
    )


def _check_divisible(job: Job, m: int) -> None:
    if job.columns % m:
        raise ValueError(
            f"{job.label}: structure: expected a last axis divisible by {m}, got shape {job.weight.shape}"
        )


def _prune_n_of_m(job: Job, n: int, m: int) -> None:
    matrix = (job.weight.size // max(job.columns, 1), job.columns)
    _core.prune_n_of_m(job.bits.reshape(matrix), job.kind, n, m, job.out_bits.reshape(matrix))
