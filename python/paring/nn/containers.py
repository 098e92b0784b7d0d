"""Layers of layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from .arguments import check_name
from .building import Scope, Symbol
from .layer import Layer

__all__ = ["Residual", "Sequential"]


@dataclass(frozen=True, init=False, repr=False)
class Sequential(Layer):
    """Layers one after the other.

    Parameters
    ----------
    *layers : Layer, or (str, Layer), or one mapping of str to Layer
        Their places are "0", "1", ... unless they are named.

    Raises
    ------
    TypeError, ValueError
        If something is no layer, or a name comes twice.

    Examples
    --------
    >>> from paring import nn
    >>> net = nn.Sequential({"features": nn.Sequential(nn.Linear(8, 4), nn.ReLU()), "head": nn.Linear(4, 2)})
    >>> list(nn.Model(net, (None, 8)).state_dict())
    ['features.0.weight', 'features.0.bias', 'head.weight', 'head.bias']
    """

    is_listed: ClassVar[bool] = False
    layers: tuple[tuple[str, Layer], ...]

    def __init__(self, *layers: Layer | tuple[str, Layer] | Mapping[str, Layer]) -> None:
        given: Any = layers
        if len(layers) == 1 and isinstance(layers[0], Mapping):
            given = layers[0].items()
        found: dict[str, Layer] = {}
        for i, item in enumerate(given):
            name, layer = item if isinstance(item, tuple) and len(item) == 2 else (str(i), item)
            if not isinstance(layer, Layer):
                is_class = isinstance(layer, type) and issubclass(layer, Layer)
                shown = layer.__name__ if is_class else f"{type(layer).__name__} {layer!r}"
                raise TypeError(
                    f"Sequential: expected layers, got {shown} as number {i}"
                    + (f": write {shown}()" if is_class else "")
                )
            if check_name(name, f"Sequential: name of number {i}") in found:
                raise ValueError(f"Sequential: expected each name once, got {name!r} twice")
            found[name] = layer
        object.__setattr__(self, "layers", tuple(found.items()))

    @property
    def takes_integers(self) -> bool:
        """Whether its first layer takes integers."""
        return bool(self.layers) and self.layers[0][1].takes_integers

    def __iter__(self) -> Iterator[Layer]:
        return iter([layer for _, layer in self.layers])

    def __len__(self) -> int:
        return len(self.layers)

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        (x,) = inputs
        for name, layer in self.layers:
            x = scope.add(name, layer, x)
        return x

    def summary(self) -> str:
        return f"Sequential of {len(self)} layers"

    def __repr__(self) -> str:
        if all(name == str(i) for i, (name, _) in enumerate(self.layers)):
            return f"Sequential({', '.join(repr(layer) for layer in self)})"
        return f"Sequential({{{', '.join(f'{name!r}: {layer!r}' for name, layer in self.layers)}}})"


@dataclass(frozen=True, repr=False)
class Residual(Layer):
    """``layer(x) + shortcut(x)``; without a shortcut ``layer(x) + x``.

    The places inside are "layer" and "shortcut".

    Examples
    --------
    >>> from paring import nn
    >>> list(nn.Model(nn.Residual(nn.Linear(4, 4)), (None, 4)).state_dict())
    ['layer.weight', 'layer.bias']
    """

    layer: Layer
    shortcut: Layer | None = None

    def __post_init__(self) -> None:
        for name, layer in (("layer", self.layer), ("shortcut", self.shortcut)):
            if not isinstance(layer, Layer) and (name == "layer" or layer is not None):
                raise TypeError(f"Residual.{name}: expected a layer, got {type(layer).__name__} {layer!r}")

    def build(self, scope: Scope, *inputs: Symbol) -> Symbol:
        (x,) = inputs
        y = scope.add("layer", self.layer, x)
        beside = x if self.shortcut is None else scope.add("shortcut", self.shortcut, x)
        fits = len(y.shape) == len(beside.shape) and all(
            a == b or None in (a, b) for a, b in zip(y.shape, beside.shape, strict=True)
        )
        scope.expect(fits, f"a layer that gives shape {beside.shape}, what is added to it", y.shape)
        return scope.node("Add", y, beside, part="sum")

    def summary(self) -> str:
        return "Residual" if self.shortcut is None else "Residual with a shortcut"
