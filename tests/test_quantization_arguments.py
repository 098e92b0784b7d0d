"""`paring.quantize`: shapes, layouts, `out`, and everything it refuses."""

import ml_dtypes
import numpy as np
import pytest

import paring
from paring.weights import packed_row_bytes

F32 = np.float32
ALL_BITS = range(2, 9)


class TestShapes:
    @pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0), (2, 0, 3)], ids=str)
    @pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
    @pytest.mark.parametrize("bits", [8, 4])
    @pytest.mark.parametrize("symmetric", [True, False])
    def test_empty(self, shape, granularity, bits, symmetric):
        q = paring.quantize(np.zeros(shape, F32), bits, granularity, symmetric=symmetric)
        assert q.dense().shape == shape
        assert (q.scale == 1).all()

    @pytest.mark.parametrize("shape", [(), (1,), (5,), (0,)], ids=str)
    def test_fewer_axes(self, shape):
        w = np.full(shape, -3, F32)
        q = paring.quantize(w, granularity="tensor")
        assert (q.dense() == w).all()
        assert q.shape == shape
        for granularity in ("channel", "group"):
            with pytest.raises(
                ValueError,
                match=rf"w: granularity '{granularity}': expected two or more axes, got shape .*; "
                "use granularity 'tensor'",
            ):
                paring.quantize(w, granularity=granularity)

    def test_last_group_may_be_short(self, rng):
        q = paring.quantize(rng.standard_normal((3, 70)).astype(F32), 4, "group", 32)
        assert q.scale.shape == (3, 3)

    @pytest.mark.parametrize("bits", ALL_BITS)
    def test_bytes(self, bits):
        q = paring.quantize(np.ones((10, 33), F32), bits, symmetric=False)
        assert q.nbytes == 10 * packed_row_bytes(33, bits) + 10 * 5


class TestInputs:
    @pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
    def test_other_floats_are_rounded_to_float32(self, dtype, rng):
        w = rng.standard_normal((6, 20)).astype(dtype)
        assert paring.quantize(w, 4) == paring.quantize(w.astype(F32), 4)

    def test_any_order_of_bytes_and_axes(self, rng):
        w = rng.standard_normal((6, 20)).astype(F32)
        expected = paring.quantize(w)
        wide = np.zeros((6, 40), F32)
        wide[:, ::2] = w
        read_only = w.copy()
        read_only.flags.writeable = False
        shifted = np.zeros(w.nbytes + 1, np.uint8)[1:].view(F32).reshape(w.shape)
        shifted[...] = w
        for same in (w.astype(">f4"), np.asfortranarray(w), wide[:, ::2], w[::-1][::-1], read_only, shifted):
            assert paring.quantize(same) == expected
        assert paring.quantize(w.T, axis=1).dense().T.tobytes() == expected.dense().tobytes()

    def test_input_is_not_changed(self, rng):
        w = rng.standard_normal((6, 20)).astype(F32)
        before = w.tobytes()
        for axis in (0, 1):
            paring.quantize(w, 4, axis=axis, symmetric=False)
        assert w.tobytes() == before

    def test_numpy_integers(self, rng):
        w = rng.standard_normal((6, 20)).astype(F32)
        q = paring.quantize(w, np.int64(4), "group", np.int32(8), axis=np.int8(-1))
        assert q == paring.quantize(w, 4, "group", 8, axis=1)
        assert type(q.bits) is int
        assert type(q.group_size) is int


class TestOut:
    @pytest.mark.parametrize("bits", [8, 4, 3])
    @pytest.mark.parametrize("symmetric", [True, False])
    @pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
    @pytest.mark.parametrize("axis", [0, 1])
    def test_is_overwritten(self, bits, symmetric, granularity, axis, rng):
        how = {"bits": bits, "granularity": granularity, "symmetric": symmetric, "axis": axis}
        first, second = rng.standard_normal((2, 9, 21)).astype(F32)
        out = paring.quantize(first, **how)
        parts = (out.data, out.scale, out.zero_point)
        assert paring.quantize(second, **how, out=out) is out
        assert all(a is b for a, b in zip(parts, (out.data, out.scale, out.zero_point), strict=True))
        assert out == paring.quantize(second, **how)

    def test_misfits(self):
        w = np.ones((4, 6), F32)
        for other, message in (
            ({"bits": 4}, "out: expected bits 8, got 4"),
            ({"granularity": "tensor"}, "out: expected granularity channel, got tensor"),
            ({"granularity": "group"}, "out: expected granularity channel, got group"),
            ({"symmetric": False}, "out: expected symmetric True, got False"),
            ({"axis": 1}, "out: expected axis 0, got 1"),
        ):
            with pytest.raises(ValueError, match=message):
                paring.quantize(w, out=paring.quantize(w, **other))
        with pytest.raises(ValueError, match=r"out: expected shape \(4, 6\), got \(6, 4\)"):
            paring.quantize(w, out=paring.quantize(w.T))
        with pytest.raises(ValueError, match="out: expected group_size 2, got 3"):
            paring.quantize(w, 8, "group", 2, out=paring.quantize(w, 8, "group", 3))
        with pytest.raises(TypeError, match="out: expected a QuantizedWeight, got ndarray"):
            paring.quantize(w, out=w)

    def test_read_only(self):
        w = np.ones((4, 6), F32)
        for name in ("data", "scale"):
            out = paring.quantize(w)
            getattr(out, name).flags.writeable = False
            with pytest.raises(ValueError, match=rf"out\.{name}: expected a writeable array"):
                paring.quantize(w, out=out)

    def test_overlap(self):
        memory = np.ones(64, F32)
        w = memory[:24].reshape(4, 6)
        good = paring.quantize(w)
        data = memory.view(np.int8)[:24].reshape(4, 6)
        with pytest.raises(ValueError, match=r"out\.data: overlaps w"):
            paring.quantize(w, out=paring.QuantizedWeight(data, good.scale, None, (4, 6), 8, "channel"))
        scale = memory[20:24].reshape(4, 1)
        with pytest.raises(ValueError, match=r"out\.scale: overlaps w"):
            paring.quantize(w, out=paring.QuantizedWeight(good.data, scale, None, (4, 6), 8, "channel"))
        assert (memory == 1).all()


