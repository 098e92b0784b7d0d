"""What a layer is: a frozen description that writes itself into a graph."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import MISSING, fields
from typing import Any, ClassVar

from .building import Scope, Symbol
from .values import Value, call_layer

__all__ = ["Layer"]


class Layer(ABC):
    """A layer: a frozen description without weights, which a `Model` makes.

    Called with a value of the functional form (`Input`) it gives the value after it. A subclass is a frozen dataclass
    with a `build`; what it can use there, `Scope` tells. The same description in two places is two layers with
    weights of their own: a place, not an object, owns weights.
    """

    is_listed: ClassVar[bool] = True
    """Whether it has a row of its own in the table of a model; what only holds others has none."""

    input_counts: ClassVar[tuple[int, int | None]] = (1, 1)
    """How many values it takes at least and at most."""

    @abstractmethod
    def build(self, scope: Scope, *inputs: Symbol) -> Symbol | tuple[Symbol, ...]:
        """Write the layer into a graph and return its output.

        Raises
        ------
        ValueError
            If it does not take such inputs; the message names place and layer.
        """

    def __call__(self, *values: Value, name: str | None = None) -> Value:
        """Return the value after the layer, in the functional form.

        Parameters
        ----------
        *values : Value
            What it takes.
        name : str, optional
            Place of the layer, which names its weights; dots are allowed. Equal layers called with one name share the
            weights. By default the kind of layer and a number.

        Raises
        ------
        TypeError
            If something is no `Value`: arrays go to a model.
        ValueError
            If the layer does not take such values.
        """
        return call_layer(self, values, name)[0]

    @property
    def kind(self) -> str:
        """What the layer is called where nobody named it."""
        return type(self).__name__.lower()

    @property
    def takes_integers(self) -> bool:
        """Whether its input is of integers, such as the numbers of words."""
        return False

    def summary(self) -> str:
        """Return one line about the layer, for tables and messages."""
        return repr(self)

    def __repr__(self) -> str:
        parts = []
        for field in fields(self):  # type: ignore[arg-type]
            value: Any = getattr(self, field.name)
            if field.default is MISSING:
                parts.append(f"{value!r}")
            elif value != field.default:
                parts.append(f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(parts)})"
