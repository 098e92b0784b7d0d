"""Training: `fit`, optimizers, losses, metrics, and what wins back the accuracy that compression cost.

Learning-rate schedules are in `paring.training.schedules`.
"""

from .accuracy_pruning import prune_to_accuracy
from .batch_norm import reestimate_batch_norm
from .batches import Batch
from .callbacks import Callback
from .clipping import ClipByGlobalNorm, ClipByNorm, ClipByValue
from .distillation import Distillation, distill
from .divergence import DivergedError
from .fitting import fit
from .gradual_pruning import GradualPruning
from .history import History
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
from .measuring import measure
from .metrics import accuracy, cosine_similarity, mean_squared_error, top_k_accuracy
from .objectives import Objective
from .optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
from .parameter_groups import ParameterGroup
from .plateau import ReduceOnPlateau, ScoreSchedule
from .progress import ProgressRecord
from .pruning_curve import PruningCurve
from .regularizers import L1, L2, ElasticNet, GroupLasso
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
    "fit",
    "mean_squared_error",
    "measure",
    "prune_to_accuracy",
    "reestimate_batch_norm",
    "top_k_accuracy",
]
