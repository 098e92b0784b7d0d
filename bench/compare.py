"""Two files of measured times side by side: what became faster, what slower.

    python bench/compare.py BEFORE.json AFTER.json [--rival numpy] [--only TEXT] [--fail-above 1.10]

Files of ``make bench BENCH_FLAGS=--benchmark-json=FILE``, ``paring bench kernels --json`` or ``bench/dense.py --json``.
A ratio is the time after over the time before: above 1 is slower. With --rival, times are first divided by those of
that contestant in the same file and case, which takes out how fast the machine was that day.

The status is 1 if a ratio is above the bound of --fail-above.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from measurements import CONDITIONS, Key, Measurements, read_measurements


def warnings(before: Measurements, after: Measurements) -> Iterator[str]:
    """Yield what keeps the times from being comparable."""
    for name in CONDITIONS:
        old, new = before.conditions.get(name), after.conditions.get(name)
        if old != new:
            yield f"warning: not the same {name}: {old or 'not told'} before, {new or 'not told'} after"
    for one, other, told in ((before, after, "before"), (after, before, "after")):
        if alone := len(one.seconds.keys() - other.seconds.keys()):
            yield f"warning: {count_rows(alone)} only in the file {told}"


def count_rows(count: int) -> str:
    return f"{count} row{'s' * (count > 1)}"


def shown(value: float, relative: bool) -> str:
    if relative:
        return f"{value:.3g}"
    return f"{value * 1e6:,.1f} us" if value < 1e-2 else f"{value * 1e3:,.1f} ms"


def table(before: Measurements, after: Measurements, keys: list[Key], relative: bool) -> Iterator[str]:
    """Yield the lines of the table, each case under its name, and the geometric mean of every contestant."""
    wide = max(len("geometric means"), *(len(name) for _, name in keys))
    yield f"  {'':{wide}}  {'before':>12}  {'after':>12}  {'ratio':>6}"
    last = None
    ratios: dict[str, list[float]] = {}
    for case, name in keys:
        if case != last:
            yield case
            last = case
        old, new = before.seconds[case, name], after.seconds[case, name]
        ratios.setdefault(name, []).append(new / old)
        yield f"  {name:{wide}}  {shown(old, relative):>12}  {shown(new, relative):>12}  {new / old:6.2f}"
    yield "geometric means"
    for name, values in ratios.items():
        mean = math.exp(statistics.mean(map(math.log, values)))
        yield f"  {name:{wide}}  {count_rows(len(values)):>12}  {'':12}  {mean:6.2f}"


def main(arguments: list[str] | None = None) -> int:
    """Print warnings and the table; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage=argparse.SUPPRESS
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--rival", help="divide times by those of this contestant, such as numpy")
    parser.add_argument("--only", default="", help="rows whose case or contestant holds this text")
    parser.add_argument("--fail-above", type=float, help="status 1 if a ratio is above")
    options = parser.parse_args(arguments)
    try:
        before, after = read_measurements(options.before), read_measurements(options.after)
    except (OSError, ValueError) as problem:
        print(problem, file=sys.stderr)
        return 2
    if options.rival is not None:
        before, after = before.relative_to(options.rival), after.relative_to(options.rival)
    for line in warnings(before, after):
        print(line)
    keys = [
        key for key in before.seconds if key in after.seconds and any(options.only in part for part in key)
    ]
    if not keys:
        print("no row is in both files", file=sys.stderr)
        return 2
    print("\n".join(table(before, after, keys, options.rival is not None)))
    if options.fail_above is None:
        return 0
    slower = [key for key in keys if after.seconds[key] / before.seconds[key] > options.fail_above]
    print(f"{len(slower)} of {len(keys)} ratios are above {options.fail_above:.2f}")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
