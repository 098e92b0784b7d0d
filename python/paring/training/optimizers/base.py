"""What all optimizers share: options, state, and a step as one pass of the kernel over every weight."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import _core
from ..number_checks import Rate, check_flag, check_number, check_rate, rate_at
from .clipping import Clip, ClipByGlobalNorm, ClipByNorm, ClipByValue, norm_factor
from .inputs import Arrays, Masks, Trained, check_trained, check_weights, collect
from .parameter_groups import ParameterGroup, matched
from .regularizers import L1, L2, ElasticNet, GroupLasso, Regularizer, group_shape
from .states import OptimizerState

__all__ = ["Optimizer", "StepRecord"]


@dataclass(frozen=True)
class StepRecord:
    """What a step did: the count of steps with it, its learning rate (that of no group), and the norm it clipped by.

    `gradient_norm` is the global norm before clipping, None without `ClipByGlobalNorm`.
    """

    step: int
    learning_rate: float
    gradient_norm: float | None


@dataclass(frozen=True)
class Optimizer:
    """Options of every optimizer; the classes of `paring.training.optimizers` add their own and say what a step is.

    A step takes these in order: clip, coupled decay, update, decoupled decay, regularizers, mask.
    """

    learning_rate: Rate
    weight_decay: float = field(default=0.0, kw_only=True)
    decoupled: bool = field(default=False, kw_only=True)
    maximize: bool = field(default=False, kw_only=True)
    clip: Clip | None = field(default=None, kw_only=True)
    regularizers: tuple[Regularizer, ...] = field(default=(), kw_only=True)
    groups: tuple[ParameterGroup, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        self._set("learning_rate", check_rate(self.learning_rate, "learning_rate"))
        self._set("weight_decay", check_number(self.weight_decay, "weight_decay", least=0))
        self._set("decoupled", check_flag(self.decoupled, "decoupled"))
        self._set("maximize", check_flag(self.maximize, "maximize"))
        if self.clip is not None and not isinstance(self.clip, Clip):
            raise TypeError(
                f"clip: expected ClipByGlobalNorm, ClipByNorm, ClipByValue or None, got {type(self.clip).__name__}"
            )
        kinds = (L1, L2, ElasticNet, GroupLasso)
        self._set("regularizers", _as_tuple(self.regularizers, kinds, "regularizers"))
        self._set("groups", _as_tuple(self.groups, (ParameterGroup,), "groups"))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the arrays that the state has for each weight."""
        return ()

    @property
    def rule(self) -> str:
        """The kernel's name for the arithmetic of a step."""
        raise NotImplementedError

    def rule_numbers(self, rate: float, step: int) -> dict[str, float]:
        """Return the kernel's numbers for a step at this learning rate after `step` others."""
        raise NotImplementedError

    def slot_start(self, slot: str) -> float:
        """Return what a slot is filled with before the first step."""
        return 0.0

    def init(self, weights: Arrays) -> OptimizerState:
        """Return the state before the first step: for every weight that is not frozen, its slots.

        Parameters
        ----------
        weights : mapping of str to ndarray
            float32 or float64, of any shape. Frozen ones may be anything.

        Raises
        ------
        TypeError
            If it is no mapping, or a weight that is not frozen is of another dtype.
        ValueError
            If a pattern of a group or regularizer matches no name, or nothing is left to train.
        """
        weights = check_weights(weights)
        slots = {}
        for _, name in self._trained(weights):
            weight = check_trained(weights[name], repr(name))
            slots[name] = {s: np.full(weight.shape, self.slot_start(s), weight.dtype) for s in self.slots}
        return OptimizerState(0, slots)

    def step(
        self, weights: Arrays, gradients: Arrays, state: OptimizerState, masks: Masks | None = None
    ) -> StepRecord:
        """Take one step: weights and state change in place, or nothing does where something is refused.

        Each weight is read once and written once, on all threads (`GroupLasso` adds a pass over its own). The bytes do
        not depend on the CPU or on the number of threads.

        Parameters
        ----------
        weights : mapping of str to ndarray
            C-contiguous, writeable, float32 or float64.
        gradients : mapping of str to ndarray
            One for every weight that is not frozen, of its shape and dtype. They stay as they are.
        state : OptimizerState
            What `init` gave, or what was restored.
        masks : mapping of str to ndarray or None, optional
            bool or uint8, of the weight's shape. Where one is 0, the weight and its slots become +0.0, so a pruned
            weight stays zero whatever the momentum was. Masks of frozen weights are not looked at.

        Returns
        -------
        StepRecord

        Raises
        ------
        TypeError
            If a mapping, dtype or the state is of another kind than said.
        ValueError
            If names, shapes or memory do not fit, two arrays share memory, a schedule gives a learning rate that is
            negative or not finite, or clipping meets a NaN or infinite norm.
        """
        trained = self._trained(check_weights(weights))
        jobs = collect(weights, gradients, state, masks, self.slots, trained)
        rate = rate_at(self.learning_rate, state.step, "learning_rate")
        norms = self._norms(jobs)
        total = _norm_of_all(norms) if isinstance(self.clip, ClipByGlobalNorm) else None
        found = self._matched(tuple(weights))
        tensors = []
        grouped = []
        for job, norm in zip(jobs, norms, strict=True):
            own, decay = self._settings(found[job.index], rate, state.step)
            numbers = self.rule_numbers(own, state.step)
            # What the learning rate is for decay and regularizers: with all that divides it over time.
            in_force = numbers.pop("rate_in_force", own)
            numbers |= self._decay_numbers(decay, in_force, job.name)
            factor = self._factor(norm if total is None else total)
            lassos, penalties = self._penalty_numbers(found[job.index], job, in_force)
            tensor = _core.StepNumbers(
                gradient_factor=factor, gradient_limit=self._limit, **numbers, **penalties
            )
            tensors.append((repr(job.name), job.weight, job.gradient, job.slots, job.mask, tensor))
            grouped.append(lassos)
        _core.optimizer_step(self.rule, tensors)
        for job, lassos in zip(jobs, grouped, strict=True):
            for shape, threshold, scale in lassos:
                _core.shrink_groups(job.weight.reshape(shape), threshold, scale)
        state.step += 1
        return StepRecord(state.step, rate, total)

    @property
    def _limit(self) -> float:
        return self.clip.limit if isinstance(self.clip, ClipByValue) else math.inf

    def _factor(self, norm: float) -> float:
        sign = -1.0 if self.maximize else 1.0
        if isinstance(self.clip, ClipByGlobalNorm | ClipByNorm):
            return sign * norm_factor(norm, self.clip.max_norm)
        return sign

    def _matched(self, names: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        """Indices into groups and, counted on from there, regularizers, for each name."""
        patterns = [(f"groups[{i}]", group.match) for i, group in enumerate(self.groups)]
        patterns += [(f"regularizers[{i}]", one.match) for i, one in enumerate(self.regularizers)]
        return matched(tuple(patterns), names)

    def _trained(self, weights: Arrays) -> list[tuple[int, str]]:
        names = tuple(weights)
        trained = []
        for index, (name, found) in enumerate(zip(names, self._matched(names), strict=True)):
            frozen = False
            for i in found:
                if i < len(self.groups) and self.groups[i].frozen is not None:
                    frozen = bool(self.groups[i].frozen)
            if not frozen:
                trained.append((index, name))
        if not trained:
            raise ValueError("groups: every weight is frozen; expected at least one to train")
        return trained

    def _settings(self, found: tuple[int, ...], rate: float, step: int) -> tuple[float, float]:
        """Return the learning rate and weight decay of one weight."""
        decay = self.weight_decay
        own, label = None, ""
        for i in found:
            if i < len(self.groups):
                group = self.groups[i]
                decay = decay if group.weight_decay is None else group.weight_decay
                if group.learning_rate is not None:
                    own, label = group.learning_rate, f"groups[{i}].learning_rate"
        return rate if own is None else rate_at(own, step, label), decay

    def _decay_numbers(self, decay: float, rate: float, name: str) -> dict[str, float]:
        if not self.decoupled:
            return {"coupled_decay": decay}
        if decay * rate > 1:
            raise ValueError(
                f"weight_decay: expected at most 1 times the learning rate, got {decay:g} * {rate:g} for {name!r}: "
                f"a decoupled decay that turns weights around"
            )
        return {"decay": decay * rate}

    def _penalty_numbers(
        self, found: tuple[int, ...], job: Trained, rate: float
    ) -> tuple[list[tuple[tuple[int, int, int], float, float]], dict[str, float]]:
        """Return (shape, threshold, factor) of each group lasso, and the numbers of the others."""
        absolute = square = 0.0
        lassos = []
        for i in found:
            one = self.regularizers[i - len(self.groups)] if i >= len(self.groups) else None
            match one:
                case L1():
                    absolute += one.strength
                case L2():
                    square += one.strength
                case ElasticNet():
                    absolute, square = absolute + one.l1, square + one.l2
                case GroupLasso():
                    shape = group_shape(job.weight.shape, one.axis, repr(job.name))
                    threshold = rate * one.strength * math.sqrt(shape[0] * shape[2])
                    lassos.append((shape, threshold, 1.0))
        excess = rate * square
        if lassos:  # squares come last
            shape, threshold, _ = lassos[-1]
            lassos[-1] = (shape, threshold, 1 / (1 + excess))
            excess = 0.0
        return lassos, {"threshold": rate * absolute, "shrink": excess / (1 + excess)}

    def _norms(self, jobs: list[Trained]) -> list[float]:
        """Return the norm of each gradient where it is not masked; 0 for all where nothing is clipped by it."""
        if not isinstance(self.clip, ClipByGlobalNorm | ClipByNorm):
            return [0.0] * len(jobs)
        return [_norm_of(job) for job in jobs]


def _as_tuple(values: object, kinds: tuple[type, ...], label: str) -> tuple[Any, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{label}: expected a list, got {type(values).__name__}")
    result = tuple(values)
    for i, value in enumerate(result):
        if not isinstance(value, kinds):
            names = " or ".join(kind.__name__ for kind in kinds)
            raise TypeError(f"{label}[{i}]: expected {names}, got {type(value).__name__}")
    return result


def _norm_of_all(norms: list[float]) -> float:
    try:
        return math.sqrt(math.fsum(norm * norm for norm in norms))  # the same in any order
    except OverflowError:
        raise ValueError("gradients: the norm of all of them is beyond float64") from None


def _norm_of(job: Trained) -> float:
    norm = math.sqrt(_core.sum_of_squares(job.gradient, job.mask))
    if math.isfinite(norm):
        return norm
    kept = np.ones(job.gradient.shape, bool) if job.mask is None else job.mask != 0
    bad = np.flatnonzero(~np.isfinite(job.gradient) & kept)
    if not bad.size:
        raise ValueError(f"the gradient of {job.name!r}: its norm is beyond float64")
    value = job.gradient.reshape(-1)[bad[0]]
    raise ValueError(
        f"the gradient of {job.name!r}: {value} at index {bad[0]}; clipping by norm needs finite numbers"
    )
