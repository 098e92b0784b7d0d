"""paring itself."""

from __future__ import annotations

from functools import partial

import numpy as np

from ... import _core
from ...runtime.linear import PackedLinear
from ..linear_problem import LinearProblem
from .peer import Bound

__all__ = ["ParingPeer"]


class ParingPeer:
    """`paring.PackedLinear`."""

    name = "paring"

    def missing(self) -> str | None:
        """Return None: it is here."""
        return None

    def bind(self, problem: LinearProblem, threads: int, copies: int) -> Bound:
        """Return the problem's layer, packed `copies` times."""
        weight = problem.weight if problem.bits == 32 else problem.quantized
        layers = [PackedLinear(weight, problem.bias) for _ in range(copies)]
        out = np.empty((problem.shape.m, problem.shape.n), np.float32)
        calls = [partial(layer, problem.x, out) for layer in layers]
        return Bound(
            self.name, _core.version, calls, calls[0], partial(_core.set_num_threads, threads), lingers=False
        )
