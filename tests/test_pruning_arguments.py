"""`paring.prune`: mappings, layouts, `out`, and everything it refuses."""

import ml_dtypes
import numpy as np
import pytest

import paring
import reference
from compression_cases import BFLOAT16, FLOAT_DTYPES, assert_same_bits, random_weights


class TestMapping:
    @pytest.fixture
    def weights(self):
        return {
            "a": random_weights((5, 8)),
            "b": random_weights((4, 4), np.float16, seed=1),
            "c": random_weights((8,), BFLOAT16, seed=2),
            "d": random_weights((3, 8), np.float64, seed=3),
            "e": np.zeros((0, 8), np.float32),
        }

    @pytest.mark.parametrize("scope", ["tensor", "global"])
    def test_what_is_not_float_passes_through(self, weights, scope):
        ids, text = np.arange(3), np.array(["a"])
        pruned = paring.prune({"ids": ids, **weights, "text": text}, sparsity=0.5, scope=scope)
        assert list(pruned) == ["ids", *weights, "text"]
        assert pruned["ids"] is ids
        assert pruned["text"] is text
        alone = paring.prune(weights, sparsity=0.5, scope=scope)
        assert all((pruned[name] == alone[name]).all() for name in weights)

    @pytest.mark.parametrize(
        "criterion",
        [{"threshold": 1}, {"sparsity": 0.4}, {"threshold_std": 0.5}, {"structure": "1:4"}],
        ids=str,
    )
    def test_tensor_scope_is_one_by_one(self, weights, criterion):
        got = paring.prune(weights, **criterion)
        assert list(got) == list(weights)
        for name, w in weights.items():
            assert_same_bits(got[name], paring.prune(w, **criterion))

    @pytest.mark.parametrize("sparsity", [0, 0.2, 0.5, 0.93, 1])
    def test_global_sparsity_counts_over_all_dtypes(self, weights, sparsity):
        got = paring.prune(weights, sparsity=sparsity, scope="global")
        size = sum(w.size for w in weights.values())
        expected = reference.prune_smallest(list(weights.values()), round(sparsity * size))
        for name, pruned in zip(weights, expected, strict=True):
            assert_same_bits(got[name], pruned)

    def test_global_is_the_same_for_threshold_and_structure(self, weights):
        for criterion in ({"threshold": 1}, {"structure": "1:4"}):
            tensor, everything = (paring.prune(weights, **criterion, scope=s) for s in ("tensor", "global"))
            for name in weights:
                assert_same_bits(tensor[name], everything[name])

    def test_ties_go_in_the_order_of_the_mapping(self):
        ones = np.ones(2, np.float32)
        got = paring.prune({"z": ones, "a": ones}, sparsity=0.5, scope="global")
        assert got["z"].tolist() == [0, 0]
        assert got["a"].tolist() == [1, 1]

    @pytest.mark.parametrize("scope", ["tensor", "global"])
    def test_empty(self, scope):
        for criterion in ({"threshold": 1}, {"sparsity": 0.4}, {"threshold_std": 0.5}, {"structure": "1:4"}):
            assert paring.prune({}, **criterion, scope=scope) == {}

    def test_in_place(self, weights):
        expected = paring.prune(weights, sparsity=0.5, scope="global")
        got = paring.prune(weights, sparsity=0.5, scope="global", out=weights)
        for name, w in weights.items():
            assert got[name] is w
            assert_same_bits(w, expected[name])

    def test_names_differ(self, weights):
        with pytest.raises(ValueError, match="out: expected the names of w, got a difference in 'd', 'f'"):
            paring.prune(weights, sparsity=0.5, out={**{k: weights[k] for k in "abce"}, "f": weights["d"]})

    def test_messages_name_the_weight(self, weights):
        with pytest.raises(TypeError, match=r"'l': expected a NumPy float array, got list"):
            paring.prune({**weights, "l": [1.0]}, sparsity=0.5)
        with pytest.raises(ValueError, match=r"'n': expected finite values, got NaN at \[1\]"):
            paring.prune({**weights, "n": np.array([0, np.nan], np.float32)}, sparsity=0.5, scope="global")

    @pytest.mark.parametrize(
        "criterion",
        [{"threshold": 1}, {"sparsity": 0.4}, {"threshold_std": 0.5}, {"structure": "1:4"}],
        ids=str,
    )
    @pytest.mark.parametrize("scope", ["tensor", "global"])
    def test_a_bad_last_weight_leaves_the_first_as_they_were(self, weights, criterion, scope):
        weights["n"] = np.array([[0, 1, np.inf, 3]], np.float32)
        before = {name: w.tobytes() for name, w in weights.items()}
        with pytest.raises(ValueError, match=r"'n': expected finite values, got infinity at \[0, 2\]"):
            paring.prune(weights, **criterion, scope=scope, out=weights)
        assert {name: w.tobytes() for name, w in weights.items()} == before

    def test_an_indivisible_last_weight_leaves_the_first_as_they_were(self, weights):
        weights["n"] = np.ones((2, 3), np.float32)
        before = {name: w.tobytes() for name, w in weights.items()}
        with pytest.raises(ValueError, match=r"'n': structure: expected a last axis divisible by 4"):
            paring.prune(weights, structure="1:4", out=weights)
        assert {name: w.tobytes() for name, w in weights.items()} == before


