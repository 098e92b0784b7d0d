"""Recipes as documents: the plain dicts, lists, text and numbers that JSON and TOML hold."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from .presets import preset_steps
from .quantize_settings import check_integer
from .recipe_steps import PruneStep, QuantizeStep, SparsifyStep, Step, did_you_mean

__all__ = ["VERSION", "parse_document", "parse_step", "step_to_dict"]

VERSION = 1
KEYS = ("version", "preset", "skip", "min_size", "steps")
STEPS: dict[str, type[Step]] = {step.kind: step for step in (PruneStep, QuantizeStep, SparsifyStep)}


def step_to_dict(step: Step) -> dict[str, Any]:
    """Return a step as JSON-able values under its arguments' names, with its kind; what is None is left out.

    Defaults are written too: a document means the same when they change.
    """
    values = {field.name: getattr(step, field.name) for field in fields(step)}
    return {"kind": step.kind, **{name: value for name, value in values.items() if value is not None}}


def parse_document(document: object) -> dict[str, Any]:
    """Return the arguments of `Recipe` that a document stands for.

    Keys are ``version`` (1, the default), ``preset`` (whose steps come first), ``skip``, ``min_size`` and
    ``steps``: dicts with a ``kind`` and the arguments of that step. Either steps or a preset must be there.

    Raises
    ------
    TypeError, ValueError
        The message starts with the place, such as ``steps[1].group_size``. What `Recipe` checks itself, it
        finds later.
    """
    table = _check_table(document, "recipe")
    for key in table:
        if key not in KEYS:
            raise ValueError(f"recipe: unknown key {key!r}{did_you_mean(key, KEYS) or _list(KEYS)}")
    if "steps" not in table and "preset" not in table:
        raise ValueError("recipe: expected 'steps' or a 'preset', got neither")
    version = check_integer(table.get("version", VERSION), "version")
    if version != VERSION:
        raise ValueError(f"version: expected {VERSION}, got {version}: written by a newer version of paring?")
    first = preset_steps(table["preset"]) if "preset" in table else ()
    steps = table.get("steps", ())
    if not isinstance(steps, list | tuple):
        raise TypeError(
            f"steps: expected a list of steps, in TOML one [[steps]] each, got {type(steps).__name__}"
        )
    listed = tuple(parse_step(step, f"steps[{number}]") for number, step in enumerate(steps))
    return {"steps": first + listed, **{key: table[key] for key in ("skip", "min_size") if key in table}}


def _check_table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{where}: expected a dict, got {type(value).__name__} {reprlib.repr(value)}")
    return value


def parse_step(value: object, where: str) -> Step:
    """Return the step that a dict of `step_to_dict` stands for, defaults left out or not.

    Raises TypeError or ValueError that starts with `where`, the place of the step.
    """
    table = _check_table(value, where)
    if "kind" not in table:
        raise ValueError(f"{where}: expected a key 'kind' that is one of {', '.join(map(repr, STEPS))}")
    kind = table["kind"]
    if not isinstance(kind, str) or kind not in STEPS:
        raise ValueError(
            f"{where}.kind: expected one of {', '.join(map(repr, STEPS))}, got {reprlib.repr(kind)}"
            f"{did_you_mean(kind, STEPS)}"
        )
    make = STEPS[kind]
    known = [field.name for field in fields(make)]
    arguments = {key: item for key, item in table.items() if key != "kind"}
    for key in arguments:
        if key not in known:
            raise ValueError(f"{where}: unknown key {key!r} of a {kind} step{_hint(key, known)}")
    try:
        return make(**arguments)
    except TypeError as error:
        raise TypeError(_placed(str(error), where, known)) from error
    except ValueError as error:
        raise ValueError(_placed(str(error), where, known)) from error


def _hint(key: object, known: list[str]) -> str:
    if key in KEYS:
        return ": it belongs to the recipe, in TOML above the first [[steps]]"
    return did_you_mean(key, known) or _list(known)


def _list(known: Iterable[str]) -> str:
    return f"; expected {', '.join(map(repr, known))}"


def _placed(message: str, where: str, known: list[str]) -> str:
    """Return the message of a step's own check with its place: ``bits: ...`` becomes ``steps[0].bits: ...``."""
    return f"{where}{'.' if message.partition(':')[0] in known else ': '}{message}"
