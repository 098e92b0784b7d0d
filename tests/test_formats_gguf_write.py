"""Writing GGUF: what the package `gguf` reads of it, what goes in unchanged, and what is refused."""

import json
import re
import weakref

import gguf
import gguf.quants
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type

from gguf_files import array, gguf_bytes, key, quantized, small_file, tensor, text, u32
from paring import quantize
from paring.formats import read, write
from paring.formats.gguf import blocks as gguf_blocks
from paring.weights import QuantizedWeight
from weight_files import (
    SAFETENSORS_DTYPES,
    SHAPES,
    assert_same,
    random_array,
    random_quantized,
)

ARRAYS = {name: SAFETENSORS_DTYPES[name] for name in ("F32", "F16", "BF16", "F64", "I8", "I16", "I32", "I64")}
TYPES = {8: Type.Q8_0, 4: Type.Q4_0}
OLD = b"the old file"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.gguf"


def keys_of(path):
    return json.loads(read(path).metadata["gguf"])


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape], ids=str)
def test_arrays(path, name, shape):
    values = random_array(ARRAYS[name], shape)
    write(path, {"a": values, "b": values})
    assert_same(read(path)["b"], values)
    theirs = gguf.GGUFReader(path).tensors[1]
    assert theirs.tensor_type.name == name
    assert tuple(reversed(theirs.shape.tolist())) == shape
    assert theirs.data.tobytes() == values.tobytes()


@pytest.mark.parametrize("name", [name for name in ARRAYS if name != "BF16"])
def test_numbers_without_axes(path, name):
    values = random_array(ARRAYS[name], ())
    write(path, {"a": values})
    assert_same(read(path)["a"], values)
    assert gguf.GGUFReader(path).tensors[0].data.tobytes() == values.tobytes()


@pytest.mark.parametrize("order", [">f4", "<f4"])
def test_layouts(path, order):
    values = np.arange(24, dtype=order).reshape(4, 6)[::2, ::-1].T
    write(path, {"a": values})
    assert_same(read(path)["a"], np.ascontiguousarray(values.astype(np.float32)))


@pytest.mark.parametrize("shape", [(3, 64), (2, 3, 32), (2, 1, 2, 96), (1, 32), (0, 32), (4, 0)], ids=str)
@pytest.mark.parametrize("bits", TYPES)
def test_quantized(path, bits, shape, monkeypatch):
    monkeypatch.setattr(gguf_blocks, "PIECE_BLOCKS", 4)
    weight = quantized(bits, shape)
    write(path, {"w": weight})
    assert_same(read(path)["w"], weight)
    theirs = gguf.GGUFReader(path).tensors[0]
    assert theirs.tensor_type == TYPES[bits]
    assert tuple(reversed(theirs.shape.tolist())) == shape
    if theirs.n_bytes:
        assert gguf.quants.dequantize(theirs.data, TYPES[bits]).tobytes() == weight.dense().tobytes()


@pytest.mark.parametrize("bits", TYPES)
def test_what_quantize_gives(path, bits, rng):
    w = rng.standard_normal((48, 160), np.float32)
    weight = quantize(w, bits, "group", 32, convention="gguf")
    write(path, {"w": weight})
    [theirs] = gguf.GGUFReader(path).tensors
    assert theirs.data.tobytes() == gguf.quants.quantize(w, TYPES[bits]).tobytes()
    assert_same(read(path)["w"], weight)


def test_scales_at_the_limits_of_float16(path):
    weight = quantized(8, (2, 96))
    scale = np.array([[0, -0.0, 65504], [2**-24, -(2**-14), np.inf]], np.float32)
    weight = QuantizedWeight(weight.data, scale, None, (2, 96), 8, "group", 32)
    write(path, {"w": weight})
    assert_same(read(path)["w"], weight)


