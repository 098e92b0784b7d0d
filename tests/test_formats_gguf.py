"""Reading GGUF: every type, the package `gguf` as oracle, names, sizes, views."""

import subprocess
import sys

import gguf
import gguf.quants
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type

from gguf_files import array, gguf_bytes, key, small_file, tensor, text, u32
from gguf_reference import random_blocks, write_reference
from paring.errors import FormatError
from paring.formats import Limits, read
from paring.formats.gguf.file import GgufFile
from paring.weights import QuantizedWeight
from weight_files import SAFETENSORS_DTYPES, SHAPES, assert_same, random_array

ARRAYS = {name: SAFETENSORS_DTYPES[name] for name in ("F32", "F16", "BF16", "F64", "I8", "I16", "I32", "I64")}
QUANTIZED = {Type.Q8_0: 8, Type.Q4_0: 4}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.gguf"


@pytest.mark.parametrize(
    ("name", "shape"),
    # The package's writer knows no bfloat16 and takes its bytes, of which a number without axes has none.
    [
        (name, shape)
        for name in ARRAYS
        for shape in SHAPES
        if 0 not in shape and (name, shape) != ("BF16", ())
    ],
    ids=str,
)
def test_arrays(path, name, shape):
    values = random_array(ARRAYS[name], shape)
    if name == "BF16":
        write_reference(path, {"a": values.view(np.uint8)}, {"a": Type.BF16})
    else:
        write_reference(path, {"a": values})
    weights = read(path)
    assert_same(weights["a"], values)
    info = weights.describe("a")
    assert (info.kind, info.dtype, info.shape) == ("array", values.dtype.name, shape)
    assert info.nbytes == values.nbytes
    assert info.tensors == ("a",)


def test_an_empty_array(path):
    path.write_bytes(gguf_bytes(tensors=[tensor("a", "F32", [3, 0, 2], 0)]))
    assert_same(read(path)["a"], np.empty((2, 0, 3), np.float32))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 32 * 32 - 5])
    assert_same(read(path)["a"], np.empty((2, 0, 3), np.float32))


def test_arrays_are_views_of_the_file(path):
    write_reference(path, {"a": np.arange(5, dtype=np.float32)})
    weights = read(path)
    values = weights["a"]
    assert not values.flags.owndata and not values.flags.writeable
    del weights
    path.unlink()
    assert values.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("shape", [(3, 64), (2, 3, 32), (2, 1, 2, 96), (1, 32), (0, 32), (4, 0)], ids=str)
@pytest.mark.parametrize("kind", QUANTIZED, ids=lambda kind: kind.name)
def test_quantized(path, kind, shape):
    blocks = random_blocks(kind, shape)
    dims = list(reversed(shape))
    data = blocks.tobytes() + bytes(-blocks.size % 32)
    path.write_bytes(gguf_bytes(tensors=[tensor("w", int(kind), dims, 0)], data=data))
    weights = read(path)
    weight = weights["w"]
    assert isinstance(weight, QuantizedWeight)
    assert (weight.shape, weight.bits, weight.granularity, weight.group_size) == (
        shape,
        QUANTIZED[kind],
        "group",
        32,
    )
    assert weight.symmetric and weight.axis == 0
    dense = weight.dense()
    assert dense.shape == shape
    if blocks.size:
        assert dense.tobytes() == gguf.quants.dequantize(blocks, kind).tobytes()
    info = weights.describe("w")
    assert (info.kind, info.dtype, info.shape) == ("quantized", f"int{QUANTIZED[kind]}", shape)
    assert info.nbytes == blocks.size
    assert info.tensors == (("w", "w_scale") if kind == Type.Q8_0 else ("w_packed", "w_shape", "w_scale"))
    assert info.description == weight.describe()


def test_what_is_said_of_a_part_is_so(path):
    blocks = {"w": random_blocks(Type.Q8_0, (3, 64)), "v": random_blocks(Type.Q4_0, (3, 2, 32))}
    write_reference(path, blocks, {"w": Type.Q8_0, "v": Type.Q4_0})
    file = GgufFile(path)
    for name in file.names():
        info, values = file.info(name), file.tensor(name)
        assert (info.dtype, info.shape) == (values.dtype.name, values.shape)
        assert not values.flags.writeable


def test_scales_of_zero_mean_zero(path):
    blocks = random_blocks(Type.Q8_0, (2, 64))
    blocks.reshape(-1, 34)[:, :2] = 0
    write_reference(path, {"w": blocks}, {"w": Type.Q8_0})
    assert (read(path)["w"].dense() == 0).all()


def test_negative_scales(path):
    blocks = random_blocks(Type.Q4_0, (2, 64))
    blocks.reshape(-1, 18)[:, 1] |= 0x80
    write_reference(path, {"w": blocks}, {"w": Type.Q4_0})
    weight = read(path)["w"]
    assert (np.signbit(weight.scale)).all()
    assert (weight.dense() == gguf.quants.dequantize(blocks, Type.Q4_0)).all()


