"""The options that make a recipe, as the user gave them, and the recipe they make."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields, replace
from pathlib import Path

from ..compression.criteria import Scope
from ..compression.quantize_settings import CONVENTIONS
from ..compression.recipe import PruneStep, QuantizeStep, Recipe, SparsifyStep, Step
from ..weights import GRANULARITIES

__all__ = ["Choices", "default_choices", "make_recipe"]

# What goes with a whole recipe too; everything else is the detail of a step.
BESIDE_A_RECIPE = ("recipe", "preset", "skip", "min_size")


@dataclass(frozen=True)
class Choices:
    """The options of the command, None, False or empty where the user said nothing."""

    bits: int | None = None
    granularity: str | None = None
    group_size: int | None = None
    asymmetric: bool = False
    convention: str | None = None
    sparsity: float | None = None
    threshold: float | None = None
    threshold_std: float | None = None
    structure: str | None = None
    scope: str | None = None
    sparse: bool = False
    recipe: Path | None = None
    preset: str | None = None
    skip: tuple[str, ...] = ()
    min_size: int | None = None

    @property
    def details(self) -> tuple[str, ...]:
        """The options given that describe single steps."""
        return tuple(
            f"--{field.name.replace('_', '-')}"
            for field in fields(self)
            if field.name not in BESIDE_A_RECIPE and getattr(self, field.name) not in (None, False)
        )

    @property
    def quantizing(self) -> bool:
        """Whether an option was given that only makes sense for quantizing."""
        given = (self.bits, self.granularity, self.group_size, self.convention)
        return self.asymmetric or any(choice is not None for choice in given)

    def text(self) -> str:
        """Return the options as they are typed into a shell.

        >>> Choices(bits=4, sparse=True, skip=("emb*",)).text()
        "--bits 4 --sparse --skip 'emb*'"
        """
        words: list[str] = []
        for field in fields(self):
            value, option = getattr(self, field.name), f"--{field.name.replace('_', '-')}"
            match value:
                case None | False:
                    pass
                case True:
                    words.append(option)
                case tuple():
                    words += [word for pattern in value for word in (option, pattern)]
                case float():
                    words += [option, f"{value:g}"]
                case _:
                    words += [option, str(value)]
        return shlex.join(words)


def default_choices(choices: Choices, output: Path) -> Choices:
    """Return the choices, with the preset that a GGUF file can hold where the user chose nothing.

    >>> default_choices(Choices(), Path("model.gguf")).preset
    'Q8_0'
    """
    chosen = choices.recipe is not None or choices.preset is not None or choices.details
    return choices if chosen or output.suffix.lower() != ".gguf" else replace(choices, preset="Q8_0")


def make_recipe(choices: Choices) -> Recipe:
    """Return the recipe for the options.

    Raises
    ------
    ValueError
        In the words of the options, if they contradict each other, or a recipe's file or name is no good.
    OSError
        If the recipe's file cannot be read.

    Examples
    --------
    >>> make_recipe(Choices()).steps[0].bits
    8
    >>> [step.kind for step in make_recipe(Choices(sparsity=0.9, sparse=True)).steps]
    ['prune', 'sparsify']
    >>> make_recipe(Choices(preset="int4", skip=("lm_head.*",))).skip
    ('lm_head.*',)
    """
    recipe = _whole_recipe(choices)
    if recipe is None:
        recipe = Recipe(tuple(_make_steps(choices)))
    if choices.min_size is not None:
        recipe = replace(recipe, min_size=choices.min_size)
    return replace(recipe, skip=(*recipe.skip, *choices.skip))


def _whole_recipe(choices: Choices) -> Recipe | None:
    given = [name for name in ("recipe", "preset") if getattr(choices, name) is not None]
    if not given:
        return None
    others = [*(f"--{name}" for name in given[1:]), *choices.details]
    if others:
        raise ValueError(
            f"--{given[0]} is a whole recipe: expected nothing beside it but --skip and --min-size, "
            f"got {' and '.join(others)}"
        )
    if choices.recipe is not None:
        return Recipe.from_toml(choices.recipe)
    return Recipe.preset(choices.preset or "")


def _make_steps(choices: Choices) -> list[Step]:
    criteria = {
        "--sparsity": choices.sparsity,
        "--threshold": choices.threshold,
        "--threshold-std": choices.threshold_std,
        "--structure": choices.structure,
    }
    given = [option for option, value in criteria.items() if value is not None]
    if choices.scope is not None and choices.sparsity is None:
        raise ValueError("--scope goes with --sparsity")
    if len(given) > 1:
        *first, last = criteria
        raise ValueError(f"expected one of {', '.join(first)} and {last}, got {' and '.join(given)}")
    steps: list[Step] = []
    if given:
        steps.append(
            PruneStep(
                threshold=choices.threshold,
                sparsity=choices.sparsity,
                threshold_std=choices.threshold_std,
                structure=choices.structure,
                scope=_scope(choices),
            )
        )
    if choices.quantizing or not (given or choices.sparse):
        steps.append(_quantize_step(choices))
    if choices.sparse:
        steps.append(SparsifyStep())
    return steps


def _scope(choices: Choices) -> Scope:
    if choices.scope not in (None, "tensor", "global"):
        raise ValueError(f"--scope: expected tensor or global, got {choices.scope!r}")
    return "global" if choices.scope == "global" else "tensor"


def _quantize_step(choices: Choices) -> QuantizeStep:
    granularity = choices.granularity or ("channel" if choices.group_size is None else "group")
    if granularity not in GRANULARITIES:
        raise ValueError(f"--granularity: expected tensor, channel or group, got {granularity!r}")
    if granularity != "group" and choices.group_size is not None:
        raise ValueError(f"--group-size goes with --granularity group, got --granularity {granularity}")
    convention = choices.convention or "paring"
    if convention not in CONVENTIONS:
        raise ValueError(f"--convention: expected one of {', '.join(CONVENTIONS)}, got {convention!r}")
    return QuantizeStep(
        bits=8 if choices.bits is None else choices.bits,
        granularity=granularity,
        group_size=32 if choices.group_size is None else choices.group_size,
        symmetric=not choices.asymmetric,
        convention=convention,
    )
