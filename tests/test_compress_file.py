"""`compress_file` gives what `write(compress())` gives, resumes what was interrupted, and leaves the rest alone."""

import json
import os

import numpy as np
import pytest

import paring
from checkpoints import files_of, names_in, random_weights, same_weights, write_checkpoint
from paring import PruneStep, QuantizeStep, Recipe, SparsifyStep
from paring.formats.arrays import TensorInfo
from paring.formats.compressed_tensors.config import quantization_config

RECIPES = {
    "int8": Recipe([QuantizeStep()]),
    "int4 groups": Recipe([QuantizeStep(bits=4, granularity="group", group_size=16)]),
    "asymmetric": Recipe([QuantizeStep(bits=4, symmetric=False)]),
    "per tensor": Recipe([QuantizeStep(granularity="tensor")]),
    "global sparsity": Recipe([PruneStep(sparsity=0.9, scope="global"), SparsifyStep()]),
    "global deviation": Recipe([PruneStep(threshold_std=1.0, scope="global")]),
    "int8 csr": Recipe([PruneStep(sparsity=0.9), QuantizeStep(), SparsifyStep()]),
    "2:4": Recipe([PruneStep(structure="2:4"), QuantizeStep()]),
    "nothing": Recipe([]),
    "patterns": Recipe([QuantizeStep(), QuantizeStep(bits=4, match="layers.1.*")], skip=["embed.*"]),
}
every_recipe = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


@pytest.fixture
def weights():
    return random_weights()


@pytest.fixture
def source(tmp_path, weights):
    return write_checkpoint(tmp_path / "in", weights)


