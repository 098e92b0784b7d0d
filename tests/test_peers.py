"""Against the programs whose conventions we follow: PyTorch, ONNX Runtime, compressed-tensors. ``make test-peers``."""

import numpy as np
import pytest

import paring

pytestmark = [
    pytest.mark.peers,
    # Their own warnings are not ours to mend.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture
def weight(rng):
    weight = rng.standard_normal((48, 96)).astype(np.float32)
    weight[3] = 0
    return weight


class TestTorch:
    torch = staticmethod(
        lambda: pytest.importorskip("torch", reason="torch is not installed", exc_type=ImportError)
    )

    def test_state_dict_of_a_module(self, rng):
        torch = self.torch()
        model = torch.nn.Sequential(torch.nn.Linear(64, 96), torch.nn.ReLU(), torch.nn.Linear(96, 48)).eval()
        compressed = paring.compress(model)
        assert list(compressed) == list(model.state_dict())
        x = rng.standard_normal((5, 64)).astype(np.float32)
        hidden = paring.PackedLinear(compressed["0.weight"], compressed["0.bias"], "relu")(x)
        out = paring.PackedLinear(compressed["2.weight"], compressed["2.bias"])(hidden)
        expected = model(torch.from_numpy(x)).detach().numpy()
        assert np.abs(out - expected).max() < 0.02 * np.abs(expected).max()

    def test_bfloat16_module(self):
        torch = self.torch()
        model = torch.nn.Linear(64, 32, dtype=torch.bfloat16)
        compressed = paring.compress(model)
        assert compressed["bias"].dtype.name == "bfloat16"
        dense = compressed["weight"].dense()
        assert (
            np.abs(dense - model.weight.detach().float().numpy()).max()
            <= compressed["weight"].scale.max() / 2
        )

    @pytest.mark.parametrize("activation", [None, "relu", "gelu", "silu"])
    def test_float_layer_and_activations(self, weight, rng, activation):
        torch = self.torch()
        x = rng.standard_normal((7, 96)).astype(np.float32)
        bias = rng.standard_normal(48).astype(np.float32)
        out = paring.PackedLinear(weight, bias, activation)(x)
        expected = torch.nn.functional.linear(*map(torch.from_numpy, (x, weight, bias))).double()
        function = {
            None: lambda y: y,
            **{n: getattr(torch.nn.functional, n) for n in ("relu", "gelu", "silu")},
        }
        assert np.abs(out - function[activation](expected).numpy()).max() < 1e-5


class TestOnnxRuntime:
    @staticmethod
    def run(node, inputs, initializers, output_type):
        onnx = pytest.importorskip("onnx", reason="onnx is not installed")
        onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
        helper = onnx.helper
        graph = helper.make_graph(
            [node],
            "one",
            [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, a.shape) for n, a in inputs.items()],
            [helper.make_tensor_value_info("y", output_type, None)],
            [onnx.numpy_helper.from_array(a, n) for n, a in initializers.items()],
        )
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(None, inputs)[0]

    @pytest.mark.parametrize("symmetric", [True, False])
    def test_codes_are_those_of_quantize_linear(self, weight, symmetric):
        onnx = pytest.importorskip("onnx", reason="onnx is not installed")
        q = paring.quantize(weight, symmetric=symmetric)
        points = np.zeros(48, np.int8) if q.zero_point is None else q.zero_point.ravel()
        node = onnx.helper.make_node("QuantizeLinear", ["x", "scale", "zero_point"], ["y"], axis=0)
        codes = self.run(
            node, {"x": weight}, {"scale": q.scale.ravel(), "zero_point": points}, onnx.TensorProto.INT8
        )
        assert np.array_equal(codes, q.codes())

    def test_int4_groups_are_those_of_matmul_n_bits(self, weight, rng):
        onnx = pytest.importorskip("onnx", reason="onnx is not installed")
        q = paring.quantize(weight, bits=4, granularity="group", group_size=32)
        x = rng.standard_normal((5, 96)).astype(np.float32)
        node = onnx.helper.make_node(
            "MatMulNBits",
            ["x", "b", "scales"],
            ["y"],
            domain="com.microsoft",
            K=96,
            N=48,
            block_size=32,
            bits=4,
        )
        packed = q.data.reshape(
            48, 3, 16
        )  # their blocks along a row are our bytes, first code in the low nibble
        expected = self.run(node, {"x": x}, {"b": packed, "scales": q.scale}, onnx.TensorProto.FLOAT)
        assert np.abs(x @ q.dense().T - expected).max() < 1e-4
        out = paring.PackedLinear(q)(x)
        assert np.abs(out - expected).max() < 0.02 * np.abs(expected).max()


class TestCompressedTensors:
    @pytest.mark.parametrize("bits", [4, 8])
    @pytest.mark.parametrize("symmetric", [True, False])
    @pytest.mark.parametrize("granularity", ["channel", "group"])
    def test_convention_gives_their_numbers(self, weight, bits, symmetric, granularity):
        torch = pytest.importorskip("torch", reason="torch is not installed", exc_type=ImportError)
        quantization = pytest.importorskip(
            "compressed_tensors.quantization",
            reason="compressed-tensors is not installed",
            exc_type=ImportError,
        )
        from compressed_tensors.quantization.lifecycle.forward import dequantize, quantize
        from compressed_tensors.quantization.utils import calculate_qparams

        group_size = 32 if granularity == "group" else None
        arguments = quantization.QuantizationArgs(
            num_bits=bits, symmetric=symmetric, strategy=granularity, group_size=group_size
        )
        ours = paring.quantize(
            weight,
            bits=bits,
            granularity=granularity,
            group_size=32,
            symmetric=symmetric,
            convention="compressed-tensors",
        )
        tensor = torch.from_numpy(weight)
        groups = tensor.reshape(48, -1, group_size or 96)
        scale, zero_point = calculate_qparams(groups.amin(2), groups.amax(2), arguments)
        assert np.array_equal(ours.scale, scale.numpy())
        codes = quantize(tensor, scale, zero_point, arguments, dtype=torch.int8)
        assert np.array_equal(ours.codes(), codes.numpy())
        dense = dequantize(codes, scale, zero_point, arguments)
        assert np.array_equal(ours.dense(), dense.numpy())

    def test_packed_bytes_are_theirs(self, weight):
        torch = pytest.importorskip("torch", reason="torch is not installed", exc_type=ImportError)
        helpers = pytest.importorskip(
            "compressed_tensors.compressors.pack_quantized.helpers",
            reason="compressed-tensors is not installed",
            exc_type=ImportError,
        )
        q = paring.quantize(
            weight, bits=4, granularity="group", group_size=32, convention="compressed-tensors"
        )
        packed = helpers.pack_to_int32(torch.from_numpy(q.codes()), 4)
        assert np.array_equal(q.tensors()["_packed"], packed.numpy())
