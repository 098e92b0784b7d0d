"""ONNX Runtime: models of one node, made here, with input and output bound."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ...compression.quantization import quantize
from ..linear_problem import LinearProblem
from .peer import Bound, explain_missing, version_of

__all__ = ["OnnxRuntimePeer"]

NBITS_BLOCK = 128  # of 8-bit weights
INT8_ACTIVATIONS = 4  # of MatMulNBits' accuracy_level
MODEL_VERSION, OPSET = 10, 21
WARNINGS = 3


class OnnxRuntimePeer:
    """ONNX Runtime in one of its ways.

    "" is Gemm in float32; "dynamic" is DynamicQuantizeMatMul, int8 with a scale a channel and one scale for all of x;
    "nbits" is MatMulNBits with int8 activations, in blocks (128 for 8 bits).
    """

    def __init__(self, way: str = "") -> None:
        self.way = way

    @property
    def name(self) -> str:
        """The library and the way."""
        return f"ONNX Runtime {self.way}".strip()

    def missing(self) -> str | None:
        """Return what would have to be installed, or None."""
        return explain_missing("onnxruntime", "onnx")

    def bind(self, problem: LinearProblem, threads: int, copies: int) -> Bound:
        """Return the problem's layer, packed `copies` times."""
        import onnxruntime

        model = self._model(problem)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = WARNINGS
        y = onnxruntime.OrtValue.ortvalue_from_numpy(np.empty((problem.shape.m, problem.shape.n), np.float32))
        calls = []
        for _ in range(copies):
            session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            binding = session.io_binding()
            binding.bind_cpu_input("x", problem.x)
            binding.bind_ortvalue_output("y", y)
            calls.append(partial(session.run_with_iobinding, binding))

        def answer() -> Any:
            calls[0]()
            return y.numpy()

        return Bound(self.name, version_of("onnxruntime"), calls, answer, lingers=threads > 1)

    def _model(self, problem: LinearProblem) -> bytes:
        from onnx import TensorProto, helper, numpy_helper

        arrays = {"bias": problem.bias}
        if self.way == "":
            arrays["w"] = problem.weight
            node = helper.make_node("Gemm", ["x", "w", "bias"], ["y"], transB=1)
        elif self.way == "dynamic":
            codes = problem.quantized
            arrays["w"], arrays["scale"] = np.ascontiguousarray(codes.data.T), codes.scale.reshape(-1)
            arrays["zero"] = np.zeros(problem.shape.n, np.int8)
            names = ["x", "w", "scale", "zero", "bias"]
            node = helper.make_node("DynamicQuantizeMatMul", names, ["y"], domain="com.microsoft")
        else:
            node = self._nbits(problem, arrays, helper)
        shape = problem.shape
        graph = helper.make_graph(
            [node],
            "linear",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [shape.m, shape.k])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [shape.m, shape.n])],
            [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in arrays.items()],
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=MODEL_VERSION)
        data: bytes = model.SerializeToString()
        return data

    @staticmethod
    def _nbits(problem: LinearProblem, arrays: dict[str, Any], helper: Any) -> Any:
        """Its codes are unsigned with a zero point of half their range, two to a byte if of 4 bits, the first low."""
        block = NBITS_BLOCK if problem.bits == 8 else problem.group_size
        _, k, n = problem.shape
        if k % block:
            raise ValueError(f"MatMulNBits: expected K in blocks of {block}, got {k}")
        codes = quantize(problem.weight, bits=problem.bits, granularity="group", group_size=block)
        blocks = codes.data.view(np.uint8).reshape(n, k // block, -1)
        # Ours are signed: as bytes, or as nibbles with 8 added.
        arrays["w"] = blocks + np.uint8(128) if problem.bits == 8 else blocks
        arrays["scale"] = codes.scale.reshape(n, k // block)
        return helper.make_node(
            "MatMulNBits",
            ["x", "w", "scale", "", "", "bias"],
            ["y"],
            domain="com.microsoft",
            K=k,
            N=n,
            bits=problem.bits,
            block_size=block,
            accuracy_level=INT8_ACTIVATIONS,
        )
