"""QuantizeLinear, DequantizeLinear and the operators of ours around them: meanings, gradients, refusals."""

import math
from dataclasses import replace

import numpy as np
import pytest

import paring
from operator_cases_quantization import CASES, CODES, PLUS, WEIGHT, scales
from operator_graphs import graph_of_arrays, run, run_case
from paring.graph.checking import infer_shapes
from paring.graph.evaluation import evaluate, record
from paring.graph.integers import round_rows
from paring.graph.nodes import Graph, Input, Node

OF_ONNX = [case for case in CASES if not case.op.startswith("paring.")]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.op}-{case.attributes}")


@pytest.mark.parametrize("case", OF_ONNX, ids=lambda case: f"{case.op}-{case.attributes}")
def test_meaning_against_the_reference(case):
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    arrays = case.arrays()
    names = [f"x{i}" for i in range(len(arrays))]
    kinds = onnx.helper.np_dtype_to_tensor_dtype
    inputs = [
        onnx.helper.make_tensor_value_info(name, kinds(array.dtype), array.shape)
        for name, array in zip(names, arrays, strict=True)
    ]
    node = onnx.helper.make_node(case.op, names, ["y"], **case.attributes)
    graph = onnx.helper.make_graph([node], "one", inputs, [onnx.helper.make_empty_tensor_value_info("y")])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)])
    (wanted,) = ReferenceEvaluator(model).run(None, dict(zip(names, arrays, strict=True)))
    (got,) = run_case(case, arrays)
    assert got.dtype == wanted.dtype
    assert got.tobytes() == wanted.tobytes()


@every_case
def test_shapes_are_those_of_the_values(case):
    arrays = case.arrays()
    graph = graph_of_arrays(case.op, arrays, case.attributes)
    shapes = infer_shapes(graph)
    values = {f"x{i}": array for i, array in enumerate(arrays) if array is not None}
    assert shapes["y0"] == evaluate(graph, values)["y0"].shape


@every_case
def test_inputs_stay_as_they_were(case):
    arrays = case.arrays()
    for array in arrays:
        if array is not None:
            array.setflags(write=False)
    run_case(case, arrays)


class TestQuantizeLinear:
    def test_rounds_half_to_even_and_clamps(self):
        x = np.array([0.5, 1.5, -2.5, 300.0, -300.0, 0.0], np.float32)
        assert run("QuantizeLinear", x, np.float32(1), output_dtype=3).tolist() == [0, 2, -2, 127, -128, 0]
        assert run("QuantizeLinear", x, np.float32(1), output_dtype=3, low=-2, high=1).tolist() == [
            0,
            1,
            -2,
            1,
            -2,
            0,
        ]
        assert run("QuantizeLinear", x, np.float32(1)).dtype == np.uint8

    def test_a_last_block_may_be_shorter(self):
        scale = np.array([[1, 2], [4, 8]], np.float32)
        x = np.full((2, 5), 16, np.float32)
        codes = run("QuantizeLinear", x, scale, axis=1, block_size=3, output_dtype=3)
        assert codes.tolist() == [[16, 16, 16, 8, 8], [4, 4, 4, 2, 2]]

    @pytest.mark.parametrize(
        ("inputs", "attributes", "message"),
        [
            (
                (WEIGHT, scales(3)),
                {"axis": 0},
                r"expected a scale of shape \(4,\) for values of shape \(4, 10\), got \(3,\)",
            ),
            ((WEIGHT, scales(4, 3)), {"axis": 1, "block_size": 5}, r"expected a scale of shape \(4, 2\)"),
            ((WEIGHT, scales(4)), {"axis": 2}, "axis: expected -2 to 1, got 2"),
            ((WEIGHT, scales(4, 2)), {"axis": 1, "block_size": -1}, "block_size: expected 0 or more, got -1"),
            (
                (WEIGHT, scales(4), PLUS[:3]),
                {"axis": 0},
                r"expected a zero point of the scale's shape \(4,\), got shape \(3,\)",
            ),
            (
                (WEIGHT, scales()),
                {"output_dtype": 22},
                r"output_dtype: expected \[2, 3\] \(uint8, int8\), got 22",
            ),
            (
                (WEIGHT, scales(4), PLUS),
                {"axis": 0, "output_dtype": 2},
                "expected that of the zero point, int8, got uint8",
            ),
            (
                (WEIGHT, scales(4), PLUS.astype(np.int32)),
                {"axis": 0},
                "expected a zero point of uint8 or int8, got int32",
            ),
            (
                (WEIGHT, scales()),
                {"output_dtype": 3, "low": -200},
                "low, high: expected codes of int8, got -200 and 127",
            ),
            ((WEIGHT, np.float64(1)), {}, "expected values of one dtype, got float32 and float64"),
        ],
    )
    def test_refusals(self, inputs, attributes, message):
        with pytest.raises(ValueError, match=message):
            run("QuantizeLinear", *inputs, **attributes)

    def test_dequantizing_refuses_floats_and_other_zero_points(self):
        with pytest.raises(ValueError, match="expected codes of int8, uint8 or int32, got float32"):
            run("DequantizeLinear", WEIGHT, scales())
        with pytest.raises(ValueError, match="expected a zero point of int8, as the codes, got uint8"):
            run("DequantizeLinear", CODES, scales(4), PLUS.view(np.uint8), axis=0)


