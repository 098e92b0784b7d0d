"""What a caller may give as a recipe: one, the name of a preset, a file."""

from __future__ import annotations

import os

from .presets import preset_steps
from .recipe import DEFAULT_RECIPE, Recipe

__all__ = ["RecipeLike", "as_recipe"]

RecipeLike = Recipe | str | os.PathLike[str]


def as_recipe(value: RecipeLike | None) -> Recipe:
    """Return the recipe that a value stands for.

    Parameters
    ----------
    value : Recipe, str, path or None
        A str that ends in ``.toml``, and any ``os.PathLike``, is the path of a file for `Recipe.from_toml`; any
        other str names a preset. None stands for the default.

    Raises
    ------
    TypeError
        If it is anything else.
    ValueError
        If no preset has the name, or the file does not hold a recipe (FormatError).
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> as_recipe("int4").steps[0].bits
    4
    >>> as_recipe(None) == as_recipe("int8")
    True
    """
    if value is None:
        return DEFAULT_RECIPE
    if isinstance(value, Recipe):
        return value
    if isinstance(value, os.PathLike) or (isinstance(value, str) and value.lower().endswith(".toml")):
        return Recipe.from_toml(value)
    if isinstance(value, str):
        return Recipe(preset_steps(value, "recipe", "a path that ends in .toml, or "))
    raise TypeError(
        f"recipe: expected a Recipe, the name of a preset, or the path of a .toml file, "
        f"got {type(value).__name__}"
    )
