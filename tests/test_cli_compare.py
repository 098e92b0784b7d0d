"""`paring compare`: what is measured, what counts as different, and how it ends."""

import json
import math
import re

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import paring
from paring.cli import main
from paring.cli.differences import measure_difference
from paring.compression.loss import measure_loss


@pytest.fixture(autouse=True)
def in_folder(monkeypatch, tmp_path):
    for name in ("COLUMNS", "FORCE_COLOR", "PARING_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def weights(rng):
    return {
        "up.weight": rng.standard_normal((64, 96)).astype(np.float32),
        "down.weight": rng.standard_normal((48, 64)).astype(np.float32),
        "bias": np.arange(64, dtype=np.float32),
    }


def run(capsys, *arguments):
    code = main(["compare", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def answer(capsys, *arguments):
    code, out, _ = run(capsys, *arguments, "--json")
    document = json.loads(out)
    assert document["passed"] == (code == 0)
    return code, document, {entry["name"]: entry for entry in document["weights"]}


class TestFiles:
    def test_across_formats_equal_values_are_equal(self, capsys, weights):
        paring.write("a.safetensors", weights)
        paring.write("b.npz", dict(reversed(weights.items())))
        code, out, err = run(capsys, "a.safetensors", "b.npz")
        assert (code, err) == (0, "")
        assert "3 weights: 3 equal\n" in out
        assert "differs" not in out

    def test_compressed_against_its_original(self, capsys, weights):
        paring.write("a.npz", weights)
        compressed = paring.compress(weights)
        paring.write("b.safetensors", compressed)
        code, document, entries = answer(capsys, "a.npz", "b.safetensors")
        assert code == 1
        for row in compressed.report.rows:
            entry = entries[row.name]
            assert entry["verdict"] == ("equal" if row.kept else "differs")
            assert (entry["form_b"], entry["shape_b"]) == (row.form, list(row.shape))
            if not row.kept:
                for key in ("max_error", "mean_error", "sqnr_db"):
                    assert entry[key] == pytest.approx(getattr(row, key), rel=1e-12)
        assert document["beyond"] == ["up.weight", "down.weight"]
        assert document["totals"]["worst"] == compressed.report.worst(1)[0].name
        assert document["totals"]["equal"] == 1

    def test_names_and_shapes(self, capsys, weights):
        paring.write("a.npz", weights)
        other = {"bias": weights["bias"][:5], "new": weights["bias"], "up.weight": weights["up.weight"]}
        paring.write("b.npz", other)
        code, document, entries = answer(capsys, "a.npz", "b.npz", "--max-error", "100")
        assert code == 1
        assert {name: entry["verdict"] for name, entry in entries.items()} == {
            "up.weight": "equal", "down.weight": "missing_in_b", "bias": "shape_differs", "new": "missing_in_a",
        }  # fmt: skip
        assert document["beyond"] == ["down.weight", "bias", "new"]
        _, out, _ = run(capsys, "a.npz", "b.npz")
        assert re.search(r"^bias +64 / 5 +float32 +float32 +- +- +- +other shape$", out, re.MULTILINE)
        assert re.search(r"^new +64 +- +float32 .* only in B$", out, re.MULTILINE)
        assert re.search(r"^down.weight +48x64 +float32 +- .* only in A$", out, re.MULTILINE)
        assert "4 weights: 1 equal, 1 other shape, 1 only in B, 1 only in A\n" in out

    def test_no_weights_at_all(self, capsys):
        paring.write("a.npz", {})
        code, out, _ = run(capsys, "a.npz", "a.npz")
        assert code == 0
        assert "0 weights: nothing to compare" in out

    def test_unreadable_weights_are_told(self, capsys, tmp_path):
        header = b'{"odd":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}'
        (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
        code, document, entries = answer(capsys, "a.safetensors", "a.safetensors")
        assert (code, entries["odd"]["verdict"]) == (1, "unreadable")
        assert "'odd'" in entries["odd"]["problem"]
        assert document["totals"]["unreadable"] == 1
        code, out, _ = run(capsys, "a.safetensors", "a.safetensors")
        assert re.search(r"^odd .* not readable$", out, re.MULTILINE)
        assert out.count("tensor 'odd'") == 1

    def test_a_long_list_of_problems_is_cut(self, capsys, tmp_path):
        entries = {f"odd{i}": {"dtype": "F4", "shape": [2], "data_offsets": [i, i + 1]} for i in range(5)}
        header = json.dumps(entries).encode()
        (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(5))
        code, out, _ = run(capsys, "a.safetensors", "a.safetensors")
        assert (code, out.count("tensor 'odd")) == (1, 3)
        assert "and 2 more, which --json lists\n" in out

    @pytest.mark.parametrize("bad", ["a", "b"])
    def test_a_file_that_is_none(self, capsys, tmp_path, weights, bad):
        paring.write("good.npz", weights)
        (tmp_path / "bad.npz").write_bytes(b"PK")
        order = ["bad.npz", "good.npz"] if bad == "a" else ["good.npz", "bad.npz"]
        code, out, err = run(capsys, *order)
        assert (code, out) == (2, "")
        assert re.fullmatch(r"paring: error: bad\.npz: .*\n", err)


class TestBounds:
    @pytest.fixture
    def files(self, weights):
        paring.write("a.npz", weights)
        paring.write("b.npz", {**weights, "bias": weights["bias"] + np.float32(0.5)})

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            ("", 1),
            ("--max-error 0.5", 0),
            ("--max-error 0.49", 1),
            ("--min-sqnr 30", 0),
            ("--min-sqnr 50", 1),
            ("--max-error 0.5 --min-sqnr 50", 1),
            ("--max-error 0", 1),
        ],
    )
    def test_exit_code(self, capsys, files, options, code):
        got, out, _ = run(capsys, "a.npz", "b.npz", *options.split())
        assert got == code
        if options:
            assert (f"Within {options}." in out, f"Not within {options}: bias\n" in out) == (
                code == 0,
                code == 1,
            )
        else:
            retry = next(line.split("  ")[1] for line in out.splitlines() if "keeps 20 dB" in line)
            assert run(capsys, *retry.split()[2:])[0] == 0

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ("--max-error -1", "--max-error: expected a number of 0 or more, got -1.0"),
            ("--max-error nan", "--max-error: expected a number of 0 or more, got nan"),
            ("--max-error inf", "--max-error: expected a number of 0 or more, got inf"),
            ("--min-sqnr inf", "--min-sqnr: expected a number of dB, got inf"),
            ("--min-sqnr nan", "--min-sqnr: expected a number of dB, got nan"),
        ],
    )
    def test_bad_bounds(self, capsys, files, options, message):
        assert run(capsys, "a.npz", "b.npz", *options.split()) == (2, "", f"paring: error: {message}\n")

    def test_what_is_not_finite_is_beyond_any_bound(self, capsys, weights):
        paring.write("a.npz", weights)
        weights["bias"][3] = np.nan
        paring.write("b.npz", weights)
        for options in (["--max-error", "1e30"], ["--min-sqnr", "-1000"]):
            code, _, entries = answer(capsys, "a.npz", "b.npz", *options)
            assert code == 1
            assert (entries["bias"]["differing"], entries["bias"]["max_error"]) == (1, None)
        _, out, _ = run(capsys, "a.npz", "b.npz")
        assert re.search(r"^bias .* inf +inf +-inf dB +differs$", out, re.MULTILINE)


