"""Ctrl-C in the middle: every file as it was, and no traceback."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

import paring


@pytest.fixture
def weights(rng):
    return {"w": rng.standard_normal((64, 96)).astype(np.float32), "step": np.arange(3)}


SLOW_WRITE = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started us with it ignored
from paring.formats.naming import NamedTensor
chunks = NamedTensor.chunks
def slow(self):
    yield from chunks(self)
    print("half way", flush=True)
    time.sleep(60)
NamedTensor.chunks = slow
from paring.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_nothing_is_lost(tmp_path, weights, number, code):
    paring.write(tmp_path / "model.npz", weights)
    name = "old.safetensors"
    (tmp_path / name).write_bytes(b"old")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_WRITE, "compress", "model.npz", "-o", name, "--force"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "half way\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in err
    assert ("paring: interrupted; no file is half written" in err) == (number == signal.SIGINT)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


SLOW_READ = """
import signal, sys, time
from paring.cli import main
from paring.formats.weight_file import WeightFile
get = WeightFile.__getitem__
def slow(self, name):
    if name == "slow":
        print("half way", flush=True)
        time.sleep(60)
    return get(self, name)
WeightFile.__getitem__ = slow
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_with_processes(tmp_path, weights, number, code):
    """Both shards are under way; the interrupt reaches them by way of the first process."""
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (tmp_path / "program.py").write_text(SLOW_READ)
    paring.write(folder / "a.safetensors", {"done": weights["w"], "slow": weights["w"]})
    paring.write(folder / "b.safetensors", {"other": weights["w"]})
    weight_map = {"done": "a.safetensors", "slow": "a.safetensors", "other": "b.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    old = tmp_path / "small"
    old.mkdir()
    paring.write(old / "a.safetensors", {"old": weights["step"]})
    before = {path.name: path.read_bytes() for path in old.iterdir()}
    command = [
        sys.executable,
        "program.py",
        "compress",
        "checkpoint",
        "-o",
        "small",
        "--jobs",
        "2",
        "--force",
    ]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "half way\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert {path.name: path.read_bytes() for path in old.iterdir() if path.is_file()} == before
    assert [path.name for path in old.rglob(".paring-*")] == []
