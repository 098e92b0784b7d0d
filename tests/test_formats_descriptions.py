"""Descriptions of compressed weights that do not fit the tensors of the file, or are none."""

import json

import numpy as np
import pytest

from paring.errors import FormatError
from paring.formats import read
from paring.weights import QuantizedWeight, SparseWeight
from weight_files import safetensors_bytes

SUFFIXES = (".safetensors", ".npz")


def note(**weights):
    return {"paring": json.dumps({"version": 1, "weights": weights})}


QUANTIZED = {
    "kind": "quantized",
    "bits": 8,
    "granularity": "channel",
    "group_size": None,
    "axis": 0,
    "shape": [2, 3],
}
SPARSE = {"kind": "sparse", "layout": "csr", "shape": [2, 3]}
CODES = {"w": np.zeros((2, 3), np.int8), "w_scale": np.ones((2, 1), np.float32)}
PACKED = {"w_packed": np.zeros((2, 1), np.int32), "w_shape": np.array([2, 3]), "w_scale": CODES["w_scale"]}
ROWS = {
    "w.data": np.ones(2, np.float32),
    "w.indices": np.array([0, 1], np.int32),
    "w.indptr": np.array([0, 1, 2], np.int32),
    "w.shape": np.array([2, 3]),
}


def make(tmp_path, suffix, arrays, metadata):
    """A file whose description need not fit its tensors."""
    path = tmp_path / f"model{suffix}"
    if suffix == ".npz":
        text = json.loads(metadata["paring"]) if "paring" in metadata else {}
        np.savez(path, __paring__=np.frombuffer(json.dumps(text).encode(), np.uint8), **arrays)
        return path
    names = {"float32": "F32", "int8": "I8", "int32": "I32", "int64": "I64", "float16": "F16", "uint8": "U8"}
    entries, buffer = {}, b""
    for name, array in arrays.items():
        entries[name] = (
            names[array.dtype.name],
            list(array.shape),
            [len(buffer), len(buffer) + array.nbytes],
        )
        buffer += array.tobytes()
    path.write_bytes(safetensors_bytes(entries, buffer, metadata))
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("arrays", "description"), [(CODES, QUANTIZED), (PACKED, QUANTIZED | {"bits": 4}), (ROWS, SPARSE)]
)
def test_the_unbroken_ones_are_fine(tmp_path, suffix, arrays, description):
    weights = read(make(tmp_path, suffix, arrays, note(w=description)))
    assert isinstance(weights["w"], SparseWeight if description is SPARSE else QuantizedWeight)
    assert list(weights) == ["w"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("arrays", "description", "message"),
    [
        (
            CODES | {"w": np.zeros((3, 3), np.int8)},
            QUANTIZED,
            r"codes: expected int8 \(2, 3\), got int8 \(3, 3\)",
        ),
        (
            CODES | {"w": np.zeros((3, 2), np.int8)},
            QUANTIZED,
            r"codes: expected int8 \(2, 3\), got int8 \(3, 2\)",
        ),
        (
            CODES | {"w": np.zeros((2, 3), np.float32)},
            QUANTIZED,
            r"codes: expected int8 \(2, 3\), got float32 \(2, 3\)",
        ),
        (CODES | {"w_scale": np.ones((3, 1), np.float32)}, QUANTIZED, r"scale: expected float32 \(2, 1\)"),
        (
            CODES | {"w_scale": np.ones((2, 1), np.float16)},
            QUANTIZED,
            r"scale: expected float32 .*, got float16",
        ),
        (
            CODES | {"w_zero_point": np.ones((1, 1), np.int8)},
            QUANTIZED,
            r"zero_point: expected int8 \(2, 1\)",
        ),
        (
            PACKED | {"w_zero_point": np.zeros((1, 10_000), np.int32)},
            QUANTIZED | {"bits": 4},
            r"packed zero_point: expected int32 \(1, 1\) for 2 channels of 4 bits and 1 groups, got int32 \(1, 10000\)",
        ),
        (
            PACKED | {"w_zero_point": np.zeros((2, 1), np.int32)},
            QUANTIZED | {"bits": 4},
            r"packed zero_point: expected int32 \(1, 1\) for 2 channels of 4 bits and 1 groups, got int32 \(2, 1\)",
        ),
        (
            PACKED | {"w_scale": np.ones((), np.float32)},
            QUANTIZED | {"bits": 4},
            r"scale: expected float32 \(2, 1\)",
        ),
        (CODES, QUANTIZED | {"axis": 7}, "axis: expected 0 to 1, got 7"),
        (CODES, QUANTIZED | {"granularity": "row"}, "granularity: expected one of tensor, channel, group"),
        (CODES, QUANTIZED | {"group_size": 32}, "group_size: expected a positive number for"),
        (PACKED, QUANTIZED | {"bits": 9}, "bits: expected 2 to 8, got 9"),
        (PACKED, QUANTIZED | {"bits": 4, "shape": [3, 2]}, r"shape: expected \[3, 2\], got \[2, 3\]"),
        (
            PACKED | {"w_packed": np.zeros((2, 4), np.uint8)},
            QUANTIZED | {"bits": 4},
            "expected int32 words, got uint8",
        ),
        (
            PACKED | {"w_packed": np.zeros((2, 2), np.int32)},
            QUANTIZED | {"bits": 4},
            r"data: expected uint8 \(2, 4\)",
        ),
        (PACKED | {"w_shape": np.array([[2, 3]])}, QUANTIZED | {"bits": 4}, "disagree"),
        (
            PACKED | {"w_shape": np.array([2, 3], np.int32)},
            QUANTIZED | {"bits": 4},
            r"shape: expected int64 \(2,\), got int32 \(2,\)",
        ),
        (ROWS, SPARSE | {"shape": [3, 2]}, r"shape: expected \[3, 2\], got \[2, 3\]"),
        (ROWS | {"w.indptr": np.array([0, 1], np.int32)}, SPARSE, r"expected \(2,\) and \(3,\)"),
        (
            ROWS | {"w.indices": np.array([0, 1])},
            SPARSE,
            "expected both int32 or both int64, got int64 and int32",
        ),
        (ROWS | {"w.data": np.ones(3, np.float32)}, SPARSE, "indices and indptr: expected"),
        (
            ROWS | {"w.data": np.ones(2, np.int8)},
            SPARSE,
            "data: expected one axis of float32 without a scale",
        ),
        (ROWS | {"w.indices": np.array([0, 3], np.int32)}, SPARSE, "disagree"),
        (ROWS | {"w.indices": np.array([-1, 0], np.int32)}, SPARSE, "disagree"),
        (ROWS | {"w.indptr": np.array([0, 3, 2], np.int32)}, SPARSE, "disagree"),
        (
            ROWS | {"w.indptr": np.array([0, 2, 2], np.int32), "w.indices": np.array([1, 1], np.int32)},
            SPARSE,
            "disagree",
        ),
    ],
)
def test_tensors_and_description_disagree(tmp_path, suffix, arrays, description, message):
    weights = read(make(tmp_path, suffix, arrays | {"other": np.ones(1, np.float32)}, note(w=description)))
    assert weights["other"][0] == 1
    with pytest.raises(FormatError, match=rf"model{suffix}: weight 'w': .*{message}"):
        weights["w"]


