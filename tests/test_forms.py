"""Which form a weight is stored in, and that none makes a file bigger."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import paring
from compression_cases import BFLOAT16, assert_kept
from paring import PruneStep, QuantizedWeight, QuantizeStep, Recipe, SparsifyStep

F32 = np.float32


class TestRefusals:
    def test_csr_of_floats_at_half(self, rng):
        w = rng.standard_normal((40, 50)).astype(F32)
        compressed = paring.compress({"w": w}, Recipe([PruneStep(sparsity=0.5), SparsifyStep()]))
        assert compressed["w"].tobytes() == paring.prune(w, sparsity=0.5).tobytes()
        entry = compressed.report["w"]
        assert entry.actions == ("pruned",)
        assert entry.reason == (
            "csr would take 8 x 1,000 for values and their columns + 4 x 40 + 4 for row ends = 8,164 bytes against "
            "8,000 as float32; kept float32"
        )
        assert paring.sparsify(compressed["w"]).nbytes == 8164

    def test_csr_of_codes(self, rng):
        w = rng.standard_normal((40, 50)).astype(F32)
        recipe = Recipe([PruneStep(sparsity=0.75), QuantizeStep(), SparsifyStep()])
        compressed = paring.compress({"w": w}, recipe)
        q = paring.quantize(paring.prune(w, sparsity=0.75))
        assert compressed["w"] == q
        s = paring.sparsify(q)
        assert compressed.report["w"].reason == (
            f"csr would take 5 x {s.nnz} for values and their columns + 8 x 40 + 4 for row ends and scales = "
            f"{s.nbytes:,} bytes against 2,160 as int8; kept int8"
        )

    def test_nothing_left_of_the_recipe(self, rng):
        w = rng.standard_normal((40, 50)).astype(F32)
        compressed = paring.compress({"w": w}, Recipe([SparsifyStep()]))
        assert_kept(compressed, {"w": w}, ["w"])
        assert "csr would take 8 x 2,000" in compressed.report["w"].reason

    def test_quantizing_one_column(self, rng):
        w = rng.standard_normal((2000, 1)).astype(np.float16)
        compressed = paring.compress({"w": w})
        assert_kept(compressed, {"w": w}, ["w"])
        assert compressed.report["w"].reason == (
            "int8 would take 2,000 for codes + 4 x 2,000 for scales = 10,000 bytes against 4,000 as float16; kept "
            "float16"
        )
        assert paring.quantize(w).nbytes == 10_000

    def test_quantizing_with_zero_points(self, rng):
        w = rng.standard_normal((64, 32)).astype(np.float16)
        recipe = Recipe([QuantizeStep(8, "group", 2, symmetric=False)])
        compressed = paring.compress({"w": w}, recipe)
        assert compressed.report["w"].reason == (
            "int8 would take 2,048 for codes + 5 x 1,024 for scales and zero points = 7,168 bytes against 4,096 as "
            "float16; kept float16"
        )
        assert paring.quantize(w, 8, "group", 2, False).nbytes == 7168

    def test_names_and_headers_count(self):
        w = np.ones((8, 16), F32)
        recipe = Recipe([QuantizeStep()], min_size=0)
        compressed = paring.compress({"w": w}, recipe)
        assert_kept(compressed, {"w": w}, ["w"])
        reason = compressed.report["w"].reason
        assert reason.startswith("int8 would take 128 for codes + 4 x 8 for scales = 160 bytes (and up to ")
        assert reason.endswith(" for names and headers) against 512 as float32; kept float32")

    def test_csr_of_floats_where_codes_do_not_pay(self, rng):
        w = rng.standard_normal((2000, 2)).astype(np.float16)
        w[200:] = 0
        w = np.concatenate([w, np.zeros_like(w)], axis=1)
        compressed = paring.compress({"w": w}, Recipe([QuantizeStep(), SparsifyStep()]))
        assert compressed["w"] == paring.sparsify(w)
        entry = compressed.report["w"]
        assert entry.actions == ("sparsified",)
        assert entry.sqnr_db == math.inf
        assert entry.reason == (
            "int8 would take 8,000 for codes + 4 x 2,000 for scales = 16,000 bytes against 16,000 as float16"
        )

    def test_pruned_and_stored_dense_says_so(self, rng):
        w = rng.standard_normal((40, 50)).astype(F32)
        entry = paring.compress({"w": w}, Recipe([PruneStep(sparsity=0.9)])).report["w"]
        assert entry.form == "float32"
        assert entry.bytes_before == entry.bytes_after
        assert entry.reason == (
            "stored dense, where zeros take as much as other values; csr (a SparsifyStep) would take 8 x 200 for "
            "values and their columns + 4 x 40 + 4 for row ends = 1,764 bytes against 8,000"
        )

    def test_a_taken_tensor_name(self, rng):
        weights = {
            "w": rng.standard_normal((40, 50)).astype(F32),
            "w_scale": np.ones(3, F32),
            "v": rng.standard_normal((40, 50)).astype(F32),
            "v.indptr": np.ones(3, F32),
        }
        compressed = paring.compress(weights)
        assert_kept(compressed, weights, ["w"])
        assert compressed.report["w"].reason == (
            "its compressed form needs the tensor name 'w_scale', which another weight has"
        )
        assert isinstance(compressed["v"], QuantizedWeight)
        recipe = Recipe([PruneStep(sparsity=0.9), SparsifyStep()])
        compressed = paring.compress(weights, recipe)
        assert_kept(compressed, weights, ["v", "w"])  # a reader would take w_scale for the scale of CSR codes


step_lists = st.tuples(
    st.one_of(st.none(), st.builds(PruneStep, sparsity=st.floats(0, 1))),
    st.one_of(
        st.none(),
        st.builds(
            QuantizeStep,
            bits=st.integers(2, 8),
            granularity=st.sampled_from(["tensor", "channel", "group"]),
            group_size=st.integers(1, 40),
            symmetric=st.booleans(),
            axis=st.sampled_from([0, -1]),
        ),
    ),
    st.one_of(st.none(), st.just(SparsifyStep())),
).map(lambda steps: [step for step in steps if step is not None])


class TestNeverBigger:
    @pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
    @given(
        steps=step_lists,
        shapes=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=4),
        dtype=st.sampled_from([np.dtype(np.float16), BFLOAT16, np.dtype(F32), np.dtype(np.float64)]),
        name=st.sampled_from(["w", "encoder.layer.0.attention.self.query.weight", 'größe\u4e2d"\\']),
        zeros=st.sampled_from([0, 0.5, 0.9, 1]),
    )
    def test_neither_arrays_nor_file(self, tmp_path, suffix, steps, shapes, dtype, name, zeros):
        rng = np.random.default_rng(0)
        weights = {
            f"{name}{i}": (rng.standard_normal(shape) * (rng.random(shape) >= zeros)).astype(dtype)
            for i, shape in enumerate(shapes)
        }
        recipe = Recipe(steps, min_size=0)
        try:
            compressed = paring.compress(weights, recipe)
        except ValueError as error:
            assert "does not go with its SparsifyStep" in str(error)
            return
        for r in compressed.report.rows:
            assert r.bytes_after == compressed[r.name].nbytes
            assert r.bytes_after <= r.bytes_before == weights[r.name].nbytes
        before, after = tmp_path / f"before{suffix}", tmp_path / f"after{suffix}"
        paring.write(before, weights)
        paring.write(after, compressed)
        assert after.stat().st_size <= before.stat().st_size
        assert str(compressed.report)
