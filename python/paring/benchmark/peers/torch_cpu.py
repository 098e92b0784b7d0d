"""PyTorch: ``linear`` in float32, and dynamically quantized linear layers by either of its two engines."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy.typing as npt

from ..linear_problem import LinearProblem
from .peer import Bound, explain_missing, version_of

__all__ = ["TorchPeer"]


class TorchPeer:
    """PyTorch; `engine` is that of its quantized layers, "onednn" or "x86" (FBGEMM)."""

    def __init__(self, engine: str = "") -> None:
        self.engine = engine

    @property
    def name(self) -> str:
        """The library and the engine."""
        return f"PyTorch {self.engine}".strip()

    def missing(self) -> str | None:
        """Return what would have to be installed, or None."""
        return explain_missing("torch")

    def bind(self, problem: LinearProblem, threads: int, copies: int) -> Bound:
        """Return the problem's layer, packed `copies` times."""
        import torch

        x = torch.from_numpy(problem.x)
        with torch.inference_mode():
            self._prepare(threads)
            calls = [partial(_infer, torch, self._layer(torch, problem), x) for _ in range(copies)]
        return Bound(
            self.name,
            version_of("torch"),
            calls,
            lambda: _numpy(calls[0]()),
            partial(self._prepare, threads),
            lingers=threads > 1,
        )

    def _prepare(self, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        if self.engine:
            torch.backends.quantized.engine = self.engine

    def _layer(self, torch: Any, problem: LinearProblem) -> Callable[[Any], Any]:
        weight, bias = torch.from_numpy(problem.weight), torch.from_numpy(problem.bias)
        if problem.bits == 32:
            own = weight.clone()
            return lambda x: torch.nn.functional.linear(x, own, bias)
        scale = (weight.abs().amax(1) / 127).double()
        zeros = torch.zeros(len(weight), dtype=torch.long)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", UserWarning
            )  # quantized tensors are deprecated, without anything as fast
            codes = torch.quantize_per_channel(weight, scale, zeros, 0, torch.qint8)
        packed = torch.ops.quantized.linear_prepack(codes, bias)
        return lambda x: torch.ops.quantized.linear_dynamic(x, packed, False)


def _infer(torch: Any, layer: Callable[[Any], Any], x: Any) -> Any:
    with torch.inference_mode():
        return layer(x)


def _numpy(tensor: Any) -> npt.NDArray[Any]:
    result: npt.NDArray[Any] = tensor.numpy()
    return result
