"""`paring plan`, `run` and `finish`: jobs that other machines may do, and what is refused."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import paring
from paring.cli import main


@pytest.fixture(autouse=True)
def in_folder(monkeypatch, tmp_path):
    for name in ("COLUMNS", "FORCE_COLOR", "PARING_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def weights(rng):
    names = ("a.weight", "b.weight", "c.weight")
    return {name: rng.standard_normal((64, 128)).astype(np.float32) for name in names}


@pytest.fixture
def checkpoint(tmp_path, weights):
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    weight_map = {}
    for number, name in enumerate(weights, 1):
        file = f"model-{number:05}-of-00003.safetensors"
        paring.write(folder / file, {name: weights[name]})
        weight_map[name] = file
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def run_well(capsys, *arguments):
    code, out, err = run(capsys, *arguments)
    assert code == 0, err
    return out


def next_commands(out):
    return [line.strip().split("  ")[0] for line in out.partition("\nNext\n")[2].splitlines()]


def plan(capsys, *options):
    return run_well(capsys, "plan", "checkpoint", "-o", "small", "--jobs-file", "jobs.json", *options)


def test_the_whole_way_by_the_commands_it_names(capsys, tmp_path, checkpoint, weights):
    out = plan(capsys, "--preset", "int4", "--skip", "c.*")
    assert re.search(r"^  0 +model-00001-of-00003.safetensors +1 +32\.8 kB +5\.12 kB", out, re.MULTILINE)
    assert "3 jobs, 98,304 -> about" in out
    assert not (tmp_path / "small").exists()
    first, last = next_commands(out)
    assert first == "paring run jobs.json --job 0"
    out = run_well(capsys, *first.split()[1:])
    assert "int4 group 32" in out
    assert re.search(r"^job 0 of 3: model-00001-of-00003.safetensors, [\d,]+ bytes$", out, re.MULTILINE)
    assert next_commands(out) == ["paring run jobs.json --job 1", "paring finish jobs.json"]
    # As a cluster does it: in any order, in other processes.
    for job in ("2", "1"):
        command = [sys.executable, "-m", "paring", "run", "jobs.json", "--job", job]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    out = run_well(capsys, "run", "jobs.json", "--job", "1")
    assert "which stood already" in out
    assert next_commands(out) == ["paring finish jobs.json"]
    out = run_well(capsys, *last.split()[1:])
    written = paring.read(tmp_path / "small")
    assert written["a.weight"] == paring.quantize(weights["a.weight"], bits=4, granularity="group")
    assert np.array_equal(written["c.weight"], weights["c.weight"])
    assert "Total: 3 weights" in out
    for command in next_commands(out):
        assert run(capsys, *command.split()[1:])[0] in (0, 1)


def test_json(capsys, tmp_path, checkpoint):
    planned = json.loads(plan(capsys, "--json"))
    assert [job["number"] for job in planned["jobs"]] == [0, 1, 2]
    assert planned["totals"]["bytes_before"] == 3 * 64 * 128 * 4
    for job in planned["jobs"]:
        for resumed in (False, True):
            answer = json.loads(run_well(capsys, "run", "jobs.json", "--job", job["number"], "--json"))
            assert (answer["output"], answer["resumed"]) == (job["output"], resumed)
            assert sum(row["bytes_after"] for row in answer["rows"]) == job["bytes_after"]
    done = json.loads(run_well(capsys, "finish", "jobs.json", "--json"))
    assert done["output_bytes"] == paring.read(tmp_path / "small").file_bytes
    assert [row["name"] for row in done["rows"]] == ["a.weight", "b.weight", "c.weight"]
    assert done["totals"]["bytes_after"] == planned["totals"]["bytes_after"]


def test_a_job_that_stands_is_said_to(capsys, checkpoint):
    plan(capsys)
    run_well(capsys, "run", "jobs.json", "--job", "0")
    assert "bytes, which stood already" in run_well(capsys, "run", "jobs.json", "--job", "0")


def test_finish_lists_what_is_missing(capsys, tmp_path, checkpoint):
    plan(capsys)
    run_well(capsys, "run", "jobs.json", "--job", "1")
    code, out, err = run(capsys, "finish", "jobs.json")
    assert (code, out) == (1, "")
    advice = "do each by paring run jobs.json --job 0"
    assert err == f"paring: error: {tmp_path / 'small'}: 2 of 3 jobs are not done: 0, 2; {advice}\n"
    assert not list((tmp_path / "small").glob("*.safetensors"))


def test_a_long_list_is_cut(capsys, monkeypatch, checkpoint):
    monkeypatch.setattr("paring.cli.planning.SHOWN_JOBS", 1)
    plan(capsys)
    assert "3 of 3 jobs are not done: 0 and 2 more;" in run(capsys, "finish", "jobs.json")[2]


@pytest.mark.parametrize(
    ("job", "message"), [("3", "expected 0 to 2, .* got 3"), ("-1", "expected 0 to 2, .* got -1")]
)
def test_no_such_job(capsys, checkpoint, job, message):
    plan(capsys)
    code, out, err = run(capsys, "run", "jobs.json", "--job", job)
    assert (code, out) == (2, "")
    assert re.fullmatch(f"paring: error: --job: {message}\n", err)


@pytest.mark.parametrize("command", [["run", "jobs.json", "--job", "0"], ["finish", "jobs.json"]])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"jobs\.json: expected JSON"),
        ("[]", r"jobs\.json: expected "),
        ("{}", r"jobs\.json: expected what paring plan of this version writes"),
        (
            '{"schema_version": 9, "jobs": [{}]}',
            r"jobs\.json: expected what paring plan of this version writes",
        ),
        (
            '{"schema_version": 1, "jobs": []}',
            r"jobs\.json: expected what paring plan of this version writes",
        ),
        ('{"schema_version": 1, "jobs": [{}]}', r"jobs\.json: job: expected schema_version 1, got None"),
        ('{"schema_version": 1, "jobs": [7]}', r"jobs\.json: job: expected an object, got int"),
    ],
)
def test_a_plan_that_is_none(capsys, tmp_path, command, text, message):
    (tmp_path / "jobs.json").write_text(text)
    code, out, err = run(capsys, *command)
    assert (code, out) == (2, "")
    assert re.fullmatch(f"paring: error: {message}.*\n", err)


def test_a_source_that_changed(capsys, checkpoint, weights):
    plan(capsys)
    paring.write(checkpoint / "model-00001-of-00003.safetensors", {"a.weight": weights["b.weight"][:32]})
    code, out, err = run(capsys, "run", "jobs.json", "--job", "0")
    assert (code, out) == (2, "")
    assert re.search(r"model-00001-of-00003\.safetensors: .*plan again\n", err)


def test_what_exists_is_not_replaced_without_force(capsys, tmp_path, checkpoint):
    plan(capsys)
    before = (tmp_path / "jobs.json").read_bytes()
    arguments = ["plan", "checkpoint", "-o", "small", "--jobs-file", "jobs.json", "--bits", "4"]
    code, out, err = run(capsys, *arguments)
    assert (code, out, err) == (2, "", "paring: error: jobs.json: already exists; --force replaces it\n")
    assert (tmp_path / "jobs.json").read_bytes() == before
    run_well(capsys, *arguments, "--force", "--verify")
    assert (tmp_path / "jobs.json").read_bytes() != before


def test_one_file_is_one_job(capsys, tmp_path, checkpoint, weights):
    out = run_well(capsys, "plan", "checkpoint", "-o", "small.npz", "--jobs-file", "jobs.json")
    for command in next_commands(out):
        run_well(capsys, *command.split()[1:])
    assert paring.read(tmp_path / "small.npz")["b.weight"] == paring.quantize(weights["b.weight"])


def test_names_of_files_that_are_no_unicode(weights, tmp_path):
    name = os.fsdecode(b"caf\xff.safetensors")
    paring.write(tmp_path / name, weights)
    assert main(["plan", name, "-o", os.fsdecode(b"out\xff"), "--jobs-file", "jobs.json"]) == 0
    assert main(["run", "jobs.json", "--job", "0"]) == 0
    assert main(["finish", "jobs.json"]) == 0
    assert paring.read(tmp_path / os.fsdecode(b"out\xff"))["a.weight"].bits == 8
