"""Patterns of names that a file brings along, matched in bounded time.

A regular expression is a program: a short one can keep Python's `re` busy for years. Here a set of positions in the
name, one bit each, goes through the pattern once, so that the time grows with the lengths and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["MAX_NAME_CHARACTERS", "MAX_PATTERN_CHARACTERS", "NamePattern"]

MAX_PATTERN_CHARACTERS = 1000
MAX_NAME_CHARACTERS = 1000
MAX_DEPTH = 20  # of groups within groups

# One character of a name: an escape, a set, or itself. Each is harmless as a regular expression of its own.
ATOM = re.compile(r"\\[\W_dwsDWS]|\[\^?(?:\\[\W_dwsDWS]|[^\\\[\]&~|])+\]|[^\\\[\](){}*+?|^$]", re.DOTALL)

# Takes the name's characters and a set of positions, gives the set of positions behind what was matched.
Step = Callable[["Name", int], int]


class Name:
    """A name, and for every kind of character where it stands in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.end = 1 << len(text)
        if text.endswith("\n"):  # as re has it, the end is before a last newline too
            self.end |= self.end >> 1
        self._places: dict[re.Pattern[str], int] = {}

    def places(self, atom: re.Pattern[str]) -> int:
        """Return a set of the positions at which a character of this kind stands."""
        if atom not in self._places:
            bits = 0
            for match in atom.finditer(self.text):
                bits |= 1 << match.start()
            self._places[atom] = bits
        return self._places[atom]


class NamePattern:
    """What `re.match` would find, for the part of its language that names of modules need.

    Characters, ``.``, sets, ``\\d \\w \\s``, groups, ``|``, ``* + ?``, ``^`` and ``$``; but no counted repeats, no
    looking around or back, and no repeated group that itself repeats something.

    Examples
    --------
    >>> pattern = NamePattern(r".*self_attn\\.(q|k|v)_proj$")
    >>> pattern.matches("model.layers.3.self_attn.q_proj"), pattern.matches("model.layers.3.mlp.up_proj")
    (True, False)
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

    def matches(self, name: str) -> bool | None:
        """Whether the beginning of a name fits; None if that cannot be told: a pattern or name beyond our limits."""
        if self._step is None or len(name) > MAX_NAME_CHARACTERS:
            return None
        return self._step(Name(name), 1) != 0

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
            step, repeated = self._item(depth)
            steps.append(step)
            repeats |= repeated
        return _one_after_the_other(steps), repeats

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
            step = _character(re.compile(found[0]))
        times = self._peek()
        if times not in ("*", "+", "?"):
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


def _character(atom: re.Pattern[str]) -> Step:
    return lambda name, starts: (starts & name.places(atom)) << 1


def _nothing(name: Name, starts: int) -> int:
    return starts


def _at_start(name: Name, starts: int) -> int:
    return starts & 1


def _at_end(name: Name, starts: int) -> int:
    return starts & name.end


def _any_of(steps: list[Step]) -> Step:
    def run(name: Name, starts: int) -> int:
        ends = 0
        for step in steps:
            ends |= step(name, starts)
        return ends

    return steps[0] if len(steps) == 1 else run


def _one_after_the_other(steps: list[Step]) -> Step:
    def run(name: Name, starts: int) -> int:
        for step in steps:
            starts = step(name, starts)
        return starts

    return run


def _repeated(step: Step) -> Step:
    def run(name: Name, starts: int) -> int:
        reached = new = starts
        while new:  # at most once for every position
            new = step(name, new) & ~reached
            reached |= new
        return reached

    return run
