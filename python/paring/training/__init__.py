"""Training: `fit`, optimizers, losses, metrics, and what wins back the accuracy that compression cost.

Learning-rate schedules are in `paring.training.schedules`.
"""

from .batch_norm import normalize_batch, reestimate_batch_norm
from .distillation import Distillation, distill, distill_layers
from .fake_quantization import fake_quantize
from .fitting import (
    Batch,
    Callback,
    DivergedError,
    History,
    Objective,
    ProgressRecord,
    fit,
    measure,
)
from .losses import (
    BinaryCrossEntropy,
    CosineSimilarityLoss,
    CrossEntropy,
    Huber,
    KLDivergence,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
)
from .metrics import accuracy, cosine_similarity, mean_squared_error, top_k_accuracy
from .optimizers import (
    L1,
    L2,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    ClipByGlobalNorm,
    ClipByNorm,
    ClipByValue,
    ElasticNet,
    GroupLasso,
    ParameterGroup,
    RMSprop,
)
from .plateau import ReduceOnPlateau, ScoreSchedule
from .pruning import GradualPruning, PruningCurve, prune_to_accuracy, remove_units
from .schedules import Schedule
from .stopping import EarlyStopping

__all__ = [
    "L1",
    "L2",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Batch",
    "BinaryCrossEntropy",
    "Callback",
    "ClipByGlobalNorm",
    "ClipByNorm",
    "ClipByValue",
    "CosineSimilarityLoss",
    "CrossEntropy",
    "Distillation",
    "DivergedError",
    "EarlyStopping",
    "ElasticNet",
    "GradualPruning",
    "GroupLasso",
    "History",
    "Huber",
    "KLDivergence",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Objective",
    "ParameterGroup",
    "ProgressRecord",
    "PruningCurve",
    "RMSprop",
    "ReduceOnPlateau",
    "Schedule",
    "ScoreSchedule",
    "accuracy",
    "cosine_similarity",
    "distill",
    "distill_layers",
    "fake_quantize",
    "fit",
    "mean_squared_error",
    "measure",
    "normalize_batch",
    "prune_to_accuracy",
    "reestimate_batch_norm",
    "remove_units",
    "top_k_accuracy",
]