def pair(w, scale, zero_point=None, low=-8, high=7, **axes):
    """Return w rounded, and the gradients of w and scale for those of the outputs."""
    zero = () if zero_point is None else ("z",)
    given = {"w": w, "s": scale, **({} if zero_point is None else {"z": zero_point})}
    nodes = (
        Node(
            "QuantizeLinear",
            ("w", "s", *zero),
            ("q",),
            {"output_dtype": 3, "low": low, "high": high, **axes},
            "q",
        ),
        Node("DequantizeLinear", ("q", "s", *zero), ("y",), axes, "d"),
    )
    inputs = [Input(name, array.shape, array.dtype.name) for name, array in given.items()]
    tape = record(Graph(nodes, {}, inputs, ("y",)), given, ["w", "s"])

    def gradients(dy):
        found = tape.backward({"y": dy})
        return found["w"], found["s"]

    return tape.outputs["y"], gradients


class TestStraightThrough:
    """The formulas of LSQ (section 2.1), element by element in float64."""

    @pytest.mark.parametrize("shape", [(), (4,), (4, 3)], ids=["tensor", "channel", "group"])
    @pytest.mark.parametrize("zero_point", [False, True])
    def test_gradients(self, shape, zero_point):
        rng = np.random.default_rng(1)
        w = rng.standard_normal((4, 10)).astype(np.float64)
        scale = rng.uniform(0.05, 0.2, shape)
        zero = rng.integers(-3, 4, shape).astype(np.int8) if zero_point else None
        axes = {0: {}, 1: {"axis": 0}, 2: {"axis": 1, "block_size": 4}}[len(shape)]
        y, gradients = pair(w, scale, zero, **axes)
        dy = rng.standard_normal(w.shape)
        dw, ds = gradients(dy)
        wide = {
            0: lambda a: np.full(w.shape, a),
            1: lambda a: np.repeat(a[:, None], 10, 1),
            2: lambda a: np.repeat(a, 4, 1)[:, :10],
        }[len(shape)]
        s, z = wide(scale), wide(np.zeros(shape) if zero is None else zero.astype(float))
        free = np.rint(w / s) + z
        codes = np.clip(free, -8, 7)
        inside = free == codes
        assert 0 < inside.sum() < inside.size
        np.testing.assert_allclose(y, (codes - z) * s, rtol=1e-12)
        np.testing.assert_allclose(dw, dy * inside, rtol=1e-12)
        by_element = dy * np.where(inside, codes - z - w / s, codes - z)
        groups = {
            0: lambda a: a.sum(),
            1: lambda a: a.sum(1),
            2: lambda a: np.add.reduceat(a, [0, 4, 8], axis=1),
        }
        np.testing.assert_allclose(ds, groups[len(shape)](by_element), rtol=1e-9, atol=1e-12)

    def test_the_bounds_themselves_are_inside(self):
        w = np.array([-0.84, -0.86, 0.74, 0.76], np.float32)  # -8.4, -8.6, 7.4 and 7.6 times the scale
        _, gradients = pair(w, np.float32(0.1))
        assert gradients(np.ones(4, np.float32))[0].tolist() == pytest.approx([1, 0, 1, 0])

    @pytest.mark.peers
    @pytest.mark.parametrize("bits", [2, 4, 8])
    def test_against_pytorch(self, bits):
        torch = pytest.importorskip("torch")
        rng = np.random.default_rng(2)
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        w = rng.standard_normal((6, 50)).astype(np.float32)
        scale = rng.uniform(0.5, 1, 6).astype(np.float32) / (1 << (bits - 1))
        y, gradients = pair(w, scale, low=low, high=high, axis=0)
        dy = rng.standard_normal(w.shape).astype(np.float32)
        dw, ds = gradients(dy)
        theirs, their_scale = torch.tensor(w, requires_grad=True), torch.tensor(scale, requires_grad=True)
        other = torch._fake_quantize_learnable_per_channel_affine(
            theirs, their_scale, torch.zeros(6), 0, low, high, 1.0
        )
        other.backward(torch.tensor(dy))
        # Theirs multiplies by 1 / scale; a value half-way between codes may go the other way.
        same = np.isclose(y, other.detach().numpy(), rtol=1e-6)
        assert same.mean() > 0.99
        np.testing.assert_allclose(dw[same], theirs.grad.numpy()[same], rtol=1e-5, atol=1e-6)
        rows = same.all(axis=1)
        np.testing.assert_allclose(ds[rows], their_scale.grad.numpy()[rows], rtol=1e-4, atol=1e-4)


