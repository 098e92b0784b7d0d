"""What the tests of weight files share: arrays of any dtype, compressed weights made by hand, equality."""

import json
import math
from pathlib import Path

import ml_dtypes
import numpy as np

from paring.formats import write
from paring.weights import QuantizedWeight, SparseWeight, packed_row_bytes

SAFETENSORS_DTYPES = {
    "BOOL": np.dtype(bool),
    "U8": np.dtype(np.uint8),
    "I8": np.dtype(np.int8),
    "I16": np.dtype(np.int16),
    "U16": np.dtype(np.uint16),
    "I32": np.dtype(np.int32),
    "U32": np.dtype(np.uint32),
    "I64": np.dtype(np.int64),
    "U64": np.dtype(np.uint64),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
    "C64": np.dtype(np.complex64),
    "F8_E5M2": np.dtype(ml_dtypes.float8_e5m2),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
}
SHAPES = [(), (0,), (1,), (7,), (0, 5), (3, 4), (2, 3, 4), (2, 1, 0, 3)]


def random_array(dtype, shape, seed=0):
    """Any bytes whatever, NaN and denormals among them (booleans: 0 and 1)."""
    dtype, count = np.dtype(dtype), math.prod(shape)
    raw = np.random.default_rng(seed).integers(
        0, 2 if dtype.kind == "b" else 256, count * dtype.itemsize, np.uint8
    )
    return raw.view(dtype).reshape(shape)


def random_quantized(shape, bits=8, granularity="channel", group_size=None, symmetric=True, axis=0, seed=0):
    rng = np.random.default_rng(seed)
    half = 1 << (bits - 1)
    channels = shape[axis] if shape else 1
    columns = math.prod(n for i, n in enumerate(shape) if i != axis)
    size = (channels, packed_row_bytes(columns, bits))
    data = rng.integers(0, 256, size, np.uint8)
    groups = {
        "tensor": (1, 1),
        "channel": (channels, 1),
        "group": (channels, math.ceil(columns / (group_size or 1))),
    }[granularity]
    return QuantizedWeight(
        data=data.view(np.int8) if bits == 8 else data,
        scale=rng.random(groups, np.float32),
        zero_point=None if symmetric else rng.integers(max(-8, -half), min(8, half), groups, np.int8),
        shape=shape,
        bits=bits,
        granularity=granularity,
        group_size=group_size,
        axis=axis,
    )


def random_sparse(shape, scaled=False, index_dtype=np.int32, density=0.3, seed=0):
    rng = np.random.default_rng(seed)
    rows, columns = shape[0], math.prod(shape[1:])
    mask = rng.random((rows, columns)) < density
    nnz = int(mask.sum())
    return SparseWeight(
        data=rng.integers(1, 128, nnz, np.int8) if scaled else rng.random(nnz, np.float32) + np.float32(1),
        indices=np.nonzero(mask)[1].astype(index_dtype),
        indptr=np.concatenate([[0], np.cumsum(mask.sum(1))]).astype(index_dtype),
        shape=shape,
        scale=rng.random(rows, np.float32) if scaled else None,
    )


COMPRESSED = {
    f"{bits}bit-{granularity}{group_size or ''}-{'symmetric' if symmetric else 'asymmetric'}-axis{axis}": (
        random_quantized((6, 9), bits, granularity, group_size, symmetric, axis)
    )
    for bits in (8, 4, 3)
    for granularity, group_size in (("tensor", None), ("channel", None), ("group", 4))
    for symmetric in (True, False)
    for axis in (0, 1)
} | {
    "8bit-0d": random_quantized((), granularity="tensor"),
    "8bit-4d-axis2": random_quantized((2, 3, 4, 5), axis=2),
    "4bit-no-columns": random_quantized((4, 0), bits=4),
    "4bit-no-channels": random_quantized((0, 4), bits=4),
    "sparse": random_sparse((5, 7)),
    "sparse-scaled": random_sparse((5, 7), scaled=True),
    "sparse-int64": random_sparse((3, 4, 2), index_dtype=np.int64),
    "sparse-empty": random_sparse((4, 6), density=0),
    "sparse-no-rows": random_sparse((0, 6)),
}


def assert_same(got, expected):
    """The same type, dtype, shape and bytes."""
    assert type(got) is type(expected)
    if isinstance(expected, np.ndarray):
        assert got.dtype == expected.dtype
        assert got.shape == expected.shape
        assert got.tobytes() == expected.tobytes()
    else:
        assert got == expected


def read_all(weights):
    """Touch everything a weight file can be asked for."""
    for name in weights:
        weights.describe(name)
    return {name: weights[name] for name in weights}


def safetensors_bytes(entries, buffer=b"", metadata=None):
    """The bytes of a safetensors file with any header whatever: ``{name: (dtype, shape, [begin, end])}``."""
    header = {} if metadata is None else {"__metadata__": metadata}
    header |= {name: {"dtype": d, "shape": s, "data_offsets": o} for name, (d, s, o) in entries.items()}
    return framed(json.dumps(header).encode(), buffer)


def framed(header, buffer=b""):
    return len(header).to_bytes(8, "little") + header + buffer


def npy_bytes(header, data=b"", version=(1, 0)):
    """The bytes of a .npy file with any header whatever."""
    header = header if isinstance(header, bytes) else header.encode()
    return (
        b"\x93NUMPY"
        + bytes(version)
        + len(header).to_bytes(2 if version == (1, 0) else 4, "little")
        + header
        + data
    )


def kept_weights():
    """What the files of every release in `DATA` hold, made without a random number."""
    codes = np.arange(40, dtype=np.int8).reshape(5, 8) - np.int8(20)
    steps = np.arange(1, 6, dtype=np.float32).reshape(5, 1) / 8
    return {
        "embedding": (np.arange(12, dtype=np.float32) / 4).astype(SAFETENSORS_DTYPES["BF16"]).reshape(3, 4),
        "ids": np.array([2**62, -1, 0]),
        "flag": np.array(True),
        "nothing": np.empty((0, 3), np.float16),
        "int8.weight": QuantizedWeight(codes, steps, None, (5, 8), 8, "channel"),
        "int4.weight": QuantizedWeight(
            np.arange(12, dtype=np.uint8).reshape(3, 4) * np.uint8(21),
            np.full((3, 2), 0.5, np.float32),
            np.arange(6, dtype=np.int8).reshape(3, 2) - np.int8(3),
            (7, 3),
            4,
            "group",
            group_size=4,
            axis=1,
        ),
        "sparse.weight": SparseWeight(
            np.array([1.5, -2, 0.25], np.float32),
            np.array([0, 3, 2], np.int32),
            np.array([0, 2, 2, 3], np.int32),
            (3, 2, 2),
        ),
    }


DATA = Path(__file__).parent / "data"
KEPT_METADATA = {"made": "by tests/weight_files.py"}

# By release: v1 holds zero points as int8 and per-tensor scales of two axes, v2 holds them as compressed-tensors does.
KEPT = ("weights_v1", "weights_v2")

if __name__ == "__main__":
    # When the bytes change give the files a new name: those of old releases must stay readable.
    for suffix in (".safetensors", ".npz"):
        write(DATA / f"{KEPT[-1]}{suffix}", kept_weights(), metadata=KEPT_METADATA)
