"""Codes of fewer than eight bits as streams of bytes, against NumPy."""

import numpy as np
import pytest

import reference
from paring import _core
from protected_page import ending_at_wall


@pytest.mark.parametrize("bits", range(2, 8))
def test_packed_codes_equal_numpy(bits, threads, rng):
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1)
    for columns in (*range(1, 71), 1000, 65537):
        codes = ending_at_wall(rng.integers(low, high, (5, columns)).astype(np.int8))
        packed = _core.pack_codes(codes, bits)
        assert packed.dtype == np.uint8
        np.testing.assert_array_equal(packed, reference.pack_codes(codes, bits))
        np.testing.assert_array_equal(_core.unpack_codes(ending_at_wall(packed), bits, columns), codes)


def test_where_codes_lie_in_bytes():
    assert _core.pack_codes(np.array([[-8, 7, 0, -1, 1]], np.int8), 4).tolist() == [[0xF0, 0x78, 0x09, 0]]
    assert _core.pack_codes(np.array([[1, -2, 0, -1]], np.int8), 2).tolist() == [[0b01100011, 0, 0, 0]]
    assert _core.pack_codes(np.array([[3, -4, 0]], np.int8), 3).tolist() == [[0b00000111, 1, 0, 0]]


def test_eight_bit_codes_unpack_to_themselves():
    codes = np.array([[-128, 0, 127]], np.int8)
    np.testing.assert_array_equal(_core.unpack_codes(codes, 8, 3), codes)


@pytest.mark.parametrize("bits", range(2, 8))
def test_a_code_too_large_is_named(bits, threads):
    half = 2 ** (bits - 1)
    for bad in (half, -half - 1, 127, -128):
        if -half <= bad < half:
            continue
        codes = np.zeros((300, 700), np.int8)
        codes[123:, 45:] = bad
        message = f"codes: expected {-half} to {half - 1} for {bits} bits, got {bad} at row 123, column 45$"
        with pytest.raises(ValueError, match=message):
            _core.pack_codes(codes, bits)
