"""`paring.compress`: recipes applied to whole models."""

import dataclasses

import numpy as np
import pytest

import paring
from compression_cases import BFLOAT16, assert_kept
from paring import PruneStep, QuantizedWeight, QuantizeStep, Recipe, SparsifyStep

F32 = np.float32


@pytest.fixture
def weights(rng):
    return {
        "embed.weight": rng.standard_normal((40, 32)).astype(F32),
        "conv.weight": rng.standard_normal((16, 8, 3, 3)).astype(np.float16),
        "fc.weight": rng.standard_normal((64, 48)).astype(BFLOAT16),
        "fc.bias": rng.standard_normal(64).astype(F32),
        "norm.weight": np.full(2000, np.nan, F32),  # not looked into
        "small.weight": rng.standard_normal((31, 33)).astype(F32),
        "head.weight": rng.standard_normal((24, 64)),
        "scale": np.array(3.0, F32),
        "ids": np.arange(2000).reshape(2, 1000),
        "mask": np.ones((64, 64), bool),
        "names": np.array([["a", "bc"]] * 1000),
        "empty": np.zeros((0, 64), F32),
    }


TOUCHED = ["embed.weight", "conv.weight", "fc.weight", "head.weight"]


class TestDefaultRecipe:
    def test_weights(self, weights):
        compressed = paring.compress(weights)
        assert list(compressed) == list(weights)
        assert len(compressed) == len(weights)
        for name in TOUCHED:
            assert compressed[name] == paring.quantize(weights[name])
        assert_kept(compressed, weights, set(weights) - set(TOUCHED))

    def test_says_why_others_are_kept(self, weights):
        report = paring.compress(weights).report
        reasons = {r.name: r.reason for r in report.rows if r.kept}
        assert reasons == {
            "fc.bias": "1 axis: biases, norms and other vectors are left alone",
            "norm.weight": "1 axis: biases, norms and other vectors are left alone",
            "small.weight": "fewer than 1,024 elements (min_size)",
            "scale": "0 axes: biases, norms and other vectors are left alone",
            "ids": "int64: only float16, bfloat16, float32 and float64 are compressed",
            "mask": "bool: only float16, bfloat16, float32 and float64 are compressed",
            "names": "<U2: only float16, bfloat16, float32 and float64 are compressed",
            "empty": "fewer than 1,024 elements (min_size)",
        }

    def test_rows(self, weights):
        report = paring.compress(weights).report
        assert [r.name for r in report.rows] == list(weights)
        entry = report["fc.weight"]
        q = paring.quantize(weights["fc.weight"])
        exact = weights["fc.weight"].astype(np.float64)
        error = np.abs(exact - q.dense())
        assert (entry.shape, entry.dtype, entry.form) == ((64, 48), "bfloat16", "int8 channel")
        assert entry.actions == ("quantized",)
        assert entry.reason == ""
        assert (entry.bytes_before, entry.bytes_after) == (2 * 64 * 48, 64 * 48 + 4 * 64)
        assert entry.max_error == error.max()
        assert entry.mean_error == pytest.approx(error.mean())
        assert entry.sqnr_db == pytest.approx(10 * np.log10((exact**2).sum() / (error**2).sum()))
        assert entry.sparsity == np.mean(q.codes() == 0)
        assert report["names"].sparsity is None
        assert report["mask"].sparsity == 0
        assert report.bytes_after == sum(w.nbytes for w in paring.compress(weights).values())

    def test_input_is_not_changed(self, weights):
        before = {name: w.tobytes() for name, w in weights.items()}
        paring.compress(weights, Recipe([PruneStep(sparsity=0.5), QuantizeStep(bits=4), SparsifyStep()]))
        assert {name: w.tobytes() for name, w in weights.items()} == before

    def test_empty(self):
        compressed = paring.compress({})
        assert dict(compressed) == {}
        assert compressed.dense_list() == []
        assert compressed.report.rows == ()

    def test_recipe_of_another_kind(self):
        with pytest.raises(TypeError, match=r"recipe: expected a Recipe, .* got QuantizeStep"):
            paring.compress({}, QuantizeStep())

    def test_progress(self, weights):
        calls = []
        paring.compress(weights, progress=lambda *call: calls.append(call))
        assert calls == [(i, len(weights), name) for i, name in enumerate(weights, 1)]

    def test_compressed_is_a_mapping(self, weights):
        compressed = paring.compress(weights)
        assert repr(compressed) == (
            f"<Compressed: 12 weights, 4 of them compressed, {compressed.report.bytes_before:,} -> "
            f"{compressed.report.bytes_after:,} bytes>"
        )
        assert compressed == compressed
        assert compressed != paring.compress(weights)
        assert {compressed: 1}
        with pytest.raises(KeyError):
            compressed["other"]

    def test_dense_list(self, weights):
        compressed = paring.compress(weights)
        for (name, w), dense in zip(weights.items(), compressed.dense_list(), strict=True):
            assert dense.dtype == w.dtype
            if name in TOUCHED:
                assert dense.tolist() == compressed[name].dense().astype(w.dtype).tolist()
            else:
                assert dense is w