def test_the_same_file_again(path):
    """What paring decodes itself: with its keys, order and alignment, byte for byte."""
    keys = [
        key("general.alignment", "uint32", u32(64)),
        key("general.architecture", "string", text("test")),
        key("general.quantization_version", "uint32", u32(2)),
        key("general.file_type", "uint32", u32(1024 + 7)),
        key("a.texts", "array", array("string", 1, text("é"))),
    ]
    rng = np.random.default_rng(7)
    tensors = [
        tensor("z", "F32", [3, 2], 0),
        tensor("q8", "Q8_0", [64, 2], 64),
        tensor("q4", "Q4_0", [32, 1, 3], 256),
    ]
    data = rng.bytes(24) + bytes(40) + rng.bytes(136) + bytes(56) + rng.bytes(54) + bytes(10)
    # No NaN, whose bits would not be kept by the widening to float32.
    data = bytearray(data)
    for block in (*range(64, 200, 34), *range(256, 310, 18)):
        data[block + 1] &= 0xBF
    before = gguf_bytes(keys, tensors, bytes(data), alignment=64)
    path.write_bytes(before)
    write(path, read(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_through_another_format(path, suffix):
    path.write_bytes(small_file())
    kept = {name: weight for name, weight in read(path).items() if name != "k"}
    other = path.with_suffix(suffix)
    write(other, kept, metadata=read(path).metadata)
    write(path, read(other))
    again = read(path)
    for name, weight in kept.items():
        assert_same(again[name], weight)
    expected = {"general.quantization_version": ["uint32", 2], "general.file_type": ["uint32", 7]}
    path.write_bytes(small_file())
    assert keys_of(path) | expected == json.loads(again.metadata["gguf"])


def test_keys_of_a_new_file(path):
    write(path, {"w": np.ones((2, 2), np.float16)})
    assert read(path).metadata == {
        "gguf": '{"general.architecture":["string","paring"],"general.file_type":["uint32",1]}'
    }
    fields = gguf.GGUFReader(path).fields
    assert fields["general.architecture"].contents() == "paring"
    assert fields["GGUF.version"].contents() == 3


def test_metadata(path):
    metadata = {"general.architecture": "mnist", "by": "é", "": "nothing"}
    write(path, {"w": np.ones(2, np.float32)}, metadata=metadata)
    weights = read(path)
    assert weights.metadata == metadata | {"gguf": '{"general.architecture":["string","mnist"]}'}
    fields = gguf.GGUFReader(path).fields
    assert json.loads(fields["paring.metadata"].contents()) == metadata
    assert all(
        re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", name) for name in fields if not name.startswith("GGUF")
    )
    write(path, weights)
    assert read(path).metadata == weights.metadata


F32, F16 = np.ones((4, 32), np.float32), np.ones((4, 32), np.float16)
Q8, Q4 = quantized(8, (4, 32)), quantized(4, (4, 64))


@pytest.mark.parametrize(
    ("weights", "claimed", "expected"),
    [
        ([F32], None, 0),
        ([F16], None, 1),
        ([Q4], None, 2),
        ([Q8], None, 7),
        ([F32.astype(SAFETENSORS_DTYPES["BF16"])], None, 32),
        ([Q8, Q4], None, 2),
        ([Q8, Q4], 7, 7),
        ([Q8, Q4], 1024 + 7, 1024 + 7),
        ([Q8, Q4], 3, 2),
        ([F32, Q4], 0, 2),
        ([F32], 3, 0),
        ([Q8, F16[0]], None, 7),
        ([F16[0]], None, None),
        ([F16[0]], 7, 7),
        ([F32.astype(np.int8)], None, None),
        ([F32.astype(np.int8)], 7, None),
        ([F32.astype(np.int8)], "x", None),
    ],
)
def test_file_type(path, weights, claimed, expected):
    kind = "string" if isinstance(claimed, str) else "uint32"
    metadata = {} if claimed is None else {"gguf": json.dumps({"general.file_type": [kind, claimed]})}
    write(path, {str(i): weight for i, weight in enumerate(weights)}, metadata=metadata)
    assert keys_of(path).get("general.file_type") == (None if expected is None else ["uint32", expected])


def test_quantization_version(path):
    write(path, {"w": Q8}, metadata={"gguf": '{"general.quantization_version":["uint32",1]}'})
    assert keys_of(path)["general.quantization_version"] == ["uint32", 2]
    write(path, {"w": F32})
    assert "general.quantization_version" not in keys_of(path)


@pytest.mark.parametrize("later", [Q8, quantized(4, (4, 96)), random_quantized((4, 64), 4, "group", 32)])
def test_a_weight_that_changes_meanwhile(path, later):
    class Changing(dict):
        asked = 0

        def __getitem__(self, name):
            self.asked += 1
            return Q4 if self.asked == 1 else later

    path.write_bytes(OLD)
    with pytest.raises(
        ValueError, match=r"('w' changed while it was being written|stores scales as float16)"
    ):
        write(path, Changing(w=None))
    assert path.read_bytes() == OLD


def test_one_weight_at_a_time(path):
    alive = []

    class Lazy(dict):
        def __getitem__(self, name):
            value = quantized(8, (2, 32), seed=int(name))
            assert not any(reference() is not None for reference in alive[:-1])
            alive.append(weakref.ref(value))
            return value

    write(path, Lazy({str(i): None for i in range(5)}))
    assert len(alive) == 10
    assert read(path)["3"] == quantized(8, (2, 32), seed=3)


def test_over_the_file_it_reads(path):
    write(path, {"w": Q8, "a": np.arange(40.0)})
    weights = read(path)
    write(path, {"a": weights["a"] + 1, "w": weights["w"]})
    again = read(path)
    assert again["w"] == Q8 and (again["a"] == np.arange(40.0) + 1).all()
