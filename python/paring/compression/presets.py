"""Recipes that have a name: the usual ones, and the schemes that other tools know by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from .recipe_steps import PruneStep, QuantizeStep, SparsifyStep, Step, did_you_mean

__all__ = ["PRESETS", "preset_steps"]


def _scheme(bits: int, *, symmetric: bool = True) -> tuple[Step, ...]:
    """Return the steps of a scheme of compressed-tensors: 8 bits go by channel, fewer by groups of 128."""
    return (
        QuantizeStep(
            bits=bits,
            granularity="channel" if bits == 8 else "group",
            group_size=128,
            symmetric=symmetric,
            convention="compressed-tensors",
        ),
    )


def _blocks(bits: int) -> tuple[Step, ...]:
    """Return the steps for the blocks of 32 that GGUF files hold."""
    return (QuantizeStep(bits=bits, granularity="group", group_size=32, convention="gguf"),)


def _pruned(sparsity: float) -> PruneStep:
    return PruneStep(sparsity=sparsity, scope="global")


# Name, what a list of them says about it, and its steps, made when somebody asks.
_TABLE: tuple[tuple[str, str, Callable[[], tuple[Step, ...]]], ...] = (
    (
        "int8",
        "8 bits, a scale an output channel: about 4 times smaller; the default",
        lambda: (QuantizeStep(),),
    ),
    (
        "int4",
        "4 bits, a scale for 32 weights: about 6 times smaller",
        lambda: (QuantizeStep(bits=4, granularity="group"),),
    ),
    (
        "sparse",
        "CSR where zeros make it smaller: no value changes, for models that were pruned before",
        lambda: (SparsifyStep(),),
    ),
    (
        "sparse-90",
        "the smallest 90 % of all weights go, the rest as float32 CSR: about 5 times smaller; train again after",
        lambda: (_pruned(0.9), SparsifyStep()),
    ),
    (
        "sparse-90-int8",
        "the same with the rest in 8 bits: about 8 times smaller; train again after",
        lambda: (_pruned(0.9), QuantizeStep(), SparsifyStep()),
    ),
    ("W8A16", "compressed-tensors: 8-bit weights, a scale a channel", lambda: _scheme(8)),
    ("W4A16", "compressed-tensors: 4-bit weights, a scale for 128", lambda: _scheme(4)),
    (
        "W4A16_ASYM",
        "compressed-tensors: 4-bit weights, a scale and a zero point for 128",
        lambda: _scheme(4, symmetric=False),
    ),
    ("W8A8", "compressed-tensors: weights as W8A16, for 8-bit activations at run time", lambda: _scheme(8)),
    ("W4A8", "compressed-tensors: weights as W4A16, for 8-bit activations at run time", lambda: _scheme(4)),
    ("Q8_0", "GGUF: 8 bits in blocks of 32", lambda: _blocks(8)),
    ("Q4_0", "GGUF: 4 bits in blocks of 32", lambda: _blocks(4)),
)

PRESETS: Mapping[str, str] = MappingProxyType({name: description for name, description, _ in _TABLE})
"""What `Recipe.preset` knows: names, with a line about each."""

_MAKERS = {name.lower(): make for name, _, make in _TABLE}


def preset_steps(name: object, label: str = "preset", alternative: str = "") -> tuple[Step, ...]:
    """Return the steps of a preset; upper and lower case are the same.

    Raises TypeError or ValueError if there is none of this name. The message starts with `label`, lists the names, and
    says before them what else would have done.
    """
    if not isinstance(name, str):
        raise TypeError(f"{label}: expected a str such as 'int8', got {type(name).__name__} {name!r}")
    make = _MAKERS.get(name.lower())
    if make is None:
        raise ValueError(
            f"{label}: expected {alternative}one of {', '.join(map(repr, PRESETS))}, "
            f"got {name!r}{did_you_mean(name, PRESETS)}"
        )
    return make()
