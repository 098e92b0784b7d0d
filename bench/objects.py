"""The object files of the last build of this checkout by this Python, and the compiler that made them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "csrc"
ISA_SOURCE = re.compile(r"^paring_isa_source\(\s*\w+\s+(\w+)\s+(\S+?)\s*\)", re.MULTILINE)


def run(tool: str, *arguments: str) -> str:
    return subprocess.run([tool, *arguments], capture_output=True, text=True, check=True).stdout


def isa_objects() -> dict[str, Path]:
    """Return the object of each source of an instruction set but the scalar ones, by its name in csrc.

    Raises
    ------
    FileNotFoundError
        If there is no build folder beside this file.
    """
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}-"
    databases = list(ROOT.glob(f"build/{tag}*/compile_commands.json"))
    if not databases:
        raise FileNotFoundError(f"no build/{tag}* in {ROOT}: `make build` makes it")
    newest = max(databases, key=lambda path: path.stat().st_mtime)
    built = {
        Path(command["file"]): Path(command["directory"]) / output_of(command)
        for command in json.loads(newest.read_text())
    }
    named = ISA_SOURCE.findall((SOURCES / "CMakeLists.txt").read_text())
    return {
        name: built[SOURCES / name] for isa, name in named if isa != "scalar" and (SOURCES / name) in built
    }


def output_of(command: dict[str, str]) -> str:
    match = re.search(r" -o (\S+)", command.get("command", ""))
    return command.get("output") or (match[1] if match else "")


def compiler_of(path: Path) -> str:
    """Return what the compiler wrote into an object about itself, such as "GCC: (Debian 12.2.0-14) 12.2.0"."""
    lines = run("readelf", "--string-dump=.comment", str(path)).splitlines()
    found = {match[1] for line in lines if (match := re.match(r"\s*\[\s*[0-9a-f]+\]\s+(.*\S)", line))}
    return ", ".join(sorted(found)) or "unknown"
