"""A session gives what evaluating the graph gives, through packed layers, and to many threads at once."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import paring
from paring.graph.evaluation import evaluate
from paring.graph.nodes import Graph, Input, Node
from paring.graph.passes.batch_norm_folding import fold_batch_norm
from paring.graph.passes.constant_folding import fold_constants
from paring.runtime.session import Session


def dense_graph(rng, activation="Relu", attributes=None, form="Gemm"):
    """Two layers of one of the ways in which exporters write them."""
    initializers = {
        "w1": rng.standard_normal((96, 64), np.float32),
        "b1": rng.standard_normal(96, np.float32),
        "w2": rng.standard_normal((32, 96), np.float32),
        "b2": rng.standard_normal(32, np.float32),
    }
    nodes = []
    value = "x"
    for layer in "12":
        w, b = f"w{layer}", f"b{layer}"
        if form == "Gemm":
            nodes.append(Node("Gemm", (value, w, b), (f"h{layer}",), {"transB": 1}, f"fc{layer}"))
        else:
            initializers[w] = np.ascontiguousarray(initializers[w].T)
            if form == "Gemm, turned":
                nodes.append(Node("Gemm", (value, w, b), (f"h{layer}",), {}, f"fc{layer}"))
            else:
                nodes.append(Node("MatMul", (value, w), (f"p{layer}",), {}, f"fc{layer}"))
                nodes.append(Node("Add", (b, f"p{layer}"), (f"h{layer}",), {}, f"add{layer}"))
        nodes.append(Node(activation, (f"h{layer}",), (f"y{layer}",), attributes or {}, f"act{layer}"))
        value = f"y{layer}"
    shape = (None, 64) if form != "MatMul" else (None, None, 64)
    return Graph(tuple(nodes), initializers, (Input("x", shape),), ("y2",))


@pytest.fixture
def x(rng):
    return rng.standard_normal((7, 64), np.float32)


@pytest.mark.parametrize("form", ["Gemm", "Gemm, turned", "MatMul"])
@pytest.mark.parametrize(
    ("activation", "attributes", "steps"),
    [
        ("Relu", None, 2),
        ("Gelu", None, 2),
        ("Gelu", {"approximate": "tanh"}, 4),
        ("Swish", None, 2),
        ("Tanh", None, 4),
    ],
)
def test_dense_layers_are_packed_with_what_follows(rng, x, form, activation, attributes, steps):
    graph = dense_graph(rng, activation, attributes, form)
    x = x if form != "MatMul" else np.stack([x, -x])
    session = Session(graph)
    assert list(session.packed_layers) == ["fc1", "fc2"]
    assert len(session._steps) == steps
    expected = evaluate(graph, {"x": x})["y2"]
    out = session(x)
    assert out.dtype == np.float32
    assert np.abs(out - expected).max() <= 2e-5 * np.abs(expected).max()
    assert np.array_equal(session.run({"x": x})["y2"], out)


@pytest.mark.parametrize(
    "recipe",
    [
        paring.Recipe([paring.QuantizeStep()]),
        paring.Recipe([paring.QuantizeStep(bits=4, granularity="group")]),
        paring.Recipe([paring.PruneStep(sparsity=0.9), paring.SparsifyStep()]),
        paring.Recipe([paring.PruneStep(sparsity=0.9), paring.QuantizeStep(), paring.SparsifyStep()]),
    ],
    ids=["int8", "int4", "csr", "int8 csr"],
)
@pytest.mark.parametrize("axis", [0, 1])
def test_compressed_weights_run_by_their_kernels(rng, x, recipe, axis):
    graph = dense_graph(rng, form="Gemm" if axis == 0 else "Gemm, turned")
    steps = [
        paring.QuantizeStep(bits=s.bits, granularity=s.granularity, axis=axis) if s.kind == "quantize" else s
        for s in recipe.steps
    ]
    if axis and not any(s.kind == "quantize" for s in steps):
        compressed = {
            name: paring.sparsify(paring.prune(w, sparsity=0.9), axis=1) if w.ndim == 2 else w
            for name, w in graph.initializers.items()
        }
    else:
        compressed = dict(paring.compress(graph.initializers, paring.Recipe(steps)))
    assert not isinstance(compressed["w1"], np.ndarray)
    graph = Graph(graph.nodes, compressed, graph.inputs, graph.outputs)
    session = Session(graph)
    assert list(session.packed_layers) == ["fc1", "fc2"]
    expected = evaluate(graph, {"x": x})["y2"]
    assert np.abs(session(x) - expected).max() < 0.03 * np.abs(expected).max()


CHANNELS = {1: 400, 2: 128}


def convolution(rng, form, rank, bias, channels):
    """A convolution with an activation, and its session."""
    weight = rng.standard_normal((16, channels, *(3,) * rank), np.float32)
    weight = {
        "int8": lambda: paring.quantize(weight),
        "int4": lambda: paring.quantize(weight, bits=4, granularity="group", group_size=8),
        "csr": lambda: paring.sparsify(paring.prune(weight, sparsity=0.8)),
    }[form]()
    initializers = {"w": weight, "b": rng.standard_normal(16, np.float32)}
    attributes = {"kernel_shape": (3,) * rank, "pads": (1,) * 2 * rank, "strides": (2,) * rank}
    inputs = ("x", "w", "b") if bias else ("x", "w")
    nodes = (Node("Conv", inputs, ("c",), attributes, "conv"), Node("Relu", ("c",), ("y",), {}, "relu"))
    graph = Graph(nodes, initializers, (Input("x", (None, channels, *(None,) * rank)),), ("y",))
    return graph, Session(graph)


@pytest.mark.parametrize("form", ["int8", "int4", "csr"])
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_convolutions_over_compressed_filters_are_packed(rng, form, rank, bias):
    channels = CHANNELS[rank]
    graph, session = convolution(rng, form, rank, bias, channels)
    assert list(session.packed_layers) == ["conv"]
    assert len(session._steps) == 1
    for size in (9, 32):
        x = rng.standard_normal((3, channels, *(size,) * rank), np.float32)
        expected = evaluate(graph, {"x": x})["y"]
        out = session(x)
        assert out.shape == expected.shape
        assert np.abs(out - expected).max() < (1e-5 if form == "csr" else 0.03) * np.abs(expected).max()
    with pytest.raises(ValueError, match=f"Conv node 'conv': expected filters over {channels - 1} channels"):
        other = Graph(
            graph.nodes, graph.initializers, (Input("x", (None, channels - 1, *(None,) * rank)),), ("y",)
        )
        Session(other)(rng.standard_normal((3, channels - 1, *(9,) * rank), np.float32))


@pytest.mark.parametrize("form", ["int8", "int4", "csr"])
@pytest.mark.parametrize("rank", [1, 2])
def test_shallow_filters_run_in_float(rng, form, rank):
    """That is faster, and nothing of the input is rounded."""
    channels = 8 if form != "int8" else 3
    graph, session = convolution(rng, form, rank, True, channels)
    assert [name.split("_")[1] for name in session.packed_layers.values()] == ["f32"]
    x = rng.standard_normal((3, channels, *(20,) * rank), np.float32)
    assert session(x).tobytes() == evaluate(graph, {"x": x})["y"].tobytes()


def test_what_has_no_kernel_runs_by_its_meaning(rng, x):
    graph = dense_graph(rng)
    odd = {**graph.initializers, "w1": graph.initializers["w1"].astype(np.float64)}
    wide = Graph(graph.nodes, odd, (Input("x", (None, 64), "float64"),), graph.outputs)
    with pytest.raises(ValueError, match="fc1"):
        Session(wide)(x.astype(np.float64))
    nodes = (Node("Gemm", ("x", "w1", "b1"), ("y",), {"transB": 1, "alpha": 0.5}, "fc"),)
    half = Graph(nodes, graph.initializers, graph.inputs, ("y",))
    assert Session(half).packed_layers == {}
    assert np.array_equal(Session(half)(x), evaluate(half, {"x": x})["y"])


def test_a_value_that_others_need_is_not_fused_away(rng, x):
    graph = dense_graph(rng)
    both = Graph(graph.nodes, graph.initializers, graph.inputs, ("h1", "y2"))
    hidden, out = Session(both)(x)
    assert (hidden < 0).any()
    expected = evaluate(both, {"x": x})
    assert np.allclose(hidden, expected["h1"], rtol=1e-5, atol=1e-4)
    assert np.allclose(out, expected["y2"], rtol=1e-4, atol=1e-3)


def test_many_threads_at_once_get_the_same_bytes(rng):
    session = Session(dense_graph(rng, "Gelu"))
    inputs = [rng.standard_normal((n, 64), np.float32) for n in range(1, 33)]
    expected = [session(x).tobytes() for x in inputs]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            assert [out.tobytes() for out in pool.map(session, inputs)] == expected


def test_number_of_threads(rng, any_threads):
    Session(dense_graph(rng), num_threads=1)
    assert paring.kernel_info()["num_threads"] == 1


class TestErrors:
    def test_inputs(self, rng, x):
        session = Session(dense_graph(rng))
        with pytest.raises(ValueError, match="inputs: expected 'x', got no 'x' and also 'z'"):
            session.run({"z": x})
        with pytest.raises(ValueError, match=r"input 'x': expected shape \(None, 64\), got \(7, 63\)"):
            session(x[:, 1:])
        with pytest.raises(TypeError, match="input 'x': expected an array of float32, got float64"):
            session(x.astype(np.float64))
        with pytest.raises(TypeError, match="input 'x': expected an array of float32, got list"):
            session([1.0])
        with pytest.raises(ValueError, match="expected 1 inputs, got 2"):
            session(x, x)

    def test_models(self, rng):
        with pytest.raises(
            TypeError, match=r"model: expected a paring\.nn\.Model, a Graph, or a path, got int"
        ):
            Session(5)
        graph = dense_graph(rng)
        odd = Graph(
            (*graph.nodes, Node("Rleu", ("y2",), ("z",), {}, "last")),
            graph.initializers,
            graph.inputs,
            ("z",),
        )
        with pytest.raises(ValueError, match="Rleu"):
            Session(odd)


class TestFolding:
    @pytest.fixture
    def graph(self, rng):
        nodes = (
            Node("Conv", ("x", "w", "b"), ("c",), {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}, "conv"),
            Node("BatchNormalization", ("c", "s1", "t1", "m1", "v1"), ("n",), {"epsilon": 1e-3}, "norm"),
            Node("Relu", ("n",), ("r",), {}, "relu"),
            Node("Flatten", ("r",), ("f",), {}, "flatten"),
            Node("Gemm", ("f", "w2"), ("g",), {"transB": 1}, "fc"),
            Node("BatchNormalization", ("g", "s2", "t2", "m2", "v2"), ("y",), {"training_mode": 0}, "norm2"),
        )
        initializers = {
            "w": rng.standard_normal((8, 3, 3, 3), np.float32),
            "b": rng.standard_normal(8, np.float32),
            "w2": rng.standard_normal((10, 8 * 36), np.float32),
        }
        for number, size in (("1", 8), ("2", 10)):
            for name in "stm":
                initializers[name + number] = rng.standard_normal(size, np.float32)
            initializers["v" + number] = rng.random(size, np.float32) + 0.1
        return Graph(nodes, initializers, (Input("x", (None, 3, 6, 6)),), ("y",))

    def test_batch_norm_goes_into_the_layer_before_it(self, graph, rng):
        folded = fold_batch_norm(graph)
        assert [node.op for node in folded.nodes] == ["Conv", "Relu", "Flatten", "Gemm"]
        assert len(folded.initializers) == 4
        x = rng.standard_normal((4, 3, 6, 6), np.float32)
        expected, out = evaluate(graph, {"x": x})["y"], evaluate(folded, {"x": x})["y"]
        assert np.abs(out - expected).max() <= 1e-5 * np.abs(expected).max()
        assert np.abs(Session(graph)(x) - expected).max() <= 1e-5 * np.abs(expected).max()

    def test_what_others_see_is_left(self, graph):
        seen = Graph(graph.nodes, graph.initializers, graph.inputs, ("c", "y"))
        assert [node.op for node in fold_batch_norm(seen).nodes][:2] == ["Conv", "BatchNormalization"]

    def test_compressed_weights_are_left(self, graph):
        quantized = {**graph.initializers, "w2": paring.quantize(graph.initializers["w2"])}
        folded = fold_batch_norm(Graph(graph.nodes, quantized, graph.inputs, graph.outputs))
        assert [node.op for node in folded.nodes][-2:] == ["Gemm", "BatchNormalization"]

    def test_constants(self, rng):
        nodes = (
            Node("Mul", ("a", "b"), ("c",), {}, "mul"),
            Node("Add", ("x", "c"), ("y",), {}, "add"),
        )
        a, b = rng.standard_normal((2, 3), np.float32)
        graph = Graph(nodes, {"a": a, "b": b}, (Input("x", (3,)),), ("y",))
        folded = fold_constants(graph)
        assert [node.name for node in folded.nodes] == ["add"]
        assert np.array_equal(folded.initializers["c"], a * b)
        assert list(folded.initializers) == ["c"]
