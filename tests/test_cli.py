"""The command line as a user meets it: what it prints where, how it ends, and what it leaves on disk."""

import json
import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import paring
from checkpoints import random_weights, write_checkpoint
from paring import _core
from paring.cli import main

PROGRAM = [sys.executable, "-m", "paring"]


@pytest.fixture(autouse=True)
def piped(monkeypatch):
    for name in ("COLUMNS", "FORCE_COLOR", "PARING_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def weights(rng):
    return {
        "encoder.layer.0.attention.weight": rng.standard_normal((64, 96)).astype(np.float32),
        "encoder.layer.0.attention.bias": np.zeros(64, np.float32),
        "encoder.layer.1.attention.weight": rng.standard_normal((48, 64)).astype(np.float32),
        "step": np.arange(3),
    }


@pytest.fixture(params=["model.safetensors", "model.npz"])
def model(request, tmp_path, weights):
    path = tmp_path / request.param
    paring.write(path, weights)
    return path


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def run_well(capsys, *arguments):
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    return out


class TestHelp:
    @pytest.mark.parametrize(
        "command", ["", "demo", "inspect", "compress", "compare", "plan", "run", "finish", "info", "schema"]
    )
    @pytest.mark.parametrize("option", ["--help", "-h"])
    def test_begins_with_an_example(self, capsys, command, option):
        lines = [line for line in run_well(capsys, *command.split(), option).splitlines() if line.strip()]
        assert lines[0].startswith(f"Usage: paring {command}".rstrip())
        assert lines[1].lstrip().startswith(f"paring {command or 'demo'}")
        assert max(map(len, lines)) <= 80

    def test_without_arguments_helps(self, capsys):
        assert run_well(capsys) == run_well(capsys, "--help")

    def test_version(self, capsys):
        assert run_well(capsys, "--version") == f"paring {paring.__version__}\n"

    def test_as_a_module(self):
        done = subprocess.run([*PROGRAM, "--version"], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, f"paring {paring.__version__}\n")


class TestInfo:
    def test_shows_what_is_in_use(self, capsys):
        out = run_well(capsys, "info")
        info = paring.kernel_info()
        assert re.search(rf"^level +{info['level']} \(", out, re.MULTILINE)
        in_use = [line.split()[0] for line in out.splitlines() if line.endswith("in use")]
        assert in_use == [kernel["name"] for kernel in info["kernels"] if kernel["chosen"]]
        assert out.splitlines()[-2].split("  ")[1] == "paring demo"

    def test_a_cap_is_named(self):
        done = subprocess.run(
            [*PROGRAM, "info"], capture_output=True, text=True, env={**os.environ, "PARING_ISA": "scalar"}
        )
        assert "level     scalar (PARING_ISA=scalar)" in done.stdout
        assert "what a lesser machine" not in done.stdout

    @pytest.mark.parametrize(
        ("environment", "decided_by", "text"),
        [
            (
                {"PARING_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                "PARING_NUM_THREADS",
                "PARING_NUM_THREADS=1",
            ),
            ({"OMP_NUM_THREADS": "1,4"}, "OMP_NUM_THREADS", "OMP_NUM_THREADS=1,4"),
            ({}, "affinity", "this process may run on 1 CPU"),
        ],
    )
    def test_why_so_many_threads(self, capsys, monkeypatch, any_threads, environment, decided_by, text):
        for name in ("PARING_NUM_THREADS", "OMP_NUM_THREADS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        cpus = {0} if decided_by == "affinity" else set(range(8))
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: cpus)
        monkeypatch.setattr("paring.cli.thread_limits.cgroup_quota", lambda: 2.5)
        _core.set_num_threads(1)
        answer = json.loads(run_well(capsys, "info", "--json"))["threads"]
        assert (answer["threads"], answer["decided_by"]) == (1, decided_by)
        assert {"source": "cgroup_quota", "threads": 3} in answer["limits"]
        out = run_well(capsys, "info")
        assert f"threads   1: {text}\n" in out
        assert "its control group grants 2.5 CPUs" in out
        assert ("would lower it" in out) == (not environment)

    def test_threads_set_by_hand(self, capsys, monkeypatch, any_threads):
        _core.set_num_threads(999)
        assert json.loads(run_well(capsys, "info", "--json"))["threads"]["decided_by"] is None
        assert re.search(
            r"^threads +999: set by set_num_threads\n +by itself: this process",
            run_well(capsys, "info"),
            re.M,
        )

    def test_json(self, capsys):
        answer = json.loads(run_well(capsys, "info", "--json"))
        assert answer["schema_version"] == 1
        assert answer["processor"]
        assert {key: answer[key] for key in paring.kernel_info()} == paring.kernel_info()


class TestInspect:
    def test_lists_every_weight_with_its_numbers(self, capsys, model, weights):
        out = run_well(capsys, "inspect", model)
        lines = dict(line.split(maxsplit=1) for line in out.splitlines()[1:5])
        assert set(lines) == set(weights)
        w = weights["encoder.layer.0.attention.weight"]
        assert lines["encoder.layer.0.attention.weight"].split() == [
            "64x96", "float32", "24.6", "kB", "66", "%",
            f"{w.min():#.3g}", "..", f"{w.max():#.3g}", "0.0", "%",
        ]  # fmt: skip
        assert lines["step"].split()[-5:] == ["0", "..", "2", "33.3", "%"]
        assert f"4 weights, 9,283 elements, {model.stat().st_size / 1000:.1f} kB on disk" in out

    def test_names_commands_that_work(self, capsys, model):
        out = run_well(capsys, "inspect", model)
        command = next(line.split()[1:] for line in out.splitlines() if "paring compress" in line)
        run_well(capsys, *command[: command.index("-o") + 2])

    def test_json(self, capsys, model, weights):
        answer = json.loads(run_well(capsys, "inspect", model, "--json"))
        assert answer["schema_version"] == 1
        assert answer["file_bytes"] == model.stat().st_size
        assert answer["totals"]["bytes"] == sum(w.nbytes for w in weights.values())
        by_name = {entry["name"]: entry for entry in answer["weights"]}
        assert set(by_name) == set(weights)
        for name, w in weights.items():
            entry = by_name[name]
            assert entry["shape"] == list(w.shape)
            assert (entry["kind"], entry["form"], entry["bytes"]) == ("array", str(w.dtype), w.nbytes)
            assert (entry["minimum"], entry["maximum"]) == (float(w.min()), float(w.max()))
            assert entry["zeros"] == w.size - np.count_nonzero(w)
            assert (entry["not_finite"], entry["sqnr_db"]) == (0, None)

    def test_compressed_weights(self, capsys, tmp_path, weights):
        w = weights["encoder.layer.0.attention.weight"]
        forms = {
            "int8 tensor": paring.quantize(w, granularity="tensor"),
            "int4 group 32": paring.quantize(w, bits=4, granularity="group", symmetric=False),
            "int8 channel": paring.quantize(w, axis=1),
            "csr float32": paring.sparsify(paring.prune(w, sparsity=0.75)),
            "csr int8": paring.sparsify(paring.quantize(paring.prune(w, sparsity=0.75))),
        }
        path = tmp_path / "compressed.safetensors"
        paring.write(path, forms)
        by_name = {e["name"]: e for e in json.loads(run_well(capsys, "inspect", path, "--json"))["weights"]}
        for form, weight in forms.items():
            entry, dense = by_name[form], weight.dense()
            assert entry["form"] == form
            assert entry["bytes"] == sum(part.nbytes for part in weight.tensors().values())
            assert entry["bits_per_weight"] == 8 * entry["bytes"] / w.size
            assert (entry["minimum"], entry["maximum"]) == (dense.min(), dense.max())
            assert entry["zeros"] == w.size - np.count_nonzero(dense)
        out = run_well(capsys, "inspect", path)
        assert "What was lost is not known here" in out
        bits = f"{by_name['int4 group 32']['bits_per_weight']:.1f}"
        assert re.search(rf"int4 group 32 +64x96 +int4 group 32 +{re.escape(bits)} ", out)

    def test_header_only(self, capsys, model):
        out = run_well(capsys, "inspect", model, "--no-values")
        assert "range" not in out
        entries = json.loads(run_well(capsys, "inspect", model, "--no-values", "--json"))["weights"]
        assert {entry["zeros"] for entry in entries} == {None}

    def test_a_tensor_that_cannot_be_read_is_listed(self, capsys, tmp_path):
        header = (
            b'{"odd":{"dtype":"F4","shape":[2],"data_offsets":[0,1]},'
            b'"good":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}'
        )
        path = tmp_path / "odd.safetensors"
        path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0\7")
        assert "F4" in run_well(capsys, "inspect", path, "--no-values")
        out = run_well(capsys, "inspect", path)
        assert re.search(r"^odd +2 +F4 .* not readable +-$", out, re.MULTILINE)
        assert re.search(r"^good +1 +uint8 .* 7 \.\. 7 +0\.0 %$", out, re.MULTILINE)
        assert re.search(
            r"\n1 weight cannot be read; compressing stops at them:\n  .*odd.safetensors: tensor 'odd'", out
        )
        answer = json.loads(run_well(capsys, "inspect", path, "--json"))
        assert answer["totals"]["unreadable"] == 1
        assert [("'odd'" in (entry["problem"] or "")) for entry in answer["weights"]] == [True, False]

    def test_a_weight_whose_header_is_broken_is_listed(self, capsys, tmp_path):
        path = tmp_path / "broken.npz"
        with zipfile.ZipFile(path, "w") as archive:
            for name in "abcd":
                archive.writestr(f"{name}.npy", b"not an array")
        out = run_well(capsys, "inspect", path)
        assert len(re.findall(r"^[abcd] +\? +\? +0 B", out, re.MULTILINE)) == 4
        assert "4 weights cannot be read" in out
        assert "and 1 more, which --json lists" in out
        entries = json.loads(run_well(capsys, "inspect", path, "--json"))["weights"]
        assert {entry["shape"] for entry in entries} == {None}
        assert all(entry["problem"] for entry in entries)

    def test_not_finite_and_odd_values(self, capsys, tmp_path):
        path = tmp_path / "odd.npz"
        bad = np.array([[np.nan, 1, -np.inf, 0]], np.float32)
        paring.write(
            path, {"bad": bad, "text": np.array(["a", "b"]), "none": np.zeros((0, 3)), "one": np.array(2.5)}
        )
        out = run_well(capsys, "inspect", path)
        assert re.search(r"^bad .* 0 \.\. 1\.00 +25\.0 %$", out, re.MULTILINE)
        assert "NaN or infinity in 1 weight: bad has 2 of 4 values" in out
        assert re.search(r"^text .* - +- *$", out, re.MULTILINE)
        assert re.search(r"^none +0x3 .* - +- *$", out, re.MULTILINE)
        assert re.search(r"^one +- +float64 .* 2\.50 \.\. 2\.50", out, re.MULTILINE)

    def test_large_weights_are_read_in_pieces(self, capsys, tmp_path, monkeypatch, rng):
        monkeypatch.setattr("paring.weights.pieces.PIECE", 100)
        w = paring.prune(rng.standard_normal((37, 53)).astype(np.float16), sparsity=0.5)
        path = tmp_path / "w.npz"
        quantized, tensorwise = paring.quantize(w, symmetric=False), paring.quantize(w, granularity="tensor")
        sparse = paring.sparsify(paring.quantize(w))
        paring.write(path, {"w": w, "transposed": w.T, "q": quantized, "t": tensorwise, "s": sparse})
        by_name = {e["name"]: e for e in json.loads(run_well(capsys, "inspect", path, "--json"))["weights"]}
        for name, dense in (
            ("w", w), ("transposed", w), ("q", quantized.dense()), ("t", tensorwise.dense()), ("s", sparse.dense()),
        ):  # fmt: skip
            entry = by_name[name]
            assert (entry["minimum"], entry["maximum"]) == (dense.min(), dense.max())
            assert entry["zeros"] == w.size - np.count_nonzero(dense)


def test_inspecting_a_folder_of_shards_suggests_a_folder(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_checkpoint(tmp_path / "model", random_weights())
    for where, source, target in (("model", "model", "model-int8"), (".", ".", tmp_path / "model-int8")):
        assert main(["inspect", where]) == 0
        assert f"paring compress {source} -o {target} " in capsys.readouterr().out
        monkeypatch.chdir(tmp_path / "model")
