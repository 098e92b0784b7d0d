"""Where `compress_file` writes: links, modes, folders with an earlier model, formats that cannot hold the result."""

import json
import os
import resource

import numpy as np
import pytest

import paring
from checkpoints import files_of, names_in, random_weights, same_weights, write_checkpoint
from paring import PruneStep, QuantizeStep, Recipe
from paring.jobs import finish, plan, run, targets
from paring.jobs.running import run_anew

INDEX = "model.safetensors.index.json"


@pytest.fixture
def source(tmp_path):
    return write_checkpoint(tmp_path / "in", random_weights())


@pytest.fixture
def file(tmp_path):
    paring.write(tmp_path / "in.safetensors", random_weights())
    return tmp_path / "in.safetensors"


class TestFiles:
    def test_a_link_is_followed_and_stays(self, file, tmp_path):
        (tmp_path / "there").mkdir()
        (tmp_path / "there/real.safetensors").write_bytes(b"old")
        link = tmp_path / "link.safetensors"
        link.symlink_to("there/real.safetensors")
        paring.compress_file(file, link)
        assert link.is_symlink()
        assert paring.read(tmp_path / "there/real.safetensors")["layers.0.weight"].bits == 8
        assert names_in(tmp_path / "there") == ["real.safetensors"]
        assert names_in(tmp_path) == ["in.safetensors", "link.safetensors", "there"]

    def test_a_loop_of_links(self, file, tmp_path):
        (tmp_path / "a.safetensors").symlink_to("b.safetensors")
        (tmp_path / "b.safetensors").symlink_to("a.safetensors")
        with pytest.raises(
            OSError, match=r"expected a file to replace, got a loop of links: .*a\.safetensors"
        ):
            plan(file, tmp_path / "a.safetensors")

    def test_a_pipe(self, file, tmp_path):
        os.mkfifo(tmp_path / "pipe.safetensors")
        with pytest.raises(ValueError, match=r"pipe\.safetensors: expected a regular file to replace"):
            plan(file, tmp_path / "pipe.safetensors")

    def test_the_mode_of_an_old_file_is_kept(self, file, tmp_path):
        for name in ("a.safetensors", "b.safetensors"):
            (tmp_path / name).write_bytes(b"old")
            (tmp_path / name).chmod(0o640)
        paring.compress_file(file, tmp_path / "a.safetensors")
        paring.write(tmp_path / "b.safetensors", {})
        modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("a.safetensors", "b.safetensors")]
        assert modes == [0o640, 0o640]

    def test_a_name_that_is_no_unicode(self, file, tmp_path):
        target = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.safetensors")
        paring.compress_file(file, target)
        assert paring.read(target)["layers.0.weight"].bits == 8


class TestUnfinishedFiles:
    """The folder for what is not finished belongs to paring, or the target is refused."""

    @pytest.mark.parametrize(("target", "staging"), [("out", "out/.paring"), ("w.npz", ".w.npz.paring")])
    @pytest.mark.parametrize("kind", ["a link", "a file"])
    def test_a_name_that_is_taken(self, file, tmp_path, target, staging, kind):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine/precious.txt").write_text("mine")
        (tmp_path / "out").mkdir()
        if kind == "a link":
            (tmp_path / staging).symlink_to(tmp_path / "mine")
        else:
            (tmp_path / staging).write_text("mine")
        before = names_in(tmp_path), names_in(tmp_path / "out")
        with pytest.raises(NotADirectoryError, match=rf"paring: expected a folder .*, got {kind}: remove it"):
            paring.compress_file(file, tmp_path / target)
        assert (names_in(tmp_path), names_in(tmp_path / "out")) == before
        assert (tmp_path / "mine/precious.txt").read_text() == "mine"

    def test_a_link_put_there_between_plan_and_finish(self, file, tmp_path):
        (tmp_path / "mine").mkdir()
        jobs = plan(file, tmp_path / "out", "int8")
        for job in jobs:
            run(job)
        (tmp_path / "out/.paring").rename(tmp_path / "moved")
        for path in (tmp_path / "moved").iterdir():
            path.rename(tmp_path / "mine" / path.name)
        (tmp_path / "mine/precious.txt").write_text("mine")
        (tmp_path / "out/.paring").symlink_to(tmp_path / "mine")
        finish(jobs)
        assert (tmp_path / "mine/precious.txt").read_text() == "mine"
        with pytest.raises(
            NotADirectoryError, match=r"\.paring: expected a folder for unfinished files, got a link"
        ):
            run_anew(jobs[0])