@pytest.mark.parametrize("kind", QUANTIZED, ids=lambda kind: kind.name)
def test_one_axis_of_blocks_is_read_as_floats(path, kind):
    blocks = random_blocks(kind, (96,))
    write_reference(path, {"w": blocks}, {"w": kind})
    weights = read(path)
    assert_same(weights["w"], gguf.quants.dequantize(blocks, kind))
    info = weights.describe("w")
    assert (info.kind, info.dtype, info.shape, info.nbytes) == ("array", kind.name, (96,), blocks.size)


@pytest.mark.parametrize("version", [2, 3])
def test_versions(path, version):
    path.write_bytes(gguf_bytes(tensors=[tensor("a", "F32", [1], 0)], data=bytes(32), version=version))
    assert read(path)["a"].tolist() == [0]


@pytest.mark.parametrize("alignment", [1, 2, 8, 64, 4096])
def test_alignment(path, alignment):
    keys = [key("general.alignment", "uint32", u32(alignment))]
    second = -(-4 // alignment) * alignment
    data = bytes(4) + bytes(second - 4) + np.array([1.5], np.float64).tobytes()
    tensors = [tensor("a", "F32", [1], 0), tensor("b", 28, [1], second)]
    path.write_bytes(gguf_bytes(keys, tensors, data, alignment=alignment))
    weights = read(path)
    assert weights["a"].tolist() == [0] and weights["b"].tolist() == [1.5]
    assert weights["b"].flags.aligned


def test_the_last_padding_may_be_missing(path):
    tensors = [tensor("a", "F32", [1], 0), tensor("b", "F32", [1], 32)]
    path.write_bytes(gguf_bytes(tensors=tensors, data=bytes(36)))
    assert read(path)["b"].tolist() == [0]


def test_tensors_in_another_order(path):
    tensors = [tensor("b", "I8", [1], 32), tensor("a", "I8", [1], 0)]
    path.write_bytes(gguf_bytes(tensors=tensors, data=b"\x01" + bytes(31) + b"\x02"))
    weights = read(path)
    assert list(weights) == ["b", "a"]
    assert weights["b"].tolist() == [2] and weights["a"].tolist() == [1]


def test_a_part_of_a_split_model_is_read_alone(tmp_path):
    path = tmp_path / "model-00001-of-00003.gguf"
    keys = [key("split.no", "uint16", b"\0\0"), key("split.count", "uint16", b"\3\0")]
    path.write_bytes(gguf_bytes(keys, [tensor("a", "F32", [1], 0)], bytes(32)))
    weights = read(path)
    assert list(weights) == ["a"]
    assert '"split.count":["uint16",3]' in weights.metadata["gguf"]


@pytest.mark.parametrize("other", ["w_scale", "w_packed", "w_shape", "w_zero_point"])
def test_names_that_parts_need(path, other):
    tensors = [tensor("w", "Q4_0", [32, 1], 0), tensor(other, "F32", [1], 32)]
    path.write_bytes(gguf_bytes(tensors=tensors, data=bytes(64)))
    with pytest.raises(
        FormatError, match=rf"{path.name}: tensor '{other}': expected another name, .* tensor 'w'"
    ):
        read(path)


def test_names_that_no_part_needs(path):
    tensors = [tensor("w", "Q8_0", [32, 1], 0), tensor("w_packed", "F32", [1], 64)]
    path.write_bytes(gguf_bytes(tensors=tensors, data=bytes(96)))
    assert list(read(path)) == ["w", "w_packed"]


def test_a_file_of_nothing(path):
    path.write_bytes(gguf_bytes()[:24])
    weights = read(path)
    assert dict(weights) == {} and weights.metadata == {"gguf": "{}"}


def test_the_small_file(path):
    path.write_bytes(small_file())
    weights = read(path)
    assert list(weights) == ["f", "h", "q8", "q4", "row", "k", "none", "one", "b"]
    assert weights["one"].shape == ()
    reference = {t.name: t for t in gguf.GGUFReader(path).tensors if t.name != "none"}
    for name, theirs in reference.items():
        assert weights.describe(name).nbytes == theirs.n_bytes
        assert weights.describe(name).shape == tuple(reversed(theirs.shape.tolist()))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(header_bytes=100), r"header: expected at most 100 bytes \(limits.header_bytes\), got 1"),
        (Limits(tensors=8), r"expected at most 8 tensors \(limits.tensors\), got 9"),
        (Limits(name_bytes=3), r"expected names of at most 3 bytes \(limits.name_bytes\)"),
    ],
)
def test_limits(path, limits, message):
    path.write_bytes(small_file())
    with pytest.raises(FormatError, match=message):
        read(path, limits=limits)


def test_a_long_array_of_keys_meets_the_limit_before_it_is_read(path):
    path.write_bytes(gguf_bytes([key("a", "array", array("uint8", 5000, bytes(5000)))]))
    with pytest.raises(FormatError, match=r"header: expected at most 1000 bytes .*, got 5\d{3}"):
        read(path, limits=Limits(header_bytes=1000))


def test_reading_needs_no_package(path):
    path.write_bytes(
        gguf_bytes([key("a", "string", text("b"))], [tensor("w", "Q4_0", [32, 1], 0)], bytes(32))
    )
    code = f"import sys, paring\nparing.read({str(path)!r})['w'].dense()\nassert 'gguf' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
