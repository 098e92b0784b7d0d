"""What a library is to a contest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, Protocol

import numpy.typing as npt

from ..linear_problem import LinearProblem

__all__ = ["Absent", "Bound", "Peer", "explain_missing", "version_of"]


def prepare_nothing() -> None:
    """Do nothing: the thread count was set when the layer was made."""


@dataclass(frozen=True)
class Absent:
    """Who could not take part, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Bound:
    """A library with weights packed and its input and output in place.

    Attributes
    ----------
    name, version : str
    calls : sequence of callable
        Each computes the layer from a copy of the weights of its own.
    answer : callable
        Calls once, and returns the output as float32 ``(m, n)``.
    prepare : callable
        Sets its thread count, before each of its turns.
    lingers : bool
        Its threads stay busy for a while after a call.
    """

    name: str
    version: str
    calls: Sequence[Callable[[], object]]
    answer: Callable[[], npt.NDArray[Any]]
    prepare: Callable[[], object] = prepare_nothing
    lingers: bool = False


class Peer(Protocol):
    """A library that computes linear layers in one of its ways."""

    @property
    def name(self) -> str:
        """The library and the way."""

    def missing(self) -> str | None:
        """Return what would have to be installed, or None."""

    def bind(self, problem: LinearProblem, threads: int, copies: int) -> Bound:
        """Return the problem's layer, packed `copies` times."""


def explain_missing(*packages: str) -> str | None:
    """Return what to install if a package is not there.

    >>> explain_missing("numpy"), explain_missing("numpy", "no_such_package")
    (None, "not installed: pip install 'paring[peers]'")
    """
    if all(find_spec(package) is not None for package in packages):
        return None
    return "not installed: pip install 'paring[peers]'"


def version_of(distribution: str) -> str:
    """Return the version of an installed distribution, or "unknown".

    >>> version_of("no-such-distribution")
    'unknown'
    """
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"