class TestSteps:
    def test_patterns(self, weights):
        recipe = Recipe(
            [
                QuantizeStep(bits=4, granularity="group"),
                QuantizeStep(match="embed*"),
                PruneStep(sparsity=0.5, match="fc*"),
            ],
            skip=["head.*"],
        )
        compressed = paring.compress(weights, recipe)
        assert compressed["embed.weight"] == paring.quantize(weights["embed.weight"])
        assert compressed["conv.weight"] == paring.quantize(weights["conv.weight"], 4, "group")
        pruned = paring.prune(weights["fc.weight"], sparsity=0.5)
        assert compressed["fc.weight"] == paring.quantize(pruned, 4, "group")
        assert compressed.report["fc.weight"].actions == ("pruned", "quantized")
        assert compressed.report["fc.weight"].form == "int4 group 32"
        assert_kept(compressed, weights, ["head.weight"])
        assert compressed.report["head.weight"].reason == "skipped by 'head.*'"

    def test_no_step_matches(self, weights):
        compressed = paring.compress(weights, Recipe([QuantizeStep(match="embed*")]))
        assert_kept(compressed, weights, set(weights) - {"embed.weight"})
        assert compressed.report["fc.weight"].reason == "no step of the recipe matches"

    def test_error_is_against_the_original(self, weights):
        entry = paring.compress(weights, Recipe([PruneStep(sparsity=0.9), QuantizeStep()])).report[
            "embed.weight"
        ]
        w = weights["embed.weight"].astype(np.float64)
        dense = paring.quantize(paring.prune(weights["embed.weight"], sparsity=0.9)).dense()
        assert entry.max_error == np.abs(w - dense).max()
        assert entry.sparsity >= 0.9

    @pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0]], ids=str)
    def test_prune_then_quantize_then_sparsify_whatever_the_order(self, rng, order):
        weights = {"embed.weight": rng.standard_normal((200, 64)).astype(F32)}
        steps = [PruneStep(sparsity=0.95), QuantizeStep(), SparsifyStep()]
        compressed = paring.compress(weights, Recipe([steps[i] for i in order]))
        pruned = paring.prune(weights["embed.weight"], sparsity=0.95)
        assert compressed["embed.weight"] == paring.sparsify(paring.quantize(pruned))
        entry = compressed.report["embed.weight"]
        assert entry.actions == ("pruned", "quantized", "sparsified")
        assert entry.form == "csr int8"

    def test_global_pruning_counts_over_the_weights_of_its_step(self, weights):
        recipe = Recipe(
            [
                PruneStep(sparsity=0.6, scope="global"),
                PruneStep(sparsity=0.1, match="head*"),
            ]
        )
        compressed = paring.compress(weights, recipe)
        together = ["embed.weight", "conv.weight", "fc.weight"]
        expected = paring.prune({n: weights[n] for n in together}, sparsity=0.6, scope="global")
        for name in together:
            assert compressed[name].tobytes() == expected[name].tobytes()
        assert np.mean(compressed["head.weight"] == 0) == pytest.approx(0.1, abs=1e-3)

    def test_float_csr(self, weights):
        compressed = paring.compress(weights, Recipe([PruneStep(sparsity=0.9), SparsifyStep()]))
        expected = paring.sparsify(paring.prune(weights["embed.weight"], sparsity=0.9))
        assert compressed["embed.weight"] == expected
        assert compressed.report["embed.weight"].actions == ("pruned", "sparsified")
        assert compressed.report["embed.weight"].form == "csr float32"

    def test_min_size(self, weights):
        compressed = paring.compress(weights, Recipe([QuantizeStep()], min_size=1023))
        assert isinstance(compressed["small.weight"], QuantizedWeight)

    def test_compressed_weights_pass_through(self, weights):
        first = paring.compress(
            weights,
            Recipe([PruneStep(sparsity=0.9), SparsifyStep(match="embed*"), QuantizeStep(4, match="fc*")]),
        )
        second = paring.compress(first, Recipe([QuantizeStep()]))
        for name, form, dtype in (
            ("embed.weight", "csr float32", "float32"),
            ("fc.weight", "int4 channel", "int4"),
        ):
            assert second[name] is first[name]
            entry = second.report[name]
            assert (entry.form, entry.dtype, entry.reason) == (form, dtype, "compressed already")
            assert entry.bytes_before == entry.bytes_after == first[name].nbytes
            assert (entry.max_error, entry.mean_error, entry.sqnr_db) == (None, None, None)
            assert entry.sparsity >= 0.9
        assert second.dense_list()[0].dtype == F32


