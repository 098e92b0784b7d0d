"""Every row of the sparse table against the dense kernels and NumPy, and CSR made, checked and undone."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import reference
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from protected_page import ending_at_wall
from shapes import around

from paring import _core

KERNELS = _core.sparse_kernels()
LOOPS = [row for row in _core.loop_kernels() if row["family"] == "csr"]
ACTIVATIONS = ("", "relu", "gelu", "silu")
PANEL = 16  # rows of w that a kernel takes at once
INDEX_TYPES = pytest.mark.parametrize("index_type", [np.int32, np.int64])


def usable(row):
    return set(row["needs"]) <= set(_core.features())


def parametrize(*value_types):
    rows = [
        pytest.param(
            k, id=k["name"], marks=[] if usable(k) else pytest.mark.skip(f"this CPU lacks {k['needs']}")
        )
        for k in KERNELS
        if k["value_type"] in value_types
    ]
    return pytest.mark.parametrize("kernel", rows)


def same(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def sparse_matrix(rng, n, k, pattern):
    """Return float32 (n, k) whose non-zeros lie by ``pattern``; magnitudes from 0.1 up."""
    w = rng.uniform(0.1, 2.0, (n, k)) * rng.choice([-1, 1], (n, k))
    keep = {
        "tenth": lambda: rng.random((n, k)) < 0.1,
        "half": lambda: rng.random((n, k)) < 0.5,
        "full": lambda: np.ones((n, k), bool),
        "none": lambda: np.zeros((n, k), bool),
        "one": lambda: np.arange(n * k).reshape(n, k) == n * k - 1,
        # empty and full rows side by side, and everything between
        "ragged": lambda: rng.random((n, k)) < rng.choice([0, 0, 0.05, 0.5, 1], n)[:, None],
    }[pattern]()
    return np.where(keep, w, 0).astype(np.float32)


PATTERNS = ("tenth", "half", "full", "none", "one", "ragged")


class Layer:
    """A sparse weight for one row of the table, the dense layer it must equal, and the same in NumPy."""

    def __init__(self, kernel, rng, n, k, pattern, bias=True):
        self.n = n
        weight = sparse_matrix(rng, n, k, pattern)
        self.bias = rng.standard_normal(n).astype(np.float32) if bias else None
        if kernel["value_type"] == "f32":
            self.weight, self.scale = weight, None
            self.dense = _core.PackedMatrix.from_floats(weight, self.bias)
        else:
            self.weight = (weight * 64).clip(-128, 127).astype(np.int8)
            self.scale = (rng.standard_normal(n) * 0.1).astype(np.float32)
            self.dense = _core.PackedMatrix.from_codes(
                self.weight, self.scale[:, None], None, 8, k, 0, self.bias
            )
        self.sparse = _core.PackedCsr.from_csr(
            *_core.dense_to_csr(self.weight), self.scale, k, self.bias, kernel=kernel["name"]
        )

    def numpy(self, x):
        if self.scale is None:
            return reference.float_linear(x, self.weight, self.bias)
        return reference.quantized_linear(x, self.weight, self.scale[:, None], None, 0, self.bias)


def run(packed, x, n, activation=""):
    out = np.full((len(x), n), np.nan, np.float32)
    packed.run(x, out, activation)
    return out


def batches(kernel):
    """Batch sizes around every block of lanes."""
    return sorted({m for lanes in kernel["lanes"] for m in around(lanes, last=2)} | {2, 3})


def shapes(kernel):
    """Yield (m, n, k) that vary one size at a time around the lanes, the panel and the padding of entries."""
    middle = (kernel["lanes"][0] + 1, PANEL + 3, 70)
    for m in batches(kernel):
        yield m, middle[1], middle[2]
    for n in around(PANEL, last=3):
        yield middle[0], n, middle[2]
    for k in (1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 129):
        yield middle[0], middle[1], k
        yield 1, middle[1], k


def test_every_level_has_a_row_of_each_value_type():
    assert {k["value_type"] for k in KERNELS if not k["needs"]} == {"f32", "s8"}
    assert all(k["family"] == "sparse" for k in KERNELS)
    assert not LOOPS[-1]["needs"]


@pytest.mark.parametrize("value_type", ["f32", "s8"])
def test_without_a_name_the_best_usable_row_is_taken(value_type):
    weight = np.eye(3, dtype=np.float32 if value_type == "f32" else np.int8)
    scale = None if value_type == "f32" else np.ones(3, np.float32)
    packed = _core.PackedCsr.from_csr(*_core.dense_to_csr(weight), scale, 3, None)
    best = next(k["name"] for k in KERNELS if k["value_type"] == value_type and k["usable"])
    assert packed.kernel == best
    assert packed.nbytes > weight.diagonal().nbytes


@parametrize("f32", "s8")
@pytest.mark.parametrize("pattern", PATTERNS)
def test_kernel_equals_the_dense_kernel(kernel, pattern, rng):
    for m, n, k in shapes(kernel):
        layer = Layer(kernel, rng, n, k, pattern, bias=n % 2 == 1)
        x = (rng.standard_normal((m, k)) * 3).astype(np.float32)
        for activation in ACTIVATIONS:
            got, expected = run(layer.sparse, x, n, activation), run(layer.dense, x, n, activation)
            assert same(got, expected), (m, n, k, activation)


@parametrize("f32", "s8")
def test_kernel_equals_numpy(kernel, rng):
    for m in batches(kernel):
        for n, k, pattern in ((1, 1, "full"), (PANEL + 1, 37, "half"), (PANEL - 1, 66, "ragged")):
            layer = Layer(kernel, rng, n, k, pattern, bias=m % 2 == 1)
            x = rng.standard_normal((m, k)).astype(np.float32)
            assert same(run(layer.sparse, x, n), layer.numpy(x)), (m, n, k)


@parametrize("f32", "s8")
def test_blocks_of_long_rows_and_of_many(kernel, rng):
    # Rows so long that a block must be narrower, then that only the narrowest is left; a batch of several chunks.
    most = kernel["lanes"][-1]
    for m, n, k in ((most + 1, 3, 5000), (most + 1, 3, 20000), (most + 1, 3, 65536), (3 * most + 1, 2, 50000)):
        layer = Layer(kernel, rng, n, k, "tenth")
        x = rng.standard_normal((m, k)).astype(np.float32)
        assert same(run(layer.sparse, x, n, "silu"), run(layer.dense, x, n, "silu")), (m, n, k)


@parametrize("f32")
def test_more_columns_than_sixteen_bits_count(kernel, rng):
    n, k = PANEL + 2, 65540
    layer = Layer(kernel, rng, n, k, "none")
    weight = np.zeros((n, k), np.float32)
    weight[:, [0, 65535, 65536, 65539]] = rng.standard_normal((n, 4))
    packed = _core.PackedCsr.from_csr(
        *_core.dense_to_csr(weight), None, k, layer.bias, kernel=kernel["name"]
    )
    dense = _core.PackedMatrix.from_floats(weight, layer.bias)
    for m in (1, 3, kernel["lanes"][-1]):
        x = rng.standard_normal((m, k)).astype(np.float32)
        assert same(run(packed, x, n), run(dense, x, n))


@parametrize("s8")
def test_longest_sum_fits_and_one_more_is_refused(kernel):
    k = 65536
    scale = np.ones(1, np.float32)
    for code in (-128, 127):
        for sign in (-1, 1):
            codes = np.full((1, k), code, np.int8)
            packed = _core.PackedCsr.from_csr(*_core.dense_to_csr(codes), scale, k, None, kernel=kernel["name"])
            for m in (1, 2):
                x = np.full((m, k), sign, np.float32)
                expected = reference.quantized_linear(x, codes, scale[:, None], None, 0)
                assert same(run(packed, x, 1), expected)
    message = "in_features: integer sums of more than 65536 columns with one scale do not fit 32 bits, got 65537"
    csr = _core.dense_to_csr(np.ones((1, k + 1), np.int8))
    with pytest.raises(ValueError, match=message):
        _core.PackedCsr.from_csr(*csr, scale, k + 1, None, kernel=kernel["name"])


@parametrize("s8")
def test_corner_values_do_not_saturate(kernel, rng):
    n, k = PANEL + 1, 43
    scale = np.ones(n, np.float32)
    one_hot = np.eye(k, dtype=np.float32)
    alternating = np.where(np.arange(k) % 2, 1, -1).astype(np.float32)[None]
    for codes in (
        np.full((n, k), -128, np.int8),
        np.full((n, k), 127, np.int8),
        np.where(np.arange(k) % 2, 127, -128).astype(np.int8) * np.ones((n, 1), np.int8),
        rng.integers(-128, 128, (n, k)).astype(np.int8),
    ):
        packed = _core.PackedCsr.from_csr(*_core.dense_to_csr(codes), scale, k, None, kernel=kernel["name"])
        for x in (one_hot, -one_hot, alternating, -alternating, np.ones((3, k), np.float32)):
            assert same(run(packed, x, n), reference.quantized_linear(x, codes, scale[:, None], None, 0))


@parametrize("s8")
def test_rows_that_cannot_be_quantized(kernel, rng):
    layer = Layer(kernel, rng, PANEL + 1, 9, "half")
    x = np.zeros((6, 9), np.float32)
    x[1, 2], x[2, 0], x[3, 4], x[4, 1], x[5, 1] = np.nan, np.inf, -np.inf, 1e-44, 1.5e-36
    out = run(layer.sparse, x, layer.n)
    assert np.isnan(out[1:4]).all()
    finite = x[[0, 4, 5]]
    assert same(out[[0, 4, 5]], layer.numpy(finite))
    for row in range(6):  # a row alone takes another way through the kernel
        alone = run(layer.sparse, x[row : row + 1], layer.n)
        assert np.isnan(alone).all() if 1 <= row <= 3 else same(alone, out[row : row + 1])


@parametrize("f32")
def test_not_finite_touches_its_own_row_and_stored_columns_only(kernel):
    weight = np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]], np.float32)
    packed = _core.PackedCsr.from_csr(*_core.dense_to_csr(weight), None, 3, None, kernel=kernel["name"])
    x = np.array([[np.nan, 1, 1], [1, np.inf, 1], [1, 1, 1], [-np.inf, 1, 1]], np.float32)
    out = run(packed, x, 2)
    expected = np.array([[np.nan, 3], [3, np.inf], [3, 3], [-np.inf, 3]], np.float32)
    np.testing.assert_array_equal(out, expected)
    for row in range(4):
        np.testing.assert_array_equal(run(packed, x[row : row + 1], 2), expected[row : row + 1])


@parametrize("f32")
def test_ends_of_the_range_equal_the_dense_kernel(kernel):
    # Products that underflow to -0, cancel, are denormal, or overflow; biases of either zero.
    weight = np.array([[1e-30, 0, 1, -1], [-1e-30, 0, 0, 0], [3e38, 3e38, 0, -3e38], [1, 1e-20, 0, 1]], np.float32)
    x = np.array(
        [[1e-30, 1, 0.5, 0.5], [-1e-30, -1, 0, 0], [1e-10, 1e-25, 0, 0], [2, 2, -1, 2], [-0.0, -0.0, 0, -0.0]],
        np.float32,
    )
    for bias in (None, np.array([-0.0, 0.0, -0.0, 1e-40], np.float32)):
        packed = _core.PackedCsr.from_csr(*_core.dense_to_csr(weight), None, 4, bias, kernel=kernel["name"])
        dense = _core.PackedMatrix.from_floats(weight, bias)
        out = run(packed, x, 4)
        assert same(out, run(dense, x, 4))
        assert not np.signbit(out[out == 0]).any()
        for row in range(len(x)):
            assert same(run(packed, x[row : row + 1], 4), out[row : row + 1])


@parametrize("f32", "s8")
def test_bytes_do_not_depend_on_threads_or_batch(kernel, rng):
    m, n, k = 2 * kernel["lanes"][-1] + 3, 40 * PANEL + 5, 301
    layer = Layer(kernel, rng, n, k, "ragged")
    x = rng.standard_normal((m, k)).astype(np.float32)
    before = _core.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3):
            _core.set_num_threads(threads)
            results.append(run(layer.sparse, x, n, "gelu"))
    finally:
        _core.set_num_threads(before)
    assert all(same(results[0], other) for other in results[1:])
    for rows in (1, 2, 5, kernel["lanes"][0]):
        assert same(results[0][-rows:], run(layer.sparse, x[-rows:].copy(), n, "gelu"))


@parametrize("f32", "s8")
def test_one_object_serves_many_threads(kernel, rng):
    layer = Layer(kernel, rng, 100, 200, "half")
    inputs = [rng.standard_normal((m, 200)).astype(np.float32) for m in (1, 2, 7, 16, 17, 33, 64, 70)]
    expected = [run(layer.sparse, x, 100, "relu") for x in inputs]
    with ThreadPoolExecutor(8) as pool:
        results = pool.map(lambda i: run(layer.sparse, inputs[i % 8], 100, "relu"), range(160))
        assert all(same(result, expected[i % 8]) for i, result in enumerate(results))


@parametrize("f32", "s8")
@INDEX_TYPES
def test_memory_that_ends_at_a_wall(kernel, index_type, rng):
    for m, n, k in [(1, 1, 1), (1, PANEL + 1, 7), (3, 5, 7), (kernel["lanes"][-1] + 1, PANEL + 1, 65)]:
        layer = Layer(kernel, rng, n, k, "ragged")
        data, indices, indptr = _core.dense_to_csr(layer.weight)
        packed = _core.PackedCsr.from_csr(
            ending_at_wall(data),
            ending_at_wall(indices.astype(index_type)),
            ending_at_wall(indptr.astype(index_type)),
            None if layer.scale is None else ending_at_wall(layer.scale),
            k,
            ending_at_wall(layer.bias),
            kernel=kernel["name"],
        )
        x = ending_at_wall(rng.standard_normal((m, k)).astype(np.float32))
        out = ending_at_wall(np.zeros((m, n), np.float32))
        packed.run(x, out, "")
        assert same(np.array(out), layer.numpy(x))


@parametrize("f32", "s8")
def test_zero_sizes(kernel):
    integers = kernel["value_type"] == "s8"

    def pack(n, k, bias):
        weight = np.zeros((n, k), np.int8 if integers else np.float32)
        scale = np.ones(n, np.float32) if integers else None
        return _core.PackedCsr.from_csr(*_core.dense_to_csr(weight), scale, k, bias, kernel=kernel["name"])

    bias = np.arange(3, dtype=np.float32)
    for m in (1, 2):
        assert np.array_equal(run(pack(3, 0, bias), np.zeros((m, 0), np.float32), 3), [[0, 1, 2]] * m)
        assert run(pack(0, 4, None), np.zeros((m, 4), np.float32), 0).shape == (m, 0)
    assert run(pack(3, 4, bias), np.zeros((0, 4), np.float32), 3).shape == (0, 3)


def test_the_packed_copy_owns_its_values(rng):
    layer = Layer({"value_type": "f32", "name": ""}, rng, 5, 6, "half")
    data, indices, indptr = _core.dense_to_csr(layer.weight)
    packed = _core.PackedCsr.from_csr(data, indices, indptr, None, 6, layer.bias)
    x = rng.standard_normal((2, 6)).astype(np.float32)
    expected = run(packed, x, 5)
    data[:], indices[:], indptr[:], layer.bias[:] = 0, 0, 0, 0
    assert same(run(packed, x, 5), expected)


# --- what is refused -------------------------------------------------------------------------------------------------


def csr(index_type=np.int32, data=(1, 2, 3), indices=(0, 2, 1), indptr=(0, 2, 3)):
    return np.array(data, np.float32), np.array(indices, index_type), np.array(indptr, index_type)


BAD_CSR = {
    "start": ({"indptr": (1, 2, 3)}, "indptr: expected to start at 0, got 1"),
    "negative start": ({"indptr": (-1, 2, 3)}, "indptr: expected to start at 0, got -1"),
    "decreasing": (
        {"indptr": (0, 3, 2)},
        r"indptr: expected never to decrease, got 2 after 3 at position 2",
    ),
    "end": ({"indptr": (0, 2, 4)}, r"indptr: expected to end at 3 \(the stored values\), got 4"),
    "early end": ({"indptr": (0, 1, 2)}, r"indptr: expected to end at 3 \(the stored values\), got 2"),
    "too large": (
        {"indices": (0, 4, 1)},
        r"indices: expected columns of 0 to less than 4, got 4 in row 0 \(position 1\)",
    ),
    "negative": (
        {"indices": (0, 1, -1)},
        r"indices: expected columns of 0 to less than 4, got -1 in row 1 \(position 2\)",
    ),
    "unsorted": (
        {"indices": (2, 0, 1)},
        r"indices: expected increasing columns, got 0 after 2 in row 0 \(position 1\)",
    ),
    "duplicate": ({"indices": (3, 3, 1)}, r"indices: column 3 occurs twice in row 0 \(position 1\)"),
    "rows": ({"indptr": (0, 3)}, r"indptr: expected 3 elements, got \(2\)"),
}


@INDEX_TYPES
@pytest.mark.parametrize(("change", "message"), BAD_CSR.values(), ids=BAD_CSR)
def test_bad_csr_is_refused(index_type, change, message):
    data, indices, indptr = csr(index_type, **change)
    with pytest.raises(ValueError, match=message):
        _core.check_csr(indices, indptr, 2, 4)
    if len(indptr) == 3:
        with pytest.raises(ValueError, match=message):
            _core.PackedCsr.from_csr(data, indices, indptr, None, 4, None)


@INDEX_TYPES
def test_good_csr_is_accepted(index_type):
    _, indices, indptr = csr(index_type)
    _core.check_csr(indices, indptr, 2, 4)
    empty = np.array([], index_type)
    _core.check_csr(empty, np.zeros(3, index_type), 2, 0)
    _core.check_csr(empty, np.zeros(1, index_type), 0, 5)


@INDEX_TYPES
def test_the_first_bad_row_is_named_whatever_the_thread_count(index_type, rng):
    rows, columns = 5000, 100
    _, indices, indptr = _core.dense_to_csr(sparse_matrix(rng, rows, columns, "half"))
    indices, indptr = indices.astype(index_type), indptr.astype(index_type)
    _core.check_csr(indices, indptr, rows, columns)
    for row in (4711, 2718, 1):
        indices[indptr[row]] = columns
        position = indptr[row]
        before = _core.get_num_threads()
        try:
            for threads in (1, 3):
                _core.set_num_threads(threads)
                with pytest.raises(ValueError, match=rf"got 100 in row {row} \(position {position}\)"):
                    _core.check_csr(indices, indptr, rows, columns)
        finally:
            _core.set_num_threads(before)


def test_every_fault_is_found_wherever_it_lies(rng):
    # Around the width of any vector the comparison may run in.
    for n in (1, 2, 3, 4, 5, 8, 9, 16, 17, 33):
        good = np.arange(0, 2 * n, 2, dtype=np.int32)
        indptr = np.array([0, n], np.int32)
        _core.check_csr(good, indptr, 1, 2 * n)
        for position in range(1, n):
            bad = good.copy()
            bad[position] = bad[position - 1]
            with pytest.raises(ValueError, match=f"column {bad[position]} occurs twice in row 0"):
                _core.check_csr(bad, indptr, 1, 2 * n)


def test_types_and_sizes_are_refused():
    data, indices, indptr = csr()
    with pytest.raises(TypeError, match="indices: expected a C-contiguous int32 array of 1 axes, got int64"):
        _core.check_csr(indices.astype(np.int64), indptr, 2, 4)
    with pytest.raises(TypeError, match="indices: expected a C-contiguous int64 array of 1 axes, got int32"):
        _core.check_csr(indices, indptr.astype(np.int64), 2, 4)
    with pytest.raises(TypeError, match="indptr: expected a C-contiguous int32 array of 1 axes, got uint32"):
        _core.check_csr(indices, indptr.astype(np.uint32), 2, 4)
    with pytest.raises(TypeError, match="data: expected a C-contiguous float32 array of 1 axes, got float64"):
        _core.PackedCsr.from_csr(data.astype(np.float64), indices, indptr, None, 4, None)
    with pytest.raises(TypeError, match="data: expected a C-contiguous int8 array of 1 axes, got float32"):
        _core.PackedCsr.from_csr(data, indices, indptr, np.ones(2, np.float32), 4, None)
    with pytest.raises(ValueError, match=r"data: expected 3 elements, got \(2\)"):
        _core.PackedCsr.from_csr(data[:2], indices, indptr, None, 4, None)
    with pytest.raises(ValueError, match=r"scale: expected 2 elements, got \(3\)"):
        _core.PackedCsr.from_csr(data.astype(np.int8), indices, indptr, np.ones(3, np.float32), 4, None)
    with pytest.raises(ValueError, match=r"bias: expected 2 elements, got \(1\)"):
        _core.PackedCsr.from_csr(data, indices, indptr, None, 4, np.ones(1, np.float32))
    with pytest.raises(ValueError, match=r"indptr: expected one axis of rows \+ 1 elements, got \(0\)"):
        _core.PackedCsr.from_csr(data, indices, indptr[:0], None, 4, None)
    with pytest.raises(TypeError, match="weight: expected a C-contiguous float32 array of 2 axes, got float64"):
        _core.dense_to_csr(np.zeros((2, 2)))
    with pytest.raises(TypeError, match=r"weight: expected a C-contiguous float32 array of 2 axes, got float32 \(4\)"):
        _core.dense_to_csr(np.zeros(4, np.float32))
    with pytest.raises(TypeError, match="weight: expected a C-contiguous int8 array"):
        _core.dense_to_csr(np.zeros((4, 4), np.int8)[:, ::2])
    with pytest.raises(ValueError, match="PARING_ISA: unknown name 'mmx'"):
        _core.dense_to_csr(np.zeros((2, 2), np.float32), isa="mmx")


def test_a_kernel_refuses_what_is_not_its_own():
    names = {k["value_type"]: k["name"] for k in KERNELS}
    data, indices, indptr = csr()
    with pytest.raises(ValueError, match=f"kernel: '{names['s8']}' is for another kind of weight"):
        _core.PackedCsr.from_csr(data, indices, indptr, None, 4, None, kernel=names["s8"])
    with pytest.raises(ValueError, match=f"kernel: '{names['f32']}' is for another kind of weight"):
        scale = np.ones(2, np.float32)
        _core.PackedCsr.from_csr(data.astype(np.int8), indices, indptr, scale, 4, None, kernel=names["f32"])
    with pytest.raises(ValueError, match="kernel: unknown name 'spmm_x'"):
        _core.PackedCsr.from_csr(data, indices, indptr, None, 4, None, kernel="spmm_x")


def test_run_refuses_what_does_not_fit():
    packed = _core.PackedCsr.from_csr(*csr(), None, 4, None)
    x, out = np.zeros((3, 4), np.float32), np.zeros((3, 2), np.float32)
    with pytest.raises(ValueError, match=r"expected \(m, 4\) and \(m, 2\), got \(3, 3\) and \(3, 2\)"):
        packed.run(np.zeros((3, 3), np.float32), out, "")
    with pytest.raises(ValueError, match=r"expected \(m, 4\) and \(m, 2\), got \(3, 4\) and \(2, 2\)"):
        packed.run(x, out[:2], "")
    with pytest.raises(TypeError, match="x: expected a C-contiguous float32 array of 2 axes, got float64"):
        packed.run(x.astype(np.float64), out, "")
    with pytest.raises(ValueError, match="activation: expected relu, gelu, silu or nothing, got 'tanh'"):
        packed.run(x, out, "tanh")
    with pytest.raises(ValueError, match="out: overlaps x"):
        packed.run(x, x.ravel()[:6].reshape(3, 2), "")
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out: expected a writeable array"):
        packed.run(x, out, "")


@INDEX_TYPES
def test_csr_to_dense_refuses_what_would_leave_its_arrays(index_type):
    out = np.zeros((2, 4), np.float32)
    data, indices, indptr = csr(index_type)
    with pytest.raises(ValueError, match=r"indices: expected columns of 0 to less than 4, got 7 in row 1"):
        _core.csr_to_dense(*csr(index_type, indices=(0, 2, 7)), None, out)
    with pytest.raises(ValueError, match=r"indices: expected columns of 0 to less than 4, got -1 in row 0"):
        _core.csr_to_dense(*csr(index_type, indices=(0, -1, 3)), None, out)
    with pytest.raises(ValueError, match=r"indptr: expected to end at 3 \(the stored values\), got 5"):
        _core.csr_to_dense(*csr(index_type, indptr=(0, 2, 5)), None, out)
    with pytest.raises(ValueError, match=r"indptr: expected 3 elements, got \(4\)"):
        _core.csr_to_dense(*csr(index_type, indptr=(0, 2, 3, 3)), None, out)
    with pytest.raises(ValueError, match=r"data: expected 3 elements, got \(2\)"):
        _core.csr_to_dense(data[:2], indices, indptr, None, out)
    with pytest.raises(ValueError, match=r"scale: expected 2 elements, got \(1\)"):
        _core.csr_to_dense(data.astype(np.int8), indices, indptr, np.ones(1, np.float32), out)
    with pytest.raises(TypeError, match="data: expected a C-contiguous int8 array of 1 axes, got float32"):
        _core.csr_to_dense(data, indices, indptr, np.ones(2, np.float32), out)
    with pytest.raises(TypeError, match="data: expected a C-contiguous float32 array of 1 axes, got int8"):
        _core.csr_to_dense(data.astype(np.int8), indices, indptr, None, out)


# --- dense to CSR and back -------------------------------------------------------------------------------------------

LEVELS = _core.levels()


def assert_is_csr_of(made, weight):
    """Compare with the definition, in NumPy."""
    data, indices, indptr = made
    rows, columns = np.nonzero(weight)  # -0 is zero, NaN is not; row by row, columns ascending
    assert same(data, weight[rows, columns])
    assert same(indices, columns.astype(np.int32))
    assert same(indptr, np.searchsorted(rows, np.arange(len(weight) + 1)).astype(np.int32))
    _core.check_csr(indices, indptr, *weight.shape)


MATRICES = st.one_of(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=40),
        elements=st.one_of(
            st.sampled_from([0.0, -0.0, np.nan, np.inf, -np.inf, 2.0**-149, -(2.0**-149)]),
            st.floats(width=32),
        ),
        fill=st.just(0.0),
    ),
    hnp.arrays(
        np.int8,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=150),
        elements=st.integers(-128, 127),
        fill=st.just(0),
    ),
)


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=60, deadline=None)
@given(weight=MATRICES, seed=st.integers(0, 2**32 - 1))
def test_round_trip(level, weight, seed):
    made = _core.dense_to_csr(weight, isa=level)
    assert_is_csr_of(made, weight)
    out = np.full(weight.shape, np.nan, np.float32)
    if weight.dtype == np.float32:
        _core.csr_to_dense(*made, None, out)
        assert same(out, np.where(weight == 0, np.float32(0), weight))
    else:
        scale = np.random.default_rng(seed).standard_normal(len(weight)).astype(np.float32)
        _core.csr_to_dense(*made, scale, out)
        product = weight.astype(np.float32) * scale[:, None]
        assert same(out, np.where(weight == 0, np.float32(0), product))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", [np.float32, np.int8])
def test_against_scipy_at_sizes_that_use_all_threads(level, dtype, rng):
    for rows, columns in ((700, 301), (3, 100003), (1, 20000), (5000, 1)):
        for pattern in ("tenth", "ragged", "full", "none"):
            weight = sparse_matrix(rng, rows, columns, pattern)
            if dtype == np.int8:
                weight = (weight * 60).astype(np.int8)
            data, indices, indptr = _core.dense_to_csr(weight, isa=level)
            theirs = scipy.sparse.csr_array(weight)
            assert same(data, theirs.data)
            assert np.array_equal(indices, theirs.indices)
            assert np.array_equal(indptr, theirs.indptr)
            out = np.empty(weight.shape, np.float32)
            scale = None if dtype == np.float32 else np.ones(rows, np.float32)
            _core.csr_to_dense(data, indices, indptr, scale, out)
            assert np.array_equal(out, theirs.toarray())


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", [np.float32, np.int8])
def test_rows_of_every_length_that_end_at_a_wall(level, dtype, rng):
    for columns in (1, 2, 3, 15, 16, 17, 31, 63, 64, 65, 127, 128, 129, 200):
        for pattern in ("half", "one", "full"):
            weight = (sparse_matrix(rng, 2, columns, pattern) * 60).astype(dtype)
            at_wall = ending_at_wall(weight)
            made = _core.dense_to_csr(at_wall, isa=level)
            assert_is_csr_of(made, weight)
            out = ending_at_wall(np.full(weight.shape, np.nan, np.float32))
            scale = None if dtype == np.float32 else ending_at_wall(np.ones(2, np.float32))
            _core.csr_to_dense(*(ending_at_wall(part) for part in made), scale, out)
            assert np.array_equal(out, weight)


@INDEX_TYPES
def test_indices_of_either_width_give_the_same(index_type, rng):
    weight = sparse_matrix(rng, 20, 30, "ragged")
    data, indices, indptr = _core.dense_to_csr(weight)
    indices, indptr = indices.astype(index_type), indptr.astype(index_type)
    out = np.empty(weight.shape, np.float32)
    _core.csr_to_dense(data, indices, indptr, None, out)
    assert same(out, weight)
    codes = np.rint(weight * 10).astype(np.int8)
    data, indices, indptr = _core.dense_to_csr(codes)
    _core.csr_to_dense(data, indices.astype(index_type), indptr.astype(index_type), np.ones(20, np.float32), out)
    assert np.array_equal(out, codes)


def test_a_row_longer_than_the_narrow_counters(rng):
    # Longer than the runs in which the loops count in bytes.
    weight = np.ones((2, 100000), np.int8)
    weight[1, ::3] = 0
    for level in LEVELS:
        assert_is_csr_of(_core.dense_to_csr(weight, isa=level), weight)


def test_indices_widen_where_a_size_passes_31_bits():
    made = _core.dense_to_csr(np.empty((0, 2**31), np.float32))
    assert [part.dtype for part in made] == [np.float32, np.int64, np.int64]
    assert made[2].tolist() == [0]
    made = _core.dense_to_csr(np.empty((0, 2**31 - 1), np.int8))
    assert [part.dtype for part in made] == [np.int8, np.int32, np.int32]


def test_columns_beyond_31_bits():
    try:
        weight = np.zeros((1, 2**31 + 8), np.int8)  # pages never written cost no memory
    except MemoryError:
        pytest.skip("this machine does not lend 2 GiB of address space")
    columns = [5, 2**31 - 1, 2**31 + 7]
    weight[0, columns] = 1, -2, 3
    data, indices, indptr = _core.dense_to_csr(weight)
    assert data.tolist() == [1, -2, 3]
    assert same(indices, np.array(columns))
    assert same(indptr, np.array([0, 3]))
    _core.check_csr(indices, indptr, 1, weight.shape[1])