class TestBadInput:
    @pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, F32, np.float64])
    @pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
    @pytest.mark.parametrize(
        ("value", "name"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "-infinity")], ids=str
    )
    @pytest.mark.parametrize("axis", [0, 1])
    def test_not_finite(self, dtype, granularity, value, name, axis):
        w = np.ones((3, 40), dtype)
        w[1, 37] = value
        before = w.tobytes()
        with pytest.raises(ValueError, match=rf"w: expected finite values, got {name} at \[1, 37\]"):
            paring.quantize(w, granularity=granularity, axis=axis)
        assert w.tobytes() == before

    def test_beyond_float32(self):
        w = np.ones((3, 4))
        w[2, 1] = 1e39
        with pytest.raises(
            ValueError,
            match=r"w: expected values in the range of float32, up to 3\.40282e\+38, got 1e\+39 at \[2, 1\]",
        ):
            paring.quantize(w)
        w[2, 1] = 1e-300  # what float32 cannot hold at the other end is zero
        assert paring.quantize(w).dense()[2, 1] == 0

    @pytest.mark.parametrize("bits", [1, 0, 9, 16, -4])
    def test_bits(self, bits):
        with pytest.raises(ValueError, match=f"bits: expected one of 2, 3, 4, 5, 6, 7, 8, got {bits}"):
            paring.quantize(np.ones((2, 2), F32), bits)

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"bits": 4.0}, TypeError, r"bits: expected an int, got float 4\.0"),
            ({"bits": True}, TypeError, "bits: expected an int, got bool True"),
            ({"bits": "8"}, TypeError, "bits: expected an int, got str '8'"),
            (
                {"granularity": "row"},
                ValueError,
                "granularity: expected one of 'tensor', 'channel', 'group', got 'row'",
            ),
            (
                {"group_size": 0, "granularity": "group"},
                ValueError,
                r"group_size: expected 1 to 2\*\*31 - 1, got 0",
            ),
            ({"group_size": -1}, ValueError, "group_size: expected 1 to"),
            ({"group_size": 2**40, "granularity": "group"}, ValueError, "group_size: expected 1 to"),
            ({"group_size": 32.0}, TypeError, "group_size: expected an int, got float"),
            ({"symmetric": 1}, TypeError, "symmetric: expected a bool, got int"),
            ({"axis": 2}, ValueError, "axis: expected -2 to 1 for w of 2 axes, got 2"),
            ({"axis": -3}, ValueError, "axis: expected -2 to 1 for w of 2 axes, got -3"),
            ({"axis": 1.5}, TypeError, "axis: expected an int, got float 1.5"),
            (
                {"convention": "onnx"},
                ValueError,
                "convention: expected 'paring' or 'compressed-tensors' or 'gguf', got 'onnx'",
            ),
        ],
        ids=str,
    )
    def test_arguments(self, arguments, error, message):
        with pytest.raises(error, match=message):
            paring.quantize(np.ones((2, 2), F32), **arguments)

    @pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.complex64, "U1"])
    def test_not_floats(self, dtype):
        with pytest.raises(
            TypeError, match="w: expected a dtype among float16, bfloat16, float32, float64, got"
        ):
            paring.quantize(np.ones((2, 2), dtype))

    def test_not_an_array(self):
        with pytest.raises(TypeError, match="w: expected a NumPy float array, got list"):
            paring.quantize([[1.0]])

    def test_compressed_already(self):
        w = np.eye(4, dtype=F32)
        for compressed in (paring.quantize(w), paring.sparsify(w)):
            with pytest.raises(
                TypeError, match=rf"w: expected a float array, got a {type(compressed).__name__}.*\.dense\(\)"
            ):
                paring.quantize(compressed)
