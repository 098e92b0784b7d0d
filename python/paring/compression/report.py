"""What a recipe did to every weight, and what it cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .loss import LOSS_BOUND_DB
from .report_text import report_text

__all__ = ["Action", "Report", "ReportRow"]

SCHEMA_VERSION = 1

Action = Literal["kept", "pruned", "quantized", "sparsified"]


@dataclass(frozen=True)
class ReportRow:
    """What happened to one weight.

    Attributes
    ----------
    name : str
    shape : tuple of int
    dtype : str
        Of the original array; of the codes or values, if it came compressed.
    form : str
        How it is stored now, such as ``"float32"``, ``"int8 channel"``, ``"int4 group 32"``, ``"csr int8"``.
    actions : tuple of str
        ``("kept",)``, or some of "pruned", "quantized", "sparsified".
    reason : str
        Why it was kept, or why a form that the recipe asks for was refused, with the arithmetic; else empty.
    bytes_before, bytes_after : int
        Of all its arrays: values, scales, zero points, indices.
    sparsity : float or None
        Share of zeros now; None if there are no numbers to count.
    max_error, mean_error, sqnr_db : float or None
        Against the original array (see `loss.Loss`); 0, 0 and infinity for a weight that kept its values.
        None where the original is not known, for a weight that came compressed.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    form: str
    actions: tuple[Action, ...]
    reason: str
    bytes_before: int
    bytes_after: int
    sparsity: float | None
    max_error: float | None
    mean_error: float | None
    sqnr_db: float | None

    @property
    def size(self) -> int:
        """Elements of the weight."""
        return math.prod(self.shape)

    @property
    def bits_per_weight(self) -> float:
        """Bits stored for an element; 0 if there are none."""
        return 8 * self.bytes_after / self.size if self.size else 0.0

    @property
    def kept(self) -> bool:
        """Whether the weight is what it was, bit for bit."""
        return self.actions == ("kept",)

    @property
    def loses_much(self) -> bool:
        """Whether so much was lost (under 20 dB) that the model should be tried before it is shipped."""
        return self.sqnr_db is not None and not self.sqnr_db >= LOSS_BOUND_DB  # NaN as well

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON-able values; an infinite or unknown number is None."""
        row = asdict(self)
        row["shape"] = list(self.shape)
        row["actions"] = list(self.actions)
        row["bits_per_weight"] = self.bits_per_weight
        row["loses_much"] = self.loses_much
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}


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
    def bytes_before(self) -> int:
        """Bytes of all arrays that came in."""
        return sum(row.bytes_before for row in self.rows)

    @property
    def bytes_after(self) -> int:
        """Bytes of all arrays that came out."""
        return sum(row.bytes_after for row in self.rows)

    @property
    def size(self) -> int:
        """Elements of all weights."""
        return sum(row.size for row in self.rows)

    @property
    def ratio(self) -> float:
        """How many times smaller the arrays became; 1 if there are none."""
        return self.bytes_before / self.bytes_after if self.bytes_after else 1.0

    @property
    def bits_per_weight(self) -> float:
        """Bits stored for an element, over all weights; 0 if there are none."""
        return 8 * self.bytes_after / self.size if self.size else 0.0

    @property
    def losses(self) -> tuple[ReportRow, ...]:
        """Return the rows that lose much, the worst first."""
        return tuple(row for row in self.worst(len(self.rows)) if row.loses_much)

    def worst(self, n: int = 5) -> Sequence[ReportRow]:
        """Return the `n` rows of lowest SQNR among those whose values changed, the lowest first."""
        changed = [row for row in self.rows if row.sqnr_db not in (None, math.inf)]
        return sorted(changed, key=_sqnr_or_worst)[:n]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-able values.

        ``{"schema_version": 1, "totals": {...}, "loss_bound_db": 20.0, "loses_much": [names], "rows":
        [...]}``. A number that is infinite (the SQNR of an exact row) or unknown is None.
        """
        return {
            "schema_version": SCHEMA_VERSION,
            "totals": {
                "weights": len(self.rows),
                "size": self.size,
                "bytes_before": self.bytes_before,
                "bytes_after": self.bytes_after,
                "ratio": self.ratio,
                "bits_per_weight": self.bits_per_weight,
            },
            "loss_bound_db": LOSS_BOUND_DB,
            "loses_much": [row.name for row in self.losses],
            "rows": [row.to_dict() for row in self.rows],
        }

    def __str__(self) -> str:
        return report_text(self)


def _sqnr_or_worst(row: ReportRow) -> float:
    return -math.inf if row.sqnr_db is None or math.isnan(row.sqnr_db) else row.sqnr_db
