"""OpenVINO: a MatMul over float32 weights, or over compressed ones with activations quantized on the way."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..linear_problem import LinearProblem
from .peer import Bound, explain_missing, version_of

__all__ = ["OpenVinoPeer"]

DYNAMIC_GROUP = 128  # columns of x that share a scale; its fastest, and its default for compressed weights


class OpenVinoPeer:
    """OpenVINO's CPU plugin."""

    name = "OpenVINO"

    def missing(self) -> str | None:
        """Return what would have to be installed, or None."""
        return explain_missing("openvino")

    def bind(self, problem: LinearProblem, threads: int, copies: int) -> Bound:
        """Return the problem's layer, packed `copies` times."""
        import openvino

        group = (
            0 if problem.bits == 32 else min(DYNAMIC_GROUP, problem.group_size if problem.bits == 4 else 128)
        )
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": group,
        }
        x = openvino.Tensor(problem.x, shared_memory=True)
        y = openvino.Tensor(np.float32, openvino.Shape([problem.shape.m, problem.shape.n]))
        calls = []
        for _ in range(copies):
            compiled = openvino.Core().compile_model(self._model(problem), "CPU", settings)
            request = compiled.create_infer_request()
            request.set_input_tensor(x)
            request.set_output_tensor(y)
            calls.append(partial(request.infer, share_inputs=True, share_outputs=True))

        def answer() -> Any:
            calls[0]()
            return y.data

        return Bound(self.name, version_of("openvino"), calls, answer, lingers=threads > 1)

    @staticmethod
    def _model(problem: LinearProblem) -> Any:
        import openvino
        from openvino import opset13 as op

        x = op.parameter([problem.shape.m, problem.shape.k], np.float32, name="x")
        product = op.matmul(x, _weight(op, problem), False, True)
        y = op.add(product, op.constant(problem.bias[None]))
        return openvino.Model([op.result(y)], [x], "linear")


def _weight(op: Any, problem: LinearProblem) -> Any:
    """Return the weight as OpenVINO's own compression has it: codes, converted and multiplied by float16 scales."""
    import openvino

    _, k, n = problem.shape
    if problem.bits == 32:
        return op.constant(problem.weight)
    codes = problem.quantized
    if problem.bits == 8:
        scaled = op.multiply(
            op.convert(op.constant(codes.data), np.float16),
            op.constant(codes.scale.astype(np.float16).reshape(n, 1)),
        )
        return op.convert(scaled, np.float32)
    groups = k // problem.group_size
    nibbles = op.constant(codes.codes().reshape(n, groups, problem.group_size), dtype=openvino.Type.i4)
    scale = codes.scale.astype(np.float16).reshape(n, groups, 1)
    scaled = op.multiply(op.convert(nibbles, np.float16), op.constant(scale))
    return op.convert(op.reshape(scaled, op.constant(np.array([n, k], np.int64)), False), np.float32)
