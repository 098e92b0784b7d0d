"""Names of weights are a stranger's text: what a terminal would obey or hide is written out."""

import json

import numpy as np
import pytest

import paring
from paring.cli import main
from paring.errors import printable

NAMES = ["evil\x1b[31mred\x1b]0;title\x07", "new\nline\r", "turned\u202earound", "[bold]markup[/bold]"]
OBEYED = ("\x1b", "\x07", "\r", "\u202e")


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    eye = np.eye(64, dtype=np.float32)
    paring.write("in.safetensors", {name: eye * (2 if "red" in name else 1) for name in NAMES})
    paring.write("other.safetensors", dict.fromkeys(NAMES, eye))
    paring.write("broken.safetensors", {"w\x1b[1m": np.full((64, 64), np.nan, np.float32)})


@pytest.mark.parametrize(
    "command",
    [
        "inspect in.safetensors",
        "compress in.safetensors -o out.safetensors",
        "compress in.safetensors -o out.safetensors --sparsity 0.5 --dry-run",
        "compare in.safetensors other.safetensors",
        "compare in.safetensors broken.safetensors",
        "compress broken.safetensors -o out.safetensors",
        "inspect broken.safetensors",
        "plan in.safetensors -o out --jobs-file jobs.json",
    ],
)
@pytest.mark.parametrize("width", [None, "60"])
def test_no_command_prints_what_a_terminal_obeys(command, width, capsys, monkeypatch):
    if width is not None:
        monkeypatch.setenv("COLUMNS", width)
    main(command.split())
    captured = capsys.readouterr()
    for text in (captured.out, captured.err):
        assert not [char for char in OBEYED if char in text]
    assert "\\x1b" in captured.out + captured.err or "plan" in command


def test_reports_write_it_out_and_json_keeps_it(capsys):
    report = paring.compress("in.safetensors").report
    assert not [char for char in OBEYED if char in str(report)]
    assert "evil\\x1b[31mred" in str(report)
    main(["inspect", "in.safetensors", "--json"])
    assert {entry["name"] for entry in json.loads(capsys.readouterr().out)["weights"]} == set(NAMES)


def test_printable():
    assert printable("größe.weight") == "größe.weight"
    assert printable("a\tb\x00c\u200bd\U000e0041") == "a\\tb\\x00c\\u200bd\\U000e0041"
