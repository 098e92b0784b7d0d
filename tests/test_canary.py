"""No byte from outside a tensor reaches an output: neither what lies beside it, nor what was in memory before.

The strongest form of that is tested: the same tensor among other bytes, or in memory filled otherwise, gives the same
file to the byte. A search for the bytes themselves would miss those that were rounded on the way.
"""

import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import paring
from canary_cases import CANARIES, FORMS, LAYOUTS, filled, suffixes, values, write_source

TESTS = Path(__file__).parent
CASES = [(form, suffix) for form in FORMS for suffix in suffixes(form)]
# A layout matters to what compresses, and to every writer of an array as it is.
LAID_OUT = [
    (form, suffix, layout)
    for form, suffix in CASES
    for layout in LAYOUTS
    if suffix == ".safetensors" or form == "untouched" or layout == "contiguous"
]


def pieces(canary):
    """What a search looks for: any four bytes of the repeated canary in a row."""
    twice = canary * 2
    return [twice[at : at + 4] for at in range(len(canary))]


@pytest.mark.parametrize(("form", "suffix", "layout"), LAID_OUT)
def test_memory_around_an_array(tmp_path, form, suffix, layout):
    path = tmp_path / f"w{suffix}"
    outputs = []
    for canary in CANARIES:
        array = LAYOUTS[layout](values(), canary)
        assert (array == values()).all()
        paring.write(path, {"b.weight": FORMS[form](array)})
        outputs.append(path.read_bytes())
        assert [piece for piece in pieces(canary) if piece in outputs[-1]] == []
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize("source_suffix", [".safetensors", ".npz", ".gguf"])
@pytest.mark.parametrize(("form", "suffix"), CASES)
def test_tensors_beside_one_in_a_file(tmp_path, form, suffix, source_suffix):
    source, path = tmp_path / f"source{source_suffix}", tmp_path / f"w{suffix}"
    outputs = []
    for canary in CANARIES:
        if source_suffix == ".gguf":
            neighbour = filled(256, canary).view(np.int32)
            paring.write(source, {"a": neighbour, "b.weight": values(), "c": neighbour})
        else:
            write_source(source, canary)
        assert any(piece in source.read_bytes() for piece in pieces(canary))
        paring.write(path, {"b.weight": FORMS[form](paring.read(source)["b.weight"])})
        outputs.append(path.read_bytes())
        assert [piece for piece in pieces(canary) if piece in outputs[-1]] == []
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
@pytest.mark.parametrize("preset", ["int8", "int4"])
def test_a_whole_file(tmp_path, preset, suffix):
    """The neighbours are in this output, as they were; the weight between them must not show which they are."""
    parts = []
    for canary in CANARIES:
        source, target = write_source(tmp_path / "source.safetensors", canary), tmp_path / f"w{suffix}"
        paring.compress_file(source, target, preset)
        written = paring.read(target)
        assert written["a.before"].tobytes() == filled(1000, canary).tobytes()
        assert written["c.after"].tobytes() == filled(1000, canary).tobytes()
        parts.append({name: part.tobytes() for name, part in written["b.weight"].tensors().items()})
        outside = target.read_bytes().replace(filled(1000, canary).tobytes(), b"")
        assert [piece for piece in pieces(canary) if piece in outside] == []
    assert parts[0] == parts[1]


def digests(folder, **environment):
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, TESTS / "canary_cases.py", folder],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | environment,
    )
    return done.stdout


def test_memory_that_held_something_before(tmp_path):
    """What malloc returns is filled with one byte, another, or not at all: nobody may read it before writing it."""
    plain = digests(tmp_path / "plain")
    assert len(plain.splitlines()) > 150
    for at, fill in enumerate((165, 90)):
        told = {"MALLOC_PERTURB_": str(fill), "PYTHONMALLOC": "malloc" if at else "debug"}
        assert digests(tmp_path / str(fill), **told) == plain


@pytest.mark.parametrize("count", [1, 3, 31, 33])
def test_bytes_between_tensors_are_zero(tmp_path, count):
    arrays = {name: np.full(count, -1, np.int8) for name in "ab"}
    gguf, safetensors, npz = (tmp_path / f"w{suffix}" for suffix in (".gguf", ".safetensors", ".npz"))
    for path in (gguf, safetensors, npz):
        paring.write(path, arrays)
    data = gguf.read_bytes()
    first = data.index(b"\xff" * count)
    assert first % 32 == 0
    second = data.index(b"\xff" * count, first + count)
    assert data[first + count : second] == bytes(-count % 32)
    assert data[second + count :] in (b"", bytes(-count % 32))
    data = safetensors.read_bytes()
    length = int.from_bytes(data[:8], "little")
    assert data[8 : 8 + length].rstrip(b" ").endswith(b"}")
    assert data[8 + length :] == b"\xff" * (2 * count)
    data = npz.read_bytes()
    with zipfile.ZipFile(npz) as archive:
        for member in archive.infolist():
            name_bytes, extra_bytes = struct.unpack_from("<HH", data, member.header_offset + 26)
            extra = data[member.header_offset + 30 + name_bytes :][:extra_bytes]
            assert extra[6:] == bytes(extra_bytes - 6)  # after its identity, length and the alignment
