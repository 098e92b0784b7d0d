"""Pruning that looks at what it costs: to a given accuracy, and little by little while a model is trained."""

from .curve import PruningCurve, PruningPoint
from .gradual import GradualPruning
from .to_accuracy import prune_to_accuracy
from .units import remove_units

__all__ = ["GradualPruning", "PruningCurve", "PruningPoint", "prune_to_accuracy", "remove_units"]
