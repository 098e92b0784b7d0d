"""Weights that were trained as integers: what a recipe may still say about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..weights import QuantizedWeight
from .plans import Plan
from .recipe import QuantizeStep, Recipe

__all__ = ["plan_trained", "trained_recipe"]


def trained_recipe(trained: Mapping[str, QuantizedWeight]) -> Recipe:
    """Return the recipe that gives weights the form they were trained in, and leaves all others alone."""
    return Recipe([_step_of(weight, name) for name, weight in trained.items()], min_size=0)


def plan_trained(plan: Plan, weight: QuantizedWeight) -> Plan:
    """Return the plan of a weight that was trained as integers: it is quantized so, whatever else is done.

    Raises
    ------
    ValueError
        If the plan prunes it, or quantizes it in another way.
    """
    if plan.prune is not None:
        raise ValueError(
            f"{plan.name!r}: expected no PruneStep for a weight that was trained quantized: prune before training, "
            "and train with masks"
        )
    own = _step_of(weight, plan.name)
    asked = plan.quantize
    for name in ("bits", "granularity", "symmetric", "group_size"):
        if asked is None or (name == "group_size" and weight.group_size is None):
            continue
        if getattr(asked, name) != getattr(own, name):
            raise ValueError(
                f"{plan.name!r}: expected {name} {getattr(own, name)!r}, with which it was trained, got "
                f"{getattr(asked, name)!r}"
            )
    return replace(plan, reason="", quantize=own, axis=0)


def _step_of(weight: QuantizedWeight, name: str) -> QuantizeStep:
    step = QuantizeStep(weight.bits, weight.granularity, symmetric=weight.symmetric, match=name)
    return step if weight.group_size is None else replace(step, group_size=weight.group_size)
