"""Pruning with one threshold for many weights: found over all of them, then applied to one at a time.

Finding it only reads, so weights may be memory maps of files larger than memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .criteria import check_criterion
from .floats import FLOAT_NAMES, as_native, explain_not_finite
from .prune_jobs import Job, standard_deviation
from .recipe_steps import PruneStep

__all__ = ["KEY_BITS", "Cut", "find_cuts", "prune_at"]

KEY_BITS = {name: 8 * dtype.itemsize for dtype, name in FLOAT_NAMES.items()}
"""How many bits a key has, by the kind of a `Cut`."""


@dataclass(frozen=True)
class Cut:
    """Where in the order of magnitudes one weight is cut.

    Attributes
    ----------
    kind : {"float16", "bfloat16", "float32", "float64"}
        The dtype that `key` belongs to, which need not be that of the weight.
    key : int
        The bits of a magnitude, as an unsigned integer: smaller ones go.
    equal : int
        How many elements of exactly that magnitude go, the first in row-major order.
    """

    kind: str
    key: int
    equal: int = 0


def find_cuts(weights: Mapping[str, npt.NDArray[Any]], step: PruneStep) -> dict[str, Cut]:
    """Return where a step of scope "global" cuts each weight.

    Raises
    ------
    ValueError
        If a weight is NaN or infinite.
    """
    criterion = check_criterion(step.threshold, step.sparsity, step.threshold_std, step.structure)
    jobs = [Job(repr(name), as_native(weight), weight) for name, weight in weights.items()]
    try:
        match criterion.kind:
            case "sparsity":
                count = round(criterion.value * sum(job.weight.size for job in jobs))
                kind, key, equal = _core.select_smallest(
                    [job.bits for job in jobs], [job.kind for job in jobs], count
                )
                cuts = [Cut(kind, key, n) for n in equal]
            case "threshold_std":
                cuts = [_below(criterion.value * standard_deviation(jobs))] * len(jobs)
            case _:
                raise ValueError(f"{criterion.kind}: is the same for every weight, whatever the scope")
    except ValueError:
        for job in jobs:
            error = explain_not_finite(job.weight, job.label)
            if error is not None:
                raise error from None
        raise
    return dict(zip(weights, cuts, strict=True))


def _below(threshold: float) -> Cut:
    return Cut("float64", int(np.float64(threshold).view(np.uint64)))


def prune_at(weight: npt.NDArray[Any], cut: Cut, label: str) -> npt.NDArray[Any]:
    """Return a copy of a weight with zeros below the cut: the same dtype in native order, C-contiguous.

    Raises ValueError, speaking of the weight as `label`, for NaN and infinity.
    """
    native = as_native(weight)
    job = Job(label, native, np.empty_like(native, order="C", subok=False))
    # Infinity stays where the cut puts it, so one look at what is left tells.
    _core.prune_selected(job.bits, FLOAT_NAMES[native.dtype], cut.kind, cut.key, cut.equal, job.out_bits)
    error = explain_not_finite(native, label)
    if error is not None:
        raise error
    return job.out
