"""Jobs as plain data: planned, sent around, run in any order, finished."""

import json
import os
import pickle
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

import paring
from checkpoints import files_of, names_in, random_weights, write_checkpoint
from paring import PruneStep, QuantizeStep, Recipe, SparsifyStep
from paring.jobs import Job, JobResult, finish, finishing, plan, run

RECIPE = Recipe(
    [
        PruneStep(sparsity=0.7, scope="global"),
        QuantizeStep(bits=8, match="layers.*"),
        SparsifyStep(match="layers.2.*"),
    ],
    skip=["embed.*"],
)


@pytest.fixture
def source(tmp_path):
    return write_checkpoint(tmp_path / "in", random_weights())


@pytest.fixture
def jobs(source, tmp_path):
    return plan(source, tmp_path / "out", RECIPE)


def through_json(document):
    return json.loads(json.dumps(document, allow_nan=False))


class TestPlan:
    def test_nothing_is_written(self, source, tmp_path):
        before = files_of(tmp_path)
        plan(source, tmp_path / "out", RECIPE)
        assert files_of(tmp_path) == before

    def test_a_job_for_each_shard(self, jobs, source):
        assert [job.number for job in jobs] == [0, 1, 2]
        assert [job.output for job in jobs] == [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)]
        assert sorted(name for job in jobs for name in job.names) == sorted(paring.read(source))
        for job in jobs:
            assert [item.file for item in job.inputs] == [job.output]
            assert job.inputs[0].tensors == job.names
            assert job.inputs[0].bytes == (source / job.output).stat().st_size

    def test_estimates(self, jobs, source):
        weights = paring.read(source)
        for job in jobs:
            assert job.bytes_before == sum(weights.describe(name).nbytes for name in job.names)
            assert 0 < job.bytes_after < job.bytes_before
            largest = max(np.prod(weights[name].shape) for name in job.names)
            assert 8 * largest < job.memory_bytes < 8 * largest + 150_000_000

    def test_jobs_are_frozen(self, jobs):
        with pytest.raises(FrozenInstanceError):
            jobs[0].number = 5

    def test_through_pickle_and_json(self, jobs):
        assert pickle.loads(pickle.dumps(jobs)) == jobs
        assert [Job.from_dict(through_json(job.to_dict())) for job in jobs] == jobs

    def test_the_global_cut_is_in_every_job(self, jobs):
        cuts = {task.plan.name: task.cut for job in jobs for task in job.tasks}
        pruned = [name for name in cuts if name.endswith("weight") and name != "embed.weight"]
        assert {(cuts[name].kind, cuts[name].key) for name in pruned} == {
            (cuts[pruned[0]].kind, cuts[pruned[0]].key)
        }
        assert all(cut is None for name, cut in cuts.items() if name not in pruned)

    def test_keys_say_what_decides_the_output(self, source, tmp_path, jobs):
        assert [job.key for job in plan(source, tmp_path / "other", RECIPE)] == [job.key for job in jobs]
        others = plan(source, tmp_path / "out", replace(RECIPE, skip=()))
        assert all(a.key != b.key for a, b in zip(jobs, others, strict=True))
        shard = source / jobs[1].output
        os.utime(shard, ns=(0, 0))
        keys = [job.key for job in plan(source, tmp_path / "out", RECIPE)]
        assert [a == b.key for a, b in zip(keys, jobs, strict=True)] == [True, False, True]


