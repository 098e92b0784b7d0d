"""`paring demo` on the model inside: every row is there, and every number is what it says."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import paring
from paring import _core, demo
from paring.cli import main
from paring.cli.layers import check_layer

DIGITS_LABELS = [
    "float32",
    "int8 per channel",
    "int4 in groups of 32",
    "int4 per channel",
    "50 % pruned, csr",
    "80 % pruned, csr",
    "90 % pruned, csr",
    "80 % pruned, int8 csr",
    "2:4 pruned, int8",
]


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Time one call each: what the numbers are is not of interest here."""
    for name in ("COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("paring.benchmark.timing.WARM_SECONDS", 0)
    monkeypatch.setattr("paring.benchmark.timing.CALM_SECONDS", 0)
    monkeypatch.setattr("paring.benchmark.timing.MEASURED_SECONDS", 0)


def run_well(capsys, *arguments):
    code = main(["demo", *map(str, arguments)])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return captured.out


def logits_of(weights, x):
    return demo.run_layers(x, demo.make_layers(weights, paring.PackedLinear))


@pytest.fixture(scope="module")
def answer(tmp_path_factory):
    """The JSON of a real run in a process of its own, with the files it kept."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "paring", "demo", "--json", "--keep", str(folder / "kept" / "here")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


class TestDigits:
    def test_all_rows_are_there(self, answer):
        assert answer["schema_version"] == 1
        assert [row["recipe"] for row in answer["rows"]] == DIGITS_LABELS

    def test_files_are_what_compress_writes(self, answer, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        for row in answer["rows"]:
            assert row["file_bytes"] == Path(row["path"]).stat().st_size
            assert row["ratio"] == answer["rows"][0]["file_bytes"] / row["file_bytes"]
            if row["options"]:
                arguments = ["compress", answer["rows"][0]["path"], "-o", "again.safetensors", "--force"]
                assert main([*arguments, *row["options"].split()]) == 0
                again, kept = paring.read("again.safetensors"), paring.read(row["path"])
                for name, weight in kept.items():
                    assert (
                        np.array_equal(again[name], weight)
                        if isinstance(weight, np.ndarray)
                        else again[name] == weight
                    )
        capsys.readouterr()

    def test_accuracy_and_error_are_those_of_the_files(self, answer):
        images, labels = demo.load_digits()
        expected = demo.run_layers(images, demo.make_layers(paring.read(demo.model_path())))
        assert (answer["images"], answer["logits_minimum"]) == (len(labels), expected.min())
        for row in answer["rows"]:
            logits = logits_of(paring.read(row["path"]), images)
            assert row["accuracy"] == demo.measure_accuracy(logits, labels)
            assert row["largest_logit_error"] == pytest.approx(
                np.abs(logits - expected).max(), rel=1e-3, abs=1e-4
            )

    def test_numbers_are_plausible(self, answer):
        rows = {row["recipe"]: row for row in answer["rows"]}
        base = rows["float32"]
        assert base["accuracy"] > 0.97
        assert rows["int8 per channel"]["accuracy"] > base["accuracy"] - 0.01
        assert rows["int8 per channel"]["ratio"] > 3.5
        assert rows["int4 in groups of 32"]["accuracy"] > base["accuracy"] - 0.02
        assert rows["int4 per channel"]["ratio"] > rows["int4 in groups of 32"]["ratio"] > 5
        assert rows["90 % pruned, csr"]["accuracy"] < rows["80 % pruned, csr"]["accuracy"] < base["accuracy"]
        assert rows["80 % pruned, csr"]["forms"]["fc1.weight"] == "csr float32"
        assert rows["80 % pruned, int8 csr"]["forms"]["fc1.weight"] == "csr int8"
        assert all(row["seconds"] > 0 and row["times_faster_than_numpy"] > 0 for row in answer["rows"])

    def test_the_machine_is_told(self, answer):
        info = paring.kernel_info()
        machine = answer["machine"]
        assert (machine["level"], machine["threads"]) == (info["level"], info["num_threads"])
        assert machine["processor"]
        assert machine["numpy"].startswith(f"NumPy {np.__version__}")
        assert set(machine["numpy_threads"]) <= {None, 1, info["num_threads"]}

    def test_table(self, capsys, tmp_path, monkeypatch):
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", None)
        out = run_well(capsys)
        assert list(tmp_path.iterdir()) == []
        for label in ("NumPy float32", *DIGITS_LABELS):
            assert re.search(rf"^{re.escape(label)} .* \d+\.\d % .* [µm]s +[\d.]+x$", out, re.MULTILINE), (
                label
            )
        assert "speed: against NumPy" in out
        lost = out.partition("Accuracy lost without training again:\n")[2]
        # Which recipes are slower than NumPy follows at once, and depends on the hour.
        lost = re.match(r"(  .*\n)*", lost).group()
        assert re.search(r"^  90 % pruned, csr: \d\d\.\d points$", lost, re.MULTILINE)
        assert "int8 per channel" not in lost
        assert re.search(r"Smallest within 0.3 points: int4", out)
        assert "paring demo --keep paring-demo" in out
        table = out.partition("\n\n")[2].partition("\n\n")[0]
        assert max(map(len, table.splitlines())) <= 80
        assert "\x1b" not in out
        assert "\u2800" not in out

    def test_kept_files_are_named(self, capsys, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        out = run_well(capsys, "--keep", "my files")
        assert len(list((tmp_path / "my files").iterdir())) == len(DIGITS_LABELS)
        commands = [line.strip().split("  ")[0] for line in out.partition("\nNext\n")[2].splitlines()]
        for command in commands[:2]:
            done = subprocess.run(command.replace("paring", f"{sys.executable} -m paring", 1), shell=True)
            assert done.returncode == 0, command

    def test_a_wrong_answer_stops_it(self, monkeypatch, capsys):
        monkeypatch.setattr(
            paring.PackedLinear, "__call__", lambda self, x: np.zeros((len(x), self.out_features), np.float32)
        )
        with pytest.raises(
            ArithmeticError, match=r"layer \(96, 784\): expected .* got 0.0: please report this"
        ):
            main(["demo"])
        assert capsys.readouterr().out == ""


class TestCheck:
    @pytest.mark.parametrize("bits", [4, 8])
    @pytest.mark.parametrize("symmetric", [True, False])
    def test_right_answers_pass(self, rng, bits, symmetric):
        w, x = (
            rng.standard_normal((31, 77)).astype(np.float32),
            rng.standard_normal((5, 77)).astype(np.float32),
        )
        x[2] = 0
        bias = rng.standard_normal(31).astype(np.float32)
        for weight in (
            w,
            paring.quantize(w, bits=bits, granularity="group", symmetric=symmetric),
            paring.sparsify(paring.prune(w, sparsity=0.5)),
            paring.sparsify(paring.quantize(w, bits=bits)),
        ):
            check_layer(weight, bias, x)
            check_layer(weight, None, x)

    @pytest.mark.parametrize("wrong", [np.nan, 0.1])
    def test_wrong_answers_do_not(self, rng, monkeypatch, wrong):
        w, x = rng.standard_normal((3, 8)).astype(np.float32), rng.standard_normal((2, 8)).astype(np.float32)
        right = paring.PackedLinear.__call__

        def off(self, x):
            y = right(self, x)
            y[1, 2] += wrong
            return y

        monkeypatch.setattr(paring.PackedLinear, "__call__", off)
        with pytest.raises(ArithmeticError, match=r"layer \(3, 8\): expected .* at \[1, 2\], got"):
            check_layer(w, None, x)


def test_threads_are_those_of_paring(any_threads, capsys):
    _core.set_num_threads(1)
    answer = json.loads(run_well(capsys, "--json"))
    assert answer["machine"]["threads"] == 1
    assert answer["machine"]["numpy_threads"] in ([1], [None])
