"""A machine for the pickle opcodes that build plain data. It imports nothing and calls nothing but what it is given.

Pickle is a language for a stack machine. `run_pickle` knows the part of protocols 1 to 5 that makes None, booleans,
numbers, text, bytes, tuples, lists and dicts. Where a pickle names a global, the name is looked up in a table of the
caller, and every other name is refused; only a `Function` of that table can be called. Opcodes that make objects of
classes do not exist here.

Time and memory are bounded by the length of the pickle: every opcode does constant work or reads its own operand,
containers share what they hold, and calls may look at no more items than the pickle has bytes. An opcode of one byte
costs at most an empty dict, so that a pickle takes at most some 80 times its own size. Nothing recurses.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from typing import Any

from .pickle_state import Inert, PickleState, show

__all__ = ["run_pickle"]

STOP = ord(".")
HIGHEST_PROTOCOL = 5
MAX_INTEGER_BYTES = 255  # what LONG1 can hold; Python itself refuses to print much longer numbers

Operation = Callable[[PickleState], None]


def run_pickle(
    data: Any,
    where: str,
    names: Mapping[str, Any],
    persistent: Callable[[Any], Any] | None = None,
    start: int = 0,
    end: int | None = None,
    end_note: str = "",
) -> tuple[Any, int]:
    """Return the value of the pickle at byte `start` of a buffer, and the byte after it.

    The parameters are those of `PickleState`. Keys of dicts that are no text are given as the bytes of their `repr`.

    Raises
    ------
    FormatError
        If the pickle wants a global, an opcode or a combination of them that is not plain data, or is cut.

    Examples
    --------
    >>> run_pickle(b"(K\\x01U\\x02hi]t.", "here", {})
    ((1, 'hi', []), 10)
    >>> run_pickle(b"cos\\nsystem\\n(U\\x02lstR.", "here", {})
    Traceback (most recent call last):
        ...
    paring.errors.FormatError: here: pickle opcode at byte 0: wants 'os.system', which is no part of ...
    """
    state = PickleState(data, where, names, persistent, start, end, end_note)
    data, end = state.data, state.end
    while True:
        state.opcode_at = state.at
        if state.at >= end:
            state.take(1)
        code = data[state.at]
        state.at += 1
        if code == STOP:
            if len(state.stack) != 1 or state.marks:
                raise state.error(f"expected one value on the stack at the end, got {len(state.stack)}")
            return state.stack[0], state.at
        operation = OPERATIONS.get(code)
        if operation is None:
            name = OTHER_OPCODES.get(code, f"{code:#04x}")
            raise state.error(f"expected opcodes that build plain data and tensors, got {name}")
        operation(state)


def _check_protocol(state: PickleState) -> None:
    version = state.number(1)
    if version > HIGHEST_PROTOCOL:
        raise state.error(f"expected a pickle protocol up to {HIGHEST_PROTOCOL}, got {version}")


def _check_frame(state: PickleState) -> None:
    count, left = state.number(8), state.end - state.at
    if count > left:
        raise state.error(f"frame: expected at most the {left} bytes that follow, got {count}")


def _push(value: Any) -> Operation:
    return lambda state: state.push(value)


def _push_unsigned(count: int) -> Operation:
    return lambda state: state.push(state.number(count))


def _push_int32(state: PickleState) -> None:
    state.push(int.from_bytes(state.take(4), "little", signed=True))


def _push_long(length_bytes: int) -> Operation:
    def operation(state: PickleState) -> None:
        count = state.number(length_bytes)
        if count > MAX_INTEGER_BYTES:
            raise state.error(f"expected an integer of at most {MAX_INTEGER_BYTES} bytes, got {count}")
        state.push(int.from_bytes(state.take(count), "little", signed=True))

    return operation


def _push_decimal(state: PickleState) -> None:
    digits = state.line()
    if digits in (b"00", b"01"):  # how protocol 1 writes False and True
        state.push(digits == b"01")
    elif re.fullmatch(rb"-?[0-9]{1,600}L?", digits):
        state.push(int(digits.rstrip(b"L")))
    else:
        raise state.error(f"expected decimal digits, got {show(digits)}")


def _push_float(state: PickleState) -> None:
    state.push(struct.unpack(">d", state.take(8))[0])


def _push_text(length_bytes: int) -> Operation:
    return lambda state: state.push(state.decode(state.take(state.number(length_bytes))))


def _push_bytes(length_bytes: int) -> Operation:
    return lambda state: state.push(state.take(state.number(length_bytes)))


def _push_old_text(length_bytes: int) -> Operation:
    """Text of Python 2, where the same opcode served for bytes."""

    def operation(state: PickleState) -> None:
        raw = state.take(state.number(length_bytes))
        try:
            state.push(raw.decode())
        except UnicodeDecodeError:
            state.push(raw)

    return operation


def _push_tuple(count: int) -> Operation:
    def operation(state: PickleState) -> None:
        state.require(count)
        state.stack[-count:] = [tuple(state.stack[-count:])]

    return operation


def _append(state: PickleState) -> None:
    item = state.pop()
    state.top(list).append(item)


def _append_all(state: PickleState) -> None:
    items = state.pop_marked()
    state.top(list).extend(items)


def _set_item(state: PickleState) -> None:
    state.require(3)
    items = state.stack[-2:]
    del state.stack[-2:]
    state.set_items(items)


def _discard(state: PickleState) -> None:
    state.pop()


def _discard_marked(state: PickleState) -> None:
    state.pop_marked()


def _add_to_set(state: PickleState) -> None:
    state.pop_marked()
    state.require(1)
    if not isinstance(state.stack[-1], Inert):
        raise state.error(f"expected a set on the stack, got {show(state.stack[-1])}")


def _push_frozen_set(state: PickleState) -> None:
    state.pop_marked()
    state.push(Inert("frozenset"))


def _push_global(state: PickleState) -> None:
    module, name = state.decode(state.line()), state.decode(state.line())
    state.push_global(f"{module}.{name}")


def _push_global_of_stack(state: PickleState) -> None:
    state.require(2)
    name, module = state.stack.pop(), state.stack.pop()
    if type(name) is not str or type(module) is not str:
        raise state.error(f"expected module and name as texts, got {show(module)} and {show(name)}")
    state.push_global(f"{module}.{name}")


OPERATIONS: dict[int, Operation] = {
    0x80: _check_protocol,
    0x95: _check_frame,
    ord("("): lambda state: state.marks.append(len(state.stack)),
    ord("0"): _discard,
    ord("1"): _discard_marked,
    ord("N"): _push(None),
    0x88: _push(True),
    0x89: _push(False),
    ord("I"): _push_decimal,
    ord("L"): _push_decimal,
    ord("J"): _push_int32,
    ord("K"): _push_unsigned(1),
    ord("M"): _push_unsigned(2),
    0x8A: _push_long(1),
    0x8B: _push_long(4),
    ord("G"): _push_float,
    ord("X"): _push_text(4),
    0x8C: _push_text(1),
    0x8D: _push_text(8),
    ord("T"): _push_old_text(4),
    ord("U"): _push_old_text(1),
    ord("B"): _push_bytes(4),
    ord("C"): _push_bytes(1),
    0x8E: _push_bytes(8),
    0x96: _push_bytes(8),  # a bytearray
    ord(")"): _push(()),
    ord("t"): lambda state: state.push(tuple(state.pop_marked())),
    0x85: _push_tuple(1),
    0x86: _push_tuple(2),
    0x87: _push_tuple(3),
    ord("]"): lambda state: state.push([]),
    ord("a"): _append,
    ord("e"): _append_all,
    ord("}"): lambda state: state.push({}),
    ord("s"): _set_item,
    ord("u"): lambda state: state.set_items(state.pop_marked()),
    0x8F: lambda state: state.push(Inert("set")),
    0x90: _add_to_set,
    0x91: _push_frozen_set,
    ord("q"): lambda state: state.remember(state.number(1)),
    ord("r"): lambda state: state.remember(state.number(4)),
    0x94: lambda state: state.remember(len(state.memo)),
    ord("h"): lambda state: state.recall(state.number(1)),
    ord("j"): lambda state: state.recall(state.number(4)),
    ord("c"): _push_global,
    0x93: _push_global_of_stack,
    ord("R"): PickleState.reduce,
    ord("b"): PickleState.build,
    ord("Q"): PickleState.load_persistent,
}

OTHER_OPCODES = {
    ord(code): name
    for code, name in {
        "2": "DUP",
        "F": "FLOAT",
        "P": "PERSID",
        "S": "STRING",
        "V": "UNICODE",
        "d": "DICT",
        "g": "GET",
        "i": "INST",
        "l": "LIST",
        "o": "OBJ",
        "p": "PUT",
        "\x81": "NEWOBJ",
        "\x82": "EXT1",
        "\x83": "EXT2",
        "\x84": "EXT4",
        "\x92": "NEWOBJ_EX",
        "\x97": "NEXT_BUFFER",
        "\x98": "READONLY_BUFFER",
    }.items()
}
"""Refused opcodes, for the message: they make objects, or belong to protocol 0, which torch.save never used."""
