"""The terminal recorded in the README is what the command line prints today, to the character."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def recorder():
    spec = importlib.util.spec_from_file_location("record_terminal", ROOT / "tools" / "record_terminal.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def block(recorder):
    return recorder.record()


def test_the_readme_shows_what_is_printed(recorder, block):
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert recorder.insert(page, block) == page, "run `make record`"


def test_it_fits_and_shows_all_commands(recorder, block):
    lines = block.splitlines()
    shown = [line for line in lines if line.startswith("$ ")]
    assert shown == [f"$ {command}" for command in recorder.COMMANDS]
    for word in ("inspect", "--dry-run", "compress", "compare"):
        assert any(word in line for line in shown)
    # Commands to copy are never broken.
    assert max(len(line) for line in lines if "paring" not in line) <= recorder.WIDTH
    assert "\x1b" not in block


def test_another_recording_would_be_seen(recorder, block):
    page = f"before\n{block}\nafter\n"
    changed = page.replace("float32", "float16", 1)
    assert recorder.insert(changed, block) == page != changed


@pytest.mark.parametrize("page", ["", "{0}{0}{1}", "{0}"])
def test_marks_must_be_there_once(recorder, page):
    with pytest.raises(ValueError, match=r"expected the marks .* once each"):
        recorder.insert(page.format(*recorder.MARKS), "block")
