"""What happened to one weight, and what many of such rows add up to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .loss import LOSS_BOUND_DB

__all__ = ["Action", "ReportRow", "Totals", "add_rows", "worst_rows"]

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
    rules : tuple of str
        What of the recipe decided: the steps that count for the weight, such as ``"steps[1] quantize '*embed*'"``,
        also where the form that they ask for was refused; or the glob that skips it, such as
        ``"skip[0] 'lm_head.*'"``. Empty where no step matches, or the weight is of a kind that no step touches.
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
    rules: tuple[str, ...] = ()

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
        for name in ("shape", "actions", "rules"):
            row[name] = list(row[name])
        row["bits_per_weight"] = self.bits_per_weight
        row["loses_much"] = self.loses_much
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}


@dataclass(frozen=True)
class Totals:
    """What rows add up to.

    Attributes
    ----------
    weights : int
    size : int
        Elements of all weights.
    bytes_before, bytes_after : int
    """

    weights: int
    size: int
    bytes_before: int
    bytes_after: int

    @property
    def ratio(self) -> float:
        """How many times smaller the arrays became; 1 if there are none."""
        return self.bytes_before / self.bytes_after if self.bytes_after else 1.0

    @property
    def bits_per_weight(self) -> float:
        """Bits stored for an element, over all weights; 0 if there are none."""
        return 8 * self.bytes_after / self.size if self.size else 0.0


def add_rows(rows: Sequence[ReportRow]) -> Totals:
    """Return the sums over all rows."""
    return Totals(
        weights=len(rows),
        size=sum(row.size for row in rows),
        bytes_before=sum(row.bytes_before for row in rows),
        bytes_after=sum(row.bytes_after for row in rows),
    )


def worst_rows(rows: Iterable[ReportRow]) -> list[ReportRow]:
    """Return the rows whose values changed, that of the lowest SQNR first."""
    return sorted((row for row in rows if row.sqnr_db not in (None, math.inf)), key=_sqnr_or_worst)


def _sqnr_or_worst(row: ReportRow) -> float:
    return -math.inf if row.sqnr_db is None or math.isnan(row.sqnr_db) else row.sqnr_db