class TestFolders:
    def test_too_many_open_files_are_not_the_file_s_fault(self, tmp_path):
        folder = write_checkpoint(tmp_path / "many", random_weights(layers=30), shards=60)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, hard))
        try:
            with pytest.raises(OSError, match="Too many open files") as found:
                paring.read(folder)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert not isinstance(found.value, paring.FormatError)

    def test_a_config_of_an_earlier_model_says_nothing_of_this_one(self, source, file, tmp_path):
        (source / "config.json").write_text('{"model_type": "x"}')
        paring.compress_file(source, tmp_path / "out", "int4")
        assert "quantization_config" in json.loads((tmp_path / "out/config.json").read_text())
        paring.compress_file(file, tmp_path / "out", Recipe([PruneStep(sparsity=0.5)]))
        assert json.loads((tmp_path / "out/config.json").read_text()) == {"model_type": "x"}

    def test_a_config_that_is_too_long(self, source, tmp_path, monkeypatch):
        (source / "config.json").write_text('{"a": 1}')
        monkeypatch.setattr("paring.jobs.model_folder.DEFAULT_LIMITS", paring.Limits(header_bytes=7))
        with pytest.raises(
            paring.FormatError,
            match=r"config\.json: expected at most 7 bytes \(limits\.header_bytes\), got 8",
        ):
            plan(source, tmp_path / "out")

    def test_other_files_are_copied_whole(self, source, tmp_path):
        vocabulary = b"0123456789\n" * 300_000
        (source / "vocab.txt").write_bytes(vocabulary)
        paring.compress_file(source, tmp_path / "out")
        assert (tmp_path / "out/vocab.txt").read_bytes() == vocabulary

    def test_files_of_an_earlier_model_go(self, source, tmp_path):
        write_checkpoint(tmp_path / "larger", random_weights(layers=8), shards=5)
        paring.compress_file(tmp_path / "larger", tmp_path / "out")
        (tmp_path / "out/notes.txt").write_text("mine")
        paring.compress_file(source, tmp_path / "out", "int4")
        paring.compress_file(source, tmp_path / "expected", "int4")
        assert names_in(tmp_path / "out") == sorted([*names_in(tmp_path / "expected"), "notes.txt"])

    def test_one_file_after_many_and_many_after_one(self, source, file, tmp_path):
        paring.compress_file(source, tmp_path / "out")
        paring.compress_file(file, tmp_path / "out", "int4")
        shards = [name for name in names_in(tmp_path / "out") if "model" in name]
        assert shards == ["model.safetensors"]
        assert paring.read(tmp_path / "out")["layers.0.weight"].bits == 4
        paring.compress_file(source, tmp_path / "out")
        assert "model.safetensors" not in names_in(tmp_path / "out")
        assert paring.read(tmp_path / "out")["layers.0.weight"].bits == 8

    def test_a_file_of_an_earlier_model_that_somebody_changed_stays(self, source, file, tmp_path):
        paring.compress_file(file, tmp_path / "out")
        (tmp_path / "out/model.safetensors").write_bytes(file.read_bytes())
        with pytest.raises(
            ValueError,
            match=r"out: expected a folder without other weights, .* got model\.safetensors: remove it",
        ):
            plan(source, tmp_path / "out")

    @pytest.mark.parametrize("name", ["other.safetensors", "other.safetensors.index.json"])
    def test_weights_of_somebody_else(self, source, file, tmp_path, name):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / name).write_bytes(b"{}")
        for given in (source, file):
            with pytest.raises(
                ValueError, match=rf"out: expected a folder without other weights, .* got {name}: remove it"
            ):
                plan(given, tmp_path / "out")
        assert names_in(tmp_path / "out") == [name]

    def test_a_report_that_names_other_files(self, source, tmp_path):
        paring.compress_file(source, tmp_path / "out")
        document = json.loads((tmp_path / "out/paring-report.json").read_text())
        (tmp_path / "out/notes.txt").write_text("mine")
        status = (tmp_path / "out/notes.txt").stat()
        document["jobs"][0] |= {
            "output": "notes.txt",
            "bytes": status.st_size,
            "mtime_ns": status.st_mtime_ns,
        }
        (tmp_path / "out/paring-report.json").write_text(json.dumps(document))
        paring.compress_file(source, tmp_path / "out", "int4")
        assert (tmp_path / "out/notes.txt").read_text() == "mine"

    def test_below_the_source_and_above_it(self, source, tmp_path):
        paring.compress_file(source, source / "small")
        paring.compress_file(source, tmp_path, "int4")
        assert paring.read(source / "small")["layers.0.weight"].bits == 8
        assert paring.read(tmp_path)["layers.0.weight"].bits == 4
        assert paring.read(source)["layers.0.weight"].dtype == np.float32

    def test_a_model_cache(self, source, tmp_path):
        root = tmp_path / "models--some--model"
        (root / "blobs").mkdir(parents=True)
        (root / "snapshots/main").mkdir(parents=True)
        for number, path in enumerate(sorted(source.iterdir())):
            path.rename(root / f"blobs/{number}")
            (root / "snapshots/main" / path.name).symlink_to(f"../../blobs/{number}")
        paring.compress_file(root / "snapshots/main", tmp_path / "out")
        assert {"config.json", "tokenizer.json", INDEX} <= set(names_in(tmp_path / "out"))
        assert not any(path.is_symlink() for path in (tmp_path / "out").iterdir())
        (tmp_path / "link.safetensors").symlink_to(root / "blobs/1")
        with pytest.raises(ValueError, match=r"link\.safetensors: expected another file than the source"):
            plan(root / "snapshots/main", tmp_path / "link.safetensors")