class TestLayouts:
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_any_order_of_bytes_and_axes(self, dtype):
        w = random_weights((6, 8), dtype)
        expected = paring.prune(w, sparsity=0.5)
        big_endian = w.astype(w.dtype.newbyteorder(">"))
        wide = np.zeros((6, 16), dtype)
        wide[:, ::2] = w
        shifted = np.zeros(w.nbytes + 1, np.uint8)[1:].view(dtype).reshape(w.shape)
        shifted[...] = w
        read_only = w.copy()
        read_only.flags.writeable = False
        for same in (big_endian, np.asfortranarray(w), wide[:, ::2], w[::-1][::-1], shifted, read_only):
            assert_same_bits(paring.prune(same, sparsity=0.5), expected)

    def test_scalar(self):
        got = paring.prune(np.float16(0.25), threshold=0.5)
        assert got.shape == ()
        assert got.dtype == np.float16
        assert got == 0

    def test_subclasses_come_back_as_plain_arrays(self, tmp_path):
        w = np.memmap(tmp_path / "w", np.float32, "w+", shape=(4,))
        assert type(paring.prune(w, sparsity=0.5)) is np.ndarray
        paring.prune(w, sparsity=0.5, out=w)


class TestOut:
    @pytest.mark.parametrize(
        "criterion",
        [{"threshold": 1}, {"sparsity": 0.4}, {"threshold_std": 0.5}, {"structure": "1:4"}],
        ids=str,
    )
    @pytest.mark.parametrize("dtype", FLOAT_DTYPES, ids=str)
    def test_new_memory_and_in_place(self, criterion, dtype):
        w = random_weights((6, 8), dtype)
        expected = paring.prune(w, **criterion)
        out = np.full_like(w, 9)
        assert paring.prune(w, **criterion, out=out) is out
        assert_same_bits(out, expected)
        assert paring.prune(w, **criterion, out=w[:]).base is w
        assert_same_bits(w, expected)

    @pytest.mark.parametrize(
        "criterion",
        [{"threshold": 1}, {"sparsity": 0.4}, {"threshold_std": 0.5}, {"structure": "1:4"}],
        ids=str,
    )
    def test_bad_value_leaves_the_input_as_it_was(self, criterion):
        w = random_weights((300, 8))
        w[299, 7] = np.nan
        before = w.tobytes()
        with pytest.raises(ValueError, match=r"w: expected finite values, got NaN at \[299, 7\]"):
            paring.prune(w, **criterion, out=w)
        assert w.tobytes() == before

    def test_misfits(self):
        w = random_weights((4, 6))
        for out, error, message in (
            ([0.0] * 24, TypeError, "out: expected an array, got list"),
            (np.zeros((4, 6)), TypeError, "out: expected dtype float32 in native byte order, got <f8"),
            (np.zeros((4, 6), ">f4"), TypeError, "out: expected dtype float32 in native byte order, got >f4"),
            (np.zeros((6, 4), np.float32), ValueError, r"out: expected shape \(4, 6\), got \(6, 4\)"),
            (np.zeros((6, 4), np.float32).T, ValueError, "out: expected a C-contiguous, aligned array"),
            (
                np.zeros((4, 12), np.float32)[:, ::2],
                ValueError,
                "out: expected a C-contiguous, aligned array",
            ),
            ({"w": w}, TypeError, "out: expected an array like w, got a mapping"),
        ):
            with pytest.raises(error, match=message):
                paring.prune(w, sparsity=0.5, out=out)
        read_only = np.zeros((4, 6), np.float32)
        read_only.flags.writeable = False
        with pytest.raises(ValueError, match="out: expected a writeable array, got a read-only one"):
            paring.prune(w, sparsity=0.5, out=read_only)
        with pytest.raises(TypeError, match="out: expected a mapping of names to arrays like w, got ndarray"):
            paring.prune({"w": w}, sparsity=0.5, out=w)

    def test_overlap(self):
        memory = random_weights((9,))
        with pytest.raises(ValueError, match="out: overlaps w; pass w itself or memory of its own"):
            paring.prune(memory[:8], sparsity=0.5, out=memory[1:])
        square = random_weights((4, 4))
        with pytest.raises(ValueError, match="out: overlaps w"):
            paring.prune(square.T, sparsity=0.5, out=square)

    def test_overlap_within_a_mapping(self):
        memory = random_weights((16,))
        a, b, c = memory[:6], memory[6:12], memory[10:16]
        fresh = np.zeros(6, np.float32)
        paring.prune({"a": a, "b": b}, sparsity=0.5, out={"a": a, "b": b})
        with pytest.raises(ValueError, match=r"out\['c'\]: overlaps out\['b'\]"):
            paring.prune({"b": a, "c": a.copy()}, sparsity=0.5, out={"b": b, "c": c})
        with pytest.raises(ValueError, match=r"out\['a'\]: overlaps the input that out\['b'\] belongs to"):
            paring.prune({"a": fresh, "b": b}, sparsity=0.5, out={"a": c, "b": fresh.copy()})
        with pytest.raises(ValueError, match=r"out\['\w'\]: overlaps out\['\w'\]"):  # tied weights, in place
            paring.prune({"a": a, "b": a}, sparsity=0.5, out={"a": a, "b": a})


