"""`paring compress` with whole recipes, without writing, and into folders."""

import json
import re

import numpy as np
import pytest

import paring
from paring.cli import main
from paring.cli.recipe_options import Choices, make_recipe

RECIPE = """
skip = ["head.*"]

[[steps]]
kind = "quantize"
bits = 8

[[steps]]
kind = "quantize"
bits = 4
granularity = "group"
match = "body.*"
"""


@pytest.fixture(autouse=True)
def in_folder(monkeypatch, tmp_path, weights):
    for name in ("COLUMNS", "FORCE_COLOR", "PARING_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    paring.write("model.safetensors", weights)
    (tmp_path / "recipe.toml").write_text(RECIPE)


@pytest.fixture
def weights(rng):
    names = ("table.weight", "body.0.weight", "body.1.weight", "head.weight")
    weights = {name: rng.standard_normal((64, 128)).astype(np.float32) for name in names}
    return {**weights, "small.weight": np.ones((8, 8), np.float32), "head.bias": np.zeros(64, np.float32)}


@pytest.fixture
def checkpoint(tmp_path, weights):
    """Two shards and their index."""
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    names = list(weights)
    weight_map = {}
    for number, part in enumerate((names[:2], names[2:]), 1):
        file = f"model-{number:05}-of-00002.safetensors"
        paring.write(folder / file, {name: weights[name] for name in part})
        weight_map.update(dict.fromkeys(part, file))
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text('{"model_type": "toy"}')
    return folder


def run(capsys, *arguments):
    code = main(["compress", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def run_well(capsys, *arguments):
    code, out, err = run(capsys, *arguments)
    assert code == 0, err
    return out


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


class TestWholeRecipes:
    def test_from_a_file(self, capsys, weights):
        out = run_well(capsys, "model.safetensors", "-o", "small.safetensors", "--recipe", "recipe.toml")
        written, expected = (
            paring.read("small.safetensors"),
            paring.compress(weights, paring.Recipe.from_toml("recipe.toml")),
        )
        for name in ("table.weight", "body.0.weight", "body.1.weight"):
            assert written[name] == expected[name]
        assert isinstance(written["head.weight"], np.ndarray)
        assert re.search(r"steps\[0\] quantize '\*': 1 weight \(table.weight\)", out)
        assert re.search(r"steps\[1\] quantize 'body.\*': 2 weights \(body.0.weight, body.1.weight\)", out)
        assert "skipped by 'head.*'" in out

    def test_by_name(self, capsys, weights):
        run_well(capsys, "model.safetensors", "-o", "small.safetensors", "--preset", "INT4")
        assert paring.read("small.safetensors")["head.weight"] == paring.quantize(
            weights["head.weight"], bits=4, granularity="group"
        )

    def test_with_more_to_skip(self, capsys):
        options = ["--recipe", "recipe.toml", "--skip", "table.*", "--min-size", "1"]
        answer = json.loads(
            run_well(capsys, "model.safetensors", "-o", "small.safetensors", *options, "--json")
        )
        rules = {row["name"]: row["rules"] for row in answer["rows"]}
        assert rules["table.weight"] == ["skip[1] 'table.*'"]
        assert rules["body.0.weight"] == ["steps[1] quantize 'body.*'"]
        assert make_recipe(Choices(preset="int8", skip=("a*",), min_size=7)) == paring.Recipe.preset(
            "int8", skip=["a*"], min_size=7
        )

    def test_another_convention(self, capsys, weights):
        options = ["--convention", "compressed-tensors", "--min-size", "64"]
        run_well(capsys, "model.safetensors", "-o", "small.safetensors", *options)
        written = paring.read("small.safetensors")
        assert written["head.weight"] == paring.quantize(
            weights["head.weight"], convention="compressed-tensors"
        )

    def test_nothing_chosen_is_int8_per_channel(self):
        assert make_recipe(Choices()) == paring.Recipe((paring.QuantizeStep(),))

    def test_standard_deviations(self):
        recipe = make_recipe(Choices(threshold_std=1.5))
        assert recipe.steps == (paring.PruneStep(threshold_std=1.5),)

    def test_a_bad_file(self, capsys, tmp_path):
        (tmp_path / "recipe.toml").write_text('[[steps]]\nkind = "quantise"\n')
        code, out, err = run(
            capsys, "model.safetensors", "-o", "small.safetensors", "--recipe", "recipe.toml"
        )
        assert (code, out) == (2, "")
        assert re.fullmatch(r"paring: error: recipe\.toml: steps\[0\]\.kind: .*'quantise'.*\n", err)

    def test_options_can_be_typed_again(self):
        choices = Choices(bits=4, group_size=64, sparsity=0.25, sparse=True, skip=("a b*", "c"), min_size=9)
        assert choices.text() == (
            "--bits 4 --group-size 64 --sparsity 0.25 --sparse --skip 'a b*' --skip c --min-size 9"
        )


class TestDryRun:
    @pytest.mark.parametrize(
        "options", [["--bits", "4"], ["--recipe", "recipe.toml"], ["--sparsity", "0.9", "--sparse"]]
    )
    def test_says_what_would_be_and_writes_nothing(self, capsys, tmp_path, options):
        before = files(tmp_path)
        arguments = ["model.safetensors", "-o", "small.safetensors", *options, "--json"]
        predicted = json.loads(run_well(capsys, *arguments, "--dry-run"))
        assert files(tmp_path) == before
        done = json.loads(run_well(capsys, *arguments))
        assert (predicted["dry_run"], done["dry_run"]) == (True, False)
        assert predicted["rows"] == done["rows"]
        assert predicted["totals"] == done["totals"]
        assert predicted["output_bytes"] == done["output_bytes"]

    def test_page(self, capsys, tmp_path):
        (tmp_path / "old.safetensors").write_bytes(b"old")
        code, out, err = run(
            capsys, "model.safetensors", "-o", "old.safetensors", "--bits", "4", "--min-size", "1", "--dry-run"
        )  # fmt: skip
        assert (code, err) == (0, "paring: trying model.safetensors\n")
        assert (tmp_path / "old.safetensors").read_bytes() == b"old"
        assert re.search(
            r"Nothing written\. old\.safetensors would be [\d,]+ -> [\d,]+ bytes, [\d.]+ times smaller", out
        )
        command = next(line.split("  ")[1] for line in out.splitlines() if line.endswith("write it"))
        assert command == "paring compress model.safetensors -o old.safetensors --bits 4 --min-size 1 --force"
        run_well(capsys, *command.split()[2:])
        assert paring.read("old.safetensors")["small.weight"].dtype == np.float32

    def test_bad_weights_are_found(self, capsys, tmp_path, weights):
        weights["head.weight"][0, 1] = np.inf
        paring.write("bad.npz", weights)
        code, out, err = run(capsys, "bad.npz", "-o", "small.safetensors", "--dry-run")
        assert (code, out) == (2, "")
        assert re.search(r"'head.weight'.*\[0, 1\]", err)


class TestFolders:
    @pytest.mark.parametrize("jobs", [1, 2])
    def test_a_shard_a_job(self, capsys, tmp_path, checkpoint, weights, jobs):
        out = run_well(capsys, "checkpoint", "-o", "small", "--jobs", jobs)
        target = tmp_path / "small"
        assert {path.name for path in target.glob("*.safetensors")} == {
            f"model-{number:05}-of-00002.safetensors" for number in (1, 2)
        }
        written, expected = paring.read(target), paring.compress(weights)
        assert set(written) == set(weights)
        assert written["head.weight"] == expected["head.weight"]
        assert json.loads((target / "config.json").read_text())["model_type"] == "toy"
        before, after = paring.read(checkpoint).file_bytes, written.file_bytes
        assert f"\nsmall: {before:,} -> {after:,} bytes" in out
        assert "paring compare checkpoint small" in out

    def test_what_is_there_is_not_replaced_without_force(self, capsys, tmp_path, checkpoint):
        run_well(capsys, "checkpoint", "-o", "small")
        before = files(tmp_path / "small")
        code, out, err = run(capsys, "checkpoint", "-o", "small", "--bits", "4")
        assert (code, out) == (2, "")
        assert re.fullmatch(
            r"paring: error: small: already holds .*; --force replaces what is in the way\n", err
        )
        assert files(tmp_path / "small") == before
        run_well(capsys, "checkpoint", "-o", "small", "--bits", "4", "--force")
        assert paring.read("small")["head.weight"].bits == 4

    def test_a_file_in_the_way(self, capsys, tmp_path, checkpoint):
        (tmp_path / "small").write_bytes(b"old")
        code, _, err = run(capsys, "checkpoint", "-o", "small", "--force")
        assert code == 2
        assert "small: a name without the suffix of a format is a folder to fill, and here lies a file" in err
        assert (tmp_path / "small").read_bytes() == b"old"

    def test_dry_run(self, capsys, tmp_path, checkpoint):
        answer = json.loads(
            run_well(capsys, "checkpoint", "-o", "small", "--dry-run", "--jobs", "2", "--json")
        )
        assert not (tmp_path / "small").exists()
        assert len(answer["rows"]) == 6
