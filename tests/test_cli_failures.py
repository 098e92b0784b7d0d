"""How the command line fails: one line, the right exit code, and every file as it was."""

import errno
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import paring
from gguf_files import gguf_bytes, tensor
from paring.cli import main
from paring.formats.readers import READABLE

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
        (
            ["demo", "model.npz", "--keep", "broken.safetensors"],
            r"--keep: expected a folder, got the file broken\.safetensors",
        ),
        (["compare", "model.npz"], r"missing argument .*\(see paring compare --help\)"),
        (["compare", "model.npz", "nope.npz"], r"nope\.npz: No such file or directory"),
        (["run", "nope.json", "--job", "0"], r"nope\.json: No such file or directory"),
        (["finish", "broken.safetensors"], r"broken\.safetensors: expected UTF-8"),
        (["schema", "nope"], r"expected one of bench kernels, compare, .*got 'nope'"),
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
    assert run(capsys, "info") == (1, "", "paring: error: out of memory: 12 GB\n")


@pytest.mark.parametrize("suffix", READABLE)
@pytest.mark.parametrize("content", [b"", b"\xff" * 99, b"{}", b"PK\3\4 and more", b"GGUF" + bytes(50)])
@pytest.mark.parametrize("command", ["inspect", "compress", "compare", "demo", "plan"])
def test_a_bad_file_of_every_format(capsys, monkeypatch, tmp_path, weights, suffix, content, command):
    monkeypatch.chdir(tmp_path)
    paring.write("good.npz", weights)
    bad = f"bad{suffix}"
    (tmp_path / bad).write_bytes(content)
    arguments = {
        "compress": [bad, "-o", "out.safetensors"],
        "compare": ["good.npz", bad],
        "plan": [bad, "-o", "out", "--jobs-file", "jobs.json"],
    }
    code, out, err = run(capsys, command, *arguments.get(command, [bad]))
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"(paring: planning .*\n)?paring: error: .*{re.escape(bad)}: .*\n", err)
    assert sorted(path.name for path in tmp_path.iterdir()) == [bad, "good.npz"]


def test_a_missing_extra(capsys, monkeypatch, tmp_path):
    """What needs it is named; the rest of the file can be read without."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("paring.formats.gguf.blocks.find_spec", lambda name: None)
    tensors = [tensor("odd", "Q4_K", [256, 8], 0), tensor("good", "F32", [8], 8 * 144)]
    (tmp_path / "model.gguf").write_bytes(gguf_bytes(tensors=tensors, data=bytes(8 * 144 + 32)))
    code, out, err = run(capsys, "inspect", "model.gguf")
    assert (code, err) == (0, "")
    assert "pip install 'paring[gguf]' to read it" in out
    code, out, err = run(capsys, "compress", "model.gguf", "-o", "small.safetensors")
    assert (code, out) == (2, "")
    assert re.search(r"paring: error: .*model\.gguf: .*'odd'.*pip install 'paring\[gguf\]' to read it\n", err)


def test_a_missing_module_is_one_line(monkeypatch, capsys):
    def fail(as_json):
        raise ModuleNotFoundError("No module named 'onnx': pip install 'paring[onnx]'")

    monkeypatch.setattr("paring.cli.information.print_information", fail)
    said = "paring: error: No module named 'onnx': pip install 'paring[onnx]'\n"
    assert run(capsys, "info") == (2, "", said)


FULL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
from paring.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("arguments", [[], ["--jobs", "2"]])
def test_a_full_disk(tmp_path, rng, arguments):
    """A limit on the size of files stands for it: failed, not wrongly used."""
    paring.write(tmp_path / "model.npz", {"w": rng.standard_normal((256, 384)).astype(np.float32)})
    output = "folder" if arguments else "old.safetensors"
    (tmp_path / "old.safetensors").write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, "compress", "model.npz", "-o", output, "--force", *arguments],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        rf"paring: compressing .*\nparing: error: .*{output}.*File too large.*\n", done.stderr
    )
    assert (tmp_path / "old.safetensors").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "model.npz",
        "old.safetensors",
    ]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "out.npz"),
            1,
            "out.npz: No space left on device; free some",
        ),
        (OSError(errno.EIO, "Input/output error", "in.npz"), 1, "in.npz: Input/output error"),
        (ChildProcessError("a worker process died"), 1, "a worker process died"),
        (PermissionError(errno.EACCES, "Permission denied", "in.npz"), 2, "in.npz: Permission denied"),
    ],
)
def test_failed_is_not_misused(monkeypatch, capsys, error, code, said):
    def fail(as_json):
        raise error

    monkeypatch.setattr("paring.cli.information.print_information", fail)
    got, out, err = run(capsys, "info")
    assert (got, out) == (code, "")
    assert err.startswith(f"paring: error: {said}")
    assert err.count("\n") == 1


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
