"""One convolution with ReLU in ours, ONNX Runtime and OpenVINO: int8 in and out, or float32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import paring

Call = Callable[[], Any]
ZERO_POINT = 128  # of the unsigned bytes that both peers are fastest with; ours are signed, with 0


@dataclass(frozen=True)
class Layer:
    """A convolution of a net."""

    channels: int
    filters: int
    kernel: int
    stride: int
    padding: int
    size: int
    groups: int

    def __str__(self) -> str:
        kind = "depthwise" if self.groups == self.channels else f"{self.channels} -> {self.filters}"
        step = f" / {self.stride}" if self.stride > 1 else ""
        count = f" {self.channels}" if self.groups == self.channels else ""
        return f"{self.kernel}x{self.kernel}{step} {kind}{count}, {self.size}x{self.size}"


class Problem:
    """The numbers of a layer: the same for everybody."""

    def __init__(self, layer: Layer, integers: bool) -> None:
        rng = np.random.default_rng(layer.channels + layer.filters)
        self.layer, self.integers = layer, integers
        shape = (layer.filters, layer.channels // layer.groups, layer.kernel, layer.kernel)
        self.weight = rng.standard_normal(shape).astype(np.float32)
        self.quantized = paring.quantize(self.weight)
        self.input_scale = np.float32(0.05)
        self.codes = rng.integers(-128, 128, (1, layer.channels, layer.size, layer.size)).astype(np.int8)
        self.x = self.codes * self.input_scale
        # A bias that is an integer of the sums, as ONNX's quantized form wants it.
        self.bias_codes = rng.integers(-1000, 1000, layer.filters).astype(np.int32)
        self.bias = (self.bias_codes * (self.input_scale * self.quantized.scale[:, 0])).astype(np.float32)
        self.output_scale = np.float32(self.input_scale * 10 * np.sqrt(np.prod(shape[1:])) / 20)


def ours(problem: Problem, threads: int) -> Call:
    """Return the call of `paring.PackedConv`."""
    layer = problem.layer
    options: dict[str, Any] = {
        "stride": layer.stride,
        "padding": layer.padding,
        "groups": layer.groups,
        "activation": "relu",
    }
    x, weight = problem.x, problem.weight
    if problem.integers:
        options["input_scale"] = paring.ActivationScale(problem.input_scale)
        options["output_scale"] = paring.ActivationScale(problem.output_scale)
        x, weight = problem.codes, problem.quantized
    packed = paring.PackedConv(weight, problem.bias, **options)
    out = np.empty_like(packed(x))

    def call() -> Any:
        return packed(x, out)

    return call


def onnx_model(problem: Problem) -> bytes:
    """Return the model that both peers run: Conv and Relu, between QuantizeLinear pairs if in integers."""
    from onnx import TensorProto, helper, numpy_helper

    layer, kind = problem.layer, TensorProto.UINT8 if problem.integers else TensorProto.FLOAT
    arrays: dict[str, Any] = {"w": problem.weight, "b": problem.bias}
    nodes, conv_input, conv_output = [], "x", "y"
    if problem.integers:
        scale = problem.quantized.scale[:, 0]
        arrays = {
            "wq": problem.quantized.codes(),
            "ws": scale,
            "bq": problem.bias_codes,
            "bs": problem.input_scale * scale,
            "xs": problem.input_scale,
            "ys": problem.output_scale,
            "wz": np.zeros(layer.filters, np.int8),
            "bz": np.zeros(layer.filters, np.int32),
            "z": np.array(ZERO_POINT, np.uint8),
        }
        nodes += [
            helper.make_node("DequantizeLinear", ["x", "xs", "z"], ["xf"]),
            helper.make_node("DequantizeLinear", ["wq", "ws", "wz"], ["w"], axis=0),
            helper.make_node("DequantizeLinear", ["bq", "bs", "bz"], ["b"], axis=0),
        ]
        conv_input, conv_output = "xf", "yf"
    nodes.append(
        helper.make_node(
            "Conv",
            [conv_input, "w", "b"],
            ["c"],
            kernel_shape=[layer.kernel] * 2,
            strides=[layer.stride] * 2,
            pads=[layer.padding] * 4,
            group=layer.groups,
        )
    )
    nodes.append(helper.make_node("Relu", ["c"], [conv_output]))
    if problem.integers:
        nodes.append(helper.make_node("QuantizeLinear", ["yf", "ys", "z"], ["y"]))
    out = (layer.size + 2 * layer.padding - layer.kernel) // layer.stride + 1
    graph = helper.make_graph(
        nodes,
        "convolution",
        [helper.make_tensor_value_info("x", kind, [1, layer.channels, layer.size, layer.size])],
        [helper.make_tensor_value_info("y", kind, [1, layer.filters, out, out])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def given(problem: Problem) -> np.ndarray:
    """Return the input as the peers have it."""
    return (problem.codes.view(np.uint8) ^ np.uint8(128)) if problem.integers else problem.x


def onnx_runtime(problem: Problem, threads: int) -> Call:
    """Return the call of ONNX Runtime, input and output bound."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(onnx_model(problem), options, providers=["CPUExecutionProvider"])
    binding, x = session.io_binding(), given(problem)
    binding.bind_cpu_input("x", x)
    y = onnxruntime.OrtValue.ortvalue_from_numpy(session.run(None, {"x": x})[0])
    binding.bind_ortvalue_output("y", y)

    def call() -> Any:
        session.run_with_iobinding(binding)
        return y

    call.answer = y.numpy  # type: ignore[attr-defined]
    return call


def openvino(problem: Problem, threads: int) -> Call:
    """Return the call of OpenVINO over the same model, input and output bound."""
    import openvino as ov

    core = ov.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(onnx_model(problem)), "CPU", settings)
    request = compiled.create_infer_request()
    x = given(problem)
    tensor = ov.Tensor(x, shared_memory=True)
    request.set_input_tensor(tensor)

    def call(kept: Any = (x, tensor)) -> Any:
        request.infer(share_inputs=True, share_outputs=True)
        return request

    call.answer = lambda: request.get_output_tensor().data  # type: ignore[attr-defined]
    return call


PEERS = {"ONNX Runtime": onnx_runtime, "OpenVINO": openvino}


def answer_of(call: Call, problem: Problem) -> np.ndarray:
    """Return what a call gives, as signed codes or floats."""
    result = call()
    array = np.array(call.answer()) if hasattr(call, "answer") else np.array(result)
    return (array ^ np.uint8(128)).view(np.int8) if array.dtype == np.uint8 else array


def check(name: str, answer: np.ndarray, wanted: np.ndarray, integers: bool) -> None:
    """Raise SystemExit unless an answer is ours: codes but for roundings beside a half, floats but for their order."""
    difference = np.abs(answer.astype(np.float64) - wanted)
    allowed = 1 if integers else 1e-4 * np.abs(wanted).max()
    if difference.max() > allowed:
        raise SystemExit(f"{name}: differs from ours by {difference.max()}; allowed are {allowed}")
