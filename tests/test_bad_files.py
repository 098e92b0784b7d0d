"""The promise of SECURITY.md on files made to break it: no code runs, little memory, no other file, one exception."""

import json
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

import paring
from make_bad_files import FILES, FOLDER, write_bad_files
from weight_files import read_all

IDS = [file.name for file in FILES]
ALLOWANCE = {".npy": 4_000_000, ".npz": 4_000_000}  # Python's parser takes much for headers, which are short
OTHER_ALLOWANCE = 1_000_000
MULTIPLES = dict.fromkeys((".npz", ".pt", ".pth", ".bin"), 1100)
"""Memory a file may take besides the allowance, in its own sizes: SECURITY.md has the table."""
OTHER_MULTIPLE = 40


def test_the_files_are_those_of_the_script(tmp_path):
    write_bad_files(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    assert sorted(made) == sorted(kept) == sorted(IDS), "run tests/make_bad_files.py"
    assert made == kept
    assert sum(map(len, kept.values())) < 300_000


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """The working directory, where nothing may appear."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


def outcome(path):
    """Return what reading raises, when it does, and the most memory it takes."""
    tracemalloc.start()
    when = "open"
    try:
        weights = paring.read(path)
        when = "look-up"
        read_all(weights)
        return None, "", tracemalloc.get_traced_memory()[1]
    except Exception as error:
        return error, when, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_bad(empty_folder, file):
    error, when, peak = outcome(FOLDER / file.name)
    suffix = Path(file.name).suffix
    multiple = MULTIPLES.get(suffix, OTHER_MULTIPLE)
    assert peak < ALLOWANCE.get(suffix, OTHER_ALLOWANCE) + multiple * len(file.content)
    if not file.message:
        assert error is None
        return
    with pytest.raises(paring.FormatError, match=rf"{re.escape(file.name)}.*(?:{file.message})"):
        raise error
    assert when == file.when


READ_ALL_OF_THEM = """
import json, os, sys
from pathlib import Path
import paring

folder = Path(sys.argv[1])
paths = sorted(folder.iterdir())

def read_everything():
    for path in paths:
        try:
            weights = paring.read(path)
            for name in weights:
                weights.describe(name)
                weights[name]
        except (paring.FormatError, OSError):
            pass

read_everything()  # whatever modules of ours this takes are loaded now
modules = set(sys.modules)
seen = []
on = True

def look(event, values):
    again = event == "open" and isinstance(values[0], int)  # a descriptor that was opened before
    if on and not again:
        seen.append((event, str(values[0]) if values else ""))

sys.addaudithook(look)
read_everything()
on = False
events = sorted(set(seen))
json.dump({"events": events, "modules": sorted({"pip", "torch", "runpy"} & modules)}, sys.stdout)
"""
HARMLESS = {
    "compile",  # of ast.literal_eval, which makes no code
    "mmap.__new__",
    "object.__getattr__",
    "sys._getframe",
    "builtins.id",
    "gc.collect",
}


def test_nothing_runs_and_no_other_file_is_opened(empty_folder):
    """Python reports everything that leaves it: opened files, programs, imports, sockets, unpickled names."""
    command = [sys.executable, "-c", READ_ALL_OF_THEM, str(FOLDER)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    assert said["modules"] == []
    opened = [Path(path) for event, path in said["events"] if event == "open"]
    # A path without a folder is opened from a folder that is open already: one step of the way to a file.
    steps = {FOLDER.anchor, *FOLDER.parts, *(path.name for path in FOLDER.iterdir())}
    assert [path for path in opened if path.is_absolute() and not path.is_relative_to(FOLDER)] == []
    assert [path for path in opened if not path.is_absolute() and str(path) not in steps] == []
    assert len(opened) > 100
    assert {event for event, _ in said["events"]} - {"open"} <= HARMLESS
