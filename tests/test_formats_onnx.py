"""ONNX models: every dtype and every place where values may lie, equal to what the onnx package reads."""

import math

import ml_dtypes
import numpy as np
import pytest

import onnx_bytes as made
from onnx_models import read_model
from paring.errors import FormatError
from paring.formats import Limits, read, write
from weight_files import assert_same, random_array, read_all

onnx = pytest.importorskip("onnx")

ONNX_DTYPES = {
    "FLOAT": np.float32,
    "UINT8": np.uint8,
    "INT8": np.int8,
    "UINT16": np.uint16,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "BOOL": np.bool_,
    "FLOAT16": np.float16,
    "DOUBLE": np.float64,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "COMPLEX64": np.complex64,
    "COMPLEX128": np.complex128,
    "BFLOAT16": ml_dtypes.bfloat16,
    "FLOAT8E4M3FN": ml_dtypes.float8_e4m3fn,
    "FLOAT8E5M2": ml_dtypes.float8_e5m2,
}
SHAPES = [(), (0,), (3, 0), (1,), (7,), (3, 5), (2, 3, 5)]


def numbers(dtype, shape):
    """Values that every kind of field can hold: bits survive, NaN does not always."""
    array = random_array(dtype, shape)
    return np.where(np.isnan(array), dtype(1), array).astype(dtype) if array.dtype.kind in "fcV" else array


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "typed"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ONNX_DTYPES)
def test_dtypes(tmp_path, name, shape, raw):
    array = numbers(ONNX_DTYPES[name], shape)
    tensor = onnx.TensorProto(name="w", data_type=getattr(onnx.TensorProto, name), dims=shape)
    if raw:
        tensor.raw_data = array.tobytes()
    else:
        fill(tensor, array)
    weights = read_model(tmp_path, tensor)
    assert_same(weights["w"], array)
    assert_same(weights["w"], onnx.numpy_helper.to_array(tensor))
    assert not weights["w"].flags.writeable
    info = weights.describe("w")
    assert (info.dtype, info.shape, info.nbytes) == (array.dtype.name, shape, array.nbytes)


def fill(tensor, array):
    """Put the values into the field that the format has for their dtype."""
    flat = array.reshape(-1)
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind in "fc" and size >= 4:
        part = np.float32 if array.dtype in (np.float32, np.complex64) else np.float64
        field = tensor.float_data if part is np.float32 else tensor.double_data
        field.extend(flat.view(part).tolist())
    elif array.dtype in (np.uint32, np.uint64):
        tensor.uint64_data.extend(flat.tolist())
    elif array.dtype == np.int64:
        tensor.int64_data.extend(flat.tolist())
    elif kind in "iub":
        tensor.int32_data.extend(flat.astype(np.int64).tolist())
    else:
        tensor.int32_data.extend(flat.view(f"u{size}").tolist())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["INT4", "UINT4"])
def test_four_bits_are_widened(tmp_path, name, shape):
    low, dtype = (-8, np.int8) if name == "INT4" else (0, np.uint8)
    count = math.prod(shape)
    array = (np.arange(count) % 16 + low).astype(dtype).reshape(shape)
    number = getattr(onnx.TensorProto, name)
    typed = onnx.helper.make_tensor("typed", number, shape, array.reshape(-1))
    raw = onnx.TensorProto(name="raw", data_type=number, dims=shape)
    codes = [*(array.reshape(-1).astype(np.uint8) & 15), 0]
    raw.raw_data = bytes(codes[i] | codes[i + 1] << 4 for i in range(0, count, 2))
    weights = read_model(tmp_path, typed, raw)
    for tensor in (typed, raw):
        assert_same(weights[tensor.name], array)
        assert (onnx.numpy_helper.to_array(tensor).astype(dtype) == array).all()
        assert not weights[tensor.name].flags.writeable
        assert weights.describe(tensor.name).nbytes == count
        assert weights.describe(tensor.name).dtype == array.dtype.name


def test_values_are_views_of_the_file(tmp_path):
    path = tmp_path / "m.onnx"
    tensor = made.tensor("bytes", (4,), 3, b"\1\2\3\4")
    path.write_bytes(made.model(tensor))
    array = read(path)["bytes"]
    assert not array.flags.owndata
    with path.open("r+b") as file:
        file.seek(path.read_bytes().index(b"\1\2\3\4"))
        file.write(b"\7")
    assert array[0] == 7


@pytest.mark.parametrize("values", [[0], [1, -1], [127, 128, 300], [2**62, -(2**63), 2**63 - 1, 0] * 50])
def test_integers_of_any_length(tmp_path, values):
    tensor = onnx.helper.make_tensor("w", onnx.TensorProto.INT64, [len(values)], values)
    assert_same(read_model(tmp_path, tensor)["w"], np.array(values, np.int64))