class TestWeightScale:
    @pytest.mark.parametrize("bits", range(2, 9))
    @pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
    @pytest.mark.parametrize("symmetric", [True, False])
    def test_is_what_quantize_gives(self, bits, granularity, symmetric):
        rng = np.random.default_rng(bits)
        w = rng.standard_normal((6, 5, 7)).astype(np.float32)
        attributes = {"bits": bits, "granularity": granularity, "group_size": 8, "symmetric": int(symmetric)}
        graph = graph_of_arrays("paring.WeightScale", [w], attributes, outputs=2)
        found = evaluate(graph, {"x0": w})
        wanted = paring.quantize(w, bits, granularity, 8, symmetric)
        assert found["y0"].reshape(wanted.scale.shape).tobytes() == wanted.scale.tobytes()
        zeros = np.zeros(wanted.scale.shape, np.int8) if symmetric else wanted.zero_point
        assert found["y1"].reshape(zeros.shape).tobytes() == zeros.tobytes()

    def test_a_weight_that_is_not_finite_has_no_scale(self):
        w = WEIGHT.copy()
        w[1, 2] = np.nan
        assert np.isnan(run("paring.WeightScale", w, bits=4)).all()

    def test_refusals(self):
        with pytest.raises(ValueError, match=r"expected a weight of two axes or more, got shape \(4,\)"):
            run("paring.WeightScale", WEIGHT[:, 0])
        with pytest.raises(
            ValueError, match="expected 2 to 8 bits and a group_size of 1 or more, got 9 and 32"
        ):
            run("paring.WeightScale", WEIGHT, bits=9)
        with pytest.raises(ValueError, match="expected a weight of float32, got float64"):
            run("paring.WeightScale", WEIGHT.astype(np.float64))


class TestLearnedScale:
    def test_stays_above_zero(self):
        steps = np.array([-1e30, -1e9, -1.0, 0.0, 1.0, 1e9], np.float32)
        scale = run("paring.LearnedScale", np.ones(6, np.float32), steps)
        assert (scale > 0).all()
        assert (np.diff(scale[1:]) > 0).all()
        assert scale[3] == 1
        assert scale[4] == pytest.approx(math.exp(math.asinh(1)), rel=1e-6)

    def test_gradient(self):
        start, step = np.array([0.5, 2.0, 1.0]), np.array([-2.0, 0.3, 4.0])
        graph = graph_of_arrays("paring.LearnedScale", [start, step], {"factor": 0.25})
        tape = record(graph, {"x0": start, "x1": step}, ["x1"])
        (slope,) = tape.backward({"y0": np.ones(3)}).values()
        after, before = (run("paring.LearnedScale", start, step + move) for move in (1e-6, -1e-6))
        np.testing.assert_allclose(slope, 0.25 * (after - before) / 2e-6, rtol=1e-6)

    def test_refusal(self):
        with pytest.raises(
            ValueError, match=r"expected steps of shape \(4,\) for a scale of shape \(2, 2\), got \(3,\)"
        ):
            run("paring.LearnedScale", np.ones((2, 2)), np.ones(3))


