"""Convolution, pooling and normalization, walked as the other operators are, and what is their own."""

import numpy as np
import pytest

import test_operator_meanings
import test_operator_shapes
import test_operators
from operator_cases_spatial import CASES
from operator_graphs import differentiable, graph_of_arrays, run
from paring import _core
from paring.graph.checking import infer_shapes
from paring.graph.evaluation import evaluate, record
from paring.graph.nodes import Graph, Input, Node
from paring.graph.operators import Run
from paring.graph.ops import OPERATORS, conv

every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def test_no_case_is_there_twice():
    names = [f"{case}{case.outputs}" for case in CASES]
    assert len(set(names)) == len(names)


@every_case
def test_gradient_against_central_differences(case):
    test_operators.test_gradient_against_central_differences(case)


@every_case
@pytest.mark.parametrize(
    "check",
    [
        test_operators.test_gradients_have_the_shape_and_dtype_of_the_values,
        test_operators.test_gradients_of_a_subset_are_those_of_all,
        test_operators.test_what_is_not_needed_is_none,
        test_operators.test_inputs_stay_as_they_were,
        test_operator_meanings.test_memory_order_does_not_matter,
        test_operator_meanings.test_float32_stays_float32,
        test_operator_shapes.test_inferred_shapes_are_the_real_ones,
        test_operator_shapes.test_unknown_sizes_stay_unknown,
    ],
    ids=lambda check: check.__name__.removeprefix("test_"),
)
def test_as_every_operator(case, check):
    check(case)


@every_dtype
@pytest.mark.parametrize("case", [case for case in CASES if not case.reference_differs], ids=str)
def test_meaning_against_the_reference(case, dtype):
    test_operator_meanings.test_meaning_against_the_reference(case, dtype)


@pytest.mark.peers
@every_dtype
@pytest.mark.parametrize("case", [case for case in CASES if case.torch is not None], ids=str)
def test_values_and_gradients_are_those_of_pytorch(case, dtype):
    test_operator_meanings.test_values_and_gradients_are_those_of_pytorch(case, dtype)


@pytest.mark.peers
@pytest.mark.parametrize("case", CASES, ids=str)
def test_meaning_is_that_of_onnx_runtime(case):
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    arrays = case.arrays(np.float32)
    names = [f"x{i}" for i in range(len(arrays))]
    node = onnx.helper.make_node(case.op, names, [f"y{i}" for i in range(case.outputs)], **case.attributes)
    inputs = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, array.shape)
        for name, array in zip(names, arrays, strict=True)
    ]
    outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output]
    graph = onnx.helper.make_graph([node], "one", inputs, outputs)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    wanted = session.run(None, dict(zip(names, arrays, strict=True)))
    for y, oracle in zip(test_operators.run_case(case, arrays), wanted, strict=True):
        assert y.shape == oracle.shape
        np.testing.assert_allclose(y, oracle, rtol=1e-5, atol=1e-5)


# Convolution.


def conv_graph(arrays, **attributes):
    names = ("x", "w", "b")[: len(arrays)]
    node = Node("Conv", names, ("y",), attributes, "here")
    return Graph(
        (node,),
        {},
        tuple(Input(n, a.shape, a.dtype.name) for n, a in zip(names, arrays, strict=True)),
        ("y",),
    )


def outputs_and_gradients(arrays, watch=("x", "w", "b"), **attributes):
    graph = conv_graph(arrays, **attributes)
    tape = record(graph, dict(zip(("x", "w", "b"), arrays, strict=False)), watch[: len(arrays)])
    dy = np.random.default_rng(3).standard_normal(tape.outputs["y"].shape).astype(arrays[0].dtype)
    return [tape.outputs["y"], *tape.backward({"y": dy}).values()]


