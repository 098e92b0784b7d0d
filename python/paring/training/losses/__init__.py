"""Losses: the value that training lowers, and its gradient with respect to a model's outputs."""

from __future__ import annotations

from .base import Loss, NotFiniteError
from .classes import BinaryCrossEntropy, CrossEntropy, KLDivergence
from .distances import CosineSimilarityLoss, Huber, MeanAbsoluteError, MeanSquaredError

__all__ = [
    "LOSSES",
    "BinaryCrossEntropy",
    "CosineSimilarityLoss",
    "CrossEntropy",
    "Huber",
    "KLDivergence",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "NotFiniteError",
]

LOSSES: tuple[type[Loss], ...] = (
    CrossEntropy,
    BinaryCrossEntropy,
    MeanSquaredError,
    MeanAbsoluteError,
    Huber,
    KLDivergence,
    CosineSimilarityLoss,
)
