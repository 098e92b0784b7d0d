"""What every operator is tried on: `CASES`. Convolution, pooling, normalization have theirs apart."""

import operator_cases_arrays
import operator_cases_elementwise
import operator_cases_reductions
from operator_case import Case

__all__ = ["CASES", "Case"]

CASES = [*operator_cases_elementwise.CASES, *operator_cases_arrays.CASES, *operator_cases_reductions.CASES]
