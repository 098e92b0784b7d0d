"""What the sparse kernels refuse, by message."""

import numpy as np
import pytest

from paring import _core
from sparse_cases import INDEX_TYPES, KERNELS, sparse_matrix


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
    "negative first": (
        {"indices": (-1, 2, 1)},
        r"indices: expected columns of 0 to less than 4, got -1 in row 0 \(position 0\)",
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
    with pytest.raises(
        TypeError, match="weight: expected a C-contiguous float32 array of 2 axes, got float64"
    ):
        _core.dense_to_csr(np.zeros((2, 2)))
    with pytest.raises(
        TypeError, match=r"weight: expected a C-contiguous float32 array of 2 axes, got float32 \(4\)"
    ):
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
