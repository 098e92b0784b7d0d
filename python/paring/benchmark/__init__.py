"""How fast layers are, beside other libraries and beside what the machine can do at best.

Everybody computes the same layer in turn, round after round, in one process; answers are checked before the clock
starts. ``paring bench kernels`` prints what `measure_linear` returns.
"""

from .linear_contest import Entry, LinearOutcome, measure_linear
from .linear_problem import LinearProblem, Shape

__all__ = ["Entry", "LinearOutcome", "LinearProblem", "Shape", "measure_linear"]
