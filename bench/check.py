"""Whether the kernels became worse, told without a clock: counted instructions, and the compiler's loops.

    python bench/check.py [--all] [--ratios]     compare with bench/baseline.json; status 1 if a row is 10 % worse
    python bench/check.py --write [--ratios]     write it

Both parts are properties of compiled code, so a baseline speaks for the compiler that it was made with, which it names.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import instructions
import loops
import paring
from machine import cpu_model, describe_machine
from objects import compiler_of, isa_objects
from paring import _core
from verdicts import Row, compare, table

BASELINE = Path(__file__).with_name("baseline.json")
WORSE, RATIO_WORSE = 1.10, 1.30
BINUTILS = ("objdump", "nm", "readelf")


@dataclass
class Findings:
    """What could be measured here, and of what could not, why."""

    compiler: str = ""
    instructions: dict[str, dict[str, float]] = field(default_factory=dict)
    loops: dict[str, dict[str, float]] = field(default_factory=dict)
    covered: set[str] = field(default_factory=set)  # names of kernels, or what they begin with
    reasons: list[str] = field(default_factory=list)


def look_at_loops(findings: Findings) -> None:
    if lacking := [tool for tool in BINUTILS if shutil.which(tool) is None]:
        findings.reasons.append(f"loops: not covered, no {', '.join(lacking)} here (binutils)")
        return
    objects = isa_objects()
    if not objects:
        findings.reasons.append("loops: not covered, this build has no object of an instruction set")
        return
    findings.compiler = compiler_of(next(iter(objects.values())))
    findings.loops = loops.measure_loops(objects)
    for source, path in objects.items():
        if any(name.startswith(f"{source} ") for name in findings.loops):
            findings.covered |= loops.entries_of(path)


def count_instructions(findings: Findings) -> None:
    valgrind = instructions.find_valgrind()
    if valgrind is None:
        findings.reasons.append("instructions: not covered, no valgrind here")
        return
    for level in instructions.LEVELS:
        if level not in _core.levels():
            findings.reasons.append(f"instructions of level {level}: not covered, this CPU lacks it")
            continue
        measures, kernels = instructions.count_level(valgrind, level)
        findings.instructions |= measures
        findings.covered |= kernels


def uncovered(covered: set[str]) -> list[str]:
    """Return the rows of paring's tables that nothing looked at, with the reason, those of one reason in a line."""
    reasons: dict[str, list[str]] = {}
    for kernel in paring.kernel_info()["kernels"]:
        name = kernel["name"]
        # Rows of codes and 16-bit floats under float32 activations have their loops in functions called few_...
        names = (name, name.replace("gemm_f32", "few_f32", 1))
        if any(one == known or one.startswith(f"{known}_") for known in covered for one in names):
            continue
        if re.search(rf"_({'|'.join(instructions.LEVELS)})(_|$)", name):
            reason = "no workload ran it"
        else:
            reason = "valgrind knows neither AVX-512 nor AVX-VNNI, and no loop of it multiplies and adds"
        reasons.setdefault(reason, []).append(name)
    return [f"{', '.join(names)}: {reason}" for reason, names in reasons.items()]


def show(rows: list[Row], limit: float, everything: bool) -> None:
    """Print the rows that changed or are gone, and how many there are of the others."""
    quiet = {"the same": "as in the baseline", "new": "new"}
    told = rows if everything else [row for row in rows if row.verdict(limit) not in quiet]
    if told:
        print("\n".join(table(told, limit)))
    for verdict, words in quiet.items():
        counts = Counter(row.measure for row in rows if row.verdict(limit) == verdict)
        if counts and not everything:
            parts = ", ".join(f"{count} of {measure}" for measure, count in counts.items())
            print(f"{counts.total()} rows are {words} ({parts}); --all shows them")


def check(baseline: dict[str, Any], findings: Findings, everything: bool) -> bool:
    """Print what became of the baseline's rows; return whether all are within the limit."""
    rows: list[Row] = []
    if findings.compiler == baseline["compiler"]:
        for part in ("instructions", "loops"):
            if now := getattr(findings, part):
                rows += compare(baseline[part], now)
    else:
        findings.covered.clear()
        findings.reasons.append(
            "instructions and loops: not covered, other compiler: "
            f"the baseline is of {baseline['compiler']}, this build of {findings.compiler or 'an unknown one'}"
        )
    show(rows, WORSE, everything)
    print("\nNot covered:")
    for line in [*findings.reasons, *uncovered(findings.covered)]:
        print(f"  {line}")
    worse = [row for row in rows if row.verdict(WORSE) == "WORSE"]
    gone = sum(row.verdict(WORSE) == "gone" for row in rows)
    if gone:
        print(
            f"\n{gone} rows of the baseline are gone; if they should be, `make bench-baseline` writes a new one."
        )
    print(f"\n{len(worse)} of {len(rows)} rows are more than {WORSE - 1:.0%} worse than in the baseline.")
    return not worse


def check_ratios(baseline: dict[str, Any]) -> None:
    from ratios import measure_ratios

    kept = baseline.get("ratios", {"cpu": "no CPU", "measures": {}})
    of = "" if kept["cpu"] == cpu_model() else f", and the baseline's are of {kept['cpu']}"
    print(f"\nTimes, which fail nothing; up to {RATIO_WORSE:.2f} is usual{of}:")
    print("\n".join(table(compare(kept["measures"], measure_ratios()), RATIO_WORSE)))


def in_lines(baseline: dict[str, Any]) -> str:
    """Return JSON with a line for every row, so that a change of the file reads like a table."""
    parts = []
    for name, value in baseline.items():
        text = json.dumps(value)
        if name in ("instructions", "loops"):
            rows = [f"  {json.dumps(row)}: {json.dumps(measures)}" for row, measures in value.items()]
            text = "{\n" + ",\n".join(rows) + "\n }"
        parts.append(f" {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def write(findings: Findings, with_ratios: bool) -> None:
    baseline: dict[str, Any] = {
        "compiler": findings.compiler,
        "machine": describe_machine(),
        "instructions": findings.instructions,
        "loops": findings.loops,
    }
    if with_ratios:
        from ratios import measure_ratios

        baseline["ratios"] = {"cpu": cpu_model(), "measures": measure_ratios()}
    elif BASELINE.exists() and "ratios" in (kept := json.loads(BASELINE.read_text())):
        baseline["ratios"] = kept["ratios"]
    BASELINE.write_text(in_lines(baseline))
    print(
        f"wrote {BASELINE}: {len(findings.instructions)} workloads, {len(findings.loops)} loops and functions"
    )


def main() -> int:
    """Measure, then write the baseline or compare with it; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--write", action="store_true", help="write the baseline instead of comparing with it"
    )
    parser.add_argument("--ratios", action="store_true", help="time layers beside NumPy as well; only told")
    parser.add_argument("--all", action="store_true", help="show also the rows that are as they were")
    options = parser.parse_args()
    findings = Findings()
    look_at_loops(findings)
    count_instructions(findings)
    if options.write:
        if findings.reasons:
            print("a baseline needs everything:", *findings.reasons, sep="\n  ", file=sys.stderr)
            return 1
        write(findings, options.ratios)
        return 0
    baseline = json.loads(BASELINE.read_text())
    passed = check(baseline, findings, options.all)
    if options.ratios:
        check_ratios(baseline)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
