"""Meanings of every operator, against onnx's reference evaluator, and with its gradients against PyTorch."""

import warnings

import numpy as np
import pytest

from operator_cases import CASES
from operator_graphs import differentiable, gradients_of, run_case

every_case = pytest.mark.parametrize("case", CASES, ids=str)

# Where the reference has attributes or results in float32, whatever the dtype. In float64, PyTorch is their oracle.
SINGLE_IN_THE_REFERENCE = {"Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Swish"}
SINGLE_IN_THE_REFERENCE |= {"BatchNormalization", "LayerNormalization"}


@pytest.mark.parametrize("case", [case for case in CASES if not case.reference_differs], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_meaning_against_the_reference(case, dtype):
    """Of the onnx package, in opset 24, where the operators here mean what they do in 21 (and Swish exists)."""
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    arrays = case.arrays(dtype)
    names = [f"x{i}" if array is not None else "" for i, array in enumerate(arrays)]
    node = onnx.helper.make_node(case.op, names, [f"y{i}" for i in range(case.outputs)], **case.attributes)
    inputs = [
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        for name, array in zip(names, arrays, strict=True)
        if name
    ]
    outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output]
    graph = onnx.helper.make_graph([node], "one", inputs, outputs)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 24)])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = ReferenceEvaluator(model).run(
            None, {name: array for name, array in zip(names, arrays, strict=True) if name}
        )
    got = run_case(case, arrays)
    tolerance = 2e-6 if dtype == np.float32 or case.op in SINGLE_IN_THE_REFERENCE else 1e-14
    for y, oracle in zip(got, wanted, strict=True):
        oracle = np.asarray(oracle)
        assert y.shape == oracle.shape
        # The evaluator itself turns some float32 values to float64.
        assert y.dtype == oracle.dtype or (dtype == np.float32 and oracle.dtype == np.float64)
        np.testing.assert_allclose(
            y.astype(np.float64), oracle.astype(np.float64), rtol=tolerance, atol=tolerance
        )


@pytest.mark.peers
@pytest.mark.parametrize("case", [case for case in CASES if case.torch is not None], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_values_and_gradients_are_those_of_pytorch(case, dtype):
    torch = pytest.importorskip("torch")
    arrays = case.arrays(dtype)
    watch = differentiable(case, arrays)
    tensors = [None if array is None else torch.from_numpy(array.copy()) for array in arrays]
    for i in watch:
        tensors[i].requires_grad_(True)
    oracle = case.torch(torch, *tensors, **case.attributes)
    oracle = oracle if isinstance(oracle, tuple | list) else (oracle,)
    tolerance = 2e-6 if dtype == np.float32 else 1e-12
    for y, wanted in zip(run_case(case, arrays), oracle, strict=True):
        assert y.dtype == wanted.detach().numpy().dtype
        assert y.shape == tuple(wanted.shape)
        np.testing.assert_allclose(y, wanted.detach().numpy(), rtol=tolerance, atol=tolerance)
    if not watch:
        return
    gradients, weights = gradients_of(case, arrays, watch)
    sum((y * torch.from_numpy(w)).sum() for y, w in zip(oracle, weights, strict=True)).backward()
    for i, gradient in zip(watch, gradients, strict=True):
        wanted = torch.zeros_like(tensors[i]) if tensors[i].grad is None else tensors[i].grad
        scale = max(1.0, float(wanted.abs().max())) if wanted.numel() else 1.0
        np.testing.assert_allclose(
            gradient,
            wanted.numpy(),
            rtol=tolerance,
            atol=tolerance * scale * (4 if dtype == np.float32 else 1),
        )


@every_case
def test_memory_order_does_not_matter(case):
    arrays = case.arrays()
    strided = [
        array if array is None or array.ndim == 0 else np.repeat(array, 2, axis=-1)[..., ::2].copy("F")
        for array in arrays
    ]
    for y, other in zip(run_case(case, arrays), run_case(case, strided), strict=True):
        if y.dtype.kind == "f":
            np.testing.assert_allclose(y, other, rtol=1e-13, atol=1e-13)
        else:
            assert np.array_equal(y, other)


@pytest.mark.parametrize("case", [case for case in CASES if case.op not in ("Cast", "Constant")], ids=str)
def test_float32_stays_float32(case):
    """Against float64 with the same (float32) values: nothing passes through anything wider or narrower."""
    arrays = case.arrays(np.float32)
    wider = [
        array.astype(np.float64) if array is not None and array.dtype == np.float32 else array
        for array in arrays
    ]
    for y, exact in zip(run_case(case, arrays), run_case(case, wider), strict=True):
        assert isinstance(y, np.ndarray)
        assert y.dtype == (np.float32 if exact.dtype == np.float64 else exact.dtype)
        assert y.shape == exact.shape
        np.testing.assert_allclose(y, exact, rtol=3e-6, atol=3e-6)
