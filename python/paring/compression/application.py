"""One weight made what its plan asks for, in memory bounded by its own size, with the row of the report."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..weights import QuantizedWeight, SparseWeight, Weight
from ..weights.pieces import row_step
from .cuts import Cut, find_cuts, prune_at
from .floats import explain_not_finite
from .forms import choose_form, dense_zeros_note, form_name
from .loss import measure_loss, zero_share
from .plans import Plan
from .pruning import prune
from .recipe_steps import PruneStep
from .report import Action, ReportRow
from .sources import Source
from .trained import plan_trained

__all__ = ["apply_plan", "find_global_cuts"]


def find_global_cuts(source: Source, plans: Iterable[Plan]) -> dict[str, Cut]:
    """Return the cut of each weight that a step of scope "global" prunes by something all of them decide together."""
    groups: dict[PruneStep, list[str]] = {}
    for plan in plans:
        if plan.prune is not None and plan.prune.is_global:
            groups.setdefault(plan.prune, []).append(plan.name)
    cuts: dict[str, Cut] = {}
    for step, names in groups.items():
        arrays: dict[str, Any] = {name: source.fetch(name) for name in names}
        cuts.update(find_cuts(arrays, step))
    return cuts


def apply_plan(
    plan: Plan, weight: Weight, cut: Cut | None, trained: QuantizedWeight | None = None
) -> tuple[Weight, ReportRow]:
    """Return a weight as its plan wants it, and its row.

    `cut` belongs to a plan whose pruning is global. `trained` are the integers of a weight that was trained as such,
    which are taken as they are. Beyond the weight itself this takes at most twice the memory of its
    values, or of them in float32 if that is more, and some 100 MB.

    Raises
    ------
    ValueError
        If the weight is NaN or infinite somewhere, or its shape does not suit the plan.
    """
    if trained is not None:
        plan = plan_trained(plan, trained)
    if not isinstance(weight, np.ndarray) or plan.reason:
        return weight, _kept_row(plan, weight, plan.reason)
    try:
        array = weight if plan.prune is None else _prune(plan, plan.prune, weight, cut)
        choice = choose_form(plan.name, array, plan.quantize, plan.axis, plan.sparse, trained)
    except ValueError as error:
        raise ValueError(f"{error}; skip=[{plan.name!r}] in the recipe leaves this weight alone") from error
    result = choice.weight
    notes = list(choice.refusals)
    if result is weight:
        return weight, _kept_row(plan, weight, "; ".join(notes))
    if isinstance(result, np.ndarray) and not notes:
        notes.append(dense_zeros_note(result))
    loss = measure_loss(weight, result)
    return result, ReportRow(
        name=plan.name,
        shape=weight.shape,
        dtype=str(weight.dtype),
        form=form_name(result),
        actions=_actions(result, plan.prune is not None),
        reason="; ".join(notes),
        bytes_before=weight.nbytes,
        bytes_after=result.nbytes,
        sparsity=loss.sparsity,
        max_error=loss.max_error,
        mean_error=loss.mean_error,
        sqnr_db=loss.sqnr_db,
        rules=plan.rules,
    )


def _prune(plan: Plan, step: PruneStep, weight: npt.NDArray[Any], cut: Cut | None) -> npt.NDArray[Any]:
    if cut is not None:
        return prune_at(weight, cut, repr(plan.name))
    if step.structure is None or plan.axis == 0:
        whole: npt.NDArray[Any] = prune({plan.name: weight}, **step.arguments)[plan.name]
        return whole
    # N:M runs along what feeds an output channel, so channels go first, and back: some of them at a time.
    pruned = np.empty_like(weight, weight.dtype.newbyteorder("="), order="C", subok=False)
    channels, moved = np.moveaxis(weight, plan.axis, 0), np.moveaxis(pruned, plan.axis, 0)
    step_size = row_step(weight.size // max(len(channels), 1))
    for start in range(0, len(channels), step_size):
        rows = slice(start, start + step_size)
        try:
            moved[rows] = prune({plan.name: channels[rows]}, **step.arguments)[plan.name]
        except ValueError as error:  # says where in these rows
            raise explain_not_finite(weight, repr(plan.name)) or error from None
    return pruned


def _actions(result: Weight, pruned: bool) -> tuple[Action, ...]:
    actions: list[Action] = ["pruned"] if pruned else []
    if isinstance(result, QuantizedWeight) or (isinstance(result, SparseWeight) and result.scale is not None):
        actions.append("quantized")
    if isinstance(result, SparseWeight):
        actions.append("sparsified")
    return tuple(actions)


def _kept_row(plan: Plan, weight: Weight, reason: str) -> ReportRow:
    plain = isinstance(weight, np.ndarray)
    dense = weight if isinstance(weight, np.ndarray) else weight.dense()
    match weight:
        case QuantizedWeight(bits=bits):
            dtype = f"int{bits}"
        case SparseWeight(data=data):
            dtype = str(data.dtype)
        case _:
            dtype = str(weight.dtype)
    return ReportRow(
        name=plan.name,
        shape=weight.shape,
        dtype=dtype,
        form=form_name(weight),
        actions=("kept",),
        reason=reason,
        bytes_before=weight.nbytes,
        bytes_after=weight.nbytes,
        sparsity=zero_share(dense),
        max_error=0.0 if plain else None,
        mean_error=0.0 if plain else None,
        sqnr_db=math.inf if plain else None,
        rules=plan.rules,
    )
