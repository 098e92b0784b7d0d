"""A report as plain text: a table of what changed, what was kept and why, and last what matters most."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import printable
from .loss import LOSS_BOUND_DB
from .report_rows import ReportRow, add_rows, worst_rows

__all__ = ["report_text"]

SHOWN_NAMES = 3
HEADINGS = (
    "weight",
    "shape",
    "was",
    "now",
    "bytes",
    "bits/weight",
    "zeros",
    "max error",
    "mean error",
    "SQNR dB",
)
LEFT_COLUMNS = 4  # text; the numbers after them are aligned to the right


def report_text(rows: Sequence[ReportRow]) -> str:
    """Return the text of a report with these rows, without a newline at the end."""
    changed = [row for row in rows if not row.kept]
    parts = [
        _table([HEADINGS, *map(_cells, changed)]) if changed else "No weight was changed.",
        _rules_text(rows),
        _kept_text([row for row in rows if row.kept]),
        _notes_text([row for row in changed if row.reason]),
        _total_text(rows),
        _loss_text(changed),
    ]
    return "\n\n".join(part for part in parts if part)


def _cells(row: ReportRow) -> tuple[str, ...]:
    return (
        printable(row.name),
        "x".join(map(str, row.shape)) or "one number",
        row.dtype,
        row.form,
        f"{row.bytes_before:,} -> {row.bytes_after:,}",
        f"{row.bits_per_weight:.2f}",
        _number(row.sparsity, ".1%"),
        _number(row.max_error, ".2e"),
        _number(row.mean_error, ".2e"),
        "exact" if row.max_error == 0 else _number(row.sqnr_db, ".1f"),
    )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if i < LEFT_COLUMNS else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _rules_text(rows: Sequence[ReportRow]) -> str:
    """Return which step took which weights; empty if all steps go for all weights, one of a kind."""
    by_rule: dict[str, list[ReportRow]] = {}
    for row in rows:
        for rule in row.rules:
            if rule.startswith("steps["):
                by_rule.setdefault(rule, []).append(row)
    kinds = [rule.split(" ", 2)[1] for rule in by_rule]
    if len(set(kinds)) == len(kinds) and all(rule.endswith(" '*'") for rule in by_rule):
        return ""
    lines = ["Which step took which weights (of each kind the last that matches a weight counts)"]
    # By the number of the step: what stands before the bracket is the same for all.
    for rule in sorted(by_rule, key=lambda rule: int(rule[len("steps[") : rule.index("]")])):
        lines.append(f"  {rule}: {_count(by_rule[rule])} ({_names(by_rule[rule])})")
    return "\n".join(lines)


def _kept_text(kept: Sequence[ReportRow]) -> str:
    if not kept:
        return ""
    by_reason: dict[str, list[ReportRow]] = {}
    for row in kept:
        by_reason.setdefault(row.reason, []).append(row)
    lines = [f"Kept as they were: {_count(kept)} of {sum(row.bytes_after for row in kept):,} bytes"]
    for reason, rows in by_reason.items():
        lines.append(f"  {_count(rows)} ({_names(rows)}): {reason}")
    return "\n".join(lines)


def _notes_text(rows: Sequence[ReportRow]) -> str:
    return "\n".join(["Notes", *(f"  {printable(row.name)}: {row.reason}" for row in rows)]) if rows else ""


def _total_text(rows: Sequence[ReportRow]) -> str:
    totals = add_rows(rows)
    smaller = (
        f"{totals.ratio:.2f} times smaller" if totals.bytes_after < totals.bytes_before else "no smaller"
    )
    return (
        f"Total: {_count(rows)} with {totals.size:,} numbers, "
        f"{totals.bytes_before:,} -> {totals.bytes_after:,} bytes "
        f"({smaller}, {totals.bits_per_weight:.2f} bits a number)"
    )


def _loss_text(changed: Sequence[ReportRow]) -> str:
    worst = worst_rows(changed)
    losses = [row for row in worst if row.loses_much]
    if losses:
        return (
            f"WARNING: {len(losses):,} of the {len(changed):,} changed weights lose much: their SQNR is "
            f"under {LOSS_BOUND_DB:g} dB, an error of more than a tenth of the weight itself: "
            f"{_names(losses, with_loss=True)}. Look at the model's answers before you use it. "
            f"What helps: {'; '.join(_advice(losses))}."
        )
    if worst:
        return (
            f"Loss: of the {_count(changed, 'changed weight')}, {_names(worst[:1], with_loss=True)} loses most; "
            f"those under {LOSS_BOUND_DB:g} dB would be warned of here."
        )
    return "Loss: none, every number is what it was." if changed else ""


def _advice(losses: Sequence[ReportRow]) -> list[str]:
    advice = []
    if any("pruned" in row.actions for row in losses):
        advice.append("a lower sparsity or threshold, or training again after pruning")
    forms = {
        row.form.split(" ")[-2 if "group" in row.form else -1] for row in losses if "quantized" in row.actions
    }
    if "tensor" in forms:
        advice.append("granularity 'channel' instead of 'tensor'")
    if forms - {"tensor", "group"}:
        advice.append("granularity 'group' with group_size 32, or 8 bits")
    if "group" in forms:
        advice.append("more bits, or a smaller group_size")
    return advice


def _count(rows: Sequence[ReportRow], noun: str = "weight") -> str:
    return f"{len(rows):,} {noun}{'' if len(rows) == 1 else 's'}"


def _names(rows: Sequence[ReportRow], *, with_loss: bool = False) -> str:
    shown = [
        printable(row.name) + (f" ({row.sqnr_db:.1f} dB)" if with_loss else "") for row in rows[:SHOWN_NAMES]
    ]
    more = f", and {len(rows) - SHOWN_NAMES:,} more" if len(rows) > SHOWN_NAMES else ""
    return ", ".join(shown) + more
