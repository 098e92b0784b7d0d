"""Jobs on executors: pools of threads and processes, a worker that is killed, Dask, processes killed at any moment."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

import paring
from checkpoints import files_of, names_in, random_weights, same_weights, write_checkpoint
from paring import PruneStep, QuantizeStep, Recipe, _core

INDEX = "model.safetensors.index.json"
RECIPE = Recipe([PruneStep(sparsity=0.5, scope="global"), QuantizeStep(bits=4)])


def outputs_of(folder):
    """Return the contents of a finished folder; the report says when files were written, and does not count."""
    files = files_of(folder)
    assert files.pop("paring-report.json")
    return files


@pytest.fixture
def source(tmp_path):
    return write_checkpoint(tmp_path / "in", random_weights(layers=8), shards=5)


@pytest.fixture
def expected(source, tmp_path):
    paring.compress_file(source, tmp_path / "expected", RECIPE)
    return outputs_of(tmp_path / "expected")


def process_pool(workers=2):
    # Not forked: pytest's own threads would come along.
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


@pytest.mark.parametrize("pool", [process_pool, lambda: ThreadPoolExecutor(3)], ids=["processes", "threads"])
def test_the_same_bytes_on_every_executor(source, tmp_path, expected, pool):
    seen = []
    with pool() as executor:
        report = paring.compress_file(
            source, tmp_path / "out", RECIPE, executor=executor, progress=lambda *call: seen.append(call)
        )
    assert outputs_of(tmp_path / "out") == expected
    assert report == paring.compress_file(source, tmp_path / "expected", RECIPE)
    count = len(paring.read(source))
    assert [call[:2] for call in seen][-1] == (count, count)
    assert len(seen) == 5


@pytest.mark.parametrize("level", _core.levels())
@pytest.mark.parametrize("threads", [1, 3])
def test_the_same_bytes_on_every_machine(source, tmp_path, expected, level, threads):
    """And the same errors in the report, to the last digit."""
    environment = {**os.environ, "PARING_ISA": level, "PARING_NUM_THREADS": str(threads)}
    process = start(source, tmp_path / "out", environment)
    assert process.wait() == 0
    process.stdout.close()
    assert outputs_of(tmp_path / "out") == expected
    reports = [
        json.loads((tmp_path / name / "paring-report.json").read_text())["report"]
        for name in ("out", "expected")
    ]
    assert reports[0] == reports[1]


def test_an_error_in_a_worker_comes_through(source, tmp_path):
    weights = random_weights(layers=8)
    weights["layers.5.weight"][3, 1] = float("inf")
    write_checkpoint(source, weights, shards=5)
    with (
        process_pool() as executor,
        pytest.raises(
            ValueError, match=r"'layers.5.weight': expected finite values, got infinity at \[3, 1\]"
        ),
    ):
        paring.compress_file(source, tmp_path / "out", "int8", executor=executor)
    assert names_in(tmp_path / "out") == [".paring"]
    weights["layers.5.weight"][3, 1] = 1
    write_checkpoint(source, weights, shards=5)
    paring.compress_file(source, tmp_path / "out", "int8")
    assert same_weights(
        dict(sorted(paring.read(tmp_path / "out").items())),
        dict(sorted(paring.compress(source, "int8").items())),
    )


def kill_this_process():
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker(source, tmp_path, expected):
    with process_pool(1) as executor:
        jobs = paring.jobs.plan(source, tmp_path / "out", RECIPE)
        for job in jobs[:2]:
            executor.submit(paring.jobs.run, job).result()
        executor.submit(kill_this_process)
        with pytest.raises(
            ChildProcessError, match=r"a worker process died .* the same call goes on from there"
        ):
            paring.compress_file(source, tmp_path / "out", RECIPE, executor=executor)
    assert names_in(tmp_path / "out") == [".paring"]
    kept = {
        name: (tmp_path / "out/.paring" / name).stat().st_ino for name in names_in(tmp_path / "out/.paring")
    }
    assert set(kept) >= {jobs[0].output, jobs[1].output}
    with process_pool() as executor:
        paring.compress_file(source, tmp_path / "out", RECIPE, executor=executor)
    assert outputs_of(tmp_path / "out") == expected
    for job in jobs[:2]:
        assert (tmp_path / "out" / job.output).stat().st_ino == kept[job.output]


COMPRESS = """
import sys, paring
from paring import PruneStep, QuantizeStep, Recipe, _core
recipe = Recipe([PruneStep(sparsity=0.5, scope="global"), QuantizeStep(bits=4)])
print("ready", flush=True)
paring.compress_file(sys.argv[1], sys.argv[2], recipe)
"""


def start(source, target, environment=None):
    process = subprocess.Popen(
        [sys.executable, "-c", COMPRESS, str(source), str(target)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("target", ["out", "out.safetensors"])
def test_killed_at_any_moment_and_resumed(source, tmp_path, target):
    """The moments are spread over a whole run, so that some fall into each of its phases."""
    out = tmp_path / target
    paring.compress_file(source, out, "int8")
    old = outputs_of(out) if out.is_dir() else out.read_bytes()
    started = time.monotonic()
    process = start(source, tmp_path / f"whole-{target}")
    started = time.monotonic()
    assert process.wait() == 0
    process.stdout.close()
    seconds = time.monotonic() - started
    whole = tmp_path / f"whole-{target}"
    expected = outputs_of(whole) if whole.is_dir() else whole.read_bytes()
    states = set()
    for moment in range(12):
        process = start(source, out)
        time.sleep(seconds * moment / 10)
        process.kill()
        process.wait()
        process.stdout.close()
        if out.is_dir():
            now = {name: data for name, data in files_of(out).items() if not name.startswith(".paring")}
            for name, data in now.items():
                # A file is the old one or the new one, whole.
                assert name == "paring-report.json" or data in (old.get(name), expected.get(name))
            if INDEX in now:  # then it is one model, not two mixed
                weights = paring.read(out)
                forms = {weights.describe(name).dtype for name in weights if name.endswith("weight")}
                assert len(forms) == 1
                assert all(weights[name] is not None for name in weights)
                state = "old" if now[INDEX] == old[INDEX] else "new"
            else:
                state = "moving"
        else:
            now = out.read_bytes()
            assert now in (old, expected)
            state = "old" if now == old else "new"
            assert [name for name in names_in(tmp_path) if name.endswith(".tmp")] == []
        states.add(state)
    assert "old" in states
    paring.compress_file(source, out, RECIPE)
    assert (outputs_of(out) if out.is_dir() else out.read_bytes()) == expected
    assert not [name for name in names_in(tmp_path) if name.startswith(".")]


def test_two_processes_race_for_the_same_jobs(source, tmp_path, expected):
    processes = [start(source, tmp_path / "out") for _ in range(3)]
    codes = [process.wait() for process in processes]
    for process in processes:
        process.stdout.close()
    assert 0 in codes
    paring.compress_file(source, tmp_path / "out", RECIPE)
    assert outputs_of(tmp_path / "out") == expected
