"""What a recipe did to every weight, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .loss import LOSS_BOUND_DB
from .report_rows import Action, ReportRow, Totals, add_rows, worst_rows
from .report_text import report_text

__all__ = ["Action", "Report", "ReportRow"]

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Report:
    """What a recipe did to every weight; ``print(report)`` shows it as a table.

    Attributes
    ----------
    rows : tuple of ReportRow
        One a weight, in the order of the weights.

    Examples
    --------
    >>> import numpy as np, paring
    >>> weights = {"w": np.eye(64, dtype=np.float32), "bias": np.zeros(64, np.float32)}
    >>> report = paring.compress(weights).report
    >>> report["w"].form, report["bias"].reason
    ('int8 channel', '1 axis: biases, norms and other vectors are left alone')
    >>> report["w"].rules
    ("steps[0] quantize '*'",)
    >>> report.bytes_before, report.bytes_after
    (16640, 4608)
    """

    rows: tuple[ReportRow, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(self.rows))

    def __getitem__(self, name: str) -> ReportRow:
        """Return the row of a weight; KeyError if there is none."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    @property
    def totals(self) -> Totals:
        """What all rows add up to: weights, size, bytes_before, bytes_after, ratio, bits_per_weight."""
        return add_rows(self.rows)

    @property
    def bytes_before(self) -> int:
        """Bytes of all arrays that came in."""
        return self.totals.bytes_before

    @property
    def bytes_after(self) -> int:
        """Bytes of all arrays that came out."""
        return self.totals.bytes_after

    @property
    def size(self) -> int:
        """Elements of all weights."""
        return self.totals.size

    @property
    def ratio(self) -> float:
        """How many times smaller the arrays became; 1 if there are none."""
        return self.totals.ratio

    @property
    def bits_per_weight(self) -> float:
        """Bits stored for an element, over all weights; 0 if there are none."""
        return self.totals.bits_per_weight

    @property
    def losses(self) -> tuple[ReportRow, ...]:
        """Return the rows that lose much, the worst first."""
        return tuple(row for row in worst_rows(self.rows) if row.loses_much)

    def worst(self, n: int = 5) -> Sequence[ReportRow]:
        """Return the `n` rows of lowest SQNR among those whose values changed, the lowest first."""
        return worst_rows(self.rows)[:n]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-able values.

        ``{"schema_version": 1, "totals": {...}, "loss_bound_db": 20.0, "loses_much": [names], "rows":
        [...]}``. A number that is infinite (the SQNR of an exact row) or unknown is None.

        Keys may be added under the same version; it goes up when one goes away or gets another meaning.
        """
        totals = self.totals
        return {
            "schema_version": SCHEMA_VERSION,
            "totals": {
                **asdict(totals),
                "ratio": totals.ratio,
                "bits_per_weight": totals.bits_per_weight,
            },
            "loss_bound_db": LOSS_BOUND_DB,
            "loses_much": [row.name for row in self.losses],
            "rows": [row.to_dict() for row in self.rows],
        }

    def __str__(self) -> str:
        return report_text(self.rows)
