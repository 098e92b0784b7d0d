"""Losses: the value that training lowers, and its gradient with respect to a model's outputs."""

from __future__ import annotations

from .class_losses import BinaryCrossEntropy, CrossEntropy, KLDivergence
from .distance_losses import CosineSimilarityLoss, Huber, MeanAbsoluteError, MeanSquaredError
from .loss_base import Loss, NotFiniteError

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
