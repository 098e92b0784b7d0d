"""Every row of the sparse table against the dense kernels and NumPy."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import reference
from paring import _core
from protected_page import ending_at_wall
from shapes import around
from sparse_cases import INDEX_TYPES, KERNELS, PATTERNS, Layer, parametrize, run, same

ACTIVATIONS = ("", "relu", "gelu", "silu")
PANEL = 16  # rows of w that a kernel takes at once


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
    for m, n, k in (
        (most + 1, 3, 5000),
        (most + 1, 3, 20000),
        (most + 1, 3, 65536),
        (3 * most + 1, 2, 50000),
    ):
        layer = Layer(kernel, rng, n, k, "tenth")
        x = rng.standard_normal((m, k)).astype(np.float32)
        assert same(run(layer.sparse, x, n, "silu"), run(layer.dense, x, n, "silu")), (m, n, k)


@parametrize("f32")
def test_more_columns_than_sixteen_bits_count(kernel, rng):
    n, k = PANEL + 2, 65540
    layer = Layer(kernel, rng, n, k, "none")
    weight = np.zeros((n, k), np.float32)
    weight[:, [0, 65535, 65536, 65539]] = rng.standard_normal((n, 4))
    packed = _core.PackedCsr.from_csr(*_core.dense_to_csr(weight), None, k, layer.bias, kernel=kernel["name"])
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
            packed = _core.PackedCsr.from_csr(
                *_core.dense_to_csr(codes), scale, k, None, kernel=kernel["name"]
            )
            for m in (1, 2):
                x = np.full((m, k), sign, np.float32)
                expected = reference.quantized_linear(x, codes, scale[:, None], None, 0)
                assert same(run(packed, x, 1), expected)
    message = (
        "in_features: integer sums of more than 65536 columns with one scale do not fit 32 bits, got 65537"
    )
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
    weight = np.array(
        [[1e-30, 0, 1, -1], [-1e-30, 0, 0, 0], [3e38, 3e38, 0, -3e38], [1, 1e-20, 0, 1]], np.float32
    )
    x = np.array(
        [
            [1e-30, 1, 0.5, 0.5],
            [-1e-30, -1, 0, 0],
            [1e-10, 1e-25, 0, 0],
            [2, 2, -1, 2],
            [-0.0, -0.0, 0, -0.0],
        ],
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
    assert same(results[0], run(layer.dense, x, n, "gelu"))
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
