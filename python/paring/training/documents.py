"""Settings and states as documents: the plain dicts, lists, text and numbers that JSON holds, read back strictly."""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypeVar

from ..compression.quantize_settings import check_integer
from ..compression.recipe_steps import did_you_mean

__all__ = ["DEEPEST", "LARGEST", "Documented", "check_count", "check_same", "find_differences"]

VERSION = 1
DEEPEST = 32
ABSENT = "nothing"
LARGEST = 2**63 - 1

D = TypeVar("D", bound="Documented")


def check_count(value: object, label: str, least: int = 0) -> int:
    """Return `value` as an int from `least` to 2**63 - 1; TypeError or ValueError otherwise."""
    number = check_integer(value, label)
    if not least <= number <= LARGEST:
        raise ValueError(
            f"{label}: expected an integer from {least} to 2**63 - 1, got {reprlib.repr(number)}"
        )
    return number


class Documented:
    """A frozen dataclass that becomes a document and is made of one again.

    A subclass names its `kind`, and is found by it. One that has none can be used, but not stored.
    """

    kind: ClassVar[str] = ""
    _kinds: ClassVar[dict[str, type[Documented]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        kind = cls.__dict__.get("kind", "")
        if not kind:
            return
        other = Documented._kinds.setdefault(kind, cls)
        if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(
                f"{cls.__qualname__}: expected a kind of its own, got {kind!r}, which is {other.__qualname__}"
            )
        Documented._kinds[kind] = cls

    def to_dict(self) -> dict[str, Any]:
        """Return a document: JSON-able values under the arguments' names, with ``version`` and ``kind``.

        Defaults are written too: a document means the same when they change.

        Raises
        ------
        TypeError
            If this class names no kind.
        """
        return {"version": VERSION, **self._table()}

    @classmethod
    def from_dict(cls: type[D], document: object) -> D:
        """Return what a document of `to_dict` stands for; arguments that have defaults may be left out.

        Raises
        ------
        TypeError, ValueError
            The message starts with the place, such as ``cosine.steps``.
        """
        table = _check_table(document, cls.__name__)
        if "version" not in table:
            raise ValueError(f"{cls.__name__}: expected a key 'version'")
        version = check_integer(table["version"], f"{cls.__name__}.version")
        if version != VERSION:
            raise ValueError(
                f"{cls.__name__}.version: expected {VERSION}, got {reprlib.repr(version)}: "
                f"written by a newer version of paring?"
            )
        return cls._parse({key: value for key, value in table.items() if key != "version"}, "", 0)

    def _table(self) -> dict[str, Any]:
        if type(self).__dict__.get("kind", "") == "":
            raise TypeError(f"{type(self).__qualname__}: expected a class that names its kind to be stored")
        return {"kind": self.kind, **self._arguments()}

    def _arguments(self) -> dict[str, Any]:
        """Return the arguments as JSON-able values."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        values = {field.name: getattr(self, field.name) for field in fields}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def _decode(cls, arguments: dict[str, Any], where: str, depth: int) -> dict[str, Any]:
        """Return arguments for the class, given those of a document; `depth` tables are around it.

        What is raised here says its whole place, which starts with `where`.
        """
        return arguments

    @classmethod
    def _parse(cls: type[D], document: object, where: str, depth: int) -> D:
        """Return what a table without a version stands for; the outermost is placed by its kind."""
        table = _check_table(document, where or cls.__name__)
        if depth > DEEPEST:
            raise ValueError(f"{where}: expected at most {DEEPEST} schedules around one, got more")
        make = cls._class_of(table, where or cls.__name__)
        where = where or make.kind
        fields = dataclasses.fields(make)  # type: ignore[arg-type]
        known = [field.name for field in fields]
        arguments = {key: value for key, value in table.items() if key != "kind"}
        for key in arguments:
            if key not in known:
                hint = did_you_mean(key, known) or f"; expected {', '.join(map(repr, known))}"
                raise ValueError(f"{where}: unknown key {reprlib.repr(key)} of kind {make.kind!r}{hint}")
        for field in fields:
            if field.default is dataclasses.MISSING and field.name not in arguments:
                raise ValueError(f"{where}: expected a key {field.name!r} of kind {make.kind!r}")
        decoded = make._decode(arguments, where, depth)
        try:
            return make(**decoded)
        except TypeError as error:
            raise TypeError(_placed(str(error), where, known)) from error
        except ValueError as error:
            raise ValueError(_placed(str(error), where, known)) from error

    @classmethod
    def _class_of(cls: type[D], table: Mapping[str, Any], where: str) -> type[D]:
        kinds = {kind: make for kind, make in Documented._kinds.items() if issubclass(make, cls)}
        if "kind" not in table:
            raise ValueError(f"{where}: expected a key 'kind' that is one of {', '.join(map(repr, kinds))}")
        kind = table["kind"]
        if not isinstance(kind, str) or kind not in kinds:
            raise ValueError(
                f"{where}.kind: expected one of {', '.join(map(repr, kinds))}, got {reprlib.repr(kind)}"
                f"{did_you_mean(kind, kinds)}"
            )
        return kinds[kind]

    def _stored(self, document: object) -> dict[str, Any]:
        """Return a document in the form that `to_dict` gives, however it was written."""
        return type(self)._family().from_dict(document).to_dict()

    @classmethod
    def _family(cls) -> type[Documented]:
        """Return the widest class of its kind: what a document may stand for to be compared with this."""
        return [base for base in cls.__mro__ if issubclass(base, Documented)][-2]


def _placed(message: str, where: str, known: list[str]) -> str:
    """Return the message of a class's own check with its place: ``steps: ...`` becomes ``cosine.steps: ...``."""
    argument = message.partition(":")[0].partition("[")[0]
    return f"{where}{'.' if argument in known else ': '}{message}"


def _check_table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{where}: expected a dict, got {type(value).__name__} {reprlib.repr(value)}")
    return value


def check_same(settings: Documented, document: object, *, allow_change: bool = False) -> list[str]:
    """Compare settings with the document of those that a run began with, and return what differs.

    Parameters
    ----------
    settings : schedule, plateau or other object with `to_dict`
        Those of now.
    document : dict
        What `to_dict` gave then.
    allow_change : bool
        Return the differences instead of raising them.

    Returns
    -------
    list of str
        One line for each difference, such as ``steps: 100 in the document, 200 now``.

    Raises
    ------
    ValueError
        If there is a difference: a run that goes on by another schedule jumps. Or if the document is none.
    TypeError
        If the document is no dict.

    Examples
    --------
    >>> from paring.training.schedules import Cosine
    >>> document = Cosine(0.1, steps=100).to_dict()
    >>> check_same(Cosine(0.1, steps=100), document)
    []
    >>> check_same(Cosine(0.1, steps=200), document, allow_change=True)
    ['steps: 100 in the document, 200 now']
    """
    if not isinstance(settings, Documented):
        raise TypeError(
            f"settings: expected a schedule or another object with to_dict, got {type(settings).__name__}"
        )
    differences = list(find_differences("", settings._stored(document), settings.to_dict()))
    if differences and not allow_change:
        raise ValueError(
            f"{type(settings).__name__}: not what the run began with: {'; '.join(differences)}; "
            f"pass allow_change=True to go on with it"
        )
    return differences


def find_differences(place: str, then: object, now: object) -> Iterator[str]:
    """Yield a line for each place where two documents differ; below another kind nothing is compared."""
    if isinstance(then, dict) and isinstance(now, dict):
        key_of = f"{place}." if place else ""
        if then.get("kind") != now.get("kind"):
            yield f"{key_of}kind: {then.get('kind')!r} in the document, {now.get('kind')!r} now"
            return
        for key in {**now, **then}:
            yield from find_differences(f"{key_of}{key}", then.get(key, ABSENT), now.get(key, ABSENT))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (old, new) in enumerate(zip(then, now, strict=True)):
            yield from find_differences(f"{place}[{number}]", old, new)
    elif then != now:
        old, new = (value if value is ABSENT else reprlib.repr(value) for value in (then, now))
        yield f"{place}: {old} in the document, {new} now"
