"""Learning-rate schedules: pure functions of the step, as plain data that composes, compares and is stored.

A schedule is called with the number of updates done before and returns the rate of the next. Numbers are PyTorch's
unless a docstring says otherwise. Rates that follow a measured score are in `paring.training.plateau`.
"""

from ..documents import check_same
from .base import Schedule
from .chains import SCHEDULES, Chain
from .cosine import Cosine, CosineRestarts, OneCycle
from .forms import Constant, Exponential, InverseTime, LinearWarmup, MultiStep, Polynomial, Step

__all__ = [
    "SCHEDULES",
    "Chain",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Exponential",
    "InverseTime",
    "LinearWarmup",
    "MultiStep",
    "OneCycle",
    "Polynomial",
    "Schedule",
    "Step",
    "check_same",
]