class TestBadInput:
    @pytest.mark.parametrize("dtype", FLOAT_DTYPES, ids=str)
    @pytest.mark.parametrize(
        ("value", "name"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "-infinity")], ids=str
    )
    def test_not_finite(self, dtype, value, name):
        w = random_weights((3, 4), dtype)
        w[1, 2] = value
        for criterion in ({"threshold": 1}, {"sparsity": 0.5}, {"threshold_std": 1}, {"structure": "2:4"}):
            with pytest.raises(ValueError, match=rf"w: expected finite values, got {name} at \[1, 2\]"):
                paring.prune(w, **criterion)
        with pytest.raises(ValueError, match=f"w: expected finite values, got {name}$"):
            paring.prune(w[1, 2], threshold=1)

    @pytest.mark.parametrize(
        ("w", "message"),
        [
            (np.arange(4), "w: expected a dtype among float16, bfloat16, float32, float64, got int64"),
            (np.ones(4, bool), "got bool"),
            (np.ones(4, np.complex64), "got complex64"),
            (np.array(["a"]), "got <U1"),
            (np.ones(4, ml_dtypes.float8_e5m2), "got float8_e5m2"),
            ([1.0, 2.0], "w: expected a NumPy float array, got list"),
            (0.5, "w: expected a NumPy float array, got float"),
            (None, "w: expected a NumPy float array, got NoneType"),
            (
                np.ma.masked_array([1.0], [True]),
                r"w: expected a plain float array, got a masked one; give its .filled",
            ),
        ],
        ids=str,
    )
    def test_not_floats(self, w, message):
        with pytest.raises(TypeError, match=message):
            paring.prune(w, threshold=1)

    def test_compressed_already(self):
        quantized = paring.quantize(np.eye(4, dtype=np.float32))
        with pytest.raises(TypeError, match=r"w: expected a float array, got a QuantizedWeight.*\.dense\(\)"):
            paring.prune(quantized, threshold=1)

    def test_not_exactly_one_criterion(self):
        w = np.ones(4, np.float32)
        with pytest.raises(
            ValueError,
            match="prune: expected exactly one of threshold, sparsity, threshold_std, structure, got none",
        ):
            paring.prune(w)
        with pytest.raises(ValueError, match="got threshold and structure"):
            paring.prune(w, threshold=0, structure="2:4")

    @pytest.mark.parametrize("name", ["threshold", "sparsity", "threshold_std"])
    def test_numbers(self, name):
        w = np.ones(4, np.float32)
        for value in (-0.1, float("nan"), float("inf"), 10**400):
            with pytest.raises(ValueError, match=f"{name}: expected .*0 .* got"):
                paring.prune(w, **{name: value})
        for value in ("0.5", True, np.True_, [0.5], np.array(0.5), 1j):
            with pytest.raises(TypeError, match=f"{name}: expected a number, got"):
                paring.prune(w, **{name: value})
        assert paring.prune(w, **{name: np.float32(0)}).tolist() == [1] * 4
        assert paring.prune(w, **{name: 0}).tolist() == [1] * 4

    def test_sparsity_above_one(self):
        with pytest.raises(ValueError, match=r"sparsity: expected 0 to 1, got 90"):
            paring.prune(np.ones(4, np.float32), sparsity=90)

    def test_scope(self):
        with pytest.raises(ValueError, match="scope: expected 'tensor' or 'global', got 'layer'"):
            paring.prune(np.ones(4, np.float32), sparsity=0.5, scope="layer")
