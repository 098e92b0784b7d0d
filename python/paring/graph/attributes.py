"""Attributes of nodes, read with their defaults; one of another kind is a ValueError that names it."""

from __future__ import annotations

from .nodes import Node

__all__ = ["float_of", "floats_of", "int_of", "ints_of", "str_of"]


def int_of(node: Node, name: str, default: int) -> int:
    """Return an attribute that is one integer.

    >>> int_of(Node("Softmax", ("x",), ("y",)), "axis", -1)
    -1
    """
    value = node.attributes.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"attribute {name!r}: expected an integer, got {value!r}")
    return value


def float_of(node: Node, name: str, default: float) -> float:
    """Return an attribute that is one number."""
    value = node.attributes.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"attribute {name!r}: expected a number, got {value!r}")
    return float(value)


def str_of(node: Node, name: str, default: str, allowed: tuple[str, ...]) -> str:
    """Return an attribute that is one of some words."""
    value = node.attributes.get(name, default)
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"attribute {name!r}: expected {' or '.join(map(repr, allowed))}, got {value!r}")
    return value


def ints_of(node: Node, name: str) -> tuple[int, ...] | None:
    """Return an attribute that is integers; None if it is left out."""
    value = node.attributes.get(name)
    if value is None:
        return None
    if not isinstance(value, tuple) or not all(type(item) is int for item in value):
        raise ValueError(f"attribute {name!r}: expected integers, got {value!r}")
    return tuple(int(item) for item in value)


def floats_of(node: Node, name: str) -> tuple[float, ...] | None:
    """Return an attribute that is numbers; None if it is left out."""
    value = node.attributes.get(name)
    if value is None:
        return None
    if not isinstance(value, tuple) or any(isinstance(item, (bool, str)) for item in value):
        raise ValueError(f"attribute {name!r}: expected numbers, got {value!r}")
    return tuple(float(item) for item in value)
