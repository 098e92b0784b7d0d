"""Scores of a search on disk, so that a search that was killed need not measure them again."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import FormatError
from ...formats import read, write
from ...formats.atomic import replacing
from ...formats.strict_json import parse_object

__all__ = ["Journal"]

Array = npt.NDArray[Any]
VERSION = 1


class Journal:
    """Scores by what was measured, and beside the file the weights of the best model, where these were trained.

    Attributes
    ----------
    path : Path
    scores : dict of str to float
    """

    def __init__(self, path: str | os.PathLike[str], method: str) -> None:
        self.path, self._method = Path(path), method
        self.scores: dict[str, float] = {}
        if self.path.suffix.lower() != ".json":
            raise ValueError(f"journal: expected a file called *.json, got {self.path}")
        if self.path.exists():
            document = parse_object(self.path.read_bytes(), str(self.path))
            scores = document.get("scores")
            if document.get("version") != VERSION or not isinstance(scores, dict):
                raise FormatError(f"{self.path}: expected a journal of prune_to_accuracy, got something else")
            if document.get("method") != method:
                raise ValueError(
                    f"{self.path}: is the journal of method {document.get('method')!r}, not {method!r}"
                )
            for label, score in scores.items():
                if isinstance(score, bool) or not (
                    isinstance(score, int | float) or score in ("nan", "inf", "-inf")
                ):
                    raise FormatError(
                        f"{self.path}: expected scores that are numbers, got {score!r} for {label!r}"
                    )
                self.scores[label] = float(score)

    def add(self, label: str, score: float) -> None:
        """Write a score down."""
        self.scores[label] = score
        scores = {name: value if math.isfinite(value) else str(value) for name, value in self.scores.items()}
        document = {"version": VERSION, "method": self._method, "scores": scores}
        with replacing(self.path) as file:
            file.write(json.dumps(document, indent=1, allow_nan=False).encode() + b"\n")

    def keep(self, number: int, weights: Mapping[str, Array]) -> None:
        """Write down the weights of a trained model."""
        write(self._weights_path(number), weights)

    def kept(self, number: int) -> dict[str, Array]:
        """Return weights that were written down; FormatError or OSError if they are damaged or gone."""
        file = read(self._weights_path(number))
        return {name: np.array(file[name]) for name in file}

    def forget(self, number: int) -> None:
        """Remove the weights of a model that is not the best any more."""
        self._weights_path(number).unlink(missing_ok=True)

    def _weights_path(self, number: int) -> Path:
        return self.path.with_suffix(f".{number}.safetensors")
