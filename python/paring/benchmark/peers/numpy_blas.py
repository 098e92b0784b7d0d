"""NumPy's product, with the BLAS that it carries."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..linear_problem import Floats, LinearProblem
from ..machine import numpy_name, openblas_threads
from .peer import Bound

__all__ = ["NumpyPeer"]


class NumpyPeer:
    """``np.matmul`` and an addition, both into an output that is there."""

    name = "NumPy"

    def missing(self) -> str | None:
        """Return None: it is here."""
        return None

    def bind(self, problem: LinearProblem, threads: int, copies: int) -> Bound:
        """Return the problem's layer, packed `copies` times."""
        out = np.empty((problem.shape.m, problem.shape.n), np.float32)
        calls = [
            partial(_multiply, problem.x, problem.weight.copy(), problem.bias, out) for _ in range(copies)
        ]
        functions = openblas_threads()
        if functions is None and threads > 1:
            raise RuntimeError("the thread count of this BLAS cannot be set from here")
        prepare = (lambda: None) if functions is None else partial(functions[1], threads)
        version = numpy_name().removeprefix("NumPy ")
        return Bound(self.name, version, calls, calls[0], prepare, lingers=threads > 1)


def _multiply(x: Floats, weight: Floats, bias: Floats, out: Floats) -> Floats:
    np.matmul(x, weight.T, out=out)
    return np.add(out, bias, out=out)
