"""The groups of a ``quantization_config`` of compressed-tensors: which modules are quantized, and how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import FormatError
from .name_patterns import Name, NamePattern, Work, WorkError

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
MAX_STEPS = 100_000_000
"""Of matching all modules with all patterns and schemes; beyond it some ten seconds would be spent on that alone."""

TRIAL_STEPS = 200
"""What it takes to see whether the tensors of a module fit a scheme."""

MAX_GROUPS = 1000
MAX_PATTERN_CHARACTERS = 6_000
"""Of all patterns together, each with one more. One that is ready to be matched takes a hundred times its text."""


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
    """The groups of a config, asked by module.

    Attributes
    ----------
    where : str
        Beginning of messages.
    named : dict
        The groups that name a module, by its name.
    patterns : tuple
        Patterns with the groups that they are for.
    for_classes : tuple
        The groups that are for classes of modules, one of each scheme.
    ignored, ignored_patterns
        Names and patterns of modules that are not quantized.
    """

    where: str
    named: Mapping[str, Group]
    patterns: tuple[tuple[NamePattern, Group], ...]
    for_classes: tuple[Group, ...]
    ignored: frozenset[str]
    ignored_patterns: tuple[NamePattern, ...]
    _work: Work = field(default_factory=lambda: Work(MAX_STEPS))

    def candidates(self, module: str) -> list[Group]:
        """Return the groups that may be meant for a module, none if it is not quantized.

        The first that names it wins over the first pattern that fits, and that over classes of modules. A file does
        not say what class a module is of, so all groups for classes are candidates, as are those whose pattern is
        beyond `NamePattern`; the tensors decide among them.

        Raises
        ------
        FormatError
            If finding the groups of all modules takes too long.
        """
        try:
            found = self._candidates(Name(module, self._work))
            self._work.spend(TRIAL_STEPS * len(found))
        except WorkError:
            raise FormatError(
                f"{self.where}: expected patterns and groups that are told for all modules in {MAX_STEPS} steps"
            ) from None
        return found

    def _candidates(self, module: Name) -> list[Group]:
        if module.text in self.ignored or any(pattern.matches(module) for pattern in self.ignored_patterns):
            return []
        if module.text in self.named:
            return [self.named[module.text]]
        found = []
        for pattern, group in self.patterns:
            fits = pattern.matches(module)
            if fits is not False:
                found.append(group)
            if fits:
                return found
        return [*found, *self.for_classes]


def parse_groups(config: Mapping[str, Any], modules: frozenset[str], where: str) -> Groups:
    """Return the groups of a config; FormatError that begins with `where` and names the key that is wrong.

    A target that is one of `modules`, the names of all quantized modules, means that module and no class.
    """
    entries = _typed(config, "config_groups", dict, where)
    top = _typed(config, "format", str | None, where)
    if len(entries) > MAX_GROUPS:
        raise FormatError(f"{where}: config_groups: expected at most {MAX_GROUPS} groups, got {len(entries)}")
    groups = [_group(entry, top, f"{where}: config_groups: {key!r}") for key, entry in entries.items()]
    ignored = _typed(config, "ignore", list | None, where) or []
    _check_names(ignored, f"{where}: ignore")
    targets = [(target, group) for group in groups for target in group.targets]
    patterns = [(text, group) for target, group in targets if (text := _pattern_of(target)) is not None]
    ignored_patterns = [text for name in ignored if (text := _pattern_of(name)) is not None]
    characters = sum(len(text) + 1 for text in (*ignored_patterns, *(text for text, _ in patterns)))
    if characters > MAX_PATTERN_CHARACTERS:
        raise FormatError(
            f"{where}: expected patterns of at most {MAX_PATTERN_CHARACTERS} characters together, got {characters}"
        )
    return Groups(
        where,
        # The first group that names a module is the one.
        {target: group for target, group in reversed(targets) if target in modules},
        # Their order among patterns is by text.
        tuple((NamePattern(text), group) for text, group in sorted(patterns, key=lambda item: item[0])),
        _of_each_scheme(
            group for target, group in targets if target not in modules and target.isidentifier()
        ),
        frozenset(ignored),
        tuple(map(NamePattern, ignored_patterns)),
    )


def _pattern_of(target: str) -> str | None:
    return target.removeprefix(PATTERN_MARK) if target.startswith(PATTERN_MARK) else None


def _of_each_scheme(groups: Iterable[Group]) -> tuple[Group, ...]:
    """Return the first group of each scheme: the others would be tried for nothing."""
    first: dict[Scheme | None, Group] = {}
    for group in groups:
        first.setdefault(group.scheme, group)
    return tuple(first.values())


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
