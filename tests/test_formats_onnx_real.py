"""Published ONNX models: read as the onnx package reads them, compressed, written, read back."""

import numpy as np
import pytest

import paring
from fetched_packages import fetch
from weight_files import assert_same

onnx = pytest.importorskip("onnx")

pytestmark = pytest.mark.network

SILERO = "silero-vad==6.2.3"
MAGIKA = "magika==1.0.3"
# Package, path, SHA-256, number of weights, floating-point values among them.
MODELS = {
    "silero_sequence": (
        SILERO,
        "silero_vad/data/silero_vad_16k_sequence.onnx",
        "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
        14,
        309_633,
    ),
    "silero_nested": (  # all weights are constants inside the two branches of an If
        SILERO,
        "silero_vad/data/silero_vad.onnx",
        "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
        30,
        545_282,
    ),
    "silero_op15": (
        SILERO,
        "silero_vad/data/silero_vad_16k_op15.onnx",
        "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49",
        15,
        309_633,
    ),
    "magika": (
        MAGIKA,
        "magika/models/standard_v3_3/model.onnx",
        "fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c",
        36,
        784_223,
    ),
}


@pytest.fixture(params=MODELS)
def case(request):
    package, path, digest, *expected = MODELS[request.param]
    return fetch(package, {path: digest}) / path, *expected


def tensors(graph):
    """All initializers and constants that the package finds, those of graphs in graphs among them."""
    for tensor in graph.initializer:
        yield tensor.name, onnx.numpy_helper.to_array(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from tensors(attribute.g)
            elif node.op_type == "Constant" and attribute.name == "value":
                yield node.output[0], onnx.numpy_helper.to_array(attribute.t)


def test_read(case):
    path, count, floats = case
    weights = paring.read(path)
    model = onnx.load(path)
    theirs = dict(tensors(model.graph))
    assert len(weights) == count
    assert sum(array.size for array in weights.values() if array.dtype == np.float32) == floats
    assert set(weights) >= {tensor.name for tensor in model.graph.initializer}
    for name in weights:
        assert_same(weights[name], theirs[name])
    left_out = set(theirs) - set(weights)
    assert all(theirs[name].ndim == 0 or theirs[name].dtype.kind in "ib" for name in left_out)
    assert weights.metadata["onnx.producer_name"] == model.producer_name


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_compress(case, bits, suffix, tmp_path):
    path, count, _ = case
    weights = paring.read(path)
    compressed = {
        name: paring.quantize(array, bits=bits) if array.dtype == np.float32 and array.ndim >= 2 else array
        for name, array in weights.items()
    }
    paring.write(tmp_path / f"w{suffix}", compressed, metadata=weights.metadata)
    again = paring.read(tmp_path / f"w{suffix}")
    assert len(again) == count
    for name, weight in compressed.items():
        assert_same(again[name], weight)
    matrices = [name for name, weight in compressed.items() if not isinstance(weight, np.ndarray)]
    assert len(matrices) >= 5
    for name in matrices:
        assert again[name].dense().shape == weights[name].shape
        rows = weights[name].reshape(len(weights[name]), -1).astype(np.float64)
        steps = np.abs(again[name].scale)
        error = np.abs(again[name].dense().reshape(rows.shape) - rows)
        # Half a step of rounding; 4 bits cut the largest weight where its sign is not that of code -8.
        cut = np.abs(rows) > (2 ** (bits - 1) - 0.5) * steps
        assert (error <= np.where(cut, 1, 0.5) * steps * 1.0001).all()
    assert (tmp_path / f"w{suffix}").stat().st_size < path.stat().st_size * bits / 32 * 1.3


def test_the_same_net_in_several_forms():
    """The branch for 16 kHz of the nested model is the sequence model, whose LSTM has another layout."""
    files = {key: MODELS[key][1] for key in ("silero_nested", "silero_op15")}
    folder = fetch(SILERO, {path: MODELS[key][2] for key, path in files.items()})
    nested, plain = (paring.read(folder / path) for path in files.values())
    for name in plain:
        if name.startswith("model.encoder"):
            assert_same(nested[f"If_0_then_branch__Inline_0__{name.removeprefix('model.')}"], plain[name])
