"""Sessions of models and of their files: every kind of layer and of compressed weight, against the dense graph."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import paring
from paring import PruneStep, QuantizeStep, Recipe, Session, SparsifyStep, nn
from paring.graph.evaluation import evaluate
from paring.graph.nodes import Graph, Input, Node
from paring.graph.passes.constant_folding import fold_constants

IMAGES = (None, 3, 12, 12)

MODELS = {
    "dense": (
        nn.Sequential(nn.Linear(48, 64), nn.GELU(), nn.Linear(64, 32), nn.SiLU(), nn.Linear(32, 8)),
        (None, 48),
    ),
    "dense, three axes": (
        nn.Sequential(nn.Linear(48, 64), nn.Tanh(), nn.Linear(64, 32), nn.Softmax()),
        (None, 5, 48),
    ),
    "convolution": (
        nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 16, 3, groups=4),
            nn.Sigmoid(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(64, 10),
        ),
        IMAGES,
    ),
    "depthwise": (
        nn.Sequential(nn.Conv2d(3, 12, 3, groups=3), nn.ReLU(), nn.Conv2d(12, 24, 1), nn.GlobalAvgPool2d()),
        IMAGES,
    ),
    "one axis": (
        nn.Sequential(nn.Conv1d(4, 32, 5, dilation=2), nn.BatchNorm1d(32), nn.ReLU()),
        (None, 4, 30),
    ),
    "attention": (
        nn.Sequential(
            nn.Residual(nn.MultiHeadAttention(32, 4)), nn.LayerNorm(32), nn.Dropout(0.5), nn.Linear(32, 8)
        ),
        (None, 6, 32),
    ),
}
RECIPES = {
    "float32": None,
    "int8": "int8",
    "int4 in groups": Recipe([QuantizeStep(bits=4, granularity="group", group_size=16)]),
    "csr": Recipe([PruneStep(sparsity=0.8), SparsifyStep()]),
    "int8 csr": Recipe([PruneStep(sparsity=0.8), QuantizeStep(), SparsifyStep()]),
}
# Integer layers round their input to int8: of a row's largest value, times what the layers after it make of it.
TOLERANCE = {"float32": 1e-5, "csr": 1e-5, "int8": 0.03, "int4 in groups": 0.03, "int8 csr": 0.05}


def randomized(name):
    """Return a model whose statistics and affine weights are not those of the start."""
    layers, shape = MODELS[name]
    model = nn.Model(layers, shape, seed=1)
    rng = np.random.default_rng(2)
    for weight, value in model.state_dict().items():
        if weight.endswith(("running_mean", "running_var")):
            value[...] = rng.random(value.shape) + 0.5
    return model


def inputs_of(model, batch=3):
    value = model.graph.inputs[0]
    shape = [batch, *value.shape[1:]]
    return np.random.default_rng(3).standard_normal(shape).astype(value.dtype)


def dense(graph):
    initializers = {
        name: weight if isinstance(weight, np.ndarray) else weight.dense()
        for name, weight in graph.initializers.items()
    }
    return Graph(graph.nodes, initializers, graph.inputs, graph.outputs)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", MODELS)
def test_every_layer_over_every_form(name, recipe, tmp_path):
    model = randomized(name)
    if RECIPES[recipe] is not None:
        model = model.compress(replace_min_size(RECIPES[recipe]))
    x = inputs_of(model)
    before = x.copy()
    expected = evaluate(dense(model.graph), {"input": x})["output"]
    session = Session(model)
    got = session(x)
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE[recipe] * np.abs(expected).max())
    np.testing.assert_array_equal(x, before)
    model.save(tmp_path / "m.safetensors")
    again = Session(tmp_path / "m.safetensors")
    assert again(x).tobytes() == got.tobytes()
    assert again.packed_layers == session.packed_layers


def replace_min_size(recipe):
    return replace(recipe, min_size=1) if isinstance(recipe, Recipe) else Recipe([QuantizeStep()], min_size=1)


def test_every_dense_layer_of_a_compressed_attention_is_packed():
    model = randomized("attention").compress(Recipe([QuantizeStep()], min_size=1))
    compressed = [
        w for w in model.state_dict().values() if not isinstance(w, np.ndarray) and len(w.shape) == 2
    ]
    kernels = list(Session(model).packed_layers.values())
    assert len(kernels) == 3  # the last layer is too small to compress
    assert sum("s8u8" in kernel for kernel in kernels) == len(compressed) == 2


class TestFoldingOfCompressedWeights:
    @pytest.mark.parametrize(
        "compress",
        [
            lambda w: paring.quantize(w),
            lambda w: paring.quantize(w, granularity="tensor"),
            lambda w: paring.quantize(w, bits=4, granularity="group", group_size=8, symmetric=False),
            lambda w: paring.sparsify(paring.prune(w, sparsity=0.7)),
            lambda w: paring.sparsify(paring.quantize(paring.prune(w, sparsity=0.7))),
        ],
    )
    @pytest.mark.parametrize("attributes", [{}, {"perm": (1, 0)}])
    def test_a_matrix_that_is_turned(self, compress, attributes, rng):
        weight = compress(rng.standard_normal((24, 16), np.float32))
        nodes = (
            Node("Transpose", ("w",), ("t",), attributes, "turn"),
            Node("MatMul", ("x", "t"), ("y",), {}, "product"),
        )
        graph = Graph(nodes, {"w": weight}, (Input("x", (None, 16)),), ("y",))
        folded = fold_constants(graph)
        assert [node.op for node in folded.nodes] == ["MatMul"]
        np.testing.assert_array_equal(folded.initializers["t"].dense(), weight.dense().T)
        assert len(Session(graph).packed_layers) == 1

    def test_what_stays(self, rng):
        cubes = paring.quantize(rng.standard_normal((4, 6, 8), np.float32))
        matrix = paring.quantize(rng.standard_normal((4, 6), np.float32))
        nodes = (
            Node("Transpose", ("c",), ("a",), {"perm": (0, 2, 1)}, "cubes"),
            Node("Transpose", ("m",), ("b",), {"perm": (0, 1)}, "not turned"),
        )
        folded = fold_constants(Graph(nodes, {"c": cubes, "m": matrix}, (), ("a", "b")))
        assert [node.name for node in folded.nodes] == ["cubes", "not turned"]


class TestCallers:
    def test_many_threads_at_once(self):
        session = Session(randomized("convolution").compress(Recipe([QuantizeStep()], min_size=1)))
        xs = [inputs_of(randomized("convolution"), batch) for batch in (1, 2, 3, 7)]
        alone = [session(x).tobytes() for x in xs]
        with ThreadPoolExecutor(8) as pool:
            for _ in range(10):
                found = list(pool.map(lambda x: session(x).tobytes(), xs * 4))
                assert found == alone * 4

    def test_after_a_fork(self):
        session = Session(randomized("dense"))
        x = inputs_of(randomized("dense"), 64)
        expected = session(x).tobytes()
        child = os.fork()
        if not child:
            os._exit(0 if session(x).tobytes() == expected else 1)
        assert os.waitpid(child, 0)[1] == 0

    def test_no_examples(self):
        session = Session(randomized("dense"))
        assert session(np.zeros((0, 48), np.float32)).shape == (0, 8)

    def test_it_keeps_no_thread_alive(self):
        before = threading.active_count()
        Session(randomized("dense"))(inputs_of(randomized("dense")))
        assert threading.active_count() == before

    def test_training_goes_on_beside_it(self):
        """A session has its own packed weights: what a model becomes later does not change it."""
        model = randomized("dense")
        session = Session(model)
        x = inputs_of(model)
        before = session(x)
        model.state_dict()["0.weight"][...] = 0
        np.testing.assert_array_equal(session(x), before)


class TestRefusals:
    def test_a_file_of_weights(self, tmp_path):
        paring.write(tmp_path / "w.safetensors", {"w": np.eye(3, dtype=np.float32)})
        with pytest.raises(paring.FormatError, match=r"w\.safetensors: expected a model"):
            Session(tmp_path / "w.safetensors")

    def test_onnx(self, tmp_path):
        with pytest.raises(
            ValueError, match=r"a\.onnx: expected a file that Model\.save has written; of an ONNX file"
        ):
            Session(tmp_path / "a.onnx")

    def test_no_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"nope\.safetensors"):
            Session(tmp_path / "nope.safetensors")

    @pytest.mark.parametrize(
        ("x", "error", "message"),
        [
            (np.zeros((2, 48)), TypeError, "input 'input': expected an array of float32, got float64"),
            ([[0.0] * 48], TypeError, "input 'input': expected an array of float32, got list"),
            (
                np.zeros((2, 47), np.float32),
                ValueError,
                r"input 'input': expected shape \(None, 48\), got \(2, 47\)",
            ),
            (
                np.zeros(48, np.float32),
                ValueError,
                r"input 'input': expected shape \(None, 48\), got \(48,\)",
            ),
        ],
    )
    def test_inputs(self, x, error, message):
        with pytest.raises(error, match=message):
            Session(randomized("dense"))(x)
