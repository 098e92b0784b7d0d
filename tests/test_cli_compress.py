"""`paring compress`: what each option does to the file, what is printed where, and what a failure leaves."""

import json
import re

import numpy as np
import pytest

import paring
from paring.cli import main

BIG, OTHER = "encoder.layer.0.attention.weight", "encoder.layer.1.attention.weight"


@pytest.fixture(autouse=True)
def in_folder(monkeypatch, tmp_path, weights):
    for name in ("COLUMNS", "FORCE_COLOR", "PARING_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    paring.write("model.safetensors", weights, metadata={"author": "me"})


@pytest.fixture
def weights(rng):
    return {
        BIG: rng.standard_normal((256, 384)).astype(np.float32),
        "encoder.layer.0.attention.bias": np.zeros(64, np.float32),
        OTHER: rng.standard_normal((128, 256)).astype(np.float32),
        "step": np.arange(3),
    }


def run(capsys, *arguments):
    code = main(["compress", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def run_well(capsys, *arguments):
    code, out, err = run(capsys, *arguments)
    assert code == 0, err
    return out


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ("", [paring.QuantizeStep()]),
        ("--bits 4", [paring.QuantizeStep(bits=4)]),
        ("--granularity tensor", [paring.QuantizeStep(granularity="tensor")]),
        ("--granularity group", [paring.QuantizeStep(granularity="group")]),
        ("--bits 4 --group-size 64", [paring.QuantizeStep(bits=4, granularity="group", group_size=64)]),
        ("--asymmetric", [paring.QuantizeStep(symmetric=False)]),
        ("--sparsity 0.9", [paring.PruneStep(sparsity=0.9)]),
        ("--sparsity 0.9 --scope tensor", [paring.PruneStep(sparsity=0.9)]),
        ("--sparsity 0.9 --sparse", [paring.PruneStep(sparsity=0.9), paring.SparsifyStep()]),
        ("--sparsity 0.8 --scope global", [paring.PruneStep(sparsity=0.8, scope="global")]),
        ("--threshold 1.5 --sparse", [paring.PruneStep(threshold=1.5), paring.SparsifyStep()]),
        ("--structure 2:4 --bits 8", [paring.PruneStep(structure="2:4"), paring.QuantizeStep()]),
        (
            "--sparsity 0.95 --bits 8 --sparse",
            [paring.PruneStep(sparsity=0.95), paring.QuantizeStep(), paring.SparsifyStep()],
        ),
    ],
)
def test_options_make_the_recipe(capsys, weights, options, steps):
    run_well(capsys, "model.safetensors", "-o", "small.safetensors", *options.split())
    written, expected = paring.read("small.safetensors"), paring.compress(weights, paring.Recipe(steps))
    assert set(written) == set(expected)
    for name, weight in expected.items():
        assert type(written[name]) is type(weight)
        equal = (
            weight.tobytes() == written[name].tobytes()
            if isinstance(weight, np.ndarray)
            else weight == written[name]
        )
        assert equal, name


def test_skip_may_be_repeated(capsys):
    out = run_well(capsys, "model.safetensors", "-o", "small.npz", "--skip", "*layer.0*", "--skip", "st?p")
    written = paring.read("small.npz")
    assert isinstance(written[BIG], np.ndarray)
    assert isinstance(written[OTHER], paring.QuantizedWeight)
    assert "*layer.0*" in out


def test_metadata_is_kept(capsys):
    run_well(capsys, "model.safetensors", "-o", "small.safetensors")
    assert paring.read("small.safetensors").metadata["author"] == "me"


def test_report_to_stdout_progress_to_stderr(capsys, tmp_path):
    code, out, err = run(capsys, "model.safetensors", "-o", "small.safetensors")
    assert code == 0
    assert err == "paring: compressing model.safetensors\n"
    report = str(paring.compress("model.safetensors").report)
    assert out.startswith(report + "\n\n")
    before, after = ((tmp_path / name).stat().st_size for name in ("model.safetensors", "small.safetensors"))
    assert f"\nsmall.safetensors: {before:,} -> {after:,} bytes, {before / after:.2f} times smaller\n" in out
    assert out.splitlines()[-3].startswith("  paring compare model.safetensors small.safetensors")
    assert out.splitlines()[-2].startswith("  paring inspect small.safetensors")


def test_json(capsys, tmp_path):
    answer = json.loads(run_well(capsys, "model.safetensors", "-o", "small.npz", "--bits", "4", "--json"))
    assert answer["schema_version"] == 1
    assert (answer["input_path"], answer["output_path"]) == ("model.safetensors", "small.npz")
    assert answer["input_bytes"] == (tmp_path / "model.safetensors").stat().st_size
    assert answer["output_bytes"] == (tmp_path / "small.npz").stat().st_size
    assert answer["ratio"] == answer["input_bytes"] / answer["output_bytes"]
    assert [row["name"] for row in answer["rows"]] == list(paring.read("model.safetensors"))
    assert all({"bytes_before", "bytes_after", "max_error", "sqnr_db"} <= set(row) for row in answer["rows"])


def test_great_loss_is_told_with_a_way_out(capsys):
    out = run_well(capsys, "model.safetensors", "-o", "small.safetensors", "--bits", "4")
    assert "WARNING: 2 of the 2 changed weights lose much" in out
    retry = next(line.split("  ")[1] for line in out.splitlines() if "lose less" in line)
    assert retry == "paring compress model.safetensors -o small.safetensors --bits 4 --group-size 32 --force"
    again = run_well(capsys, *retry.split()[2:])
    assert paring.read("small.safetensors")[BIG].group_size == 32
    assert "WARNING" not in again
    assert "lose less" not in again


def test_groups_that_lose_much_are_told_of_more_bits(capsys):
    out = run_well(
        capsys, "model.safetensors", "-o", "small.safetensors", "--bits", "2", "--group-size", "32"
    )
    assert "-o small.safetensors --bits 8 --force" in out


def test_pruning_alone_saves_nothing_and_says_so(capsys):
    out = run_well(capsys, "model.safetensors", "-o", "small.safetensors", "--sparsity", "0.9")
    assert "bytes, the same size" in out
    assert "--sparse leaves them out" in out
    assert "--sparse leaves" not in run_well(
        capsys, "model.safetensors", "-o", "sparse.safetensors", "--sparsity", "0.9", "--sparse"
    )


def test_a_larger_file_is_called_larger(capsys, tmp_path):
    paring.write("tiny.npy", {"tiny": np.zeros(2, np.float32)})
    out = run_well(capsys, "tiny.npy", "-o", "tiny.npz")
    assert re.search(r"tiny\.npz: 136 -> \d+ bytes, \d\.\d\d times larger", out)
    assert "No weight was changed." in out


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ("--bits 9", "bits: expected .*8, got 9"),
            ("--granularity row", "--granularity: expected tensor, channel or group, got 'row'"),
            ("--granularity channel --group-size 32", "--group-size goes with --granularity group"),
            ("--group-size 0", "group_size: expected 1 to"),
            ("--sparsity 1.5", "sparsity: expected 0 to 1, got 1.5"),
            ("--sparsity 0.5 --threshold 1", "expected one of .* got --sparsity and --threshold"),
            ("--scope row --sparsity 0.5", "--scope: expected tensor or global, got 'row'"),
            ("--scope global", "--scope goes with --sparsity"),
            ("--structure 4:2", "structure: expected"),
            ("--structure 2:5", f"'{BIG}': structure: expected a last axis divisible by 5"),
            ("--skip *layer.7*", "skip: '.layer.7.' matches none of the 4 weights"),
            ("--skip encoder.layer.0.atention.weight", f"the nearest names are '{BIG}'"),
            ("--asymmetric --sparse", "symmetric"),
            ("--threshold-std 1 --structure 2:4", "expected one of .* got --threshold-std and --structure"),
            ("--convention mine", "--convention: expected one of paring, .*, got 'mine'"),
            ("--min-size -1", "min_size: expected 0 .*got -1"),
            ("--preset int9", "preset: expected one of 'int8', .*got 'int9'"),
            ("--preset int8 --bits 4 --sparse", "--preset is a whole recipe: .* got --bits and --sparse"),
            ("--preset int8 --recipe a.toml", "--recipe is a whole recipe: .* got --preset"),
            ("--recipe nope.toml", "nope.toml: No such file or directory"),
            ("--jobs 0", "--jobs: expected 1 or more, got 0"),
            ("--jobs 2", "--jobs goes with a folder to write, .*got the file small.safetensors"),
        ],
    )
    def test_bad_options(self, capsys, tmp_path, options, message):
        code, out, err = run(capsys, "model.safetensors", "-o", "small.safetensors", *options.split())
        assert (code, out) == (2, "")
        assert re.fullmatch(
            r"paring: error: .*\n", err.replace("paring: compressing model.safetensors\n", "")
        )
        assert re.search(message, err)
        assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]

    @pytest.mark.parametrize("output", ["old.safetensors", "model.safetensors"])
    def test_what_exists_is_not_replaced_without_force(self, capsys, tmp_path, output):
        (tmp_path / "old.safetensors").write_bytes(b"old")
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        code, out, err = run(capsys, "model.safetensors", "-o", output)
        assert (code, out, err) == (2, "", f"paring: error: {output}: already exists; --force replaces it\n")
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

    @pytest.mark.parametrize(
        ("output", "message"),
        [
            (".", "expected another folder than that of the source"),
            ("out.txt", "expected a file called .*, got suffix '.txt'"),
        ],
    )
    def test_what_cannot_be_written_is_refused_before_the_work(self, capsys, output, message):
        code, out, err = run(capsys, "model.safetensors", "-o", output, "--force")
        assert (code, out) == (2, "")
        assert re.fullmatch(f"(paring: compressing .*\n)?paring: error: .*{message}\n", err)

    def test_force_replaces(self, capsys, tmp_path):
        (tmp_path / "old.safetensors").write_bytes(b"old")
        run_well(capsys, "model.safetensors", "-o", "old.safetensors", "--force")
        assert isinstance(paring.read("old.safetensors")[BIG], paring.QuantizedWeight)

    def test_a_file_over_itself(self, capsys, tmp_path):
        before = (tmp_path / "model.safetensors").read_bytes()
        code, out, err = run(capsys, "model.safetensors", "-o", "model.safetensors", "--force")
        assert (code, out) == (2, "")
        assert "expected another file than the source" in err
        assert (tmp_path / "model.safetensors").read_bytes() == before

    @pytest.mark.parametrize("force", [[], ["--force"]])
    def test_bad_weights_leave_the_old_file(self, capsys, tmp_path, weights, force):
        weights[OTHER][3, 4] = np.nan
        paring.write("bad.npz", weights)
        name = "old.safetensors" if force else "new.safetensors"
        (tmp_path / "old.safetensors").write_bytes(b"old")
        code, _, err = run(capsys, "bad.npz", "-o", name, *force)
        assert code == 2
        assert re.search(rf"paring: error: '{OTHER}'.*NaN at \[3, 4\]", err)
        assert (tmp_path / "old.safetensors").read_bytes() == b"old"
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "bad.npz",
            "model.safetensors",
            "old.safetensors",
        ]

    @pytest.mark.parametrize(
        ("output", "message"),
        [
            ("small.onnx", r"small\.onnx: expected a file called"),
            ("nowhere/small.npz", r"nowhere: no such folder to write into"),
        ],
    )
    def test_bad_places(self, capsys, tmp_path, output, message):
        code, out, err = run(capsys, "model.safetensors", "-o", output)
        assert (code, out) == (2, "")
        assert re.search(f"paring: error: .*{message}", err)
        assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]

    def test_text_has_no_place_in_safetensors(self, capsys, tmp_path, weights):
        paring.write("text.npz", {**weights, "label": np.array("digits")})
        code, _, err = run(capsys, "text.npz", "-o", "text.safetensors")
        assert code == 2
        assert "'label'" in err
        assert not (tmp_path / "text.safetensors").exists()