def weight_of(bits, codes, scale, zero_point, group_size):
    two = (*scale.shape, 1, 1)[:2]
    return paring.QuantizedWeight(
        data=codes if bits == 8 else paring._core.pack_codes(codes, bits),
        scale=scale.reshape(two),
        zero_point=None if zero_point is None else zero_point.reshape(two),
        shape=codes.shape,
        bits=bits,
        granularity=("tensor", "channel", "group")[scale.ndim],
        group_size=group_size,
    )


class TestIntegerDense:
    @pytest.mark.parametrize("bits", [2, 3, 4, 5, 8])
    @pytest.mark.parametrize("shape", [(), (7,), (7, 3)], ids=["tensor", "channel", "group"])
    @pytest.mark.parametrize("with_zero", [False, True])
    @pytest.mark.parametrize("lead", [(), (5,), (2, 3)], ids=str)
    def test_has_the_bytes_of_the_packed_layer(self, bits, shape, with_zero, lead):
        rng = np.random.default_rng(bits)
        half = 1 << (bits - 1)
        codes = rng.integers(-half, half, (7, 41)).astype(np.int8)
        scale = rng.uniform(0.01, 0.1, shape).astype(np.float32)
        zero = rng.integers(-half, half, shape).astype(np.int8) if with_zero else None
        bias = rng.standard_normal(7).astype(np.float32)
        axes = {"axis": 1, "block_size": 16} if len(shape) == 2 else {"axis": 0}
        x = rng.standard_normal((*lead, 41)).astype(np.float32)
        got = run("paring.IntegerDense", x, codes, scale, zero, bias, bits=bits, form="Gemm", **axes)
        layer = paring.PackedLinear(
            weight_of(bits, codes, scale, zero, 16 if len(shape) == 2 else None), bias
        )
        assert got.tobytes() == layer(x).tobytes()

    @pytest.mark.parametrize("shape", [(), (7,), (7, 3)], ids=["tensor", "channel", "group"])
    @pytest.mark.parametrize("with_zero", [False, True])
    def test_gradients_are_those_of_rounded_rows_and_weights(self, shape, with_zero):
        rng = np.random.default_rng(3)
        w = rng.standard_normal((7, 41)).astype(np.float32)
        scale = rng.uniform(0.1, 0.2, shape).astype(np.float32)
        zero = rng.integers(-3, 3, shape).astype(np.int8) if with_zero else None
        bias = rng.standard_normal(7).astype(np.float32)
        x = rng.standard_normal((5, 41)).astype(np.float32)
        dy = rng.standard_normal((5, 7)).astype(np.float32)
        axes = {"axis": 1, "block_size": 16} if len(shape) == 2 else {"axis": 0}
        coded = {"output_dtype": 3, "low": -8, "high": 7, **axes}
        z = ("z",) if with_zero else ()
        first = Node("QuantizeLinear", ("w", "s", *z), ("q",), coded, "q")
        integers = (
            first,
            Node(
                "paring.IntegerDense", ("x", "q", "s", *(z or ("",)), "b"), ("y",), {"bits": 4, **axes}, "d"
            ),
        )
        floats = (
            first,
            Node("DequantizeLinear", ("q", "s", *z), ("r",), axes, "r"),
            Node("Gemm", ("x", "r", "b"), ("y",), {"transB": 1}, "d"),
        )
        given = {"x": x, "w": w, "s": scale, "b": bias, **({"z": zero} if with_zero else {})}
        inputs = [Input(name, array.shape, array.dtype.name) for name, array in given.items()]
        watch = ["x", "w", "s", "b"]
        one = record(Graph(integers, {}, inputs, ("y",)), given, watch)
        other = record(Graph(floats, {}, inputs, ("y",)), {**given, "x": round_rows(x)}, watch)
        np.testing.assert_allclose(one.outputs["y"], other.outputs["y"], rtol=1e-4, atol=1e-5)
        found, wanted = one.backward({"y": dy}), other.backward({"y": dy})
        for name in watch:
            np.testing.assert_allclose(found[name], wanted[name], rtol=1e-4, atol=1e-4)

    def test_what_is_not_finite_shows(self):
        arguments = (np.ones((2, 10), np.float32), CODES, scales(4))
        assert np.isfinite(run("paring.IntegerDense", *arguments, axis=0, bits=4)).all()
        for place in (0, 2):
            broken = [array.copy() for array in arguments]
            broken[place][0] = np.nan
            found = run("paring.IntegerDense", *broken, axis=0, bits=4)
            assert np.isnan(found[0]).all()

    def test_refusals(self):
        x = np.ones((2, 10), np.float32)
        with pytest.raises(ValueError, match=r"expected codes \(out_features, 9\), got shape \(4, 10\)"):
            run("paring.IntegerDense", x[:, :9], CODES, scales(4), axis=0, bits=4)
        with pytest.raises(ValueError, match=r"expected a bias of shape \(4,\), got \(3,\)"):
            run("paring.IntegerDense", x, CODES, scales(4), None, scales(3), axis=0, bits=4)
        with pytest.raises(ValueError, match="expected x of float32 and codes of int8, got float64 and int8"):
            run("paring.IntegerDense", x.astype(np.float64), CODES, scales(4), axis=0, bits=4)


