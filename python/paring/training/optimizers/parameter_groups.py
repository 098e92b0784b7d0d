"""Settings for some of the weights, picked by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from ...compression.recipe_steps import check_pattern, did_you_mean, matches
from ..number_checks import Rate, check_flag, check_number, check_rate

__all__ = ["ParameterGroup", "matched"]


@dataclass(frozen=True)
class ParameterGroup:
    """What differs for the weights whose name matches a pattern.

    Of several groups that match a name, the last that sets something is the one whose setting counts.

    Parameters
    ----------
    match : str
        A glob (``*``, ``?``, ``[...]``; case counts), or a name.
    learning_rate : float or callable, optional
        As in the optimizer.
    weight_decay : float, optional
        As in the optimizer, and coupled or decoupled as there.
    frozen : bool, optional
        Whether these weights stay as they are: no gradient, no state, no decay, no regularizer, no mask.

    Examples
    --------
    >>> ParameterGroup("*.bias", weight_decay=0)
    ParameterGroup(match='*.bias', learning_rate=None, weight_decay=0.0, frozen=None)
    """

    match: str
    learning_rate: Rate | None = field(default=None, kw_only=True)
    weight_decay: float | None = field(default=None, kw_only=True)
    frozen: bool | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_pattern(self.match, "match")
        if self.learning_rate is None and self.weight_decay is None and self.frozen is None:
            raise ValueError(
                f"ParameterGroup({self.match!r}): expected a learning_rate, weight_decay or frozen, got none"
            )
        if self.learning_rate is not None:
            object.__setattr__(self, "learning_rate", check_rate(self.learning_rate, "learning_rate"))
        if self.weight_decay is not None:
            object.__setattr__(self, "weight_decay", check_number(self.weight_decay, "weight_decay", least=0))
        if self.frozen is not None:
            object.__setattr__(self, "frozen", check_flag(self.frozen, "frozen"))


@lru_cache(maxsize=64)
def matched(patterns: tuple[tuple[str, str], ...], names: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
    """Return for each name which of the (label, pattern) pairs match it; ValueError for one that matches none."""
    found = tuple(tuple(i for i, (_, p) in enumerate(patterns) if matches(p, name)) for name in names)
    used = {i for indices in found for i in indices}
    for i, (label, pattern) in enumerate(patterns):
        if i not in used:
            endings = ["*." + name.rpartition(".")[2] for name in names]
            raise ValueError(
                f"{label}: no weight has a name that matches {pattern!r}"
                f"{did_you_mean(pattern, [*names, *endings])}"
            )
    return found
