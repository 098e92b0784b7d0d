"""Record what the command line prints, for the README.

``python tools/record_terminal.py [--write]``

Runs the commands of a first visit on the model inside the package, in a temporary folder, at a fixed width, and prints
commands and output as one block of Markdown; ``--write`` puts it into README.md. Nothing in it depends on the hour or
the machine: a test runs it again and compares every character.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory

from paring.demo import model_path

README = Path(__file__).resolve().parents[1] / "README.md"
MARKS = ("<!-- terminal recorded by tools/record_terminal.py -->", "<!-- end of terminal -->")
WIDTH = 110
MODEL = "model.safetensors"
COMMANDS = (
    f"paring inspect {MODEL}",
    f"paring compress {MODEL} -o small.safetensors --preset int4 --dry-run",
    f"paring compress {MODEL} -o small.safetensors --preset int4",
    f"paring compare {MODEL} small.safetensors --min-sqnr 20",
)
# What would change what is printed.
UNSET = ("FORCE_COLOR", "NO_COLOR", "PARING_ISA", "PARING_NUM_THREADS", "PARING_TRACEBACK", "TERM")


def record() -> str:
    """Return the block, with its marks; CalledProcessError if a command fails."""
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    environment |= {"COLUMNS": str(WIDTH), "PYTHONIOENCODING": "utf-8"}
    lines = []
    with TemporaryDirectory() as folder:
        copy(model_path(), Path(folder, MODEL))
        for command in COMMANDS:
            # Progress goes to stderr and is gone on a terminal when the work is done.
            done = subprocess.run(
                [sys.executable, "-m", *command.split()],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                check=True,
            )
            lines += [f"$ {command}", *(line.rstrip() for line in done.stdout.splitlines()), ""]
    return "\n".join([MARKS[0], "```text", *lines[:-1], "```", MARKS[1]])


def insert(page: str, block: str) -> str:
    """Return a page with the block in the place of the one it has; ValueError if it has not exactly one."""
    if any(page.count(mark) != 1 for mark in MARKS):
        raise ValueError(f"expected the marks {' and '.join(MARKS)} once each")
    before, rest = page.split(MARKS[0])
    return before + block + rest.split(MARKS[1])[1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write README.md instead of stdout")
    block = record()
    if parser.parse_args().write:
        README.write_text(insert(README.read_text(encoding="utf-8"), block), encoding="utf-8")
    else:
        print(block)


if __name__ == "__main__":
    main()
