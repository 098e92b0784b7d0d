"""From a recipe to what it means for each weight, with everything refused that can be before any work."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..weights import QuantizedWeight, SparseWeight
from .floats import is_float
from .quantize_settings import check_axis
from .recipe import PruneStep, QuantizeStep, Recipe, SparsifyStep
from .recipe_steps import EVERYTHING, matches
from .sources import Outline, Source
from .sparsity import why_codes_do_not_fit

__all__ = ["Plan", "make_plans"]


@dataclass(frozen=True)
class Plan:
    """What a recipe asks for one weight; a reason if it is kept as it is.

    `rules` names what of the recipe decided (`Recipe.rules_for`): nothing, where the weight itself did.
    """

    name: str
    reason: str = ""
    prune: PruneStep | None = None
    quantize: QuantizeStep | None = None
    axis: int = 0  # of the output channels, counted from the front
    sparse: bool = False
    rules: tuple[str, ...] = ()


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
        outline = source.outline(name)
        glob = recipe.skipped_by(name)
        reason = _why_unfit(outline, recipe.min_size)
        if reason:
            unfit[name] = reason
        if glob is not None:
            plans.append(Plan(name, f"skipped by {glob!r}", rules=recipe.rules_for(name)))
        elif reason:
            plans.append(Plan(name, reason))
        else:
            plans.append(_plan_steps(name, len(outline.shape), recipe, source.axis, taken))
    for step in recipe.steps:
        matched = [name for name in source.names if matches(step.match, name)]
        if step.match != EVERYTHING and all(name in unfit for name in matched):
            raise ValueError(
                f"match: {step.match!r} matches only weights that are left alone, such as {matched[0]!r} "
                f"({unfit[matched[0]]})"
            )
    return plans


def _why_unfit(outline: Outline, min_size: int) -> str:
    """Return why no recipe touches such a weight; empty if it may."""
    if outline.dtype is None:
        return "compressed already"
    if not is_float(outline.dtype):
        return f"{outline.dtype}: only float16, bfloat16, float32 and float64 are compressed"
    if len(outline.shape) < 2:
        axes = "1 axis" if len(outline.shape) == 1 else f"{len(outline.shape)} axes"
        return f"{axes}: biases, norms and other vectors are left alone"
    if math.prod(outline.shape) < min_size:
        return f"fewer than {min_size:,} elements (min_size)"
    return ""


def _plan_steps(name: str, ndim: int, recipe: Recipe, axis: int, taken: frozenset[str]) -> Plan:
    prune, quantize, sparsify = (
        recipe.step_for(PruneStep, name),
        recipe.step_for(QuantizeStep, name),
        recipe.step_for(SparsifyStep, name),
    )
    if prune is None and quantize is None and sparsify is None:
        return Plan(name, "no step of the recipe matches")
    own_axis = None if quantize is None else quantize.axis
    axis = check_axis(axis if own_axis is None else own_axis, ndim, repr(name))
    if quantize is not None:
        problem = why_codes_do_not_fit(quantize.symmetric, quantize.granularity)
        if sparsify is not None and problem is not None:
            raise ValueError(
                f"{name!r}: its QuantizeStep does not go with its SparsifyStep: {problem}, or leave one of "
                f"the two out"
            )
    rules = recipe.rules_for(name)
    clash = _clash(name, quantize, sparsify, taken)
    if clash is not None:
        reason = f"its compressed form needs the tensor name {clash!r}, which another weight has"
        return Plan(name, reason, rules=rules)
    return Plan(name, "", prune, quantize, axis, sparsify is not None, rules)


def _clash(
    name: str, quantize: QuantizeStep | None, sparsify: SparsifyStep | None, taken: frozenset[str]
) -> str | None:
    suffixes: list[str] = []
    if quantize is not None:
        suffixes += [s for part in QuantizedWeight.suffixes({"bits": quantize.bits}) for s in part]
    if sparsify is not None:
        suffixes += [s for part in SparseWeight.suffixes({}) for s in part]
    return next((name + suffix for suffix in suffixes if suffix and name + suffix in taken), None)
