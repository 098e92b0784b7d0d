"""What is packed is what was given, whatever the sizes: for every row of the table that this CPU can run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from paring import _core

ROWS = [row for row in _core.gemm_kernels() if set(row["needs"]) <= set(_core.features())]
BITS = {"u8": (5, 6, 7, 8), "u4": (2, 3, 4)}


def ids(row):
    return row["name"]


@pytest.mark.parametrize("row", [row for row in ROWS if row["weight_type"] in BITS], ids=ids)
@given(data=st.data())
def test_codes_come_back(row, data):
    bits = data.draw(st.sampled_from(BITS[row["weight_type"]]))
    n, k = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 90))
    group_size = data.draw(st.one_of(st.just(0), st.integers(1, k + 3)))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    codes = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (n, k)).astype(np.int8)
    groups = -(-k // group_size) if group_size else 1
    scale = rng.random((n, groups), np.float32)
    packed_codes = codes if bits == 8 else _core.pack_codes(codes, bits)
    packed = _core.PackedMatrix.from_codes(
        packed_codes, scale, None, bits, k, group_size, None,
        **({"compute": "float32"} if row["name"].startswith("gemm_f32") else {}), kernel=row["name"],
    )  # fmt: skip
    raised = set(((packed.unpack_codes().astype(np.int16) - codes) % 256).ravel().tolist())
    assert len(raised) == 1 and raised <= {0, 8, 128}  # one number for all, by the row's layout
    x = rng.standard_normal((3, k)).astype(np.float32)
    out = np.empty((3, n), np.float32)
    packed.run(x, out, "")
    if row["name"].startswith("gemm_f32"):
        size = group_size or k
        dense = codes.astype(np.float32) * np.repeat(scale, size, axis=1)[:, :k]
        assert out.tobytes() == reference.float_linear(x, dense).tobytes()
    else:
        assert out.tobytes() == reference.quantized_linear(x, codes, scale, None, group_size).tobytes()


@pytest.mark.parametrize("row", [row for row in ROWS if row["weight_type"] == "f32"], ids=ids)
@given(n=st.integers(1, 70), k=st.integers(1, 90), seed=st.integers(0, 2**32))
def test_floats_come_back(row, n, k, seed):
    weight = np.random.default_rng(seed).standard_normal((n, k)).astype(np.float32)
    packed = _core.PackedMatrix.from_floats(weight, None, kernel=row["name"])
    assert packed.unpack_floats().tobytes() == weight.tobytes()
