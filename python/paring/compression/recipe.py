"""Recipes: which steps of compression apply to which weights, as plain data."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Literal, TypeVar

from .criteria import Scope, check_criterion, check_scope
from .quantization import QuantizeSettings, check_integer

__all__ = ["DEFAULT_RECIPE", "PruneStep", "QuantizeStep", "Recipe", "SparsifyStep", "Step"]

EVERYTHING = "*"


def matches(pattern: str, name: str) -> bool:
    """Whether a glob (``*``, ``?``, ``[...]``, case counts) matches a name; a name always matches itself."""
    return pattern == name or fnmatchcase(name, pattern)


def check_pattern(pattern: object, label: str) -> None:
    """Raise TypeError or ValueError unless `pattern` is a str that can match something."""
    if not isinstance(pattern, str):
        raise TypeError(
            f"{label}: expected a glob such as '*.weight', got {type(pattern).__name__} {pattern!r}"
        )
    if not pattern:
        raise ValueError(f"{label}: expected a glob such as '*.weight', got an empty str")


@dataclass(frozen=True)
class PruneStep:
    """Prune the weights that `match` names: exactly one criterion, with the meaning it has in `paring.prune`.

    With scope "global" the criterion is taken of all weights together for which this step is the one.

    Examples
    --------
    >>> import paring
    >>> paring.PruneStep(sparsity=0.5, scope="global", match="encoder.*")
    PruneStep(sparsity=0.5, scope='global', match='encoder.*')
    """

    threshold: float | None = None
    sparsity: float | None = None
    threshold_std: float | None = None
    structure: str | None = None
    scope: Scope = "tensor"
    match: str = EVERYTHING

    kind: ClassVar[Literal["prune"]] = "prune"

    def __post_init__(self) -> None:
        check_criterion(self.threshold, self.sparsity, self.threshold_std, self.structure)
        check_scope(self.scope)
        check_pattern(self.match, "match")

    def __repr__(self) -> str:
        shown = ", ".join(f"{k}={v!r}" for k, v in vars(self).items() if v is not None)
        return f"PruneStep({shown})"

    @property
    def arguments(self) -> dict[str, Any]:
        """The criterion as keyword arguments of `prune`."""
        criteria = ("threshold", "sparsity", "threshold_std", "structure")
        return {name: getattr(self, name) for name in criteria if getattr(self, name) is not None}


@dataclass(frozen=True)
class QuantizeStep(QuantizeSettings):
    """Quantize the weights that `match` names, with the settings of `paring.quantize`.

    `axis` holds the output channels; None stands for what the source of the weights implies: -1 for Keras,
    else 0.

    Examples
    --------
    >>> import paring
    >>> paring.QuantizeStep(bits=4, granularity="group", group_size=64).bits
    4
    """

    axis: int | None = None
    match: str = EVERYTHING

    kind: ClassVar[Literal["quantize"]] = "quantize"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.axis is not None:
            check_integer(self.axis, "axis")
        check_pattern(self.match, "match")


@dataclass(frozen=True)
class SparsifyStep:
    """Store the weights that `match` names as CSR (after pruning and quantizing them, if other steps say so).

    Examples
    --------
    >>> import paring
    >>> paring.SparsifyStep(match="decoder.*.weight")
    SparsifyStep(match='decoder.*.weight')
    """

    match: str = EVERYTHING

    kind: ClassVar[Literal["sparsify"]] = "sparsify"

    def __post_init__(self) -> None:
        check_pattern(self.match, "match")


Step = PruneStep | QuantizeStep | SparsifyStep
S = TypeVar("S", PruneStep, QuantizeStep, SparsifyStep)


@dataclass(frozen=True)
class Recipe:
    """What to do with which weights of a model.

    For every weight the last step of each kind that matches it counts; it is pruned, then quantized, then
    stored sparse, in whatever order the steps are listed. Left alone are weights that are not floats, have
    fewer than two axes (biases, norms) or fewer than `min_size` elements, or are compressed already.

    Attributes
    ----------
    steps : tuple of PruneStep, QuantizeStep, SparsifyStep
    skip : tuple of str
        Globs of weights that no step touches.
    min_size : int
        The fewest elements worth compressing.

    Examples
    --------
    Four bits in groups of 32, but eight for the embeddings, and the head as it is:

    >>> import paring
    >>> recipe = paring.Recipe(
    ...     steps=[
    ...         paring.QuantizeStep(bits=4, granularity="group"),
    ...         paring.QuantizeStep(bits=8, match="*embed*"),
    ...     ],
    ...     skip=["lm_head.*"],
    ... )
    >>> recipe.step_for(paring.QuantizeStep, "model.embed.weight").bits
    8
    """

    steps: Sequence[Step]
    skip: Sequence[str] = ()
    min_size: int = 1024

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", _as_tuple(self.steps, "steps", "a list of steps"))
        object.__setattr__(self, "skip", _as_tuple(self.skip, "skip", "a list of globs"))
        for step in self.steps:
            if not isinstance(step, Step):
                raise TypeError(
                    f"steps: expected PruneStep, QuantizeStep or SparsifyStep, got {type(step).__name__}"
                )
        for pattern in self.skip:
            check_pattern(pattern, "skip")
        if check_integer(self.min_size, "min_size") < 0:
            raise ValueError(f"min_size: expected 0 or more, got {self.min_size}")

    def step_for(self, kind: type[S], name: str) -> S | None:
        """Return the step of this kind that counts for a weight, or None."""
        found = None
        for step in self.steps:
            if isinstance(step, kind) and matches(step.match, name):
                found = step
        return found

    def skipped_by(self, name: str) -> str | None:
        """Return the pattern of `skip` that matches a weight, or None."""
        return next((pattern for pattern in self.skip if matches(pattern, name)), None)

    def check_names(self, names: Iterable[str]) -> None:
        """Raise ValueError if a pattern (other than ``*``) matches none of these names, naming near ones."""
        known = list(names)
        patterns = [("match", step.match) for step in self.steps] + [("skip", glob) for glob in self.skip]
        for label, pattern in patterns:
            if pattern != EVERYTHING and not any(matches(pattern, name) for name in known):
                raise ValueError(
                    f"{label}: {pattern!r} matches none of the {len(known)} weights{_nearest(pattern, known)}"
                )


def _as_tuple(value: object, label: str, expected: str) -> tuple[object, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise TypeError(f"{label}: expected {expected}, got {type(value).__name__} {value!r}")
    return tuple(value)


def _nearest(pattern: str, names: list[str]) -> str:
    near = difflib.get_close_matches(pattern.strip("*"), names, n=3, cutoff=0.4)
    return f"; the nearest names are {', '.join(map(repr, near))}" if near else ""


DEFAULT_RECIPE = Recipe((QuantizeStep(),))
"""Symmetric int8 with a scale an output channel, for every float weight of two or more axes."""
