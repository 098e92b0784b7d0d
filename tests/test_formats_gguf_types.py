"""The types of GGUF that paring leaves to the package `gguf`, and those that nobody knows."""

import gguf
import gguf.quants
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type

from gguf_files import gguf_bytes, tensor
from gguf_reference import BLOCKS, random_blocks, write_reference
from paring.errors import FormatError
from paring.formats import read
from paring.formats.gguf import blocks as gguf_blocks
from paring.formats.gguf.types import TENSOR_TYPES
from weight_files import assert_same

OTHERS = [kind for kind in BLOCKS if kind.name not in ("Q8_0", "Q4_0")]


def decodes(kind):
    """Whether the package does, in the version that is installed."""
    try:
        gguf.quants.dequantize(np.zeros((1, BLOCKS[kind][1]), np.uint8), kind)
    except NotImplementedError:
        return False
    return True


DECODED = [kind for kind in OTHERS if decodes(kind)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.gguf"


@pytest.mark.parametrize("kind", DECODED, ids=lambda kind: kind.name)
def test_other_blocks_through_the_package(path, kind, monkeypatch):
    monkeypatch.setattr(gguf_blocks, "PIECE_ELEMENTS", 512)
    blocks = random_blocks(kind, (5, 768))
    write_reference(path, {"w": blocks}, {"w": kind})
    weights = read(path)
    info = weights.describe("w")
    assert (info.kind, info.dtype, info.shape, info.nbytes) == ("array", kind.name, (5, 768), blocks.size)
    with np.errstate(all="ignore"):
        expected = gguf.quants.dequantize(blocks, kind)
    assert_same(weights["w"], expected)


@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind.name)
def test_other_blocks_without_the_package(path, kind, monkeypatch):
    monkeypatch.setattr(gguf_blocks, "find_spec", lambda name: None)
    write_reference(path, {"w": random_blocks(kind, (2, 256)), "v": np.ones(2, np.float32)}, {"w": kind})
    weights = read(path)
    assert weights["v"].tolist() == [1, 1]
    assert weights.describe("w").dtype == kind.name
    with pytest.raises(
        FormatError, match=rf"{path.name}: tensor 'w': .* got {kind.name}: pip install 'paring\[gguf\]'"
    ):
        weights["w"]


def test_other_blocks_with_a_broken_package(path, monkeypatch):
    """A folder called gguf where Python looks for packages is none."""

    def fail(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    kind = OTHERS[0]
    write_reference(path, {"w": random_blocks(kind, (2, 256))}, {"w": kind})
    monkeypatch.setattr(gguf_blocks, "import_module", fail)
    with pytest.raises(FormatError, match=r"tensor 'w': .* gguf to decode .*, got: No module named 'gguf'"):
        read(path)["w"]


@pytest.mark.parametrize("kind", [kind for kind in OTHERS if kind not in DECODED], ids=lambda kind: kind.name)
def test_blocks_that_the_package_does_not_decode(path, kind):
    write_reference(path, {"w": random_blocks(kind, (2, 256))}, {"w": kind})
    with pytest.raises(FormatError, match=rf"tensor 'w': .*the package gguf decodes, got {kind.name}"):
        read(path)["w"]


def test_the_package_decodes_most_blocks():
    assert {"Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS"} <= {
        kind.name for kind in DECODED
    }


def test_our_table_of_types_is_theirs():
    theirs = {kind.value: (kind.name, *gguf.GGML_QUANT_SIZES[kind]) for kind in Type}
    ours = {number: (t.name, t.block_size, t.block_bytes) for number, t in TENSOR_TYPES.items()}
    both = ours.keys() & theirs.keys()
    assert len(both) >= 30
    assert {number: ours[number] for number in both} == {number: theirs[number] for number in both}


@pytest.mark.parametrize("number", [4, 36, 99, 2**32 - 1])
def test_a_type_nobody_knows(path, number):
    tensors = [
        tensor("a", "F32", [2], 0),
        tensor("x", number, [7, 3], 32),
        tensor("b", "F32", [2], 96),
        tensor("y", number, [5], 128),
    ]
    path.write_bytes(gguf_bytes(tensors=tensors, data=np.arange(34, dtype=np.float32).tobytes()))
    weights = read(path)
    assert weights["a"].tolist() == [0, 1] and weights["b"].tolist() == [24, 25]
    info = weights.describe("x")
    assert (info.dtype, info.shape, info.nbytes) == (f"GGUF type {number}", (3, 7), 64)
    assert weights.describe("y").nbytes == 8
    with pytest.raises(
        FormatError, match=rf"tensor 'x': expected one of the types F32, .*, got number {number}"
    ):
        weights["x"]
