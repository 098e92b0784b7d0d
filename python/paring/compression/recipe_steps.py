"""The steps that recipes are made of, and the patterns that say which weights they take."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Literal

from ..formats.strict_json import is_unicode
from .criteria import Scope, check_criterion, check_scope
from .quantize_settings import QuantizeSettings, check_integer

__all__ = ["EVERYTHING", "PruneStep", "QuantizeStep", "SparsifyStep", "Step", "check_pattern", "matches"]

EVERYTHING = "*"
MAX_AXES = 64  # of an array of NumPy 2; 32 before


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
    if not is_unicode(pattern):
        raise ValueError(f"{label}: expected Unicode text, got half of a surrogate pair: {pattern!a}")


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return the end of a message about a word that is none of the known: the nearest one, if one is near."""
    spelled = {name.lower(): name for name in known}
    near = difflib.get_close_matches(str(word).lower(), list(spelled), n=1)
    return f"; did you mean {spelled[near[0]]!r}?" if near else ""


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
        criterion = check_criterion(self.threshold, self.sparsity, self.threshold_std, self.structure)
        if criterion.kind != "structure":  # Any number will do, but a recipe that is stored has floats.
            object.__setattr__(self, criterion.kind, criterion.value)
        check_scope(self.scope)
        check_pattern(self.match, "match")

    def __repr__(self) -> str:
        shown = ", ".join(f"{k}={v!r}" for k, v in vars(self).items() if v is not None)
        return f"PruneStep({shown})"

    @property
    def is_global(self) -> bool:
        """Whether what goes is decided over all weights of the step together."""
        return self.scope == "global" and (self.sparsity is not None or self.threshold_std is not None)

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
            axis = check_integer(self.axis, "axis")
            if not -MAX_AXES <= axis < MAX_AXES:
                raise ValueError(f"axis: expected {-MAX_AXES} to {MAX_AXES - 1}, got {axis}")
            object.__setattr__(self, "axis", axis)
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
