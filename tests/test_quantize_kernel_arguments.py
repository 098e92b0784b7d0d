"""What the quantization kernels refuse, and how they say so."""

import numpy as np
import pytest

from paring import _core

F32 = np.float32


def good_arguments(**changes):
    arguments = {
        "weight": np.ones((3, 10), F32),
        "bits": 4,
        "per_tensor": False,
        "group_size": 4,
        "symmetric": False,
        "convention": "paring",
        "data_out": np.empty((3, 8), np.uint8),
        "scale_out": np.empty((3, 3), F32),
        "zero_point_out": np.empty((3, 3), np.int8),
    }
    return arguments | changes


def read_only(array):
    array.flags.writeable = False
    return array


def test_good_arguments_are_good():
    _core.quantize(**good_arguments())


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"bits": 1}, ValueError, "bits: expected 2 to 8, got 1"),
        ({"bits": 9}, ValueError, "bits: expected 2 to 8, got 9"),
        ({"bits": 8}, TypeError, "data_out: expected a C-contiguous int8 array of 2 axes, got uint8"),
        ({"bits": 3}, ValueError, r"data_out: expected \(3, 4\), got \(3, 8\)"),
        ({"weight": np.ones((3, 10))}, TypeError, "weight: expected a C-contiguous float32 .* got float64"),
        ({"weight": np.ones((3, 10), ">f4")}, TypeError, "weight: expected a C-contiguous float32"),
        ({"weight": np.ones((10, 3), F32).T}, TypeError, "weight: expected a C-contiguous float32"),
        ({"weight": np.ones(30, F32)}, TypeError, r"weight: expected .* of 2 axes, got float32 \(30\)"),
        ({"convention": "gguf"}, ValueError, "convention: expected paring or compressed-tensors, got 'gguf'"),
        ({"per_tensor": True}, ValueError, "group_size: expected 0 for one scale per tensor, got 4"),
        ({"data_out": np.empty((2, 8), np.uint8)}, ValueError, r"data_out: expected \(3, 8\), got \(2, 8\)"),
        ({"scale_out": np.empty((3, 1), F32)}, ValueError, r"scale_out: expected \(3, 3\), got \(3, 1\)"),
        (
            {"zero_point_out": np.empty((1, 3), np.int8)},
            ValueError,
            r"zero_point_out: expected \(3, 3\), got \(1, 3\)",
        ),
        ({"zero_point_out": None}, ValueError, "zero_point_out: expected an array exactly if not symmetric"),
        ({"symmetric": True}, ValueError, "zero_point_out: expected an array exactly if not symmetric"),
        (
            {"scale_out": read_only(np.empty((3, 3), F32))},
            ValueError,
            "scale_out: expected a writeable array",
        ),
        ({"isa": "sse9"}, ValueError, "unknown name 'sse9'; usable here: scalar"),
    ],
)
def test_bad_arguments_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        _core.quantize(**good_arguments(**changes))


def test_outputs_must_not_overlap_the_weight():
    memory = np.ones(64, F32)
    weight = memory[:30].reshape(3, 10)
    with pytest.raises(ValueError, match="data_out: overlaps weight"):
        _core.quantize(**good_arguments(weight=weight, data_out=memory.view(np.uint8)[8:32].reshape(3, 8)))
    with pytest.raises(ValueError, match="scale_out: overlaps weight"):
        _core.quantize(**good_arguments(weight=weight, scale_out=memory[29:38].reshape(3, 3)))
    with pytest.raises(ValueError, match="zero_point_out: overlaps weight"):
        _core.quantize(**good_arguments(weight=weight, zero_point_out=memory.view(np.int8)[:9].reshape(3, 3)))
    with pytest.raises(ValueError, match="out: overlaps data"):
        data = memory.view(np.int8)[:30].reshape(3, 10)
        _core.dequantize(data, np.ones((3, 1), F32), None, 8, 0, memory[:30].reshape(3, 10))


def test_dequantize_refuses_what_does_not_fit():
    data, scale, out = np.zeros((3, 8), np.uint8), np.ones((3, 3), F32), np.empty((3, 10), F32)
    with pytest.raises(ValueError, match="data: expected rows of 4 bytes"):
        _core.dequantize(data, scale, None, 3, 4, out)
    with pytest.raises(ValueError, match=r"scale: expected \(3, 2\) or \(1, 1\), got \(3, 3\)"):
        _core.dequantize(data, scale, None, 4, 5, out)
    with pytest.raises(ValueError, match=r"scale: expected \(3, 1\) or \(1, 1\)"):
        _core.dequantize(data, np.ones((3, 0), F32), None, 4, 2**64 - 1, out)
    with pytest.raises(ValueError, match=r"out: expected \(3, 10\), got \(2, 10\)"):
        _core.dequantize(data, scale, None, 4, 4, np.empty((2, 10), F32))
    with pytest.raises(ValueError, match="zero_point: expected 9 elements"):
        _core.dequantize(data, scale, np.zeros((3, 1), np.int8), 4, 4, out)
    with pytest.raises(ValueError, match="bits: expected 2 to 8, got 0"):
        _core.dequantize(data, scale, None, 0, 4, out)


def test_packing_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="bits: expected 2 to 7, got 8"):
        _core.pack_codes(np.zeros((1, 1), np.int8), 8)
    with pytest.raises(TypeError, match="codes: expected a C-contiguous int8"):
        _core.pack_codes(np.zeros((1, 1), np.uint8), 4)
    with pytest.raises(ValueError, match=r"data: expected \(2, 4\), got \(2, 8\)"):
        _core.unpack_codes(np.zeros((2, 8), np.uint8), 4, 8)
    with pytest.raises(TypeError, match="data: expected a C-contiguous int8"):
        _core.unpack_codes(np.zeros((2, 8), np.uint8), 8, 8)
