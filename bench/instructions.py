"""How many instructions of the compiled module small fixed work takes: counted by valgrind, not timed.

Only what runs in paring's own module counts, on one thread: neither the interpreter nor the C library, so that two runs
and two machines give the same counts. Valgrind knows no AVX-512 and no AVX-VNNI; `loops.py` looks at those.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

LEVELS = ("scalar", "avx2")
COUNT = "instructions a call"
WORKLOADS = Path(__file__).with_name("workloads.py")
NAME = re.compile(r"^c?ob=\((\d+)\)(?: (.*))?$")
# Whatever is decided by a hash, a clock or a second thread would make counts differ.
SETTLED = {"PYTHONHASHSEED": "0", "PARING_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def find_valgrind() -> str | None:
    return shutil.which("valgrind")


def count_in(lines: Iterable[str], module: str) -> tuple[str, int]:
    """Return the name of a profile of callgrind and the instructions in files whose path ends in `module`.

    Those of called functions are not counted twice: the line behind ``calls=`` holds them.
    """
    name, total = "", 0
    paths: dict[str, str] = {}
    inside = called = False
    for line in lines:
        if line.startswith("desc: Trigger: Client Request: "):
            name = line.removeprefix("desc: Trigger: Client Request: ").strip()
        elif match := NAME.match(line):
            paths[match[1]] = match[2] or paths[match[1]]
            if line.startswith("ob="):
                inside = paths[match[1]].endswith(module)
        elif line.startswith("calls="):
            called = True
        elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
            if inside and not called:
                total += int(line.split()[1])
            called = False
    return name, total


def count_level(valgrind: str, level: str) -> tuple[dict[str, dict[str, float]], set[str]]:
    """Run the workloads on the kernels of a level; return their measures and the names of the kernels.

    Raises
    ------
    RuntimeError
        If they fail under valgrind, or leave other profiles than they said.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = ["--tool=callgrind", "--quiet", "--instr-atstart=no", "--callgrind-out-file=profile"]
        done = subprocess.run(
            [valgrind, *options, sys.executable, str(WORKLOADS)],
            env=os.environ | SETTLED | {"PARING_ISA": level},
            cwd=folder,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"valgrind on level {level}: {done.stderr.strip() or done.returncode}")
        told = json.loads(done.stdout)
        counts = {}
        for path in Path(folder).glob("profile.*"):
            with path.open() as lines:
                name, count = count_in(lines, told["module"])
            counts[name] = count
    if missing := [name for name in told["workloads"] if not counts.get(name)]:
        raise RuntimeError(f"valgrind on level {level}: nothing was counted for {', '.join(missing)}")
    measures = {f"{level} {name}": {COUNT: counts[name] / told["calls"]} for name in told["workloads"]}
    return measures, set(told["kernels"])