@pytest.mark.parametrize("budget", [1, 700, 3000, 10**6])
@pytest.mark.parametrize("attributes", [{}, {"strides": (2, 3), "pads": (1, 2, 0, 3)}, {"group": 2}], ids=str)
def test_columns_come_in_chunks_of_any_size(budget, attributes, monkeypatch, rng):
    """Rows of an image, whole images, or all at once."""
    arrays = [
        rng.standard_normal(s) for s in ((5, 4, 9, 7), (6, 4 // attributes.get("group", 1), 3, 2), (6,))
    ]
    whole = outputs_and_gradients(arrays, **attributes)
    monkeypatch.setattr(conv, "COLUMN_BYTES", budget)
    for got, wanted in zip(outputs_and_gradients(arrays, **attributes), whole, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)


def test_columns_stay_within_their_memory(monkeypatch, rng):
    sizes = []
    gather = _core.gather_columns

    def watching(x, image_axis, shape, images, rows, columns):
        sizes.append(columns.nbytes)
        gather(x, image_axis, shape, images, rows, columns)

    monkeypatch.setattr(_core, "gather_columns", watching)
    arrays = [rng.standard_normal(shape) for shape in ((3, 16, 90, 90), (4, 16, 5, 5))]
    evaluate(conv_graph(arrays), dict(zip(("x", "w"), arrays, strict=True)))
    assert len(sizes) > 3
    assert max(sizes) <= conv.COLUMN_BYTES


@pytest.mark.parametrize("shape", [(6, 4, 3, 3), (6, 4, 1, 1)], ids=str)
def test_the_order_of_memory_changes_no_byte(shape, rng):
    x, w = rng.standard_normal((3, 4, 8, 8)), rng.standard_normal(shape)
    turned = np.ascontiguousarray(x.transpose(1, 0, 2, 3)).transpose(1, 0, 2, 3)
    assert not turned.flags.c_contiguous
    for a, b in zip(outputs_and_gradients([x, w]), outputs_and_gradients([turned, w]), strict=True):
        assert a.tobytes() == b.tobytes()


def test_nothing_is_computed_for_frozen_inputs(monkeypatch, rng):
    arrays = [rng.standard_normal(shape) for shape in ((2, 4, 8, 8), (6, 4, 3, 3), (6,))]
    wanted = outputs_and_gradients(arrays)
    for watch, unused in (("x", "window_columns"), ("w", "_input_gradient"), ("b", "window_columns")):
        graph = conv_graph(arrays)
        tape = record(graph, dict(zip("xwb", arrays, strict=True)), [watch])
        dy = np.random.default_rng(3).standard_normal(tape.outputs["y"].shape)
        with monkeypatch.context() as patched:
            patched.setattr(conv, unused, None)
            patched.setattr(conv, "_input_gradient" if watch == "b" else unused, None)
            found = tape.backward({"y": dy})
        assert found[watch].tobytes() == wanted[1 + "xwb".index(watch)].tobytes()


def test_depthwise_is_the_grouped_product(monkeypatch, rng):
    arrays = [rng.standard_normal(shape) for shape in ((2, 4, 8, 9), (8, 1, 3, 3), (8,))]
    attributes = {"group": 4, "strides": (2, 1), "pads": (1, 0, 1, 2)}
    direct = outputs_and_gradients(arrays, **attributes)
    monkeypatch.setattr(conv, "_is_depthwise", lambda *_: False)
    for got, wanted in zip(direct, outputs_and_gradients(arrays, **attributes), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.peers
def test_a_small_network_has_the_gradients_of_pytorch(rng):
    """Through values whose channels are outside in memory, from layer to layer."""
    torch = pytest.importorskip("torch")
    shapes = {"x": (3, 1, 12, 12), "w1": (4, 1, 3, 3), "b1": (4,), "w2": (6, 4, 2, 2), "w3": (5, 24)}
    values = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    pool = {"kernel_shape": (2, 2), "strides": (2, 2)}
    nodes = (
        Node("Conv", ("x", "w1", "b1"), ("c1",), {}, "c1"),
        Node("MaxPool", ("c1",), ("p1",), pool, "p1"),
        Node("Relu", ("p1",), ("r1",), {}, "r1"),
        Node("Conv", ("r1", "w2"), ("c2",), {}, "c2"),
        Node("AveragePool", ("c2",), ("p2",), pool, "p2"),
        Node("Flatten", ("p2",), ("f",), {}, "f"),
        Node("Gemm", ("f", "w3"), ("y",), {"transB": 1}, "y"),
    )
    inputs = (Input("x", shapes["x"], "float64"),)
    weights = {name: value for name, value in values.items() if name != "x"}
    tape = record(Graph(nodes, weights, inputs, ("y",)), {"x": values["x"]}, list(values))
    dy = rng.standard_normal((3, 5))
    gradients = tape.backward({"y": dy})
    f = torch.nn.functional
    t = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
    hidden = f.conv2d(torch.relu(f.max_pool2d(f.conv2d(t["x"], t["w1"], t["b1"]), 2)), t["w2"])
    wanted = f.avg_pool2d(hidden, 2).flatten(1) @ t["w3"].T
    wanted.backward(torch.from_numpy(dy))
    np.testing.assert_allclose(tape.outputs["y"], wanted.detach().numpy(), rtol=1e-12, atol=1e-12)
    for name, tensor in t.items():
        np.testing.assert_allclose(gradients[name], tensor.grad.numpy(), rtol=1e-12, atol=1e-11)


# Pooling.


def test_the_first_of_equal_values_takes_the_gradient_and_nan_wins():
    x = np.array([[[[1.0, 1.0, 5.0, np.nan], [1.0, 1.0, np.nan, 7.0]]]])
    graph = graph_of_arrays("MaxPool", [x], {"kernel_shape": (2, 2), "strides": (2, 2)}, outputs=2)
    tape = record(graph, {"x0": x}, ["x0"])
    np.testing.assert_array_equal(tape.outputs["y0"], [[[[1, np.nan]]]])
    np.testing.assert_array_equal(tape.outputs["y1"], [[[[0, 6]]]])
    dx = tape.backward({"y0": np.array([[[[2.0, 3.0]]]])})["x0"]
    np.testing.assert_array_equal(dx, [[[[2, 0, 0, 0], [0, 0, 3, 0]]]])


def test_a_value_that_is_largest_in_many_windows_gets_all_their_gradients():
    x = np.zeros((1, 1, 3, 3), np.float32)
    x[0, 0, 1, 1] = 1
    graph = graph_of_arrays("MaxPool", [x], {"kernel_shape": (2, 2)})
    dx = record(graph, {"x0": x}, ["x0"]).backward({"y0": np.array([[[[1, 2], [4, 8]]]], np.float32)})["x0"]
    assert dx.sum() == dx[0, 0, 1, 1] == 15


def test_indices_count_through_the_whole_input(rng):
    x = rng.standard_normal((2, 3, 4, 4))
    for given in (x, np.ascontiguousarray(x.transpose(1, 0, 2, 3)).transpose(1, 0, 2, 3)):
        graph = graph_of_arrays("MaxPool", [given], {"kernel_shape": (2, 2), "strides": (2, 2)}, outputs=2)
        outputs = evaluate(graph, {"x0": given})
        assert outputs["y1"].dtype == np.int64
        np.testing.assert_array_equal(x.reshape(-1)[outputs["y1"]], outputs["y0"])


def test_pooling_keeps_places_only_for_a_gradient(monkeypatch, rng):
    given = []
    pool = _core.max_pool
    monkeypatch.setattr(_core, "max_pool", lambda *a: (given.append(a[4]), pool(*a)))
    run("MaxPool", rng.standard_normal((1, 1, 4, 4)), kernel_shape=(2, 2))
    assert given == [None]


# Shapes.


def test_unknown_sizes_go_through():
    def shape_of(op, *shapes, **attributes):
        names = [f"x{i}" for i in range(len(shapes))]
        node = Node(op, names, ("y",), attributes)
        return infer_shapes(Graph((node,), {}, tuple(map(Input, names, shapes)), ("y",)))["y"]

    assert shape_of("Conv", (None, 4, None, 9), (6, 4, 3, 2)) == (None, 6, None, 8)
    assert shape_of("Conv", (None, 4, 7, 9), (None, 4, 3, None)) == (None, None, 5, None)
    assert shape_of("Conv", (2, 4, 7), (None, None, None), kernel_shape=(3,)) == (2, None, 5)
    assert shape_of("MaxPool", (None, 3, 8, None), kernel_shape=(2, 2), strides=(2, 2)) == (None, 3, 4, None)
    assert shape_of("AveragePool", (None, None, 8, 8), kernel_shape=(3, 3), auto_pad="SAME_UPPER") == (
        None,
        None,
        8,
        8,
    )
    assert shape_of("GlobalAveragePool", (None, 3, None, 5)) == (None, 3, 1, 1)
    assert shape_of("LayerNormalization", (None, 3), (3,)) == (None, 3)
    assert shape_of("BatchNormalization", (None, None, 7), (3,), (3,), (3,), (3,)) == (None, None, 7)


def test_every_operator_here_has_a_gradient_of_what_can_have_one():
    assert {case.op for case in CASES if not differentiable(case, case.arrays())} == set()
    assert OPERATORS["Dropout"].differentiable == (0,)
    assert OPERATORS["BatchNormalization"].differentiable == (0, 1, 2)
    assert Run().kept is None