CONVOLUTIONS = [
    ((2, 3, 7, 6), (3, 2), {}),
    ((2, 3, 7, 6), (3, 3), {"pads": (1, 1, 1, 1), "strides": (2, 1)}),
    ((2, 3, 9, 8), (2, 3), {"dilations": (2, 2), "pads": (0, 2, 1, 0)}),
    ((3, 3, 11), (4,), {"strides": (2,), "pads": (1, 1)}),
    ((2, 3, 4, 4), (1, 1), {}),
]


class TestIntegerConv:
    @pytest.mark.parametrize(("shape", "kernel", "attributes"), CONVOLUTIONS)
    @pytest.mark.parametrize("form", ["tensor", "channel", "group"])
    @pytest.mark.parametrize("with_zero", [False, True])
    def test_is_what_a_packed_layer_gives(self, shape, kernel, attributes, form, with_zero):
        rng = np.random.default_rng(1)
        x = rng.standard_normal(shape).astype(np.float32)
        columns = 3 * math.prod(kernel)
        codes = rng.integers(-8, 8, (5, 3, *kernel)).astype(np.int8)
        groups = {"tensor": (), "channel": (5,), "group": (5, math.ceil(columns / 4))}[form]
        scale = rng.uniform(0.01, 0.1, groups).astype(np.float32)
        zero = rng.integers(-8, 8, groups).astype(np.int8) if with_zero else None
        bias = rng.standard_normal(5).astype(np.float32)
        axes = {"axis": 1, "block_size": 4} if form == "group" else {"axis": 0}
        given = codes.reshape(5, -1) if form == "group" else codes
        settings = {"bits": 4, "kernel_shape": kernel, **attributes, **axes}
        got = run("paring.IntegerConv", x, given, scale, zero, bias, **settings)
        if form != "group":
            filters = replace(weight_of(4, codes.reshape(5, -1), scale, zero, None), shape=codes.shape)
            (strides, pads, dilations) = (attributes.get(n) for n in ("strides", "pads", "dilations"))
            rank = len(kernel)
            packed = paring.PackedConv(
                filters,
                bias,
                stride=strides or 1,
                padding=list(zip(pads[:rank], pads[rank:], strict=True)) if pads else 0,
                dilation=dilations or 1,
            )
            np.testing.assert_array_equal(got, packed(x))
            return
        weight = weight_of(4, codes.reshape(5, -1), scale, zero, 4)
        layer = paring.PackedLinear(weight, bias)
        # Windows one by one: what a convolution with filters of a single 1 takes out of x.
        eye = np.eye(columns, dtype=np.float32).reshape(columns, 3, *kernel)
        windows = run("Conv", x, eye, **attributes)
        rows = np.ascontiguousarray(np.moveaxis(windows, 1, -1)).reshape(-1, columns)
        wanted = np.moveaxis(layer(rows).reshape(len(x), *windows.shape[2:], 5), -1, 1)
        np.testing.assert_array_equal(got, wanted)

    @pytest.mark.parametrize(("shape", "kernel", "attributes"), CONVOLUTIONS)
    @pytest.mark.parametrize("grouped", [False, True])
    def test_gradients_are_those_of_the_convolution(self, shape, kernel, attributes, grouped):
        rng = np.random.default_rng(2)
        columns = 3 * math.prod(kernel)
        x = rng.standard_normal(shape).astype(np.float32)
        w = rng.standard_normal((5, columns) if grouped else (5, 3, *kernel)).astype(np.float32)
        scale = rng.uniform(0.1, 0.2, (5, math.ceil(columns / 4)) if grouped else (5,)).astype(np.float32)
        bias = rng.standard_normal(5).astype(np.float32)
        axes = {"axis": 1, "block_size": 4} if grouped else {"axis": 0}
        first = Node(
            "QuantizeLinear", ("w", "s"), ("q",), {"output_dtype": 3, "low": -8, "high": 7, **axes}, "q"
        )
        settings = {"bits": 4, "kernel_shape": kernel, **attributes, **axes}
        integers = (first, Node("paring.IntegerConv", ("x", "q", "s", "", "b"), ("y",), settings, "c"))
        floats = (
            first,
            Node("DequantizeLinear", ("q", "s"), ("r",), axes, "r"),
            Node("Reshape", ("r", "shape"), ("f",), {}, "f"),
            Node("Conv", ("x", "f", "b"), ("y",), attributes, "c"),
        )
        given = {"x": x, "w": w, "s": scale, "b": bias}
        inputs = [Input(name, array.shape, array.dtype.name) for name, array in given.items()]
        shapes = {"shape": np.array((5, 3, *kernel))}
        watch = list(given)
        one = record(Graph(integers, {}, inputs, ("y",)), given, watch)
        other = record(Graph(floats, shapes, inputs, ("y",)), given, watch)
        dy = rng.standard_normal(other.outputs["y"].shape).astype(np.float32)
        found, wanted = one.backward({"y": dy}), other.backward({"y": dy})
        for name in watch:
            np.testing.assert_allclose(found[name], wanted[name], rtol=1e-4, atol=1e-4)

    def test_what_is_not_finite_shows(self):
        (case,) = [case for case in CASES if case.op == "paring.IntegerConv"]
        x, codes, scale, _, bias = case.arrays()
        scale[1] = np.nan
        assert np.isnan(run("paring.IntegerConv", x, codes, scale, None, bias, **case.attributes)).all()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"kernel_shape": (2,)}, r"kernel_shape: expected 2 numbers, got \(2,\)"),
            (
                {"kernel_shape": (3, 2)},
                r"expected codes for filters of shape \(4, 3, 3, 2\), got shape \(4, 12\)",
            ),
        ],
    )
    def test_refusals(self, change, message):
        (case,) = [case for case in CASES if case.op == "paring.IntegerConv"]
        with pytest.raises(ValueError, match=message):
            run("paring.IntegerConv", *case.arrays(), **{**case.attributes, **change})


class TestRoundRows:
    """Against the kernel itself: a layer whose weight is the identity shows what it made of the row."""

    @pytest.mark.parametrize("columns", [1, 2, 17, 64])
    def test_is_what_the_kernels_do(self, columns):
        rng = np.random.default_rng(columns)
        eye = np.eye(columns, dtype=np.int8)
        weight = weight_of(8, eye, np.ones((), np.float32), None, None)
        x = rng.standard_normal((40, columns)).astype(np.float32)
        x[0] = 0
        x[1] = 1e-40
        x[2] = 3.0  # equals: the first one stays
        x[3] *= 1e30
        x[4, 0] = np.inf
        x[5, -1] = np.nan
        x[6] = np.arange(columns) + 0.5
        got, wanted = round_rows(x), paring.PackedLinear(weight)(x)
        np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted))
        np.testing.assert_array_equal(got[6:], wanted[6:])
        np.testing.assert_array_equal(got[:4], wanted[:4])

    def test_no_rows(self):
        assert round_rows(np.empty((0, 4), np.float32)).shape == (0, 4)
