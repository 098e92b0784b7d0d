"""PackedLinear as a user meets it: shapes, kinds of weight, threads, and what it refuses."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import paring
import reference
from paring import _core


@pytest.fixture
def weight(rng):
    return rng.standard_normal((7, 12)).astype(np.float32)


@pytest.fixture
def x(rng):
    return rng.standard_normal((5, 12)).astype(np.float32)


def test_kinds_of_weight(weight, x):
    bias = np.arange(7, dtype=np.float32)
    expected = reference.float_linear(x, weight, bias)
    assert np.array_equal(paring.PackedLinear(weight, bias)(x), expected)
    quantized = paring.quantize(weight, granularity="group", group_size=4, symmetric=False)
    expected = reference.quantized_linear(
        x, quantized.codes(), quantized.scale, quantized.zero_point, 4, bias
    )
    assert np.array_equal(paring.PackedLinear(quantized, bias)(x), expected)
    sparse = paring.sparsify(paring.prune(weight, sparsity=0.5))
    assert np.array_equal(
        paring.PackedLinear(sparse, bias)(x), reference.float_linear(x, sparse.dense(), bias)
    )


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
@pytest.mark.parametrize("symmetric", [True, False])
def test_every_width_and_granularity(weight, x, bits, granularity, symmetric):
    q = paring.quantize(weight, bits=bits, granularity=granularity, group_size=5, symmetric=symmetric)
    scale = np.broadcast_to(q.scale, (7, q.scale.shape[1]))
    points = None if q.zero_point is None else np.broadcast_to(q.zero_point, scale.shape)
    expected = reference.quantized_linear(x, q.codes(), scale, points, q.group_size)
    assert np.array_equal(paring.PackedLinear(q)(x), expected)


def test_weight_of_axis_one_is_taken_as_in_by_out(weight, x):
    q, keras = paring.quantize(weight), paring.quantize(np.ascontiguousarray(weight.T), axis=1)
    assert keras.shape == (12, 7)
    assert np.array_equal(paring.PackedLinear(keras)(x), paring.PackedLinear(q)(x))


@pytest.mark.parametrize(
    "dtype", [np.float16, ml_dtypes.bfloat16, np.float64, np.dtype(">f4"), np.dtype(">f2")]
)
def test_other_float_weights_are_computed_in_float32(weight, x, dtype):
    converted = weight.astype(dtype)
    expected = reference.float_linear(x, converted.astype(np.float32))
    for form in (converted, np.asfortranarray(converted), np.repeat(converted, 2, axis=1)[:, ::2]):
        layer = paring.PackedLinear(form, np.zeros(7, dtype), compute="float32")
        assert np.array_equal(layer(x), expected)
        assert layer.compute == "float32"


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
@pytest.mark.parametrize("symmetric", [True, False])
def test_codes_in_float32_have_the_bytes_of_their_dense_weight(weight, x, bits, granularity, symmetric):
    q = paring.quantize(weight, bits=bits, granularity=granularity, group_size=5, symmetric=symmetric)
    for activation in (None, "gelu"):
        layer = paring.PackedLinear(q, np.ones(7, np.float32), activation, compute="float32")
        dense = paring.PackedLinear(q.dense(), np.ones(7, np.float32), activation)
        assert layer(x).tobytes() == dense(x).tobytes()
        assert layer(x[:1]).tobytes() == dense(x[:1]).tobytes()


def test_what_is_computed_by_default(weight):
    quantized, pruned = paring.quantize(weight), paring.prune(weight, sparsity=0.5)
    forms = {
        "int8": [quantized, paring.sparsify(paring.quantize(pruned))],
        "float32": [weight, weight.astype(np.float16), paring.sparsify(pruned)],
    }
    for compute, weights in forms.items():
        for form in weights:
            layer = paring.PackedLinear(form)
            assert layer.compute == compute
            assert paring.PackedLinear(form, compute=compute).kernel == layer.kernel
    exact = paring.PackedLinear(quantized, compute="float32")
    assert exact.compute == "float32"
    chosen = {k["name"] for k in paring.kernel_info()["kernels"] if k["chosen"]}
    assert {exact.kernel, paring.PackedLinear(quantized).kernel} <= chosen


def test_weights_stay_as_narrow_as_they_came(rng):
    weight = rng.standard_normal((256, 1024)).astype(np.float32)
    size = paring.PackedLinear(weight).nbytes
    for dtype in (np.float16, ml_dtypes.bfloat16):
        assert paring.PackedLinear(weight.astype(dtype)).nbytes < 0.51 * size
    for bits, part in ((8, 0.26), (4, 0.13), (2, 0.13)):
        assert paring.PackedLinear(paring.quantize(weight, bits=bits), compute="float32").nbytes < part * size


def test_halves_that_are_not_finite_are_refused(weight):
    for dtype in (np.float16, ml_dtypes.bfloat16):
        spoilt = weight.astype(dtype)
        spoilt[1, 2] = np.inf
        with pytest.raises(ValueError, match=r"weight: expected finite values, got infinity at \[1, 2\]"):
            paring.PackedLinear(spoilt)


@pytest.mark.parametrize(
    ("make", "compute", "message"),
    [
        (
            np.asarray,
            "int8",
            "compute: a float32 weight is computed in 'float32' only, got 'int8'; paring.quantize",
        ),
        (lambda w: w.astype(np.float16), "int8", "compute: a float16 weight is computed in 'float32' only"),
        (
            paring.sparsify,
            "int8",
            "compute: a sparse weight of floats is computed in 'float32' only, got 'int8'",
        ),
        (
            lambda w: paring.sparsify(paring.quantize(w)),
            "float32",
            "compute: a sparse weight of int8 codes is computed in 'int8' only, got 'float32'; its .dense()",
        ),
        (paring.quantize, "float16", "compute: expected 'int8', 'float32' or None, got 'float16'"),
    ],
)
def test_what_it_cannot_compute(weight, make, compute, message):
    with pytest.raises(ValueError, match=message):
        paring.PackedLinear(make(weight), compute=compute)


def test_scales_of_activations_need_int8(weight):
    for name in ("input_scale", "output_scale"):
        scales = {name: paring.ActivationScale(0.5)}
        with pytest.raises(ValueError, match=f"{name}: expected compute='int8' beside it, got 'float32'"):
            paring.PackedLinear(paring.quantize(weight), compute="float32", **scales)


def test_a_residual_in_float32(weight, x, rng):
    residual = rng.standard_normal((5, 7)).astype(np.float32)
    q = paring.quantize(weight, bits=4)
    for rows in (1, 5):
        exact = paring.PackedLinear(q, None, "relu", "float32")(x[:rows], residual=residual[:rows])
        dense = paring.PackedLinear(q.dense(), None, "relu")(x[:rows], residual=residual[:rows])
        assert exact.tobytes() == dense.tobytes()


def test_shapes_of_x(weight, x):
    layer = paring.PackedLinear(weight)
    rows = layer(x)
    assert np.array_equal(layer(x[0]), rows[0])
    assert np.array_equal(layer(x.reshape(5, 1, 1, 12)), rows.reshape(5, 1, 1, 7))
    assert layer(np.empty((0, 3, 12), np.float32)).shape == (0, 3, 7)
    strided = np.zeros((10, 24), np.float32)[::2, ::2]
    strided[...] = x
    assert np.array_equal(layer(strided), rows)
    frozen = x.copy()
    frozen.flags.writeable = False
    assert np.array_equal(layer(frozen), rows)
    unaligned = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape)
    assert np.array_equal(layer(unaligned), rows)


def test_no_features_at_all():
    assert np.array_equal(
        paring.PackedLinear(np.empty((2, 0), np.float32), np.ones(2, np.float32))(
            np.empty((3, 0), np.float32)
        ),
        np.ones((3, 2)),
    )
    assert paring.PackedLinear(np.empty((0, 4), np.float32))(np.ones((3, 4), np.float32)).shape == (3, 0)


def test_a_grouped_weight_without_columns():
    empty = paring.quantize(np.empty((70, 0), np.float32), bits=4, granularity="group", group_size=32)
    assert np.array_equal(paring.PackedLinear(empty)(np.empty((2, 0), np.float32)), np.zeros((2, 70)))


def test_an_x_that_changes_meanwhile_spoils_the_answer_only(rng):
    layer = paring.PackedLinear(paring.quantize(rng.standard_normal((8, 256)).astype(np.float32)))
    x = np.ones((64, 256), np.float32)
    done = threading.Event()

    def disturb():
        while not done.is_set():
            x[:, ::3] = rng.standard_normal()

    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        for _ in range(300):
            assert layer(x).shape == (64, 8)
    finally:
        done.set()
        disturber.join()


def test_out_is_written_and_returned(weight, x):
    layer, out = paring.PackedLinear(weight), np.empty((5, 7), np.float32)
    assert layer(x, out=out) is out
    assert np.array_equal(out, layer(x))


def test_one_layer_from_many_threads(weight, rng):
    layer = paring.PackedLinear(paring.quantize(weight), activation="gelu")
    batches = [rng.standard_normal((n, 12)).astype(np.float32) for n in range(1, 40)]
    expected = [layer(x) for x in batches]
    with paring.set_num_threads(2), ThreadPoolExecutor(8) as threads:
        for _ in range(20):
            assert all(map(np.array_equal, threads.map(layer, batches), expected))


def test_the_layer_tells_what_it_is(weight):
    layer = paring.PackedLinear(paring.quantize(weight), activation="relu")
    assert (layer.in_features, layer.out_features, layer.activation) == (12, 7, "relu")
    assert layer.kernel in {k["name"] for k in paring.kernel_info()["kernels"] if k["chosen"]}
    assert layer.nbytes >= 7 * 12
    assert "in_features=12, out_features=7, activation='relu'" in repr(layer)


@pytest.mark.parametrize(
    ("weight", "bias", "activation", "error", "message"),
    [
        (np.zeros((2, 3), np.int32), None, None, TypeError, "weight: expected a dtype among .*, got int32"),
        (np.zeros(3, np.float32), None, None, ValueError, r"weight: expected two axes .* got shape \(3,\)"),
        (
            np.zeros((2, 3, 1), np.float32),
            None,
            None,
            ValueError,
            r"weight: expected two axes .* got shape \(2, 3, 1\)",
        ),
        (
            np.array([[1, np.nan]]),
            None,
            None,
            ValueError,
            r"weight: expected finite values, got NaN at \[0, 1\]",
        ),
        (np.array([[1e300]]), None, None, ValueError, "weight: expected values in the range of float32"),
        (np.ones((2, 3)), np.ones(3), None, ValueError, r"bias: expected shape \(2,\), got \(3,\)"),
        (np.ones((2, 3)), np.ones(2, int), None, TypeError, "bias: expected a dtype among .*, got int64"),
        (
            np.ones((2, 3)),
            np.array([1, np.inf]),
            None,
            ValueError,
            "bias: expected finite values, got infinity",
        ),
        (
            np.ones((2, 3)),
            None,
            "tanh",
            ValueError,
            "activation: expected one of relu, gelu, silu or None, got 'tanh'",
        ),
    ],
)
def test_what_it_refuses_to_pack(weight, bias, activation, error, message):
    with pytest.raises(error, match=message):
        paring.PackedLinear(weight, bias, activation)


def test_what_it_refuses_to_run(weight, x):
    layer = paring.PackedLinear(weight)
    with pytest.raises(ValueError, match=r"x: expected shape \(\.\.\., 12\), got \(5, 11\)"):
        layer(x[:, 1:])
    with pytest.raises(ValueError, match=r"x: expected shape \(\.\.\., 12\), got \(\)"):
        layer(np.ones((), np.float32))
    with pytest.raises(TypeError, match="x: expected a float32 array, got float64"):
        layer(x.astype(np.float64))
    with pytest.raises(TypeError, match="x: expected a float32 array, got >f4"):
        layer(x.astype(">f4"))
    with pytest.raises(TypeError, match="x: expected a float32 array, got list"):
        layer(x.tolist())
    with pytest.raises(ValueError, match=r"out: expected shape \(5, 7\), got \(5, 8\)"):
        layer(x, out=np.empty((5, 8), np.float32))
    with pytest.raises(TypeError, match="out: expected a float32 array, got float64"):
        layer(x, out=np.empty((5, 7)))
    with pytest.raises(ValueError, match="out: expected a C-contiguous, aligned, writeable array"):
        layer(x, out=np.empty((7, 5), np.float32).T)
    buffer = np.zeros(100, np.float32)
    with pytest.raises(ValueError, match="out: overlaps x"):
        layer(buffer[:60].reshape(5, 12), out=buffer[59:94].reshape(5, 7))
    with pytest.raises(ValueError, match="out: overlaps x"):
        _core.PackedMatrix.from_floats(weight, None).run(
            buffer[:60].reshape(5, 12), buffer[59:94].reshape(5, 7), ""
        )


def test_stubs_lie_beside_the_module():
    assert Path(paring.__file__).with_name("py.typed").exists()
