"""What objdump writes, as functions of instructions, and the innermost loops of a function."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Instruction", "functions_of", "innermost_loops"]

HEAD = re.compile(r"^([0-9a-f]+) <(.*)>:$")
LINE = re.compile(r"^\s*([0-9a-f]+):\s+(\S.*?)\s*$")
JUMP = re.compile(r"^(?:notrack )?(j\w+)\s+([0-9a-f]+)\b")
# Nothing follows them: what stands behind is reached by a jump only.
LEAVES = re.compile(r"^(?:notrack |repz |bnd )*(?:ret|jmp|ud2|hlt)")


@dataclass(frozen=True)
class Instruction:
    """One line: `target` is the address a jump inside the function goes to."""

    address: int
    text: str

    @property
    def target(self) -> int | None:
        match = JUMP.match(self.text)
        return int(match[2], 16) if match else None

    @property
    def goes_on(self) -> bool:
        return LEAVES.match(self.text) is None


def functions_of(listing: str) -> list[tuple[str, list[Instruction]]]:
    """Return name and instructions of the functions in what ``objdump -d -C --no-show-raw-insn`` wrote.

    Names are short, so that several functions may share one: those of several types of arguments, say.
    """
    functions: list[tuple[str, list[Instruction]]] = []
    for line in listing.splitlines():
        if head := HEAD.match(line):
            functions.append((shorten(head[2]), []))
        elif functions and (found := LINE.match(line)):
            functions[-1][1].append(Instruction(int(found[1], 16), found[2]))
    return functions


def shorten(symbol: str) -> str:
    """Return a demangled name without result type, arguments and the namespaces that all of ours are in.

    >>> shorten("void (anonymous namespace)::tile<(anonymous namespace)::Bytes, 1, true>(paring::Task const&)")
    'tile<Bytes, 1, true>'
    """
    text = re.sub(r"\(anonymous namespace\)::|paring::", "", symbol)
    text = re.sub(r"^(void|bool|float|int|unsigned long|auto) ", "", text)
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign == "<") - (sign == ">")
        if sign == "(" and depth == 0:
            clone = re.search(r" \[clone [^]]*\]$", text)
            return text[:place] + (clone[0] if clone else "")
    return text


def innermost_loops(function: list[Instruction]) -> Iterator[list[Instruction]]:
    """Yield the instructions of each natural loop that has no other loop inside, in the order of their heads.

    A jump back alone is no loop: compilers put rare blocks behind a function, from where they jump back. A loop's head
    is passed on every way to its end.
    """
    blocks = cut(function)
    follow = successors(blocks)
    before: dict[int, list[int]] = {start: [] for start in blocks}
    for start, targets in follow.items():
        for target in targets:
            before[target].append(start)
    dominators = dominators_of(follow, before)
    loops: dict[int, set[int]] = {}
    for end, targets in follow.items():
        for head in targets:
            if head in dominators.get(end, ()):
                loops.setdefault(head, {head}).update(blocks_between(head, end, before))
    for head in sorted(loops):
        if not any(other in loops[head] for other in loops if other != head):
            yield [instruction for start in sorted(loops[head]) for instruction in blocks[start]]


def cut(function: list[Instruction]) -> dict[int, list[Instruction]]:
    """Return the basic blocks by address of their first instruction."""
    starts = {instruction.target for instruction in function}
    blocks: dict[int, list[Instruction]] = {}
    block: list[Instruction] = []
    for instruction in function:
        if not blocks or instruction.address in starts or ends_block(block[-1]):
            block = blocks.setdefault(instruction.address, [])
        block.append(instruction)
    return blocks


def ends_block(instruction: Instruction) -> bool:
    return instruction.target is not None or not instruction.goes_on


def successors(blocks: dict[int, list[Instruction]]) -> dict[int, list[int]]:
    starts = list(blocks)
    follow: dict[int, list[int]] = {}
    for start, after in zip(starts, [*starts[1:], None], strict=True):
        last = blocks[start][-1]
        follow[start] = [last.target] if last.target in blocks else []
        if last.goes_on and after is not None:
            follow[start].append(after)
    return follow


def dominators_of(follow: dict[int, list[int]], before: dict[int, list[int]]) -> dict[int, set[int]]:
    """Return, of each block that can be reached, those that every way to it passes, itself included."""
    first = next(iter(follow), None)
    if first is None:
        return {}
    order, seen, stack = [], {first}, [first]
    while stack:
        order.append(start := stack.pop())
        for target in follow[start]:
            if target not in seen:
                seen.add(target)
                stack.append(target)
    dominators = {start: set(seen) for start in order}
    dominators[first] = {first}
    changed = True
    while changed:
        changed = False
        for start in order[1:]:
            known = [dominators[other] for other in before[start] if other in seen]
            now = set.intersection(*known) | {start}
            if now != dominators[start]:
                dominators[start], changed = now, True
    return dominators


def blocks_between(head: int, end: int, before: dict[int, list[int]]) -> set[int]:
    """Return the blocks on the ways from a loop's head to the block that jumps back to it."""
    body, stack = {head, end}, [end]
    while stack:
        start = stack.pop()
        if start == head:
            continue
        for other in before[start]:
            if other not in body:
                body.add(other)
                stack.append(other)
    return body