class TestErrors:
    def test_pattern_that_matches_nothing(self, weights):
        with pytest.raises(
            ValueError,
            match=r"match: 'embd\.weight' matches none of the 12 weights; the nearest names are 'embed\.weight'",
        ):
            paring.compress(weights, Recipe([QuantizeStep(match="embd.weight")]))
        with pytest.raises(ValueError, match=r"skip: 'haed\.\*' matches none of the 12 weights"):
            paring.compress(weights, Recipe([QuantizeStep()], skip=["haed.*"]))

    def test_pattern_that_matches_only_what_is_left_alone(self, weights):
        with pytest.raises(
            ValueError,
            match=r"match: '\*\.bias' matches only weights that are left alone, such as 'fc\.bias' \(1 axis: ",
        ):
            paring.compress(weights, Recipe([QuantizeStep(match="*.bias")]))
        with pytest.raises(
            ValueError, match=r"match: 'small\*' .* \(fewer than 1,024 elements \(min_size\)\)"
        ):
            paring.compress(weights, Recipe([PruneStep(sparsity=0.5, match="small*")]))
        paring.compress(weights, Recipe([QuantizeStep(match="head*")], skip=["head*"]))

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"granularity": "group"}, "csr holds one scale a row; use granularity 'channel' or 'tensor'"),
            ({"symmetric": False}, "csr leaves code 0 out, .* use symmetric=True"),
        ],
        ids=str,
    )
    def test_steps_that_contradict_each_other(self, weights, arguments, message):
        with pytest.raises(
            ValueError, match=f"'embed.weight': its QuantizeStep does not go with its SparsifyStep: {message}"
        ):
            paring.compress(weights, Recipe([QuantizeStep(**arguments), SparsifyStep()]))

    def test_axis(self, weights):
        with pytest.raises(ValueError, match=r"axis: expected -2 to 1 for 'embed\.weight' of 2 axes, got 2"):
            paring.compress(weights, Recipe([QuantizeStep(axis=2)]))

    @pytest.mark.parametrize(
        "steps",
        [[QuantizeStep()], [PruneStep(sparsity=0.5)], [PruneStep(sparsity=0.5), SparsifyStep()]],
        ids=str,
    )
    def test_not_finite(self, weights, steps):
        weights["conv.weight"][1, 2, 0, 1] = -np.inf
        with pytest.raises(
            ValueError,
            match=r"'conv\.weight': expected finite values, got -infinity at \[1, 2, 0, 1\]; "
            r"skip=\['conv\.weight'\] in the recipe leaves this weight alone",
        ):
            paring.compress(weights, Recipe(steps))
        recipe = Recipe(steps, skip=["conv.weight"])
        assert paring.compress(weights, recipe)["conv.weight"] is weights["conv.weight"]

    def test_not_finite_in_global_pruning(self, weights):
        weights["conv.weight"][0, 0, 0, 0] = np.nan
        with pytest.raises(
            ValueError, match=r"'conv\.weight': expected finite values, got NaN at \[0, 0, 0, 0\]"
        ):
            paring.compress(weights, Recipe([PruneStep(sparsity=0.5, scope="global")]))

    def test_indivisible(self, weights):
        with pytest.raises(
            ValueError, match=r"'conv\.weight': structure: expected a last axis divisible by 4, .*; skip="
        ):
            paring.compress(weights, Recipe([PruneStep(structure="2:4")]))


class TestLossWarning:
    def test_naive_four_bits_are_warned_of_and_groups_are_not(self, rng):
        # Rows with a few large values, as transformers have them.
        w = rng.standard_normal((128, 384)).astype(F32)
        w[:, ::97] *= 6
        naive = paring.compress({"w": w}, Recipe([QuantizeStep(bits=4)])).report
        assert naive["w"].loses_much
        assert "WARNING: 1 of the 1 changed weights lose much" in str(naive)
        for better in (QuantizeStep(bits=8), QuantizeStep(bits=4, granularity="group", group_size=16)):
            report = paring.compress({"w": w}, Recipe([better])).report
            assert not report["w"].loses_much
            assert "WARNING" not in str(report)


def test_recipe_is_plain_data():
    recipe = Recipe([PruneStep(sparsity=0.5), QuantizeStep(bits=4)], skip=["a"])
    again = dataclasses.replace(recipe, skip=("b",))
    assert again.steps == recipe.steps
    assert again.skip == ("b",)
