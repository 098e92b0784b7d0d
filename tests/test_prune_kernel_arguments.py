"""What the pruning kernels refuse, and how they say so."""

import numpy as np
import pytest

from paring import _core


def one(dtype=np.uint32, shape=(2, 8)):
    return np.zeros(shape, dtype)


def read_only(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("function", "arguments", "error", "message"),
    [
        ("prune_below", (one(), "int8", 0, one()), ValueError, "kind: expected float16, .* got 'int8'"),
        ("prune_below", (one(), "float16", 0, one()), TypeError, "weight: expected a C-contiguous uint16"),
        ("prune_below", (one(np.float32), "float32", 0, one()), TypeError, "weight: .*uint32.* got float32"),
        (
            "prune_below",
            (one(), "float32", 0, one(np.uint64)),
            TypeError,
            "out: expected a C-contiguous uint32",
        ),
        ("prune_below", (one(), "float32", 0, one(shape=9)), ValueError, "out: expected 16 elements"),
        (
            "prune_below",
            (one(), "float32", 0, read_only(one())),
            ValueError,
            "out: expected a writeable array",
        ),
        (
            "prune_below",
            (one(), "float32", 0x7F800001, one()),
            ValueError,
            "threshold_bits: expected at most",
        ),
        ("prune_below", (one()[:, ::2], "float32", 0, one()), TypeError, "weight: expected a C-contiguous"),
        ("prune_smallest", ([one()], [], 0, [one()]), ValueError, "expected 1 each, got 0 and 1"),
        ("prune_smallest", ([one()], ["float32"], 0, []), ValueError, "expected 1 each, got 1 and 0"),
        ("prune_smallest", ([one()], ["float32"], 17, [one()]), ValueError, "at most 16 elements, got 17"),
        ("prune_smallest", ([one()], ["float64"], 0, [one()]), TypeError, r"weights\[0\]: .*uint64"),
        (
            "prune_smallest",
            ([one()] * 2, ["float32"] * 2, 0, [one(), one(shape=3)]),
            ValueError,
            r"outs\[1\]: ",
        ),
        ("prune_n_of_m", (one(), "float32", 2, 3, one()), ValueError, r"last a multiple of 3, got \(2, 8\)"),
        ("prune_n_of_m", (one(shape=8), "float32", 2, 4, one(shape=8)), ValueError, "expected two axes"),
        (
            "prune_n_of_m",
            (one(), "float32", 5, 4, one()),
            ValueError,
            "expected 0 <= n <= m and m >= 1, got 5",
        ),
        ("prune_n_of_m", (one(), "float32", 0, 0, one()), ValueError, "n and m: .* got 0 and 0"),
        ("moments", (one(np.float16),), TypeError, "weight: expected a C-contiguous float32"),
        ("moments", (one(np.float64)[:, ::2],), TypeError, "weight: expected a C-contiguous float64"),
    ],
)
def test_bad_arguments_are_refused(function, arguments, error, message):
    with pytest.raises(error, match=message):
        getattr(_core, function)(*arguments)


def test_out_is_the_weight_or_apart_from_it():
    memory = np.arange(20, dtype=np.uint32)
    before = memory.copy()
    message = "overlaps the weight without being the same memory"
    weight, out = memory[:16].reshape(2, 8), memory[4:].reshape(2, 8)
    with pytest.raises(ValueError, match=f"out: {message}"):
        _core.prune_below(weight, "float32", 0, out)
    with pytest.raises(ValueError, match=f"out: {message}"):
        _core.prune_n_of_m(weight, "float32", 2, 4, out)
    with pytest.raises(ValueError, match=rf"outs\[0\]: {message}"):
        _core.prune_smallest([weight], ["float32"], 0, [out])
    np.testing.assert_array_equal(memory, before)


@pytest.mark.parametrize("isa", ["avx9", "AVX2"])
def test_an_unknown_level_is_refused(isa):
    with pytest.raises(ValueError, match=f"unknown name '{isa}'; usable here: scalar"):
        _core.moments(np.ones(3, np.float32), isa=isa)
