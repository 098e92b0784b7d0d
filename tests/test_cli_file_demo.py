"""`paring demo FILE`: the user's weights by every recipe, and what is too large, too small or broken."""

import json
import re
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import paring
from paring.cli import file_outcome, main
from paring.cli.file_outcome import choose_layer, choose_names
from paring.cli.variants import DIGITS_VARIANTS, FILE_VARIANTS


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Time one call each: what the numbers are is not of interest here."""
    for name in ("COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("paring.benchmark.timing.WARM_SECONDS", 0)
    monkeypatch.setattr("paring.benchmark.timing.CALM_SECONDS", 0)
    monkeypatch.setattr("paring.benchmark.timing.MEASURED_SECONDS", 0)


@pytest.fixture
def weights(rng):
    weights = {
        "word_embeddings": rng.standard_normal((400, 64)).astype(np.float32),
        "up.weight": rng.standard_normal((256, 64)).astype(np.float32),
        "up.bias": np.zeros(256, np.float32),
        "down.weight": rng.standard_normal((64, 192)).astype(np.float32),
        "step": np.arange(3),
    }
    weights["up.weight"][7] = 0
    return weights


@pytest.fixture
def model(tmp_path, weights):
    path = tmp_path / "model.npz"
    paring.write(path, weights)
    return path


def run_well(capsys, *arguments):
    code = main(["demo", *map(str, arguments)])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return captured.out


def test_json(capsys, model, weights, tmp_path):
    answer = json.loads(run_well(capsys, model, "--json", "--keep", tmp_path / "kept"))
    assert answer["schema_version"] == 1
    assert (answer["layer"], answer["layer_shape"], answer["batches"]) == (
        "up.weight",
        [256, 64],
        [1, 64],
    )
    assert answer["file_bytes"] == model.stat().st_size
    assert (answer["weights"], answer["weights_in_file"]) == (5, 5)
    assert len(answer["numpy_seconds"]) == 2
    assert [row["recipe"] for row in answer["rows"]] == [variant.label for variant in FILE_VARIANTS]
    for row, variant in zip(answer["rows"], FILE_VARIANTS, strict=True):
        compressed = paring.compress(weights, variant.recipe)
        report, kept = compressed.report, paring.read(row["path"])
        assert row["file_bytes"] == Path(row["path"]).stat().st_size
        assert list(map(type, (kept[name] for name in weights))) == list(map(type, compressed.values()))
        worst = next(iter(report.worst(1)), None)
        assert row["worst_weight"] == (worst and worst.name)
        assert row["worst_sqnr_db"] == (worst and worst.sqnr_db)
        assert row["worst_error"] == (worst and worst.max_error)
        assert row["layer_form"] == report["up.weight"].form
        assert len(row["seconds"]) == len(row["times_faster_than_numpy"]) == 2


def test_table(capsys, model):
    out = run_well(capsys, model)
    assert out.startswith("model.npz, compressed 5 ways\ntimed on up.weight (256 x 64)\n")
    for variant in FILE_VARIANTS:
        loss = "exact" if variant.label == "as it is" else r"[\d.]+ dB"
        row = rf"^{re.escape(variant.label)} .*B +[\d.]+x +{loss} +[\d.]+ [µm]s +[\d.]+x +[\d.]+ [µm]s +[\d.]+x$"
        assert re.search(row, out, re.MULTILINE), variant.label
    assert re.search("^  int4 per channel: \\d weights?, most ", out, re.MULTILINE)
    assert "paring compress" in out


def test_forms_that_are_no_gain_are_named(capsys, model, monkeypatch):
    variants = [FILE_VARIANTS[0], next(v for v in DIGITS_VARIANTS if v.label.startswith("50 %"))]
    monkeypatch.setattr(file_outcome, "FILE_VARIANTS", variants)
    out = run_well(capsys, model)
    assert "Forms that would be larger were not used in: 50 % pruned, csr." in out
    assert "Not smaller than the file as it is: 50 % pruned, csr." in out


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_other_floats(capsys, tmp_path, weights, dtype):
    path = tmp_path / "model.safetensors"
    paring.write(path, {"w": weights["up.weight"].astype(dtype)})
    rows = json.loads(run_well(capsys, path, "--json"))["rows"]
    assert rows[0]["layer_form"] == np.dtype(dtype).name
    assert rows[1]["ratio"] == pytest.approx(np.dtype(dtype).itemsize, rel=0.1)


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_large_file_is_sampled(capsys, model, weights, monkeypatch, as_json):
    monkeypatch.setattr(file_outcome, "MOST_BYTES", 120_000)
    out = run_well(capsys, model, *as_json)
    if as_json:
        assert (json.loads(out)["weights"], json.loads(out)["weights_in_file"]) == (4, 5)
    else:
        # The layer to run and what fits beside it: the table of 102 kB does not.
        kept = sum(w.nbytes for name, w in weights.items() if name != "word_embeddings")
        assert f"4 of its 5 weights, the largest: {kept / 1000:.0f} kB in all" in out


def test_choice_of_weights(model, weights, tmp_path):
    file = paring.read(model)
    assert choose_layer(file) == "up.weight"
    assert choose_names(file, "up.weight", 10**9) == tuple(weights)
    # The layer first, then the largest that still fit, in the order of the file.
    size = {name: w.nbytes for name, w in weights.items()}
    assert choose_names(file, "up.weight", size["up.weight"] + size["down.weight"] + 30) == (
        "up.weight", "down.weight", "step",
    )  # fmt: skip
    assert choose_names(file, "up.weight", 1) == ("up.weight",)
    paring.write(tmp_path / "table.npy", {"table_embed": weights["word_embeddings"]})
    assert choose_layer(paring.read(tmp_path / "table.npy")) == "table"


@pytest.mark.parametrize("compressed", [False, True])
def test_nothing_to_run(capsys, tmp_path, weights, compressed):
    path = tmp_path / "none.npz"
    paring.write(
        path, {"w": paring.quantize(weights["up.weight"]) if compressed else np.ones((3, 3), np.int8)}
    )
    assert main(["demo", str(path)]) == 2
    err = capsys.readouterr().err
    assert "none.npz: expected a float matrix to compress and run, got none" in err
    assert ("give the file it was compressed from" in err) == compressed


def test_bad_weights(capsys, tmp_path, weights):
    weights["down.weight"][1, 2] = np.inf
    paring.write(tmp_path / "bad.npz", weights)
    assert main(["demo", str(tmp_path / "bad.npz")]) == 2
    assert re.search(r"paring: error: 'down.weight': .*\[1, 2\]", capsys.readouterr().err)
