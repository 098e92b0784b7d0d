"""The groups of a ``quantization_config`` of compressed-tensors: which modules are quantized, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import FormatError
from .name_patterns import NamePattern

__all__ = ["Groups", "Scheme", "parse_groups"]

PATTERN_MARK = "re:"
STRATEGIES = ("tensor", "channel", "group")
# Of these the weight is integers: packed, one code a byte, or whatever the tensors say.
INTEGER_FORMATS = {
    "pack-quantized": True,
    "int-quantized": False,
    "naive-quantized": False,
    "mixed-precision": None,
    None: None,
}
MAX_WORK = 50_000_000
"""Modules times characters of all patterns; beyond it some ten seconds would be spent on matching alone."""


@dataclass(frozen=True)
class Scheme:
    """How integer weights were quantized: `group_size` is 0 if not in groups, `packed` None if not said."""

    packed: bool | None
    bits: int
    strategy: str
    group_size: int
    symmetric: bool


@dataclass(frozen=True)
class Group:
    """One entry of ``config_groups``; `scheme` is None for a kind of weight that paring has no form for."""

    where: str
    targets: tuple[str, ...]
    scheme: Scheme | None


@dataclass(frozen=True)
class Groups:
    """The groups of a config, asked by module."""

    groups: tuple[Group, ...]
    named: Mapping[str, Group] = field(default_factory=dict)
    patterns: tuple[tuple[NamePattern, Group], ...] = ()
    ignored: frozenset[str] = frozenset()
    ignored_patterns: tuple[NamePattern, ...] = ()

    def candidates(self, module: str) -> list[Group]:
        """Return the groups that may be meant for a module, none if it is not quantized.

        The first that names it wins over the first pattern that fits, and that over classes of modules. A file does
        not say what class a module is of, so all groups for classes are candidates, as are those whose pattern is
        beyond `NamePattern`; the tensors decide among them.
        """
        if module in self.ignored or any(pattern.matches(module) for pattern in self.ignored_patterns):
            return []
        if module in self.named:
            return [self.named[module]]
        found = []
        for pattern, group in self.patterns:
            fits = pattern.matches(module)
            if fits is not False:
                found.append(group)
            if fits:
                return found
        return found + [group for group in self.groups if any(map(_may_be_class, group.targets))]

    def check_work(self, modules: int, where: str) -> None:
        """Raise FormatError if matching so many modules would take too long."""
        patterns = [*self.ignored_patterns, *(pattern for pattern, _ in self.patterns)]
        work = modules * sum(len(pattern.text) + 1 for pattern in patterns)
        if work > MAX_WORK:
            raise FormatError(
                f"{where}: expected at most {MAX_WORK} modules times characters of patterns, got {work}"
            )


def _may_be_class(target: str) -> bool:
    return target.isidentifier()


def parse_groups(config: Mapping[str, Any], modules: frozenset[str], where: str) -> Groups:
    """Return the groups of a config; FormatError that begins with `where` and names the key that is wrong.

    A target that is one of `modules`, the names of all quantized modules, means that module and no class.
    """
    entries = _typed(config, "config_groups", dict, where)
    top = _typed(config, "format", str | None, where)
    groups = tuple(_group(entry, top, f"{where}: config_groups: {key!r}") for key, entry in entries.items())
    named: dict[str, Group] = {}
    patterns = []
    for group in groups:
        for target in group.targets:
            if target.startswith(PATTERN_MARK):
                patterns.append((target.removeprefix(PATTERN_MARK), group))
            elif target in modules:
                named.setdefault(target, group)
    ignored = _typed(config, "ignore", list | None, where) or []
    _check_names(ignored, f"{where}: ignore")
    for_classes = tuple(
        Group(group.where, tuple(t for t in group.targets if t not in modules), group.scheme)
        for group in groups
    )
    return Groups(
        for_classes,
        named,
        # Their order among patterns is by text.
        tuple((NamePattern(text), group) for text, group in sorted(patterns, key=lambda item: item[0])),
        frozenset(ignored),
        tuple(NamePattern(n.removeprefix(PATTERN_MARK)) for n in ignored if n.startswith(PATTERN_MARK)),
    )


def _typed(owner: Mapping[str, Any], key: str, kind: Any, where: str) -> Any:
    value = owner.get(key)
    # A boolean is an int to Python, and to no config.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        names = {dict: "an object", list: "a list", str: "a string", int: "an integer", bool: "true or false"}
        options = getattr(kind, "__args__", (kind,))
        expected = " or ".join(names.get(option, "null") for option in options)
        raise FormatError(f"{where}: {key}: expected {expected}, got {value!r}")
    return value


def _check_names(value: list[Any], where: str) -> None:
    for name in value:
        if not isinstance(name, str):
            raise FormatError(f"{where}: expected strings, got {name!r}")


def _group(entry: Any, top: str | None, where: str) -> Group:
    if isinstance(entry, list):  # a preset by name, which no writer leaves in a finished config
        _check_names(entry, where)
        return Group(where, tuple(entry), None)
    if not isinstance(entry, dict):
        raise FormatError(f"{where}: expected an object, got {entry!r}")
    targets = _typed(entry, "targets", list, where)
    _check_names(targets, f"{where}: targets")
    own = _typed(entry, "format", str | None, where)
    weights = _typed(entry, "weights", dict | None, where)
    form = own or top
    scheme = None
    if weights is not None and form in INTEGER_FORMATS:
        scheme = _scheme(weights, INTEGER_FORMATS[form], f"{where}: weights")
    return Group(where, tuple(targets), scheme)


def _scheme(weights: Mapping[str, Any], packed: bool | None, where: str) -> Scheme | None:
    arguments = {"num_bits": 8, "type": "int", "symmetric": True, **weights}
    bits = _typed(arguments, "num_bits", int, where)
    kind = _typed(arguments, "type", str, where)
    symmetric = _typed(arguments, "symmetric", bool, where)
    strategy = _typed(arguments, "strategy", str | None, where)
    group_size = _typed(arguments, "group_size", int | None, where)
    if group_size is not None and group_size < 1 and group_size != -1:
        raise FormatError(f"{where}: group_size: expected a positive integer, -1 or null, got {group_size}")
    grouped = group_size is not None and group_size > 0
    if strategy is None:
        strategy = "tensor" if group_size is None else "group" if grouped else "channel"
    if strategy == "group" and not grouped:
        raise FormatError(
            f"{where}: group_size: expected a positive integer for strategy 'group', got {group_size}"
        )
    if kind.lower() != "int" or strategy.lower() not in STRATEGIES or not 2 <= bits <= 8:
        return None
    size = group_size if strategy == "group" and group_size else 0
    return Scheme(packed, bits, strategy.lower(), size, symmetric)
