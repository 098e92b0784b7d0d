"""Patterns of names that a file brings along, matched in bounded time.

A regular expression is a program: a short one can keep Python's `re` busy for years. Here a set of positions in the
name, one bit each, goes through the pattern once, so that the time grows with the lengths and nothing else; and all
patterns and names together may take so many steps (`Work`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

__all__ = ["MAX_NAME_CHARACTERS", "MAX_PATTERN_CHARACTERS", "Name", "NamePattern", "Work", "WorkError"]

MAX_PATTERN_CHARACTERS = 1000
MAX_NAME_CHARACTERS = 1000
MAX_DEPTH = 20  # of groups within groups

# One character of a name: an escape, a set, or itself. Each is harmless as a regular expression of its own.
ATOM = re.compile(r"\\[\W_dwsDWS]|\[\^?(?:\\[\W_dwsDWS]|[^\\\[\]&~|])+\]|[^\\\[\](){}*+?|^$]", re.DOTALL)
REPEATS = ("*", "+", "?")

# Takes the name's characters and a set of positions, gives the set of positions behind what was matched.
Step = Callable[["Name", int], int]


class WorkError(Exception):
    """There is no work left."""


class Work:
    """How many steps may still be taken, each the time of a few hundred instructions of Python's."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def spend(self, steps: int) -> None:
        """Take steps; WorkError if there are not so many left."""
        self._left -= steps
        if self._left < 0:
            raise WorkError


class Name:
    """A name, and for everything that stands in it, where."""

    def __init__(self, text: str, work: Work) -> None:
        self.text = text
        self.work = work
        self.end = 1 << len(text)
        if text.endswith("\n"):  # as re has it, the end is before a last newline too
            self.end |= self.end >> 1
        self._places: dict[str | re.Pattern[str], int] = {}

    def places(self, atom: str | re.Pattern[str]) -> int:
        """Return a set of the positions at which a text, or a character of this kind, stands."""
        if atom not in self._places:
            bits = count = 0
            for start in _starts(atom, self.text):
                bits |= 1 << start
                count += 1
            self.work.spend(count)
            self._places[atom] = bits
        return self._places[atom]


def _starts(atom: str | re.Pattern[str], text: str) -> Iterator[int]:
    if not isinstance(atom, str):
        yield from (match.start() for match in atom.finditer(text))
        return
    start = text.find(atom)
    while start >= 0:
        yield start
        start = text.find(atom, start + 1)


class NamePattern:
    """What `re.match` would find, for the part of its language that names of modules need.

    Characters, ``.``, sets, ``\\d \\w \\s``, groups, ``|``, ``* + ?``, ``^`` and ``$``; but no counted repeats, no
    looking around or back, and no repeated group that itself repeats something.

    Examples
    --------
    >>> pattern = NamePattern(r".*self_attn\\.(q|k|v)_proj$")
    >>> names = ("model.layers.3.self_attn.q_proj", "model.layers.3.mlp.up_proj")
    >>> [pattern.matches(Name(name, Work(1000))) for name in names]
    [True, False]
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._at = 0
        self._step: Step | None = None
        if len(text) <= MAX_PATTERN_CHARACTERS:
            try:
                step, _ = self._alternatives(0)
                self._step = step if self._at == len(text) else None
            except (_UnknownError, re.error):
                pass

    def matches(self, name: Name) -> bool | None:
        """Whether the beginning of a name fits; None if that cannot be told: a pattern or name beyond our limits.

        Raises
        ------
        WorkError
            If it takes more steps than the name's work has left.
        """
        if self._step is None or len(name.text) > MAX_NAME_CHARACTERS:
            return None
        name.work.spend(1)
        return self._step(name, 1) != 0

    def _peek(self) -> str:
        return self.text[self._at : self._at + 1]

    def _alternatives(self, depth: int) -> tuple[Step, bool]:
        """Parse up to the end or a closing parenthesis; return the step, and whether anything in it repeats."""
        if depth > MAX_DEPTH:
            raise _UnknownError
        choices = [self._sequence(depth)]
        while self._peek() == "|":
            self._at += 1
            choices.append(self._sequence(depth))
        steps = [step for step, _ in choices]
        return _any_of(steps), any(repeats for _, repeats in choices)

    def _sequence(self, depth: int) -> tuple[Step, bool]:
        steps, repeats = [], False
        while self._peek() not in ("", "|", ")"):
            literal = self._literal()
            if literal:
                steps.append(_standing(literal, len(literal)))
                continue
            step, repeated = self._item(depth)
            steps.append(step)
            repeats |= repeated
        return _one_after_the_other(steps), repeats

    def _literal(self) -> str:
        """Take the characters that stand for themselves, once each, as far as they go."""
        taken = ""
        while True:
            found = ATOM.match(self.text, self._at)
            character = "" if found is None else found[0].removeprefix("\\")
            escaped = found is not None and len(found[0]) == 2
            if len(character) != 1 or (character.isalnum() if escaped else character == "."):
                return taken
            end = self._at + 1 + escaped
            if self.text[end : end + 1] in REPEATS:
                return taken
            taken, self._at = taken + character, end

    def _item(self, depth: int) -> tuple[Step, bool]:
        sign, inner = self._peek(), False
        if sign in "^$":
            self._at += 1
            return (_at_start if sign == "^" else _at_end), False
        if sign == "(":
            self._at += 3 if self.text.startswith("(?:", self._at) else 1
            if self._peek() == "?":
                raise _UnknownError
            step, inner = self._alternatives(depth + 1)
            if self._peek() != ")":
                raise _UnknownError
            self._at += 1
        else:
            found = ATOM.match(self.text, self._at)
            if found is None or "--" in found[0]:
                raise _UnknownError
            self._at = found.end()
            step = ANY if found[0] == "." else _standing(re.compile(found[0]), 1)
        times = self._peek()
        if times not in REPEATS:
            return step, inner
        self._at += 1
        if self._peek() == "?":  # a lazy repeat fits the same names
            self._at += 1
        if times == "?":
            return _any_of([step, _nothing]), inner
        if inner:
            raise _UnknownError
        again = _repeated(step)
        return (again if times == "*" else _one_after_the_other([step, again])), True


class _UnknownError(Exception):
    """The pattern uses what is not supported."""


def _standing(atom: str | re.Pattern[str], length: int) -> Step:
    def run(name: Name, starts: int) -> int:
        name.work.spend(1)
        return (starts & name.places(atom)) << length

    return run


ANY = _standing(re.compile("."), 1)


def _nothing(name: Name, starts: int) -> int:
    return starts


def _at_start(name: Name, starts: int) -> int:
    return starts & 1


def _at_end(name: Name, starts: int) -> int:
    return starts & name.end


def _any_of(steps: list[Step]) -> Step:
    def run(name: Name, starts: int) -> int:
        name.work.spend(len(steps))
        ends = 0
        for step in steps:
            ends |= step(name, starts)
        return ends

    return steps[0] if len(steps) == 1 else run


def _one_after_the_other(steps: list[Step]) -> Step:
    def run(name: Name, starts: int) -> int:
        for step in steps:
            if not starts:
                break
            starts = step(name, starts)
        return starts

    return steps[0] if len(steps) == 1 else run


def _repeated(step: Step) -> Step:
    def run(name: Name, starts: int) -> int:
        reached = new = starts
        while new:  # at most once for every position
            new = step(name, new) & ~reached
            reached |= new
        return reached

    return run
