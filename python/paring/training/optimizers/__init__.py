"""Optimizers: frozen records of numbers, their state as plain arrays, a step as one pass of C++ over the weights."""

from .clipping import ClipByGlobalNorm, ClipByNorm, ClipByValue
from .methods import (
    OPTIMIZERS,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Optimizer,
    OptimizerState,
    RMSprop,
    StepRecord,
)
from .parameter_groups import ParameterGroup
from .regularizers import L1, L2, ElasticNet, GroupLasso

__all__ = [
    "L1",
    "L2",
    "OPTIMIZERS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "ClipByGlobalNorm",
    "ClipByNorm",
    "ClipByValue",
    "ElasticNet",
    "GroupLasso",
    "Optimizer",
    "OptimizerState",
    "ParameterGroup",
    "RMSprop",
    "StepRecord",
]
