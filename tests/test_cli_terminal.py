"""How the command line looks in a terminal and in a log, and how it measures."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from itertools import takewhile

import numpy as np
import pytest

import paring
from paring.cli import main
from paring.cli.variants import DIGITS_VARIANTS

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def run_in_terminal(folder, width, *arguments, **environment):
    """Run paring in a pseudo-terminal so wide; return its exit code and all it wrote."""
    controller, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    env = {
        k: v
        for k, v in os.environ.items()
        if k not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM")
    }
    env |= {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **environment}
    process = subprocess.Popen(
        [sys.executable, "-m", "paring", *arguments],
        cwd=folder, env=env, stdin=follower, stdout=follower, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(follower)
    pieces = []
    try:
        while piece := os.read(controller, 1 << 16):
            pieces.append(piece)
    except OSError:  # what Linux gives at the end
        pass
    os.close(controller)
    return process.wait(), b"".join(pieces).decode().replace("\r\n", "\n")


@pytest.fixture
def folder(tmp_path, rng):
    names = [f"encoder.layer.{i}.attention.output.dense.weight" for i in (0, 1, 11)]
    weights = {name: rng.standard_normal((1536, 384)).astype(np.float32) for name in names}
    weights["embeddings.LayerNorm.weight"] = rng.standard_normal(384).astype(np.float32) / 1000
    paring.write(tmp_path / "model.safetensors", weights)
    mixed = {
        names[0]: paring.quantize(weights[names[0]], bits=4, granularity="group"),
        names[1]: paring.sparsify(paring.prune(weights[names[1]], sparsity=0.9)),
        "embeddings.LayerNorm.weight": weights["embeddings.LayerNorm.weight"],
    }
    paring.write(tmp_path / "mixed.safetensors", mixed)
    return tmp_path


@pytest.fixture
def run_styled(capsys, monkeypatch):
    """Run paring in this process as if stdout were a terminal, timing one call each."""
    monkeypatch.setattr("paring.benchmark.timing.WARM_SECONDS", 0)
    monkeypatch.setattr("paring.benchmark.timing.CALM_SECONDS", 0)
    monkeypatch.setattr("paring.benchmark.timing.MEASURED_SECONDS", 0)
    for name, value in {"TERM": "xterm-256color", "FORCE_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)

    def run(width, *arguments):
        monkeypatch.setenv("COLUMNS", str(width))
        code = main([str(argument) for argument in arguments])
        return code, capsys.readouterr().out

    return run


def check_page(code, text, width):
    assert code == 0
    lines = ESCAPE.sub("", text).partition("\nNext\n")[0].splitlines()
    assert max(map(len, lines)) <= width
    line = next(i for i, line in enumerate(lines) if line.startswith("───"))
    assert lines[line - 1].split()[0] in ("name", "weight", "recipe", "kernel")
    after = [*lines[line + 1 :], ""]
    rows = list(takewhile(lambda row: row and not row.startswith("Names are abbreviated"), after))
    assert len(rows) >= 3
    # Nothing is cut: each row ends where the line under the titles ends, and no cell has an ellipsis.
    assert {len(row) for row in rows} == {len(lines[line])}
    assert not any("…" in row for row in rows)


class TestTerminal:
    @pytest.mark.parametrize("width", [80, 100, 120])
    @pytest.mark.parametrize(
        "arguments",
        [
            "inspect model.safetensors",
            "inspect mixed.safetensors",
            "inspect model.safetensors --no-values",
            "compress model.safetensors -o small.safetensors --bits 4 --force",
            "compress model.safetensors -o small.safetensors --bits 4 --dry-run",
            "compare model.safetensors model.safetensors",
            "info",
        ],
    )
    def test_no_row_is_broken_or_cut(self, folder, width, arguments):
        check_page(*run_in_terminal(folder, width, *arguments.split()), width)

    @pytest.mark.parametrize("width", [80, 100, 120])
    @pytest.mark.parametrize("own_file", [False, True])
    def test_no_row_of_the_demo_is_broken_or_cut(self, folder, width, own_file, run_styled):
        check_page(*run_styled(width, "demo", *[folder / "model.safetensors"] * own_file), width)

    @pytest.mark.parametrize("width", [80, 120])
    def test_great_loss_is_marked(self, folder, width, run_styled):
        output = folder / "small.npz"
        code, text = run_styled(width, "compress", folder / "model.safetensors", "-o", output, "--bits", "3")
        check_page(code, text.partition("\nWARNING")[0], width)
        assert len(re.findall(r"^\x1b\[33m", text, re.MULTILINE)) >= 3
        assert ESCAPE.sub("", text).count(" dB\n") == 3

    def test_the_demo_in_a_terminal(self, folder):
        check_page(*run_in_terminal(folder, 100, "demo"), 100)

    def test_abbreviated_names_differ_and_are_explained(self, folder):
        _, text = run_in_terminal(folder, 80, "inspect", "model.safetensors")
        assert "Names are abbreviated to fit" in text
        names = [line.split()[0] for line in ESCAPE.sub("", text).splitlines()[2:6]]
        assert len(set(names)) == 4
        assert {re.sub(r"[^\d]", "", name) for name in names} == {"", "0", "1", "11"}
        _, text = run_in_terminal(folder, 140, "inspect", "model.safetensors")
        assert "Names are abbreviated" not in text
        assert "encoder.layer.11.attention.output.dense.weight" in text

    def test_pictures_and_bars(self, run_styled):
        wide = ESCAPE.sub("", run_styled(100, "demo")[1])
        assert "████████████████" in wide
        picture = wide.partition("does not:\n")[2].partition(", not")[0]
        dots = {chr(0x2801 + i) for i in range(255)}
        assert len(set(picture) & dots) > 10
        assert "█" not in run_styled(80, "demo")[1]

    def test_no_pictures_of_nothing(self, monkeypatch, run_styled):
        monkeypatch.setattr("paring.cli.digits_outcome.DIGITS_VARIANTS", DIGITS_VARIANTS[:1])
        text = run_styled(100, "demo")[1]
        assert "does not" not in text
        assert "points" not in text

    def test_colors(self, monkeypatch, run_styled):
        text = run_styled(100, "demo")[1]
        assert "\x1b[31m" in text  # accuracy that went
        assert "\x1b[36m" in text  # bars
        monkeypatch.setenv("NO_COLOR", "1")
        assert not re.search(r"\x1b\[[0-9;]*3[0-8]", run_styled(100, "demo")[1])

    @pytest.mark.parametrize(
        "arguments", ["inspect mixed.safetensors", "compare model.safetensors model.safetensors", "info"]
    )
    def test_a_dumb_terminal_gets_letters(self, folder, arguments):
        code, text = run_in_terminal(folder, 100, *arguments.split(), TERM="dumb")
        assert code == 0
        assert text.isascii()
        assert "\x1b" not in text

    def test_pages_without_color(self, folder):
        for arguments in ("inspect mixed.safetensors", "compare model.safetensors mixed.safetensors"):
            _, text = run_in_terminal(folder, 100, *arguments.split(), NO_COLOR="1")
            assert not re.search(r"\x1b\[[0-9;]*3[0-8]", text)

    @pytest.mark.parametrize("width", [72, 80, 100])
    def test_differences_are_in_color_and_fit(self, folder, width):
        code, text = run_in_terminal(
            folder, width, "compare", "model.safetensors", "mixed.safetensors", "--min-sqnr", "30"
        )
        assert code == 1
        assert "\x1b[33m" in text
        check_page(0, text, width)

    def test_a_pipe_is_not_bounded(self, folder):
        done = subprocess.run(
            [sys.executable, "-m", "paring", "inspect", "model.safetensors"],
            cwd=folder, capture_output=True, text=True,
            env={k: v for k, v in os.environ.items() if k not in ("COLUMNS", "FORCE_COLOR")},
        )  # fmt: skip
        assert "encoder.layer.11.attention.output.dense.weight" in done.stdout
        assert "─" not in done.stdout
        assert all(line == line.rstrip() for line in done.stdout.splitlines())
        assert done.stderr == ""
