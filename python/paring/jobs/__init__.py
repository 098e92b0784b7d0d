"""Compressing files larger than memory: planned, run job by job, anywhere and in any order, and finished.

`plan` looks at the source and says what there is to do, as plain data; `run` does one job beside the target; `finish`
moves the results into place, what names them last. `compress_file` is these three in a row.
"""

from .file_compression import compress_file
from .finishing import finish
from .job import Job, JobResult
from .planning import plan
from .prediction import Prediction, predict
from .running import run

__all__ = ["Job", "JobResult", "Prediction", "compress_file", "finish", "plan", "predict", "run"]
