"""Recipes: which steps of compression apply to which weights, as plain data."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import FormatError
from .presets import preset_steps
from .quantize_settings import check_integer
from .recipe_document import VERSION, parse_document, step_to_dict
from .recipe_steps import EVERYTHING, PruneStep, QuantizeStep, SparsifyStep, Step, check_pattern, matches
from .recipe_toml import read_toml, toml_text

__all__ = ["DEFAULT_RECIPE", "PruneStep", "QuantizeStep", "Recipe", "SparsifyStep", "Step"]

MAX_SIZE = 2**63 - 1
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
        for number, step in enumerate(self.steps):
            if not isinstance(step, Step):
                raise TypeError(
                    f"steps[{number}]: expected PruneStep, QuantizeStep or SparsifyStep, "
                    f"got {type(step).__name__}"
                )
        for number, pattern in enumerate(self.skip):
            check_pattern(pattern, f"skip[{number}]")
        object.__setattr__(self, "min_size", check_integer(self.min_size, "min_size"))
        if not 0 <= self.min_size <= MAX_SIZE:
            raise ValueError(f"min_size: expected 0 to 2**63 - 1, got {self.min_size}")

    @classmethod
    def preset(cls, name: str, skip: Sequence[str] = (), min_size: int = 1024) -> Recipe:
        """Return the recipe that a name stands for; upper and lower case are the same.

        "int8" (the default of `paring.compress`), "int4", "sparse", "sparse-90", "sparse-90-int8"; the schemes of
        compressed-tensors "W8A16", "W8A8", "W4A16", "W4A16_ASYM", "W4A8"; and "Q8_0", "Q4_0" of GGUF. They take
        every weight that a recipe may touch: `skip` leaves out what such tools leave out by habit, such as
        ``["lm_head.*"]``.

        Raises
        ------
        TypeError, ValueError
            If no preset has this name; the message lists those there are.

        Examples
        --------
        >>> import paring
        >>> paring.Recipe.preset("W4A16", skip=["lm_head.*"]).steps[0].group_size
        128
        """
        return cls(preset_steps(name), skip, min_size)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Recipe:
        """Return the recipe that `to_dict` made a dict of, or that a person wrote as one.

        Defaults may be left out. ``preset`` names a preset whose steps come before ``steps``: in `steps`, and in
        the rules of a report, they count from 0.

        Raises
        ------
        TypeError, ValueError
            For a key that nobody knows, one that is missing, or a value that does not fit; the message starts
            with its place, such as ``steps[1].group_size``.

        Examples
        --------
        >>> import paring
        >>> paring.Recipe.from_dict({"preset": "int8", "steps": [{"kind": "sparsify", "match": "*.weight"}]}).steps[1]
        SparsifyStep(match='*.weight')
        """
        return cls(**parse_document(document))

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Recipe:
        """Return the recipe in a TOML file, in UTF-8, of at most 250 kB, with the keys of `from_dict`.

        Raises
        ------
        TypeError
            If `path` is none.
        FormatError
            If the file is not TOML, or not a recipe; the message has the path, and the line or the step.
        OSError
            If it cannot be read.

        Examples
        --------
        >>> import paring, pathlib, tempfile
        >>> text = '''
        ... preset = "int8"
        ... skip = ["lm_head.*"]
        ...
        ... [[steps]]
        ... kind = "quantize"
        ... bits = 4
        ... granularity = "group"
        ... match = "model.layers.*"
        ... '''
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "recipe.toml")
        ...     size = path.write_text(text)
        ...     [step.bits for step in paring.Recipe.from_toml(path).steps]
        [8, 4]
        """
        document = read_toml(path)
        try:
            return cls.from_dict(document)
        except (TypeError, ValueError) as error:
            raise FormatError(f"{os.fspath(path)}: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON-able values: ``{"version": 1, "skip": [...], "min_size": ..., "steps": [...]}``.

        Nothing is lost: `from_dict` gives an equal recipe, also in a version of paring with other defaults.

        Examples
        --------
        >>> import paring
        >>> paring.Recipe([paring.SparsifyStep()]).to_dict()
        {'version': 1, 'skip': [], 'min_size': 1024, 'steps': [{'kind': 'sparsify', 'match': '*'}]}
        """
        return {
            "version": VERSION,
            "skip": list(self.skip),
            "min_size": self.min_size,
            "steps": [step_to_dict(step) for step in self.steps],
        }

    def to_toml(self) -> str:
        """Return the recipe as text that, written to a file in UTF-8, `from_toml` reads back equal.

        Examples
        --------
        >>> import paring
        >>> print(paring.Recipe([paring.PruneStep(sparsity=0.5)], skip=["*.bias"]).to_toml())
        version = 1
        skip = ["*.bias"]
        min_size = 1024
        <BLANKLINE>
        [[steps]]
        kind = "prune"
        sparsity = 0.5
        scope = "tensor"
        match = "*"
        <BLANKLINE>
        """
        return toml_text(self.to_dict())

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

    def rules_for(self, name: str) -> tuple[str, ...]:
        """Return what decides about a weight, as reports say it: the glob that skips it, or the steps that count.

        Examples
        --------
        >>> import paring
        >>> paring.Recipe([paring.QuantizeStep()], skip=["lm_head.*"]).rules_for("lm_head.weight")
        ("skip[0] 'lm_head.*'",)
        >>> paring.Recipe([paring.QuantizeStep(), paring.SparsifyStep(match="a*")]).rules_for("a.weight")
        ("steps[0] quantize '*'", "steps[1] sparsify 'a*'")
        """
        for number, pattern in enumerate(self.skip):
            if matches(pattern, name):
                return (f"skip[{number}] {pattern!r}",)
        last = {step.kind: number for number, step in enumerate(self.steps) if matches(step.match, name)}
        return tuple(
            f"steps[{number}] {self.steps[number].kind} {self.steps[number].match!r}"
            for number in sorted(last.values())
        )

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
