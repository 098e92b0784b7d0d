"""What a pickle works on: its bytes, a stack and a memo; and the kinds of values that may lie there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import FormatError

__all__ = ["Function", "Inert", "PickleState", "Refusal", "Stateful", "show"]

MAX_LINE_BYTES = 1000  # of a name of a global, or a number in decimal digits
KEY_LIMIT = 1 << 64
PLAIN = (str, bytes, bool, int, float, type(None))
SHOWN = 60


class Refusal(ValueError):  # noqa: N818 - it never leaves the machine, which makes a FormatError of it
    """What a function says about arguments that it cannot take; the machine adds the place."""


@dataclass(frozen=True, slots=True)
class Function:
    """A global that a pickle may call, with what the call means."""

    name: str
    call: Callable[[tuple[Any, ...]], Any]


class Stateful:
    """A value that accepts the state which the opcode BUILD brings, and ignores it unless it knows better."""

    __slots__ = ()

    def set_state(self, state: Any) -> None:
        """Take the state; Refusal if it cannot be one."""


@dataclass(frozen=True, slots=True)
class Inert(Stateful):
    """A value that a reader of tensors has no use for: a device, a layout, a set."""

    name: str


def show(value: Any) -> str:
    """Return a short text for a message. It never looks into containers, which may be endless."""
    if isinstance(value, Function | Inert):
        return value.name
    if not isinstance(value, PLAIN):
        return f"a {type(value).__name__}"
    text = repr(value[:SHOWN] if isinstance(value, str | bytes) else value)
    longer = isinstance(value, str | bytes) and len(value) > SHOWN
    return text[: 2 * SHOWN] + ("..." if longer or len(text) > 2 * SHOWN else "")


class PickleState:
    """Bytes, stack, marks and memo of one pickle, with every check that an opcode may need.

    Parameters
    ----------
    data : buffer
        Bytes, or a memory map.
    where : str
        How messages begin.
    names : mapping of str to object
        What the globals that the pickle may name stand for, as ``module.name``: a `Function`, or any other value.
    persistent : callable, optional
        Is given a persistent id and returns the value it stands for, or raises Refusal.
    start, end : int
        Where the pickle begins, and which byte it must not reach.
    end_note : str
        Added to the message when it does reach it.
    """

    def __init__(
        self,
        data: Any,
        where: str,
        names: Mapping[str, Any],
        persistent: Callable[[Any], Any] | None,
        start: int,
        end: int | None,
        end_note: str,
    ) -> None:
        self.data = memoryview(data)
        self.at = self.opcode_at = start
        self.end = len(self.data) if end is None else end
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: list[Any] = []
        self._start = start
        self._where = where
        self._names = names
        self._persistent = persistent
        self._end_note = end_note
        self._argument_items = 0

    def error(self, message: str) -> FormatError:
        return FormatError(f"{self._where}: pickle opcode at byte {self.opcode_at}: {message}")

    # What follows an opcode

    def take(self, count: int) -> bytes:
        left = self.end - self.at
        if count > left:
            raise self.error(f"expected {count} more bytes, got {left}{self._end_note}")
        self.at += count
        return bytes(self.data[self.at - count : self.at])

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def line(self) -> bytes:
        found = bytes(self.data[self.at : min(self.at + MAX_LINE_BYTES, self.end)]).find(b"\n")
        if found < 0:
            note = self._end_note if self.end - self.at < MAX_LINE_BYTES else ""
            raise self.error(f"expected a line of at most {MAX_LINE_BYTES} bytes, got no end of it{note}")
        return self.take(found + 1)[:-1]

    def decode(self, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise self.error(
                f"expected UTF-8, got byte {raw[error.start]:#04x} at {error.start} of a text of {len(raw)} bytes"
            ) from None

    # The stack

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def require(self, count: int) -> None:
        """Raise FormatError unless so many values lie above the last mark."""
        have = len(self.stack) - (self.marks[-1] if self.marks else 0)
        if have < count:
            raise self.error(f"expected {count} values on the stack, got {have}")

    def pop(self) -> Any:
        self.require(1)
        return self.stack.pop()

    def pop_marked(self) -> list[Any]:
        if not self.marks:
            raise self.error("expected a MARK on the stack, got none")
        floor = self.marks.pop()
        items = self.stack[floor:]
        del self.stack[floor:]
        return items

    def top(self, kind: type) -> Any:
        self.require(1)
        value = self.stack[-1]
        if type(value) is not kind:
            raise self.error(f"expected a {kind.__name__} on the stack, got {show(value)}")
        return value

    # The memo

    def remember(self, index: int) -> None:
        """Give the value on top of the stack a number. Picklers count upwards, so that a list can keep them."""
        self.require(1)
        if index > len(self.memo):
            raise self.error(f"memo: expected number {len(self.memo)} or one before, got {index}")
        self.memo[index : index + 1] = [self.stack[-1]]

    def recall(self, index: int) -> None:
        if index >= len(self.memo):
            raise self.error(f"memo: expected a number below {len(self.memo)}, got {index}")
        self.push(self.memo[index])

    # What is made of values

    def set_items(self, items: list[Any]) -> None:
        target = self.top(dict)
        if len(items) % 2:
            raise self.error(f"expected pairs of key and value, got {len(items)} values")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # The hash of a tuple recurses and can be forged, so none is a key here.
            if not isinstance(key, PLAIN) or (type(key) is int and not -KEY_LIMIT < key < KEY_LIMIT):
                raise self.error(f"key: expected text or a number of 64 bits, got {show(key)}")
            # Hashes of numbers can be chosen to collide, so that n keys take n**2 steps; those of bytes cannot.
            target[key if type(key) is str else repr(key).encode()] = value

    def push_global(self, name: str) -> None:
        if name not in self._names:
            raise self.error(
                f"wants {show(name)}, which is no part of a state dict; nothing was run. "
                f"If the file holds a whole model, save model.state_dict() instead"
            )
        self.push(self._names[name])

    def reduce(self) -> None:
        self.require(2)
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, Function) or type(arguments) is not tuple:
            raise self.error(
                f"expected a function and a tuple to call it with, got {show(function)} and {show(arguments)}"
            )
        # A call may copy its arguments. Picklers write them out for every call; with shared ones a short pickle
        # could ask for any number of copies.
        self._argument_items += len(arguments) + sum(
            len(argument) for argument in arguments if isinstance(argument, str | bytes | list | tuple)
        )
        if self._argument_items > self.at - self._start:
            raise self.error(
                f"{function.name}: expected arguments shorter than the pickle, got repeated ones"
            )
        try:
            self.push(function.call(arguments))
        except Refusal as error:
            raise self.error(f"{function.name}: {error}") from None

    def build(self) -> None:
        self.require(2)
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, Stateful):
            try:
                target.set_state(state)
            except Refusal as error:
                raise self.error(f"state: {error}") from None
        elif (
            type(target) is not dict
        ):  # of an OrderedDict the state is its attributes: _metadata, and no item
            raise self.error(f"expected a dict or a tensor to give a state to, got {show(target)}")

    def load_persistent(self) -> None:
        identity = self.pop()
        if self._persistent is None:
            raise self.error("expected no persistent id here")
        try:
            self.push(self._persistent(identity))
        except Refusal as error:
            raise self.error(f"persistent id: {error}") from None
