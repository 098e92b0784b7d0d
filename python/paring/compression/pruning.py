"""Pruning: setting the least of the weights to zero."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from .. import _core
from .criteria import Criterion, Scope, check_criterion, check_scope
from .floats import FLOAT_NAMES, as_float32, as_native, check_floats, explain_not_finite, is_float
from .outputs import check_apart, check_out, is_same_memory

__all__ = ["Job", "prune", "standard_deviation"]


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


@overload
def prune(
    w: npt.NDArray[Any],
    *,
    threshold: float | None = None,
    sparsity: float | None = None,
    threshold_std: float | None = None,
    structure: str | None = None,
    out: npt.NDArray[Any] | None = None,
    scope: Scope = "tensor",
) -> npt.NDArray[Any]: ...
@overload
def prune(
    w: Mapping[str, npt.NDArray[Any]],
    *,
    threshold: float | None = None,
    sparsity: float | None = None,
    threshold_std: float | None = None,
    structure: str | None = None,
    out: Mapping[str, npt.NDArray[Any]] | None = None,
    scope: Scope = "tensor",
) -> dict[str, npt.NDArray[Any]]: ...
def prune(
    w: npt.NDArray[Any] | Mapping[str, npt.NDArray[Any]],
    *,
    threshold: float | None = None,
    sparsity: float | None = None,
    threshold_std: float | None = None,
    structure: str | None = None,
    out: npt.NDArray[Any] | Mapping[str, npt.NDArray[Any]] | None = None,
    scope: Scope = "tensor",
) -> npt.NDArray[Any] | dict[str, npt.NDArray[Any]]:
    """Set the weights of least magnitude to zero. The others keep every bit.

    Exactly one of `threshold`, `sparsity`, `threshold_std` and `structure` says which go. The answer does not
    depend on the CPU or on the number of threads.

    Parameters
    ----------
    w : ndarray, or mapping of str to ndarray
        float16, bfloat16, float32 or float64, of any shape, byte order and layout. It is not changed, unless
        it is `out` as well. Of a mapping every float array is pruned, biases and norms too (`compress` picks);
        arrays of integers, text and other dtypes pass through, the same objects.
    threshold : float, optional
        Weights with ``|w| < threshold`` go, compared as real numbers: ``threshold=0.1`` is the float64 0.1
        whatever the dtype of `w`. A weight equal to the threshold stays.
    sparsity : float, optional
        Share of the weights to be zero, 0 to 1: exactly ``round(sparsity * size)`` go (half to even), zeros
        that are there already among them. Of equal magnitudes the first in row-major order goes first.
    threshold_std : float, optional
        The threshold as a multiple of the standard deviation of the weights, computed in float64.
    structure : str, optional
        ``"n:m"``, such as ``"2:4"``: of every m neighbours along the last axis the n largest stay, and of
        equal magnitudes the first goes first. The last axis must be a multiple of m.
    out : ndarray, or mapping of str to ndarray, optional
        Where the result goes: C-contiguous, of the same shape and dtype in native byte order; for a mapping,
        an array for every name. It may be `w` itself, and share no other memory with it.
    scope : {"tensor", "global"}
        Whether `sparsity` and `threshold_std` are taken of each array of a mapping, or of all together (for
        ties, in the order of the mapping). The others are the same either way.

    Returns
    -------
    ndarray, or dict of str to ndarray
        `out`, or new arrays: the same shape, the same dtype in native byte order, C-contiguous.

    Raises
    ------
    TypeError
        If `w` is anything but float arrays, or an argument is of the wrong type.
    ValueError
        If none or several criteria are given, one is out of range, a weight is NaN or infinite (the message
        says where; nothing has been written over `w` then), or `out` does not fit.

    Examples
    --------
    >>> import numpy as np, paring
    >>> w = np.array([[0.5, -0.1, 0.25, 2.0], [0.1, 0.0, -0.75, 0.5]], np.float32)
    >>> paring.prune(w, threshold=0.25)
    array([[ 0.5 ,  0.  ,  0.25,  2.  ],
           [ 0.  ,  0.  , -0.75,  0.5 ]], dtype=float32)
    >>> paring.prune(w, structure="1:4")
    array([[ 0.  ,  0.  ,  0.  ,  2.  ],
           [ 0.  ,  0.  , -0.75,  0.  ]], dtype=float32)
    >>> pruned = paring.prune({"a": w, "b": 10 * w}, sparsity=0.5, scope="global")
    >>> [int(np.count_nonzero(p)) for p in pruned.values()]
    [1, 7]
    """
    criterion = check_criterion(threshold, sparsity, threshold_std, structure)
    check_scope(scope)
    if isinstance(w, Mapping):
        if out is not None and not isinstance(out, Mapping):
            raise TypeError(f"out: expected a mapping of names to arrays like w, got {type(out).__name__}")
        return _prune_mapping(w, criterion, scope, out)
    if isinstance(out, Mapping):
        raise TypeError("out: expected an array like w, got a mapping")
    array = check_floats(w, "w")
    jobs, _ = _make_jobs([("w", "out", array, out)])
    _run(jobs, criterion, "tensor")
    return jobs[0].out


def _prune_mapping(
    w: Mapping[str, npt.NDArray[Any]],
    criterion: Criterion,
    scope: Scope,
    out: Mapping[str, npt.NDArray[Any]] | None,
) -> dict[str, npt.NDArray[Any]]:
    entries = dict(w.items())  # once: a lazy mapping decodes at every look-up
    names = list(entries)
    if out is not None and set(out) != set(names):
        odd = sorted(map(repr, set(out) ^ set(names)))
        raise ValueError(f"out: expected the names of w, got a difference in {', '.join(odd[:5])}")
    kept = {name: entry for name, entry in entries.items() if _is_not_float(entry)}
    names = [name for name in names if name not in kept]
    arrays = [check_floats(entries[name], repr(name)) for name in names]
    jobs, in_place = _make_jobs(
        [
            (repr(name), f"out[{name!r}]", array, None if out is None else out[name])
            for name, array in zip(names, arrays, strict=True)
        ]
    )
    if in_place:  # a bad value in a later array must be found before an earlier one is written
        for job in jobs:
            _refuse_not_finite(job)
    _run(jobs, criterion, scope)
    pruned = {name: job.out for name, job in zip(names, jobs, strict=True)}
    return {name: kept[name] if name in kept else pruned[name] for name in entries}


def _is_not_float(value: object) -> bool:
    """Whether a mapping's entry is an array of integers, text and the like, which pruning has no business with."""
    return isinstance(value, np.ndarray) and not is_float(value.dtype)


def _make_jobs(
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


def _refuse_not_finite(job: Job) -> None:
    error = explain_not_finite(job.weight, job.label)
    if error is not None:
        raise error


def _run(jobs: list[Job], criterion: Criterion, scope: Scope) -> None:
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
            _refuse_not_finite(job)
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