def without(key):
    return {k: v for k, v in QUANTIZED.items() if k != key}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("arrays", "text", "message"),
    [
        ({}, {"w": QUANTIZED}, "weight 'w': expected tensors w, w_scale, got none called w, w_scale"),
        (
            {"w": CODES["w"]},
            {"w": QUANTIZED},
            "weight 'w': expected tensors w, w_scale, got none called w_scale",
        ),
        (
            ROWS,
            {"w": QUANTIZED | {"bits": 4}},
            "expected tensors w_packed, w_shape, w_scale, got none called",
        ),
        (
            CODES,
            {"w": QUANTIZED | {"kind": "cubic"}},
            "weight 'w': expected kind quantized or sparse, got 'cubic'",
        ),
        (
            CODES,
            {"w": QUANTIZED | {"kind": ["x"]}},
            r"weight 'w': expected kind quantized or sparse, got \['x'\]",
        ),
        (CODES, {"w": QUANTIZED | {"shape": [2, -3]}}, r"weight 'w': shape: expected non-negative integers"),
        (CODES, {"w": QUANTIZED | {"shape": 6}}, r"weight 'w': shape: expected a list, got 6"),
        (CODES, {"w": QUANTIZED | {"bits": "8"}}, "weight 'w': bits: expected an integer, got '8'"),
        (CODES, {"w": QUANTIZED | {"bits": 2**63}}, "weight 'w': bits: expected an integer, got 9223"),
        (CODES, {"w": QUANTIZED | {"axis": "x"}}, "weight 'w': axis: expected an integer, got 'x'"),
        (CODES, {"w": QUANTIZED | {"axis": 0.0}}, "weight 'w': axis: expected an integer, got 0.0"),
        (CODES, {"w": without("axis")}, "weight 'w': axis: expected an integer, got None"),
        (CODES, {"w": without("granularity")}, "weight 'w': granularity: expected a string, got None"),
        (
            CODES,
            {"w": QUANTIZED | {"granularity": ["row"]}},
            r"weight 'w': granularity: expected a string, got \['row'\]",
        ),
        (
            CODES,
            {"w": QUANTIZED | {"granularity": "group", "group_size": 2**64}},
            "weight 'w': group_size: expected an integer or null, got 18446744073709551616",
        ),
        (CODES, {"w": QUANTIZED | {"group_size": True}}, "group_size: expected an integer or null, got True"),
        (ROWS, {"w": SPARSE | {"layout": "csc"}}, "weight 'w': layout: expected 'csr', got 'csc'"),
        (ROWS, {"w": SPARSE | {"axis": "0"}}, "weight 'w': axis: expected an integer, got '0'"),
        (CODES, {"w": 3}, "weight 'w': expected an object, got int"),
        (
            PACKED | {"w": CODES["w"]},
            {"w": QUANTIZED | {"bits": 4}},
            "'w' is both a tensor and a compressed weight",
        ),
        (
            CODES | {"w_scale_scale": np.ones((2, 1), np.float32)},
            {"w": QUANTIZED, "w_scale": QUANTIZED},
            "tensor 'w_scale' belongs to both 'w' and 'w_scale'",
        ),
    ],
)
def test_descriptions_that_cannot_be(tmp_path, suffix, arrays, text, message):
    with pytest.raises(FormatError, match=rf"model{suffix}: .*{message}"):
        read(make(tmp_path, suffix, arrays, note(**text)))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"version": 2, "weights": {}}, "expected version 1, got 2"),
        ({"weights": {}}, "expected version 1, got None"),
        ({"version": 1}, "expected an object 'weights', got NoneType"),
        ({"version": 1, "weights": []}, "expected an object 'weights', got list"),
    ],
)
def test_other_versions(tmp_path, suffix, document, message):
    with pytest.raises(FormatError, match=message):
        read(make(tmp_path, suffix, CODES, {"paring": json.dumps(document)}))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 1, "version": 1}'])
