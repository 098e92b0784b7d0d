"""The loop around steps: data, steps, measurements, callbacks, checkpoints, history."""

from .batches import Batch
from .callbacks import Callback
from .divergence import DivergedError
from .history import History
from .measuring import measure
from .objectives import Objective
from .progress import ProgressRecord
from .running import fit

__all__ = ["Batch", "Callback", "DivergedError", "History", "Objective", "ProgressRecord", "fit", "measure"]
