"""``paring info``: what this installation can run on this machine."""

from __future__ import annotations

import json
import platform
from typing import Any

from rich.markup import escape

from ..runtime.kernels import kernel_info
from .machine import numpy_name, processor_name
from .terminal import Column, make_table, open_stdout, print_table

__all__ = ["print_information"]

SCHEMA_VERSION = 1


def print_information(as_json: bool) -> None:
    """Print the processor, the kernels compiled in and which of them are in use."""
    info = kernel_info()
    if as_json:
        print(json.dumps({"schema_version": SCHEMA_VERSION, "processor": processor_name(), **info}, indent=2))
        return
    console = open_stdout()
    facts = [
        ("paring", info["version"]),
        ("python", f"{platform.python_version()}, {numpy_name()}"),
        ("processor", processor_name()),
        ("features", " ".join(info["features"]) or "none beyond the baseline"),
        ("level", info["level"]),
        ("levels", f"{' '.join(info['levels'])}  (PARING_ISA names one)"),
        ("threads", f"{info['num_threads']}  (PARING_NUM_THREADS sets it)"),
    ]
    for label, value in facts:
        console.print(f"[dim]{label:<10}[/]{escape(value)}")
    console.print()
    table = make_table(
        console,
        Column("kernel"),
        Column("family"),
        Column("for"),
        Column("needs", flexible=True),
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
