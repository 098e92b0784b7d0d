"""Jobs and results that somebody wrote, or that a disk garbled: a ValueError names what is wrong with them."""

import json
from dataclasses import replace

import pytest

from checkpoints import random_weights, write_checkpoint
from paring import PruneStep, QuantizeStep, Recipe
from paring.jobs import Job, JobResult, plan, run
from paring.jobs.fingerprint import job_key

RECIPE = Recipe([PruneStep(sparsity=0.7, scope="global"), QuantizeStep(bits=8)])


@pytest.fixture
def source(tmp_path):
    return write_checkpoint(tmp_path / "in", random_weights())


@pytest.fixture
def jobs(source, tmp_path):
    return plan(source, tmp_path / "out", RECIPE)


def through_json(document):
    return json.loads(json.dumps(document, allow_nan=False))


@pytest.mark.parametrize("document", [None, [], {"schema_version": 2}, {}])
def test_not_a_job(document):
    with pytest.raises(ValueError, match=r"job: expected (an object|schema_version 1), got"):
        Job.from_dict(document)


def test_keys(jobs):
    document = jobs[0].to_dict()
    with pytest.raises(ValueError, match=r"job: expected the keys of to_dict, got 'more' as well"):
        Job.from_dict({**document, "more": 1})
    del document["key"]
    with pytest.raises(ValueError, match=r"job: expected the keys of to_dict, got no key"):
        Job.from_dict(document)


@pytest.mark.parametrize("output", ["../x", "/etc/passwd", "a/b", "", ".", "..", ".hidden", "a\0b", 5, None])
def test_an_output_that_leads_elsewhere(jobs, output):
    with pytest.raises(ValueError, match=r"job: output: expected the name of a file, got"):
        Job.from_dict({**jobs[0].to_dict(), "output": output})
    with pytest.raises(ValueError, match=r"job: output: expected the name of a file, got"):
        replace(jobs[0], output=output)
    with pytest.raises(ValueError, match=r"result: output: expected the name of a file, got"):
        JobResult.from_dict({**run(jobs[0]).to_dict(), "output": output})


def test_an_output_that_is_not_the_target(source, tmp_path):
    [job] = plan(source, tmp_path / "out.safetensors")
    with pytest.raises(ValueError, match=r"job: output: expected the name of .*out\.safetensors, got 'b"):
        replace(job, output="b.safetensors")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("number", "0", "int, got str '0'"),
        ("number", 3, "one of 3, from 0, got 3"),
        ("count", True, "int, got bool True"),
        ("bytes_after", -1, r"0 to \d+, got int -1"),
        ("memory_bytes", 10**30, r"0 to \d+, got int 10"),
        ("source", None, "the text of a path, got NoneType None"),
        ("target", "a\0b", "the text of a path, got str"),
        ("to_folder", 1, "bool, got int 1"),
        ("tasks", {}, "list, got dict {}"),
        ("key", 5, "str, got int 5"),
        ("plan", None, "str, got NoneType None"),
    ],
)
def test_values(jobs, name, value, expected):
    with pytest.raises(ValueError, match=rf"^job: {name}: expected {expected}"):
        Job.from_dict({**jobs[0].to_dict(), name: value})


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ("tasks/0", 1, "expected an object, got int"),
        ("tasks/0/name", 5, "name: expected str, got int 5"),
        ("tasks/0/axis", -1, "axis: expected 0 to 63, got int -1"),
        ("tasks/0/axis", 64, "axis: expected 0 to 63, got int 64"),
        ("tasks/0/sparse", "yes", "sparse: expected bool, got str 'yes'"),
        ("tasks/0/rules", "*", r"rules: expected list, got str '\*'"),
        ("tasks/0/rules", [None], r"rules\[0\]: expected str, got NoneType None"),
        ("tasks/0/cut", [], "cut: expected an object, got list"),
        ("tasks/0/cut/kind", "int8", "cut: kind: expected one of float16, .*, got str 'int8'"),
        (
            "tasks/0/cut/key",
            2**64,
            "cut: key: expected 0 to 18446744073709551615, got int 18446744073709551616",
        ),
        (
            "tasks/0/cut",
            {"kind": "float32", "key": 2**32, "equal": 0},
            "cut: key: expected 0 to 4294967295, got int 4294967296",
        ),
        ("tasks/0/cut/equal", 1.5, r"cut: equal: expected int, got float 1\.5"),
        ("tasks/0/cut/more", 1, "cut: expected the keys of to_dict, got 'more' as well"),
        ("tasks/0/prune", 7, "prune: expected a dict, got int 7"),
        ("tasks/0/prune/sparsity", 2, r"prune\.sparsity: expected 0 to 1, got 2"),
        ("tasks/0/prune", {"kind": "sparsify"}, "prune: expected a prune step, got a sparsify step"),
        ("tasks/0/quantize/bits", 9, r"quantize\.bits: expected one of 2, .*, got 9"),
        ("inputs/0", [], "expected an object, got list"),
        ("inputs/0/file", "", "file: expected the text of a path, got str ''"),
        ("inputs/0/tensors", [5], r"tensors\[0\]: expected str, got int 5"),
        ("inputs/0/mtime_ns", 2**63, "mtime_ns: expected a number of 64 bits, got int 9223372036854775808"),
        ("inputs/0/bytes", None, "bytes: expected int, got NoneType None"),
    ],
)
def test_parts(jobs, place, value, expected):
    document = through_json(jobs[1].to_dict())
    *above, last = [int(step) if step.isdigit() else step for step in place.split("/")]
    part = document
    for step in above:
        part = part[step]
    part[last] = value
    kind = place.split("/")[0]
    with pytest.raises(ValueError, match=rf"^job: {kind}\[0\]: {expected}$"):
        Job.from_dict(document)


def test_not_a_result(jobs):
    with pytest.raises(ValueError, match="result: expected an object, got list"):
        JobResult.from_dict([])
    document = through_json(run(jobs[0]).to_dict())
    with pytest.raises(ValueError, match=r"result: rows\[0\]: expected the keys of to_dict, got no name, "):
        JobResult.from_dict({**document, "rows": [{}]})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("shape", [-1], r"shape\[0\]: expected 0 to \d+, got int -1"),
        ("max_error", float("nan"), "max_error: expected a finite number, got float nan"),
        ("sqnr_db", True, "sqnr_db: expected a number, got bool True"),
        ("sparsity", "0", "sparsity: expected a number, got str '0'"),
        ("actions", ["burned"], r"actions\[0\]: expected one of kept, .*, got str 'burned'"),
    ],
)
def test_rows(jobs, name, value, expected):
    document = through_json(run(jobs[0]).to_dict())
    document["rows"][0][name] = value
    with pytest.raises(ValueError, match=rf"^result: rows\[0\]: {expected}$"):
        JobResult.from_dict(document)


def test_a_key_of_another_version(jobs):
    with pytest.raises(ValueError, match=r"job 1: expected one of paring .*, got another key: plan again"):
        run(replace(jobs[1], key="0" * 64))


def test_a_weight_that_is_not_in_the_files(jobs):
    task = replace(jobs[0].tasks[0], plan=replace(jobs[0].tasks[0].plan, name="nobody"))
    job = replace(jobs[0], tasks=(task,))
    job = replace(job, key=job_key(job.tasks, job.inputs, job.output))
    with pytest.raises(ValueError, match="weight 'nobody' is not in its files: plan again"):
        run(job)
