"""What the compiler made of the loops that count: instructions and stack accesses beside their products.

A product is an instruction that multiplies and adds vectors. Every innermost loop with products in it is a row, named
by its function and how many there are in one turn ("tile<Bytes, 12, 1> x24"):

  instructions a product   the loop's instructions over its products
  stack accesses           its loads from and stores to the stack: accumulators that lost their register

Of loops of as many products, such as that of the last group and that of those before it, both numbers stand in
ascending order, so that one more copy of a loop, for a rare case, makes no row worse. A loop that is no longer unrolled
has fewer products and is a new row, which is why every function has a row as well:

  best loop                instructions a product of the loop that has the fewest
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from disassembly import Instruction, functions_of, innermost_loops
from objects import run

INSTRUCTIONS, STACK, BEST = "instructions a product", "stack accesses", "best loop"
PRODUCT = re.compile(r"^(?:\{\w+\} )?(?:vpdp\w+|vpmaddwd|vpmaddubsw|vfn?m(?:add|sub)\d+p[sd])\b")
FRAME = re.compile(r"^mov\s+%rsp,%rbp$")


def count_products(instructions: list[Instruction]) -> int:
    return sum(PRODUCT.match(instruction.text) is not None for instruction in instructions)


def loop_measures(listing: str) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield (loop or function, measures) of the text that objdump wrote about an object."""
    # Of the loops of a function, by their products: instructions, and stack accesses.
    found: dict[str, dict[int, tuple[list[int], list[int]]]] = {}
    for name, function in functions_of(listing):
        # %rbp is a register like others unless it holds the frame.
        framed = any(FRAME.match(instruction.text) for instruction in function)
        stack = re.compile(r"\(%r[sb]p" if framed else r"\(%rsp")
        for loop in innermost_loops(function):
            if products := count_products(loop):
                lengths, accesses = found.setdefault(name, {}).setdefault(products, ([], []))
                lengths.append(len(loop))
                accesses.append(sum(stack.search(instruction.text) is not None for instruction in loop))
    for name, loops in found.items():
        yield name, {BEST: round(min(min(lengths) / products for products, (lengths, _) in loops.items()), 3)}
        for products, (lengths, accesses) in sorted(loops.items()):
            for place, (length, stacked) in enumerate(zip(sorted(lengths), sorted(accesses), strict=True), 1):
                again = f" ({place})" if place > 1 else ""
                yield (
                    f"{name} x{products}{again}",
                    {INSTRUCTIONS: round(length / products, 3), STACK: stacked},
                )


def disassemble(path: Path) -> str:
    return run("objdump", "--disassemble", "--demangle", "--no-show-raw-insn", "--wide", str(path))


def measure_loops(objects: dict[str, Path]) -> dict[str, dict[str, float]]:
    """Return the measures of all objects, by source, function and rank."""
    return {
        f"{source} {loop}": measures
        for source, path in objects.items()
        for loop, measures in loop_measures(disassemble(path))
    }


def entries_of(path: Path) -> set[str]:
    """Return the functions of namespace paring that an object exports: the entry points of rows of tables."""
    lines = run("nm", "-C", "--defined-only", "--extern-only", str(path)).splitlines()
    return {match[1] for line in lines if (match := re.search(r" T paring::(\w+)\(", line))}
