"""From a recipe to what it means for each weight, with everything refused that can be before any work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..weights import QuantizedWeight, SparseWeight, Weight
from .floats import is_float
from .quantization import check_axis
from .recipe import EVERYTHING, PruneStep, QuantizeStep, Recipe, SparsifyStep, matches
from .sources import Source
from .sparsity import why_codes_do_not_fit

__all__ = ["Plan", "make_plans"]


@dataclass(frozen=True)
class Plan:
    """What a recipe asks for one weight; a reason if it is kept as it is."""

    name: str
    reason: str = ""
    prune: PruneStep | None = None
    quantize: QuantizeStep | None = None
    axis: int = 0  # of the output channels, counted from the front
    sparse: bool = False


def make_plans(source: Source, recipe: Recipe) -> list[Plan]:
    """Return a plan for every weight, in order.

    Raises
    ------
    ValueError
        If a pattern of the recipe matches nothing, or nothing that may be compressed, or the steps for one
        weight contradict each other.
    """
    recipe.check_names(source.names)
    taken = frozenset(source.names)
    unfit: dict[str, str] = {}
    plans = []
    for name in source.names:
        weight = source.fetch(name)
        glob = recipe.skipped_by(name)
        reason = _why_unfit(weight, recipe.min_size)
        if reason:
            unfit[name] = reason
        if glob is not None:
            plans.append(Plan(name, f"skipped by {glob!r}"))
        elif reason:
            plans.append(Plan(name, reason))
        else:
            plans.append(_plan_steps(name, weight, recipe, source.axis, taken))
    for step in recipe.steps:
        matched = [name for name in source.names if matches(step.match, name)]
        if step.match != EVERYTHING and all(name in unfit for name in matched):
            raise ValueError(
                f"match: {step.match!r} matches only weights that are left alone, such as {matched[0]!r} "
                f"({unfit[matched[0]]})"
            )
    return plans


def _why_unfit(weight: Weight, min_size: int) -> str:
    """Return why no recipe touches such a weight; empty if it may."""
    if not isinstance(weight, np.ndarray):
        return "compressed already"
    if not is_float(weight.dtype):
        return f"{weight.dtype}: only float16, bfloat16, float32 and float64 are compressed"
    if weight.ndim < 2:
        axes = "1 axis" if weight.ndim == 1 else f"{weight.ndim} axes"
        return f"{axes}: biases, norms and other vectors are left alone"
    if weight.size < min_size:
        return f"fewer than {min_size:,} elements (min_size)"
    return ""


def _plan_steps(name: str, weight: Weight, recipe: Recipe, axis: int, taken: frozenset[str]) -> Plan:
    prune, quantize, sparsify = (
        recipe.step_for(PruneStep, name),
        recipe.step_for(QuantizeStep, name),
        recipe.step_for(SparsifyStep, name),
    )
    if prune is None and quantize is None and sparsify is None:
        return Plan(name, "no step of the recipe matches")
    own_axis = None if quantize is None else quantize.axis
    axis = check_axis(axis if own_axis is None else own_axis, len(weight.shape), repr(name))
    if quantize is not None:
        problem = why_codes_do_not_fit(quantize.symmetric, quantize.granularity)
        if sparsify is not None and problem is not None:
            raise ValueError(
                f"{name!r}: its QuantizeStep does not go with its SparsifyStep: {problem}, or leave one of "
                f"the two out"
            )
    clash = _clash(name, quantize, sparsify, taken)
    if clash is not None:
        return Plan(name, f"its compressed form needs the tensor name {clash!r}, which another weight has")
    return Plan(name, "", prune, quantize, axis, sparsify is not None)


def _clash(
    name: str, quantize: QuantizeStep | None, sparsify: SparsifyStep | None, taken: frozenset[str]
) -> str | None:
    suffixes: list[str] = []
    if quantize is not None:
        suffixes += [s for part in QuantizedWeight.suffixes({"bits": quantize.bits}) for s in part]
    if sparsify is not None:
        suffixes += [s for part in SparseWeight.suffixes({}) for s in part]
    return next((name + suffix for suffix in suffixes if suffix and name + suffix in taken), None)