class TestDifference:
    @pytest.mark.parametrize("piece", [1, 50, 1 << 20])
    @pytest.mark.parametrize(
        "make",
        [
            lambda w: w + np.float32(0.01),
            lambda w: np.asfortranarray(w) + np.float32(0.01),
            lambda w: w.astype(np.float16),
            lambda w: w.astype(ml_dtypes.bfloat16),
            lambda w: w.astype(np.complex64) + np.complex64(0.01j),
            paring.quantize,
            lambda w: paring.quantize(w, axis=1, bits=4),
            lambda w: paring.quantize(w, granularity="tensor", symmetric=False),
            lambda w: paring.quantize(w, granularity="group", bits=3),
            lambda w: paring.sparsify(paring.prune(w, sparsity=0.5)),
            lambda w: paring.sparsify(paring.quantize(paring.prune(w, sparsity=0.5))),
        ],
    )
    def test_in_pieces_as_at_once(self, rng, monkeypatch, piece, make):
        monkeypatch.setattr("paring.weights.pieces.PIECE", piece)
        w = rng.standard_normal((13, 37)).astype(np.float32)
        other = make(w)
        dense = other if isinstance(other, np.ndarray) else other.dense()
        error = np.abs(w.astype(np.complex128) - dense.astype(np.complex128))
        got = measure_difference(w, other)
        assert got.differing == np.count_nonzero(error)
        assert got.max_error == error.max()
        assert got.mean_error == pytest.approx(error.mean(), rel=1e-12)
        ratio = 10 * math.log10(np.square(w.astype(np.float64)).sum() / np.square(error).sum())
        assert got.sqnr_db == pytest.approx(ratio, rel=1e-12)

    def test_two_forms_with_other_axes(self, rng):
        w = rng.standard_normal((13, 37)).astype(np.float32)
        a, b = paring.quantize(w, axis=1), paring.sparsify(w)
        expected = measure_loss(a.dense(), b.dense())
        got = measure_difference(a, b)
        assert (got.max_error, got.sqnr_db) == (
            expected.max_error,
            pytest.approx(expected.sqnr_db, rel=1e-12),
        )

    @given(
        arrays.arrays(
            st.sampled_from([np.float32, np.float16, np.int8, np.bool_, np.int64]),
            arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        )
    )
    def test_everything_is_equal_to_itself(self, array):
        got = measure_difference(array, array.copy())
        assert (got.differing, got.max_error, got.mean_error, got.sqnr_db) == (0, 0, 0, math.inf)

    @pytest.mark.parametrize(
        ("a", "b", "expected"),
        [
            ([np.nan, 1], [np.nan, 1], (0, 0.0, math.inf)),
            ([np.inf, 1], [np.inf, 1], (0, 0.0, math.inf)),
            ([np.inf, 1], [-np.inf, 1], (1, math.inf, -math.inf)),
            ([np.nan, 1], [0, 1], (1, math.inf, -math.inf)),
            ([0, 0], [0, 1], (1, 1.0, -math.inf)),
            ([0.0], [-0.0], (0, 0.0, math.inf)),
            ([2**53], [2**53 + 1], (1, 0.0, math.inf)),
        ],
    )
    def test_corners(self, a, b, expected):
        got = measure_difference(np.array(a), np.array(b))
        assert (got.differing, got.max_error, got.sqnr_db) == expected

    @pytest.mark.parametrize(
        ("a", "b", "differing"),
        [
            (np.array(["a", "b"]), np.array(["a", "c"]), 1),
            (np.array(["a", "b"]), np.array([1.0, 2.0]), 2),
            (np.array(["a", "b"]), np.array(["a", "b"], "U9"), 0),
        ],
    )
    def test_text_has_no_error(self, a, b, differing):
        got = measure_difference(a, b)
        assert (got.differing, got.max_error, got.sqnr_db) == (differing, None, None)
