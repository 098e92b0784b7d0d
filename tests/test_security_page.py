"""SECURITY.md names tests, limits and files: they are there, and say what it says."""

import dataclasses
import re
from pathlib import Path

import paring
from make_bad_files import FILES
from paring.formats import archive, expansion, npy, strict_json
from paring.formats.arrays import MAX_AXES, MAX_EMPTY_PRODUCT
from paring.formats.compressed_tensors import groups
from paring.formats.gguf import header as gguf_header
from paring.formats.gguf import keys as gguf_keys
from paring.formats.limits import DEFAULT_LIMITS
from paring.formats.onnx import model as onnx_model
from paring.formats.torch import names as torch_names

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def row(start):
    [found] = [line for line in TEXT.splitlines() if line.startswith(f"| {start}")]
    return found


def numbers(text):
    return [int(found.replace(",", "")) for found in re.findall(r"\d[\d,]*", text)]


def test_tests_it_names():
    named = set(re.findall(r"`(test_[\w*]+\.py)`", TEXT))
    assert len(named) > 10
    assert [name for name in named if not list((ROOT / "tests").glob(name))] == []


def test_limits():
    for field in dataclasses.fields(paring.Limits):
        assert getattr(DEFAULT_LIMITS, field.name) in numbers(row(f"`{field.name}`"))
    assert numbers(row("axes of a tensor")) == [MAX_AXES, gguf_header.MAX_AXES]
    assert numbers(row("header of a `.npy`")) == [npy.MAX_HEADER_BYTES]
    assert numbers(row("inflating a zip member")) == [archive.MAX_DEFLATE_RATIO]
    assert numbers(row("a zip member that describes")) == [archive.MAX_DESCRIPTION_RATIO]
    assert numbers(row("tensors that share")) == [expansion.EXPANSION, expansion.MIN_EXPANDED_BYTES >> 20]
    assert numbers(row("names in a PyTorch pickle")) == [torch_names.EXPANSION]
    assert numbers(row("depth")) == [
        gguf_keys.MAX_DEPTH,
        onnx_model.MAX_DEPTH,
        torch_names.MAX_DEPTH,
        strict_json.MAX_DEPTH,
    ]
    assert numbers(row("groups of a")) == [groups.MAX_GROUPS, groups.MAX_PATTERN_CHARACTERS, groups.MAX_STEPS]
    assert numbers(row("product of the other sizes")) == [0, 2, MAX_EMPTY_PRODUCT.bit_length() - 1]


def test_number_of_bad_files():
    [stated] = re.findall(r"some (\d+) files", TEXT)
    assert abs(len(FILES) - int(stated)) <= 10
