"""``paring info``: what this installation can run on this machine, and why it runs what it does."""

from __future__ import annotations

import os
import platform
from typing import Any

from rich.console import Console
from rich.text import Text

from ..benchmark.machine import numpy_name, processor_name
from ..runtime.kernels import kernel_info
from .answers import print_answer
from .terminal import Column, make_table, open_stdout, print_next, print_table
from .thread_limits import ThreadReport, explain_threads

__all__ = ["print_information"]

SCHEMA_VERSION = 1
LABEL_WIDTH = 10


def print_information(as_json: bool) -> None:
    """Print the processor, the threads, the kernels compiled in and which of them are in use."""
    info = kernel_info()
    threads = explain_threads()
    if as_json:
        print_answer(
            {
                "schema_version": SCHEMA_VERSION,
                "processor": processor_name(),
                "isa_cap": _isa_cap(),
                "threads": threads.to_dict(),
                **info,
            }
        )
        return
    console = open_stdout()
    _print_facts(console, info, threads)
    console.print()
    _print_kernels(console, info)
    commands = [("paring demo", "what these kernels give")]
    if len(info["levels"]) > 1 and not _isa_cap():
        commands.append((f"PARING_ISA={info['levels'][0]} paring info", "what a lesser machine would use"))
    print_next(console, commands)


def _isa_cap() -> str | None:
    return os.environ.get("PARING_ISA") or None


def _print_facts(console: Console, info: dict[str, Any], threads: ThreadReport) -> None:
    cap = _isa_cap()
    facts = [
        ("paring", info["version"]),
        ("python", f"{platform.python_version()}, {numpy_name()}"),
        ("processor", processor_name()),
        ("features", " ".join(info["features"]) or "none beyond the baseline"),
        ("level", f"{info['level']} ({f'PARING_ISA={cap}' if cap else 'the best this CPU has'})"),
        ("levels", f"{' '.join(info['levels'])}  (PARING_ISA names one)"),
        *_thread_facts(threads),
    ]
    for label, value in facts:
        line = Text(f"{label:<{LABEL_WIDTH}}", "dim").append(value, "not dim")
        # Continuation lines stand under the value.
        for row in line.wrap(console, max(console.width, 40)):
            console.print(row)


def _thread_facts(threads: ThreadReport) -> list[tuple[str, str]]:
    decided = threads.decided_by
    facts = [("threads", f"{threads.count}: {decided.text if decided else 'set by set_num_threads'}")]
    others = [limit.text for limit in threads.limits if limit is not decided]
    if others:
        facts.append(
            ("", f"looser bounds: {'; '.join(others)}" if decided else f"by itself: {'; '.join(others)}")
        )
    if not any(limit.source.endswith("NUM_THREADS") for limit in threads.limits):
        facts.append(("", "PARING_NUM_THREADS or OMP_NUM_THREADS would lower it"))
    return facts


def _print_kernels(console: Console, info: dict[str, Any]) -> None:
    table = make_table(
        console,
        Column("kernel"),
        Column("family"),
        Column("for"),
        Column("needs"),
        Column("", "left"),
    )
    for kernel in info["kernels"]:
        state = "in use" if kernel["chosen"] else "usable" if kernel["usable"] else "not here"
        style = {"in use": "bold", "usable": "", "not here": "dim"}[state]
        table.add_row(
            kernel["name"],
            kernel["family"],
            _operands(kernel),
            " ".join(kernel["needs"]) or "-",
            state,
            style=style,
        )
    print_table(console, table)


def _operands(kernel: dict[str, Any]) -> str:
    return str(kernel.get("weight_type") or kernel.get("value_type") or "-")