class TestShards:
    def test_an_index_that_names_no_file(self, tmp_path):
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / INDEX).write_text('{"weight_map": {}}')
        with pytest.raises(
            ValueError, match=r"index\.json: expected weights, got an index that names no file"
        ):
            plan(tmp_path / "in", tmp_path / "out")

    @pytest.mark.parametrize(
        "names", [["a/x.safetensors", "b/x.safetensors"], [".x.safetensors", "x.safetensors"]]
    )
    def test_names_that_cannot_stay(self, tmp_path, rng, names):
        weight_map = {}
        for number, name in enumerate(names):
            (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            paring.write(tmp_path / "in" / name, {f"w{number}": rng.standard_normal((64, 64))})
            weight_map[f"w{number}"] = name
        (tmp_path / "in" / INDEX).write_text(json.dumps({"weight_map": weight_map}))
        paring.compress_file(tmp_path / "in", tmp_path / "out")
        assert [name for name in names_in(tmp_path / "out") if name.startswith("model-")] == [
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
        ]
        assert same_weights(paring.read(tmp_path / "out"), paring.compress(tmp_path / "in"))

    def test_without_weights_or_elements(self, tmp_path):
        (tmp_path / "in").mkdir()
        weights = {
            "w": np.ones((64, 64), np.float32),
            "none": np.zeros((0, 5000), np.float32),
            "nothing": np.zeros((5000, 0), np.float16),
            "one": np.array(3, np.float32),
        }
        paring.write(tmp_path / "in/a.safetensors", {"step": np.arange(2)})
        paring.write(tmp_path / "in/b.safetensors", weights)
        weight_map = {"step": "a.safetensors", **dict.fromkeys(weights, "b.safetensors")}
        (tmp_path / "in" / INDEX).write_text(json.dumps({"weight_map": weight_map}))
        recipe = Recipe([PruneStep(threshold_std=1.0, scope="global"), QuantizeStep(bits=4)], min_size=0)
        paring.compress_file(tmp_path / "in", tmp_path / "out", recipe)
        assert same_weights(
            dict(sorted(paring.read(tmp_path / "out").items())),
            dict(sorted(paring.compress(tmp_path / "in", recipe).items())),
        )

    def test_hundreds_of_files_with_few_descriptors(self, tmp_path):
        resource = pytest.importorskip("resource")
        source = write_checkpoint(tmp_path / "in", random_weights(layers=100), shards=200)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
        try:
            paring.compress_file(source, tmp_path / "out")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert len(paring.read(tmp_path / "out")) == 202


class TestForms:
    """A format that cannot hold what the recipe makes is refused when the jobs are planned."""

    @pytest.mark.parametrize(
        ("target", "recipe", "message"),
        [
            (
                "out.gguf",
                "int8",
                r"'layers\.0\.weight': GGUF stores codes of 8 or 4 bits, .* presets Q8_0 and Q4_0",
            ),
            (
                "out.npy",
                "int8",
                r"out\.npy: a \.npy file holds one plain array, got a compressed weight 'layers",
            ),
            ("out.npy", Recipe([]), r"out\.npy: a \.npy file holds one array, got 10"),
        ],
    )
    def test_refused(self, file, tmp_path, target, recipe, message):
        before = files_of(tmp_path)
        with pytest.raises(ValueError, match=message):
            plan(
                file,
                tmp_path / target,
                Recipe([QuantizeStep()], skip=["embed*"]) if recipe == "int8" else recipe,
            )
        assert files_of(tmp_path) == before

    def test_shapes_and_dtypes_count(self, tmp_path, rng):
        weights = {"conv": rng.standard_normal((64, 16, 3, 3), np.float32)}
        paring.write(tmp_path / "in.safetensors", weights)
        with pytest.raises(ValueError, match=r"'conv': GGUF stores codes where the last .*\(64, 16, 3, 3\)"):
            plan(tmp_path / "in.safetensors", tmp_path / "out.gguf", "Q8_0")
        paring.write(tmp_path / "in.npz", {"text": np.array(["a"]), **weights})
        with pytest.raises(
            ValueError, match=r"out\.safetensors: tensor 'text': safetensors stores .*, not <U1"
        ):
            plan(tmp_path / "in.npz", tmp_path / "out.safetensors")
        with pytest.raises(ValueError, match=r"model\.safetensors: tensor 'text': safetensors stores"):
            plan(tmp_path / "in.npz", tmp_path / "out")

    def test_weights_that_came_compressed(self, tmp_path, rng):
        matrix = rng.standard_normal((64, 64), np.float32)
        for name, weight in (
            ("int8", paring.quantize(matrix)),
            ("asymmetric", paring.quantize(matrix, symmetric=False)),
            ("sparse", paring.sparsify(matrix)),
        ):
            paring.write(tmp_path / f"{name}.safetensors", {name: weight})
            with pytest.raises(
                ValueError, match=rf"'{name}': GGUF (stores codes of|has no form for a Sparse)"
            ):
                plan(tmp_path / f"{name}.safetensors", tmp_path / "out.gguf")
            plan(tmp_path / f"{name}.safetensors", tmp_path / "out.npz")
        fitting = paring.quantize(matrix, 4, "group", 32, convention="gguf")
        paring.write(tmp_path / "fitting.safetensors", {"w": fitting})
        paring.compress_file(tmp_path / "fitting.safetensors", tmp_path / "out.gguf")
        assert paring.read(tmp_path / "out.gguf")["w"] == fitting

    def test_a_description_that_claims_more_than_the_file_has(self, tmp_path, rng):
        """The weight is read when its turn comes, and found wanting; no memory is asked for before that."""
        paring.write(
            tmp_path / "in.npz", {"w": paring.quantize(rng.standard_normal((64, 64), np.float32), 4)}
        )
        data = (tmp_path / "in.npz").read_bytes()
        with np.load(tmp_path / "in.npz") as archive:
            arrays = dict(archive)
        note = bytes(arrays["__paring__"]).replace(b'"shape":[64,64]', b'"shape":[1099511627776,1048576]')
        arrays["__paring__"] = np.frombuffer(note, np.uint8)
        np.savez(tmp_path / "in.npz", **arrays)
        assert (tmp_path / "in.npz").read_bytes() != data
        with pytest.raises(paring.FormatError, match="its tensors and its description disagree"):
            paring.compress_file(tmp_path / "in.npz", tmp_path / "out.gguf")


def test_the_keys_of_a_gguf_file_are_looked_at_once(file, tmp_path, monkeypatch):
    """They may hold all the words of a tokenizer, and there may be hundreds of weights."""
    seen = []
    check = targets.check_holds

    def watching(path, weights, *, metadata=None):
        seen.append(metadata)
        check(path, weights, metadata=metadata)

    monkeypatch.setattr(targets, "check_holds", watching)
    words = json.dumps({"general.architecture": ["string", "llama"]})
    paring.write(tmp_path / "in.npz", random_weights(), metadata={"gguf": words})
    plan(tmp_path / "in.npz", tmp_path / "out.gguf", "Q8_0")
    assert len(seen) > 3
    assert [bool(metadata) for metadata in seen] == [True] + [False] * (len(seen) - 1)
