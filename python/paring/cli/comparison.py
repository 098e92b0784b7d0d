"""``paring compare``: what two weight files hold alike and what not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import FormatError
from ..formats import WeightFile, WeightInfo, read
from .answers import finite_or_none, print_answer
from .differences import Difference, measure_difference
from .listing import form_text
from .progress import Progress, open_progress
from .terminal import open_stdout

__all__ = ["Bounds", "Comparison", "Pair", "Verdict", "compare_files"]

SCHEMA_VERSION = 1

Verdict = Literal["equal", "differs", "shape_differs", "missing_in_a", "missing_in_b", "unreadable"]


@dataclass(frozen=True)
class Bounds:
    """How far a weight may be from its original; None is no bound.

    Raises
    ------
    ValueError
        If one is no number that can bound.
    """

    max_error: float | None = None
    min_sqnr_db: float | None = None

    def __post_init__(self) -> None:
        if self.max_error is not None and not 0 <= self.max_error < math.inf:
            raise ValueError(f"--max-error: expected a number of 0 or more, got {self.max_error}")
        if self.min_sqnr_db is not None and not math.isfinite(self.min_sqnr_db):
            raise ValueError(f"--min-sqnr: expected a number of dB, got {self.min_sqnr_db}")

    @property
    def given(self) -> bool:
        return self.max_error is not None or self.min_sqnr_db is not None

    def text(self) -> str:
        """Return the bounds as the options that set them."""
        options = [
            *([f"--max-error {self.max_error:g}"] if self.max_error is not None else []),
            *([f"--min-sqnr {self.min_sqnr_db:g}"] if self.min_sqnr_db is not None else []),
        ]
        return " ".join(options)

    def allow(self, pair: Pair) -> bool:
        """Whether a pair is good enough: equal, or different within bounds where there are any."""
        difference = pair.difference
        if pair.verdict == "equal":
            return True
        if pair.verdict != "differs" or not self.given or difference is None or difference.max_error is None:
            return False
        within_error = self.max_error is None or difference.max_error <= self.max_error
        sqnr = difference.sqnr_db
        return within_error and (self.min_sqnr_db is None or (sqnr is not None and sqnr >= self.min_sqnr_db))


@dataclass(frozen=True)
class Pair:
    """One name, with what each file says of it; None where it does not have it or cannot say."""

    name: str
    a: WeightInfo | None
    b: WeightInfo | None
    verdict: Verdict
    difference: Difference | None = None
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        difference = self.difference
        return {
            "name": self.name,
            "verdict": self.verdict,
            "form_a": None if self.a is None else form_text(self.a),
            "form_b": None if self.b is None else form_text(self.b),
            "shape_a": None if self.a is None else list(self.a.shape),
            "shape_b": None if self.b is None else list(self.b.shape),
            "bytes_a": None if self.a is None else self.a.nbytes,
            "bytes_b": None if self.b is None else self.b.nbytes,
            "differing": None if difference is None else difference.differing,
            "max_error": None if difference is None else finite_or_none(difference.max_error),
            "mean_error": None if difference is None else finite_or_none(difference.mean_error),
            "sqnr_db": None if difference is None else finite_or_none(difference.sqnr_db),
            "problem": self.problem or None,
        }


@dataclass(frozen=True)
class Comparison:
    """Two files, name by name in the order of the first, what only the second has last."""

    a: WeightFile
    b: WeightFile
    pairs: tuple[Pair, ...]
    bounds: Bounds

    @property
    def beyond(self) -> tuple[Pair, ...]:
        """The pairs that are not good enough."""
        return tuple(pair for pair in self.pairs if not self.bounds.allow(pair))

    @property
    def worst(self) -> Pair | None:
        """The pair of lowest SQNR among those whose values differ; None if none do."""
        measured = [
            (pair.difference.sqnr_db, i)
            for i, pair in enumerate(self.pairs)
            if pair.difference is not None
            and pair.difference.differing
            and pair.difference.sqnr_db is not None
        ]
        return self.pairs[min(measured)[1]] if measured else None

    def count(self, verdict: Verdict) -> int:
        return sum(pair.verdict == verdict for pair in self.pairs)

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "path_a": str(self.a.path),
            "path_b": str(self.b.path),
            "max_error_bound": self.bounds.max_error,
            "min_sqnr_bound_db": self.bounds.min_sqnr_db,
            "passed": not self.beyond,
            "beyond": [pair.name for pair in self.beyond],
            "totals": {
                "file_bytes_a": self.a.file_bytes,
                "file_bytes_b": self.b.file_bytes,
                "weights_a": len(self.a),
                "weights_b": len(self.b),
                "equal": self.count("equal"),
                "differs": self.count("differs"),
                "shape_differs": self.count("shape_differs"),
                "missing_in_a": self.count("missing_in_a"),
                "missing_in_b": self.count("missing_in_b"),
                "unreadable": self.count("unreadable"),
                "worst": None if self.worst is None else self.worst.name,
            },
            "weights": [pair.to_dict() for pair in self.pairs],
        }


def compare_files(path_a: Path, path_b: Path, bounds: Bounds, as_json: bool) -> bool:
    """Print how two files differ, or the same as JSON; return whether no pair is beyond the bounds."""
    from .comparison_page import print_comparison

    a, b = read(path_a), read(path_b)
    with open_progress() as progress:
        progress.start("comparing", len(dict.fromkeys([*a, *b])))
        pairs = tuple(_compare_weights(a, b, progress))
    comparison = Comparison(a, b, pairs, bounds)
    if as_json:
        print_answer(comparison.to_dict())
    else:
        print_comparison(open_stdout(), comparison)
    return not comparison.beyond


def _compare_weights(a: WeightFile, b: WeightFile, progress: Progress) -> Iterator[Pair]:
    for name in dict.fromkeys([*a, *b]):
        yield _compare_weight(a, b, name)
        progress.advance(1)


def _compare_weight(a: WeightFile, b: WeightFile, name: str) -> Pair:
    info_a = info_b = None
    try:
        info_a = a.describe(name) if name in a else None
        info_b = b.describe(name) if name in b else None
        if info_a is None or info_b is None:
            return Pair(name, info_a, info_b, "missing_in_a" if info_a is None else "missing_in_b")
        if info_a.shape != info_b.shape:
            return Pair(name, info_a, info_b, "shape_differs")
        difference = measure_difference(a[name], b[name])
    except FormatError as error:
        return Pair(name, info_a, info_b, "unreadable", problem=" ".join(str(error).split()))
    return Pair(name, info_a, info_b, "differs" if difference.differing else "equal", difference)