def test_integers_that_span_chunks(tmp_path, monkeypatch):
    from paring.formats.onnx import wire as onnx_wire

    values = np.random.default_rng(1).integers(-(2**63), 2**63 - 1, 999) >> np.arange(999) % 64
    tensor = onnx.helper.make_tensor("w", onnx.TensorProto.INT64, [999], values.tolist())
    for size in (10, 11, 64, 1000):
        monkeypatch.setattr(onnx_wire, "CHUNK_BYTES", size)
        assert_same(read_model(tmp_path, tensor)["w"], values)


def test_metadata(tmp_path):
    path = tmp_path / "m.onnx"
    opsets = [onnx.helper.make_opsetid("", 21), onnx.helper.make_opsetid("com.microsoft", 1)]
    model = onnx.helper.make_model(
        onnx.helper.make_graph([], "g", [], []),
        producer_name="me",
        producer_version="1.2",
        opset_imports=opsets,
        ir_version=10,
        model_version=3,
    )
    onnx.helper.set_model_props(model, {"author": "é", "empty": "", "paring": "not ours"})
    onnx.save(model, path)
    assert read(path).metadata == {
        "author": "é",
        "empty": "",
        "onnx.ir_version": "10",
        "onnx.model_version": "3",
        "onnx.producer_name": "me",
        "onnx.producer_version": "1.2",
        "onnx.opset_import": "ai.onnx 21, com.microsoft 1",
    }
    write(tmp_path / "w.safetensors", read(path))
    assert read(tmp_path / "w.safetensors").metadata["onnx.opset_import"] == "ai.onnx 21, com.microsoft 1"


def test_file(tmp_path):
    weights = read_model(tmp_path, onnx.numpy_helper.from_array(np.ones(2, np.float32), "w"))
    path = tmp_path / "m.onnx"
    assert (weights.path, weights.file_bytes) == (path, path.stat().st_size)
    assert list(read(tmp_path)) == ["w"]
    assert list(read(path.rename(tmp_path / "M.ONNX"))) == ["w"]


def test_the_package_is_not_needed(tmp_path, monkeypatch):
    import sys

    read_model(tmp_path, onnx.numpy_helper.from_array(np.ones(2, np.float32), "w"))
    for name in ("onnx", "google.protobuf"):
        monkeypatch.setitem(sys.modules, name, None)
    assert_same(read(tmp_path / "m.onnx")["w"], np.ones(2, np.float32))


def test_limits(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(made.model(*(made.tensor(f"w{i}", (1,), 1, bytes(4)) for i in range(5))))
    assert len(read(path, limits=Limits(tensors=5, name_bytes=2))) == 5
    with pytest.raises(FormatError, match=r"m\.onnx: expected at most 4 tensors \(limits.tensors\), got 5"):
        read(path, limits=Limits(tensors=4))
    with pytest.raises(FormatError, match=r"names of at most 1 bytes \(limits.name_bytes\), got 2 bytes"):
        read(path, limits=Limits(name_bytes=1))


def test_values_are_not_counted_as_descriptions(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(made.model(made.tensor("w", (1000,), 1, bytes(4000)), more=made.data(6, "doc" * 1000)))
    read_all(read(path, limits=Limits(header_bytes=100)))
    with pytest.raises(
        FormatError,
        match=r"what describes the tensors: expected at most 20 bytes \(limits.header_bytes\), got",
    ):
        read(path, limits=Limits(header_bytes=20))


def test_numbers_of_the_fields():
    """Those of onnx.proto, as the package has them."""
    from paring.formats.onnx import model as onnx_model
    from paring.formats.onnx import tensors as onnx_tensors

    messages = {
        "ModelProto": [onnx_model.MODEL, onnx_model.ABOUT],
        "OperatorSetIdProto": [onnx_model.OPSET],
        "GraphProto": [onnx_model.INITIALIZERS, onnx_model.NODES],
        "FunctionProto": [onnx_model.FUNCTION, onnx_model.FUNCTION_NODES],
        "NodeProto": [onnx_model.OPERATOR, onnx_model.NODE_NAMES, onnx_model.ATTRIBUTES],
        "AttributeProto": [onnx_model.ATTRIBUTE, onnx_model.ATTRIBUTE_VALUES],
        "SparseTensorProto": [onnx_model.SPARSE],
        "TensorProto": [onnx_tensors.TENSOR],
        "StringStringEntryProto": [onnx_tensors.PAIR],
    }
    short = {"tensor": "t", "graph": "g"}
    for name, ours in messages.items():
        theirs = {field.name: field.number for field in getattr(onnx, name).DESCRIPTOR.fields}
        for message in ours:
            for number, field in message.fields.items():
                key = short.get(field, field) if name == "AttributeProto" else field
                assert theirs[key] == number, (name, field)


def test_numbers_of_the_types():
    from paring.formats.onnx.tensors import TYPES

    for name, number in onnx.TensorProto.DataType.items():
        if number:
            ours = (
                TYPES[number].name.replace("_", "").replace("float32", "float").replace("float64", "double")
            )
            assert ours == name.lower()