class TestResult:
    @every_recipe
    @pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
    def test_a_file_is_that_of_write_and_compress(self, tmp_path, weights, recipe, suffix):
        paring.write(tmp_path / f"in{suffix}", weights, metadata={"by": "test"})
        report = paring.compress_file(tmp_path / f"in{suffix}", tmp_path / f"out{suffix}", recipe)
        compressed = paring.compress(tmp_path / f"in{suffix}", recipe)
        paring.write(tmp_path / f"expected{suffix}", compressed, metadata=compressed.metadata)
        assert (tmp_path / f"out{suffix}").read_bytes() == (tmp_path / f"expected{suffix}").read_bytes()
        assert report == compressed.report
        assert names_in(tmp_path) == [f"{n}{suffix}" for n in ("expected", "in", "out")]

    @every_recipe
    def test_a_folder_holds_the_weights_of_compress(self, tmp_path, source, recipe):
        report = paring.compress_file(source, tmp_path / "out", recipe)
        compressed = paring.compress(source, recipe)
        read = paring.read(tmp_path / "out")
        assert sorted(read) == sorted(compressed)
        assert same_weights({n: read[n] for n in compressed}, compressed)
        assert sorted(row.name for row in report.rows) == sorted(compressed)
        for row in report.rows:
            assert row == compressed.report[row.name]

    def test_what_a_folder_is_made_of(self, tmp_path, source):
        paring.compress_file(source, tmp_path / "out", "int4")
        assert names_in(tmp_path / "out") == [
            "config.json",
            *(f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)),
            "model.safetensors.index.json",
            "paring-report.json",
            "tokenizer.json",
        ]
        config = json.loads((tmp_path / "out/config.json").read_text())
        assert list(config) == ["model_type", "hidden_size", "quantization_config"]
        targets = config["quantization_config"]["config_groups"]["group_0"]["targets"]
        assert targets == ["embed", *(f"layers.{i}" for i in range(4))]
        index = json.loads((tmp_path / "out/model.safetensors.index.json").read_text())
        read = paring.read(tmp_path / "out")
        assert set(index["weight_map"]) == {t for name in read for t in read.describe(name).tensors}
        assert index["metadata"]["total_size"] == sum(read.describe(name).nbytes for name in read)
        document = json.loads((tmp_path / "out/paring-report.json").read_text())
        assert [job["output"] for job in document["jobs"]] == [
            f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)
        ]
        assert [row["name"] for row in document["report"]["rows"]] == [
            name for job in paring.jobs.plan(source, tmp_path / "x", "int4") for name in job.names
        ]

    def test_untouched_tensors_and_metadata_stay(self, tmp_path, source, weights):
        paring.compress_file(source, tmp_path / "out", Recipe([QuantizeStep()], skip=["embed.*"]))
        read = paring.read(tmp_path / "out")
        for name in ("embed.weight", "layers.2.bias", "steps"):
            assert read[name].tobytes() == weights[name].tobytes()
        shards = [
            paring.read(tmp_path / "out" / f"model-0000{i}-of-00003.safetensors").metadata for i in (1, 2, 3)
        ]
        assert [metadata["shard"] for metadata in shards] == ["0", "1", "2"]

    def test_a_sharded_source_into_one_file(self, tmp_path, source):
        paring.compress_file(source, tmp_path / "out.safetensors", "int8")
        assert same_weights(
            dict(sorted(paring.read(tmp_path / "out.safetensors").items())),
            dict(sorted(paring.compress(source, "int8").items())),
        )

    def test_one_file_into_a_folder(self, tmp_path, weights):
        paring.write(tmp_path / "in.npz", weights)
        paring.compress_file(tmp_path / "in.npz", tmp_path / "Model-1.5-int8", "int8")
        assert names_in(tmp_path / "Model-1.5-int8") == ["model.safetensors", "paring-report.json"]
        assert len(paring.read(tmp_path / "Model-1.5-int8")) == len(weights)

    def test_compressed_again_nothing_changes(self, tmp_path, source):
        paring.compress_file(source, tmp_path / "once", "int4")
        report = paring.compress_file(tmp_path / "once", tmp_path / "twice", "int8")
        once, twice = files_of(tmp_path / "once"), files_of(tmp_path / "twice")
        del once["paring-report.json"], twice["paring-report.json"]
        assert once == twice
        assert {row.reason for row in report.rows if row.form == "int4 group 32"} == {"compressed already"}

    def test_no_weights(self, tmp_path):
        paring.write(tmp_path / "in.safetensors", {})
        report = paring.compress_file(tmp_path / "in.safetensors", tmp_path / "out.safetensors", Recipe([]))
        assert report.rows == ()
        assert len(paring.read(tmp_path / "out.safetensors")) == 0

    def test_deflated_sources_can_be_pruned_globally(self, tmp_path, weights):
        np.savez_compressed(tmp_path / "in.npz", **weights)
        recipe = RECIPES["global sparsity"]
        paring.compress_file(tmp_path / "in.npz", tmp_path / "out.npz", recipe)
        assert same_weights(paring.read(tmp_path / "out.npz"), paring.compress(weights, recipe))

    def test_progress_counts_weights(self, tmp_path, source, weights):
        seen = []
        paring.compress_file(source, tmp_path / "out", "int8", progress=lambda *call: seen.append(call))
        assert [call[0] for call in seen] == list(range(1, len(weights) + 1))
        assert {call[1] for call in seen} == {len(weights)}
        assert sorted(call[2] for call in seen) == sorted(weights)

    def test_a_weight_in_two_files_of_a_checkpoint_by_compressed_tensors(self, tmp_path, rng):
        quantized = paring.quantize(rng.standard_normal((64, 64), np.float32), bits=4, symmetric=False)
        tensors = {f"fc.weight{suffix}": array for suffix, array in quantized.tensors().items()}
        first, *rest = tensors
        weight_map = {}
        (tmp_path / "in").mkdir()
        for number, names in enumerate(([first], rest), 1):
            file = f"model-0000{number}-of-00002.safetensors"
            part = {name: tensors[name] for name in names}
            part[f"other{number}.weight"] = rng.standard_normal((64, 64), np.float32)
            paring.write(tmp_path / "in" / file, part)
            weight_map |= dict.fromkeys(part, file)
        (tmp_path / "in/model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
        infos = {name: TensorInfo(str(a.dtype), a.shape, a.nbytes) for name, a in tensors.items()}
        config = quantization_config({"fc.weight": quantized.describe()}, infos)
        (tmp_path / "in/config.json").write_text(json.dumps({"quantization_config": config}))
        [first_job, second_job] = paring.jobs.plan(tmp_path / "in", tmp_path / "out", "int8")
        assert [len(job.inputs) for job in (first_job, second_job)] == [2, 1]
        for target in ("out", "out.safetensors"):
            paring.compress_file(tmp_path / "in", tmp_path / target, "int8")
            read = paring.read(tmp_path / target)
            assert read["fc.weight"] == quantized
            assert {read.describe(name).dtype for name in read} == {"int4", "int8"}

    def test_a_dtype_that_cannot_be_read_is_said_before_any_work(self, tmp_path):
        header = b'{"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}'
        (tmp_path / "in.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(2))
        with pytest.raises(
            paring.FormatError, match=r"in\.safetensors: tensor 'a': expected a dtype of .*'F4'"
        ):
            paring.jobs.plan(tmp_path / "in.safetensors", tmp_path / "out.safetensors")


class TestResume:
    def test_a_finished_folder_is_left_alone(self, tmp_path, source):
        first = paring.compress_file(source, tmp_path / "out", "int8")
        shards = sorted((tmp_path / "out").glob("*.safetensors"))
        before = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in shards]
        assert paring.compress_file(source, tmp_path / "out", "int8") == first
        assert [(path.stat().st_ino, path.stat().st_mtime_ns) for path in shards] == before

    def test_only_what_is_missing_is_done(self, tmp_path, source):
        paring.compress_file(source, tmp_path / "out", "int8")
        expected = files_of(tmp_path / "out")
        shards = sorted((tmp_path / "out").glob("*.safetensors"))
        kept = shards[0].stat().st_ino
        shards[1].unlink()
        paring.compress_file(source, tmp_path / "out", "int8")
        assert shards[0].stat().st_ino == kept
        again = files_of(tmp_path / "out")
        del expected["paring-report.json"], again["paring-report.json"]  # it says when the file was written
        assert again == expected

    @pytest.mark.parametrize("change", ["recipe", "source", "output"])
    def test_what_changed_is_done_again(self, tmp_path, source, weights, change):
        paring.compress_file(source, tmp_path / "out", "int8")
        [first, *_] = sorted((tmp_path / "out").glob("*.safetensors"))
        before = first.read_bytes()
        inode = first.stat().st_ino
        if change == "recipe":
            paring.compress_file(source, tmp_path / "out", "int4")
            assert first.read_bytes() != before
            return
        if change == "source":
            write_checkpoint(source, weights)
        else:
            first.write_bytes(before[:-1] + b"?")
        paring.compress_file(source, tmp_path / "out", "int8")
        assert first.read_bytes() == before
        assert first.stat().st_ino != inode

    def test_with_verify_the_contents_count(self, tmp_path, source, weights):
        paring.compress_file(source, tmp_path / "out", "int8", verify=True)
        shard = source / "model-00001-of-00003.safetensors"
        status = shard.stat()
        data = bytearray(shard.read_bytes())
        data[-1] ^= 1
        shard.write_bytes(bytes(data))
        os.utime(shard, ns=(status.st_atime_ns, status.st_mtime_ns))
        keys = [job.key for job in paring.jobs.plan(source, tmp_path / "out", "int8")]
        assert keys == [job.key for job in paring.jobs.plan(source, tmp_path / "out", "int8")]
        verified = [job.key for job in paring.jobs.plan(source, tmp_path / "out", "int8", verify=True)]
        assert verified[0] != keys[0]
        before = files_of(tmp_path / "out")
        paring.compress_file(source, tmp_path / "out", "int8", verify=True)
        assert files_of(tmp_path / "out")[shard.name] != before[shard.name]

    def test_until_the_end_the_old_folder_stands(self, tmp_path, source):
        paring.compress_file(source, tmp_path / "out", "int8")
        old = files_of(tmp_path / "out")

        def stop(done, total, name):
            if done == total - 1:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            paring.compress_file(source, tmp_path / "out", "int4", progress=stop)
        now = files_of(tmp_path / "out")
        assert {name: data for name, data in now.items() if not name.startswith(".paring")} == old
        paring.compress_file(source, tmp_path / "out", "int4")
        paring.compress_file(source, tmp_path / "expected", "int4")
        assert not (tmp_path / "out/.paring").exists()
        now, expected = files_of(tmp_path / "out"), files_of(tmp_path / "expected")
        del expected["paring-report.json"], now["paring-report.json"]
        assert now == expected

    def test_an_interrupted_file_leaves_nothing(self, tmp_path, weights):
        paring.write(tmp_path / "in.npz", weights)
        (tmp_path / "out.npz").write_bytes(b"old")

        def stop(done, total, name):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            paring.compress_file(tmp_path / "in.npz", tmp_path / "out.npz", progress=stop)
        assert names_in(tmp_path) == ["in.npz", "out.npz"]
        assert (tmp_path / "out.npz").read_bytes() == b"old"


class TestErrors:
    @pytest.fixture
    def file(self, tmp_path, weights):
        paring.write(tmp_path / "in.safetensors", weights)
        return tmp_path / "in.safetensors"

    def test_the_source_as_target(self, file):
        before = file.read_bytes()
        with pytest.raises(ValueError, match=r"in\.safetensors: expected another file than the source"):
            paring.compress_file(file, file)
        link = file.parent / "link.safetensors"
        link.symlink_to(file)
        with pytest.raises(ValueError, match=r"link\.safetensors: expected another file than the source"):
            paring.compress_file(file, link)
        assert file.read_bytes() == before
        assert link.is_symlink()

    def test_a_shard_of_the_source_as_target(self, source):
        before = files_of(source)
        with pytest.raises(ValueError, match="expected another file than the source"):
            paring.compress_file(source, source / "model-00002-of-00003.safetensors")
        with pytest.raises(ValueError, match="expected another folder than that of the source"):
            paring.compress_file(source, source)
        assert files_of(source) == before

    def test_a_target_below_a_file(self, file):
        with pytest.raises(
            NotADirectoryError, match=r"expected a folder to write into, but .*in\.safetensors is"
        ):
            paring.compress_file(file, file / "out.safetensors")
        with pytest.raises(NotADirectoryError, match=r"but .*in\.safetensors is a file"):
            paring.compress_file(file, file / "deep" / "out.safetensors")

    def test_a_folder_that_is_not_there(self, file):
        with pytest.raises(FileNotFoundError, match="nowhere: no such folder to write into"):
            paring.compress_file(file, file.parent / "nowhere" / "out.safetensors")
        with pytest.raises(FileNotFoundError, match="nowhere: no such folder to write into"):
            paring.compress_file(file, file.parent / "nowhere" / "out")

    def test_a_file_where_a_folder_should_be(self, file):
        (file.parent / "out").write_bytes(b"")
        with pytest.raises(NotADirectoryError, match="out: expected a folder to write into, got a file"):
            paring.compress_file(file, file.parent / "out")

    @pytest.mark.parametrize("name", ["out.onnx", "out.pt", "out.bin", "out.h5"])
    def test_a_format_nobody_writes(self, file, name):
        with pytest.raises(ValueError, match=rf"{name}: expected a file called \*\.safetensors"):
            paring.compress_file(file, file.parent / name)

    def test_a_missing_source(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            paring.compress_file(tmp_path / "none.safetensors", tmp_path / "out.safetensors")

    def test_not_finite(self, tmp_path, weights):
        weights["layers.3.weight"][5, 7] = np.nan
        source = write_checkpoint(tmp_path / "in", weights)
        with pytest.raises(
            ValueError, match=r"'layers.3.weight': expected finite values, got NaN at \[5, 7\]; skip="
        ):
            paring.compress_file(source, tmp_path / "out")
        assert not (tmp_path / "out" / "model.safetensors.index.json").exists()
        with pytest.raises(
            ValueError, match=r"'layers.3.weight': expected finite values, got NaN at \[5, 7\]"
        ):
            paring.compress_file(source, tmp_path / "out", RECIPES["global sparsity"])

    def test_a_pattern_that_matches_nothing(self, source, tmp_path):
        with pytest.raises(ValueError, match=r"'decoder\.\*' matches none of the"):
            paring.compress_file(source, tmp_path / "out", Recipe([QuantizeStep(match="decoder.*")]))
        assert not (tmp_path / "out").exists()

    def test_arguments(self, source, tmp_path):
        with pytest.raises(TypeError, match=r"executor: expected a concurrent\.futures\.Executor, got int"):
            paring.compress_file(source, tmp_path / "out", executor=2)

        class Client:
            def get_executor(self):
                raise NotImplementedError

        with pytest.raises(TypeError, match=r"got Client: give its get_executor\(\)"):
            paring.compress_file(source, tmp_path / "out", executor=Client())
        with pytest.raises(TypeError, match="recipe: expected a Recipe"):
            paring.compress_file(source, tmp_path / "out", 8)