class TestRun:
    def test_in_any_order_twice_and_by_copies(self, source, tmp_path, jobs):
        for job in (*reversed(jobs), jobs[1]):
            result = run(Job.from_dict(through_json(job.to_dict())))
            assert (result.number, result.key) == (job.number, job.key)
        assert names_in(tmp_path / "out") == [".paring"]
        report = finish(jobs[::-1])
        paring.compress_file(source, tmp_path / "expected", RECIPE)
        out, expected = files_of(tmp_path / "out"), files_of(tmp_path / "expected")
        del out["paring-report.json"], expected["paring-report.json"]
        assert out == expected
        assert [row.name for row in report.rows] == [name for job in jobs for name in job.names]

    def test_results_go_through_json(self, jobs):
        result = run(jobs[0])
        again = JobResult.from_dict(through_json(result.to_dict()))
        assert again == result
        assert {row.sqnr_db for row in again.rows} >= {np.inf}

    def test_a_job_done_is_not_done_again(self, jobs):
        first = run(jobs[0])
        calls = []
        assert run(jobs[0], lambda *call: calls.append(call)) == replace(first, resumed=True)
        assert calls == [(len(jobs[0].tasks), len(jobs[0].tasks), jobs[0].output)]

    def test_a_source_that_changed(self, source, jobs):
        os.utime(source / jobs[0].output, ns=(0, 0))
        with pytest.raises(
            ValueError, match=r"model-00001.*: changed since the jobs were planned: plan again"
        ):
            run(jobs[0])

    def test_a_source_without_its_shard(self, source, jobs):
        index = source / "model.safetensors.index.json"
        document = json.loads(index.read_text())
        document["weight_map"] = {t: s for t, s in document["weight_map"].items() if s != jobs[0].output}
        index.write_text(json.dumps(document))
        with pytest.raises(ValueError, match=r"model-00001.* is not among its files any more: plan again"):
            run(jobs[0])

    def test_a_source_that_changes_meanwhile(self, source, jobs, tmp_path):
        shard = source / jobs[0].output
        with pytest.raises(ValueError, match=r"model-00001.*: changed while it was read: plan again"):
            run(jobs[0], lambda *call: os.utime(shard, ns=(1, 1)))
        assert not (tmp_path / "out/.paring" / f"{jobs[0].output}.json").exists()

    def test_only_its_own_files_are_opened(self, source, jobs):
        for job in jobs[1:]:
            (source / job.output).write_bytes(b"no longer a safetensors file")
        assert run(jobs[0]).key == jobs[0].key

    def test_from_another_working_directory(self, source, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        jobs = plan("in", "out", RECIPE)
        monkeypatch.chdir("/")
        for job in jobs:
            run(job)
        finish(jobs)
        assert len(paring.read(tmp_path / "out")) == len(paring.read(source))

    def test_no_job(self):
        with pytest.raises(TypeError, match="job: expected a Job, got dict"):
            run({})


class TestFinish:
    def test_jobs_missing(self, jobs, tmp_path):
        run(jobs[1])
        with pytest.raises(
            ValueError, match=r"out: 2 of 3 jobs have not been run since they were planned: 0, 2"
        ):
            finish(jobs)
        assert names_in(tmp_path / "out") == [".paring"]

    def test_an_output_that_changed_counts_as_missing(self, jobs, tmp_path):
        for job in jobs:
            run(job)
        staged = tmp_path / "out/.paring" / jobs[2].output
        staged.write_bytes(staged.read_bytes() + b"?")
        with pytest.raises(ValueError, match=r"1 of 3 jobs have not been run .*: 2$"):
            finish(jobs)

    def test_twice(self, jobs, tmp_path):
        for job in jobs:
            run(job)
        report = finish(jobs)
        before = files_of(tmp_path / "out")
        assert finish(jobs) == report
        assert files_of(tmp_path / "out") == before

    def test_not_the_jobs_of_one_plan(self, jobs, source, tmp_path):
        with pytest.raises(ValueError, match="jobs: expected the jobs of a plan, got none"):
            finish([])
        with pytest.raises(ValueError, match="jobs: expected all 3 jobs of one plan, got numbers 0, 2"):
            finish([jobs[0], jobs[2]])
        other = plan(source, tmp_path / "other", RECIPE)
        with pytest.raises(ValueError, match="jobs: expected all 3 jobs of one plan, got numbers 0, 1, 2"):
            finish([jobs[0], other[1], jobs[2]])
        with pytest.raises(TypeError, match="jobs: expected a list of Job, got int in it"):
            finish([1])

    def test_jobs_of_two_recipes(self, jobs, source, tmp_path):
        others = plan(source, tmp_path / "out", "int4")
        mixed = [jobs[0], jobs[1], others[2]]
        for job in mixed:
            run(job)
        with pytest.raises(ValueError, match="jobs: expected all 3 jobs of one plan, got numbers 0, 1, 2"):
            finish(mixed)
        assert names_in(tmp_path / "out") == [".paring"]

    def test_what_another_plan_left_behind_is_not_taken(self, source, tmp_path):
        paring.compress_file(source, tmp_path / "out", "int8")
        before = files_of(tmp_path / "out")
        run(plan(source, tmp_path / "out", "int4")[0])  # and then its user thinks better of it
        paring.compress_file(source, tmp_path / "out", "int8")
        assert files_of(tmp_path / "out") == before

    def test_again_after_it_was_killed_in_the_middle(self, jobs, source, tmp_path, monkeypatch):
        paring.compress_file(source, tmp_path / "out", "int8")
        for job in jobs:
            run(job)

        class KilledError(Exception):
            pass

        def killed(path, document):
            raise KilledError

        with monkeypatch.context() as patch, pytest.raises(KilledError):
            patch.setattr(finishing, "write_json", killed)
            finish(jobs)
        assert "model.safetensors.index.json" not in names_in(tmp_path / "out")
        finish(jobs)
        paring.compress_file(source, tmp_path / "expected", RECIPE)
        assert names_in(tmp_path / "out") == names_in(tmp_path / "expected")
        for job in jobs:
            out, expected = (tmp_path / folder / job.output for folder in ("out", "expected"))
            assert out.read_bytes() == expected.read_bytes()

    def test_a_source_that_is_gone(self, jobs, source, tmp_path):
        for job in jobs:
            run(job)
        source.rename(tmp_path / "elsewhere")
        with pytest.raises(FileNotFoundError, match="in: no longer there: its config and the like belong"):
            finish(jobs)
        assert names_in(tmp_path / "out") == [".paring"]
        (tmp_path / "elsewhere").rename(source)
        finish(jobs)
        assert "tokenizer.json" in names_in(tmp_path / "out")

    def test_what_others_put_into_its_folder_is_no_reason_to_fail(self, jobs, tmp_path):
        for job in jobs:
            run(job)
        (tmp_path / "out/.paring/theirs").mkdir()
        finish(jobs)
        assert names_in(tmp_path / "out/.paring") == ["theirs"]


class TestConfig:
    def test_of_another_method(self, source, tmp_path):
        (source / "config.json").write_text('{"quantization_config": {"quant_method": "gptq"}}')
        with pytest.raises(
            ValueError,
            match=r"config\.json: .*expected none or quant_method 'compressed-tensors', got 'gptq'",
        ):
            plan(source, tmp_path / "out")
        plan(source, tmp_path / "out.safetensors")  # which has a config of its own

    @pytest.mark.parametrize(("text", "message"), [("{", "expected JSON"), ("[]", "expected a JSON object")])
    def test_no_json(self, source, tmp_path, text, message):
        (source / "config.json").write_text(text)
        with pytest.raises(paring.FormatError, match=rf"config\.json: {message}"):
            plan(source, tmp_path / "out")

    def test_a_link_that_leads_elsewhere(self, source, tmp_path):
        (tmp_path / "secret.json").write_text('{"a": 1}')
        (source / "config.json").unlink()
        (source / "config.json").symlink_to(tmp_path / "secret.json")
        (source / "other.json").symlink_to(tmp_path / "secret.json")
        with pytest.raises(paring.FormatError, match=r"config\.json.*link"):
            plan(source, tmp_path / "out")
        (source / "config.json").unlink()
        paring.compress_file(source, tmp_path / "out", RECIPE)
        assert not (tmp_path / "out/other.json").exists()
        assert (tmp_path / "out/tokenizer.json").exists()

    def test_without_one(self, source, tmp_path):
        (source / "config.json").unlink()
        paring.compress_file(source, tmp_path / "out", RECIPE)
        config = json.loads((tmp_path / "out/config.json").read_text())
        assert list(config) == ["quantization_config"]

    def test_nothing_quantized(self, source, tmp_path):
        paring.compress_file(source, tmp_path / "out", Recipe([PruneStep(sparsity=0.5)]))
        assert json.loads((tmp_path / "out/config.json").read_text()) == json.loads(
            (source / "config.json").read_text()
        )
