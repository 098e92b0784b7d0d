"""Pruning: setting the least of the weights to zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from .criteria import Criterion, Scope, check_criterion, check_scope
from .floats import check_floats, is_float
from .holders import change_matrices, holds_weights
from .prune_jobs import make_jobs, refuse_not_finite, run_jobs

__all__ = ["prune"]


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
@overload
def prune(
    w: Any,
    *,
    threshold: float | None = None,
    sparsity: float | None = None,
    threshold_std: float | None = None,
    structure: str | None = None,
    scope: Scope = "tensor",
) -> Any: ...
def prune(
    w: Any,
    *,
    threshold: float | None = None,
    sparsity: float | None = None,
    threshold_std: float | None = None,
    structure: str | None = None,
    out: npt.NDArray[Any] | Mapping[str, npt.NDArray[Any]] | None = None,
    scope: Scope = "tensor",
) -> Any:
    """Set the weights of least magnitude to zero. The others keep every bit.

    Exactly one of `threshold`, `sparsity`, `threshold_std` and `structure` says which go. The answer does not
    depend on the CPU or on the number of threads.

    Parameters
    ----------
    w : ndarray, mapping of str to ndarray, or model
        float16, bfloat16, float32 or float64, of any shape, byte order and layout. It is not changed, unless
        it is `out` as well. Of a mapping every float array is pruned, biases and norms too (`compress` picks);
        arrays of integers, text and other dtypes pass through, the same objects. Of a `paring.nn.Model`, or
        anything with ``state_dict()`` (PyTorch) or ``get_weights()`` (Keras), float arrays of two axes or more.
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
        `out`, or new arrays: the same shape, the same dtype in native byte order, C-contiguous. For a
        `paring.nn.Model` another model; for what has ``state_dict()`` a dict of arrays; for what has
        ``get_weights()`` a list of arrays for its ``set_weights()``.

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
    if holds_weights(w) and not isinstance(w, np.ndarray):
        return _prune_holder(w, criterion, scope, out)
    if isinstance(out, Mapping):
        raise TypeError("out: expected an array like w, got a mapping")
    array = check_floats(w, "w")
    jobs, _ = make_jobs([("w", "out", array, out)])
    run_jobs(jobs, criterion, "tensor")
    return jobs[0].out


def _prune_holder(holder: Any, criterion: Criterion, scope: Scope, out: object) -> Any:
    if out is not None:
        raise TypeError(
            f"out: expected none for a {type(holder).__name__}, whose weights come back as they do"
        )

    def change(matrices: dict[str, Any], axis: int) -> dict[str, npt.NDArray[Any]]:
        if criterion.kind == "structure" and axis != 0:
            raise ValueError(
                "structure: expected weights (out, in), got a model that holds (in, out): give compress() a PruneStep"
            )
        return _prune_mapping(matrices, criterion, scope, None)

    return change_matrices(holder, change)


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
    jobs, in_place = make_jobs(
        [
            (repr(name), f"out[{name!r}]", array, None if out is None else out[name])
            for name, array in zip(names, arrays, strict=True)
        ]
    )
    if in_place:  # a bad value in a later array must be found before an earlier one is written
        for job in jobs:
            refuse_not_finite(job)
    run_jobs(jobs, criterion, scope)
    pruned = {name: job.out for name, job in zip(names, jobs, strict=True)}
    return {name: kept[name] if name in kept else pruned[name] for name in entries}


def _is_not_float(value: object) -> bool:
    """Whether a mapping's entry is an array of integers, text and the like, which pruning has no business with."""
    return isinstance(value, np.ndarray) and not is_float(value.dtype)