def test_a_description_that_is_no_object(tmp_path, text):
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors_bytes({}, metadata={"paring": text}))
    with pytest.raises(
        FormatError, match=r"__metadata__ 'paring': expected (JSON|a JSON object|every key once)"
    ):
        read(path)


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (np.zeros(3, np.float32), r"member '__paring__.npy': expected a vector of uint8, got float32 \(3,\)"),
        (np.zeros((1, 2), np.uint8), r"expected a vector of uint8, got uint8 \(1, 2\)"),
        (np.frombuffer(b"\xff", np.uint8), "expected UTF-8, got byte 0xff at 0"),
        (np.frombuffer(b"[1]", np.uint8), "expected a JSON object, got list"),
        (
            np.frombuffer(b'{"version": 1, "weights": {}, "dtypes": {"a": "float7"}}', np.uint8),
            "dtypes: expected one of bfloat16, .*, got 'float7' for 'a'",
        ),
        (
            np.frombuffer(b'{"version": 1, "weights": {}, "dtypes": {"b": "bfloat16"}}', np.uint8),
            "for an array of the file, got 'bfloat16' for 'b'",
        ),
        (
            np.frombuffer(b'{"version": 1, "weights": {}, "metadata": {"a": 1}}', np.uint8),
            "a string for 'a', got int",
        ),
    ],
)
def test_a_broken_note_in_npz(tmp_path, member, message):
    np.savez(tmp_path / "a.npz", a=np.zeros(2, "V2"), __paring__=member)
    with pytest.raises(FormatError, match=message):
        read(tmp_path / "a.npz")


def test_a_noted_dtype_that_the_member_has_not(tmp_path):
    text = b'{"version": 1, "weights": {}, "dtypes": {"a": "bfloat16"}}'
    np.savez(tmp_path / "a.npz", a=np.zeros(2, np.float64), __paring__=np.frombuffer(text, np.uint8))
    with pytest.raises(FormatError, match=r"member 'a.npy': expected \|V2 for bfloat16, got float64"):
        read(tmp_path / "a.npz")["a"]


def test_metadata_that_look_like_a_description(tmp_path):
    """In another format they would be one."""
    path = tmp_path / "model.npz"
    text = json.dumps({"version": 1, "weights": {}, "metadata": {"paring": json.dumps({"version": 1})}})
    np.savez(path, v=np.ones(1, np.float32), __paring__=np.frombuffer(text.encode(), np.uint8))
    with pytest.raises(
        FormatError, match=r"'__paring__.npy': metadata: expected no entry 'paring', which is reserved"
    ):
        read(path)
