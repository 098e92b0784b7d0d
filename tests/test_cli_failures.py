"""How the command line fails: one line, the right exit code, and every file as it was."""

import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import paring
from paring.cli import main

PROGRAM = [sys.executable, "-m", "paring"]


@pytest.fixture(autouse=True)
def piped(monkeypatch):
    for name in ("COLUMNS", "FORCE_COLOR", "PARING_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def weights(rng):
    return {"w": rng.standard_normal((64, 96)).astype(np.float32), "step": np.arange(3)}


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def temporary_files(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".paring-")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["comprss"], r"no such command 'comprss'.*\(see paring --help\)"),
        (["inspect"], r"missing argument .*\(see paring inspect --help\)"),
        (["inspect", "model.npz", "--foo"], r"no such option: --foo"),
        (["compress", "model.npz"], r"missing option .*\(see paring compress --help\)"),
        (
            ["compress", "model.npz", "-o", "x.npz", "--bits", "four"],
            r"invalid value for .--bits.*integer",
        ),
        (["inspect", "nope.npz"], r"nope\.npz: No such file or directory"),
        (["inspect", "nope"], r"nope: no such file or folder"),
        (["inspect", "model.xyz"], r"model\.xyz: expected a folder or a file called .*\.xyz"),
        (["inspect", "broken.safetensors"], r"broken\.safetensors: header length .* expected"),
        (["compress", "nope.npz", "-o", "x.npz"], r"nope\.npz: No such file or directory"),
        (["demo", "broken.safetensors"], r"broken\.safetensors: header length .* expected"),
        (["demo", "model.npz", "--keep", "broken.safetensors"], r"broken\.safetensors: File exists"),
    ],
)
def test_one_line_and_code_2(capsys, monkeypatch, tmp_path, weights, arguments, message):
    monkeypatch.chdir(tmp_path)
    paring.write("model.npz", weights)
    (tmp_path / "broken.safetensors").write_bytes(b"\xff" * 20)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"paring: error: {message}.*\n", err)


def test_a_bug_is_not_disguised(monkeypatch):
    def fail(as_json):
        raise ArithmeticError("a bug")

    monkeypatch.setattr("paring.cli.information.print_information", fail)
    with pytest.raises(ArithmeticError, match="a bug"):
        main(["info"])


def test_a_traceback_on_request(monkeypatch, tmp_path):
    monkeypatch.setenv("PARING_TRACEBACK", "1")
    with pytest.raises(FileNotFoundError):
        main(["inspect", str(tmp_path / "nope.npz")])


def test_out_of_memory(monkeypatch, capsys):
    def fail(as_json):
        raise MemoryError("12 GB")

    monkeypatch.setattr("paring.cli.information.print_information", fail)
    assert run(capsys, "info") == (2, "", "paring: error: out of memory: 12 GB\n")


def test_from_a_thread(capsys):
    """Signal handlers are the main thread's."""
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(main, ["info", "--json"]).result() == 0


def test_a_reader_that_leaves(tmp_path):
    path = tmp_path / "many.npz"
    paring.write(path, {f"weight.{i}": np.zeros(1, np.float32) for i in range(2000)})
    for option in ([], ["--json"]):
        with subprocess.Popen(
            [*PROGRAM, "inspect", str(path), *option],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == ""
        assert process.returncode == 141


def test_a_stdout_that_cannot_show_every_letter(tmp_path):
    path = tmp_path / "w.npz"
    paring.write(path, {"größe": np.ones(3, np.float32)})
    done = subprocess.run(
        [*PROGRAM, "inspect", str(path)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"gr??e" in done.stdout


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
@pytest.mark.parametrize("name", ["old.safetensors", "model.npz"])
def test_interrupted_nothing_is_lost(tmp_path, weights, number, code, name):
    paring.write(tmp_path / "model.npz", weights)
    (tmp_path / "old.safetensors").write_bytes(b"old")
    before = (tmp_path / name).read_bytes()
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_WRITE, "compress", "model.npz", "-o", name, "--force"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "half way\n"
        assert len(temporary_files(tmp_path)) == 1
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in err
    assert ("paring: interrupted; no file is half written" in err) == (number == signal.SIGINT)
    assert (tmp_path / name).read_bytes() == before
    assert temporary_files(tmp_path) == []
