"""read and write themselves: dispatch, arguments, metadata, and the mapping that read returns."""

import threading
from collections.abc import Mapping

import numpy as np
import pytest

from paring.errors import FormatError
from paring.formats import WeightFile, read, write
from weight_files import random_array, random_quantized

SUFFIXES = (".safetensors", ".npz", ".npy")
OLD = b"the old file"


@pytest.fixture(params=SUFFIXES)
def path(request, tmp_path):
    return tmp_path / f"w{request.param}"


def test_missing_file(path):
    with pytest.raises(FileNotFoundError, match=path.name):
        read(path)
    with pytest.raises(FileNotFoundError, match="model: no such file or folder"):
        read(path.parent / "model")
    with pytest.raises(FileNotFoundError, match=r"x.index.json"):
        read(path.parent / "x.index.json")


@pytest.mark.parametrize("name", ["w.h5", "w", "w.safetensors.bak", "index.json", "w.index.jsonl"])
def test_unknown_suffix(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    listed = r"\*\.safetensors or \*\.npz or \*\.npy( or \*\.\w+)*"
    with pytest.raises(
        ValueError, match=rf"{name}: expected a folder or a file called {listed} or \*\.index\.json, got"
    ):
        read(tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name}: expected a file called {listed}, got suffix"):
        write(tmp_path / name, {})
    assert (tmp_path / name).read_bytes() == b"x"


def test_suffixes_in_capitals(path):
    write(path.with_suffix(path.suffix.upper()), {"w": np.ones(1)})
    assert read(path.with_suffix(path.suffix.upper()))["w"].tolist() == [1]


def test_an_index_is_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"expected a file called .*, got suffix '.json'"):
        write(tmp_path / "model.safetensors.index.json", {})


def test_paths_of_any_type(path):
    write(str(path), {"w": np.ones(1)})
    assert read(str(path))["w"].tolist() == [1]
    for bad in (3, None, b"w.npz"):
        with pytest.raises(TypeError):
            read(bad)
        with pytest.raises(TypeError):
            write(bad, {})


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ([("w", np.ones(1))], TypeError, "weights: expected a mapping of names to weights, got list"),
        ({1: np.ones(1)}, TypeError, "name of a weight: expected str, got int 1"),
        ({"\ud800": np.ones(1)}, ValueError, r"name of a weight: expected Unicode text, got '\\ud800'"),
        ({"w": [1.0]}, TypeError, "'w': expected a NumPy array, QuantizedWeight or SparseWeight, got list"),
        ({"w": np.float32(1)}, TypeError, "'w': expected a NumPy array, .*, got float32"),
        (
            {"w": np.array([None])},
            TypeError,
            "'w': expected numbers or fixed-size text, got an array of Python obj",
        ),
        ({"w": np.zeros(1, [("a", object)])}, TypeError, "'w': expected numbers or fixed-size text"),
        ({"w": np.zeros(2, "V0")}, ValueError, "'w': expected a dtype with values, got .* of zero bytes"),
    ],
)
def test_what_is_no_weight(path, weights, error, message):
    path.write_bytes(OLD)
    with pytest.raises(error, match=message):
        write(path, weights)
    assert path.read_bytes() == OLD


def test_too_many_axes(path):
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        pytest.skip("this NumPy has no arrays of more than 32 axes")
    with pytest.raises(ValueError, match="'w': shape: expected at most 32 axes, got 40"):
        write(path, {"w": np.zeros((1,) * 40)})


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
@pytest.mark.parametrize(
    ("metadata", "error", "message"),
    [
        ("text", TypeError, "metadata: expected a mapping of str to str, got str"),
        ({"a": 1}, TypeError, "metadata: expected str to str, got 'a': 1; encode anything else as JSON"),
        ({1: "a"}, TypeError, "metadata: expected str to str, got 1: 'a'"),
        ({"paring": "x"}, ValueError, "metadata: the key 'paring' is reserved"),
        ({"a": "\udc80"}, ValueError, r"metadata: expected Unicode text, got '\\udc80'"),
        ({"\udc80": "a"}, ValueError, r"metadata: expected Unicode text, got '\\udc80'"),
    ],
)
def test_metadata_it_refuses(tmp_path, suffix, metadata, error, message):
    with pytest.raises(error, match=message):
        write(tmp_path / f"w{suffix}", {"w": np.ones(1)}, metadata=metadata)
    assert list(tmp_path.iterdir()) == []


def test_metadata(tmp_path):
    path, copy = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    write(path, {"w": np.ones(1)})
    assert read(path).metadata == {"format": "pt"}
    write(path, {"w": np.ones(1)}, metadata={"format": "np", "重み": "é"})
    assert read(path).metadata == {"format": "np", "重み": "é"}
    write(copy, read(path))
    assert copy.read_bytes() == path.read_bytes()
    write(copy, read(path), metadata={})
    assert read(copy).metadata == {"format": "pt"}
    write(tmp_path / "c.npz", read(path))
    assert read(tmp_path / "c.npz").metadata == {"format": "np", "重み": "é"}
    write(tmp_path / "d.npy", read(path))
    assert read(tmp_path / "d.npy").metadata == {}


def test_the_mapping(path):
    write(path, {"w": np.ones((2, 3))})
    weights = read(path)
    assert isinstance(weights, WeightFile)
    assert isinstance(weights, Mapping)
    assert len(weights) == 1
    assert "w" in weights
    assert "v" not in weights
    assert 3 not in weights
    assert weights.get("v") is None
    with pytest.raises(KeyError, match="v"):
        weights["v"]
    assert weights == weights
    assert weights != read(path)
    assert len({weights, read(path)}) == 2
    assert weights.path == path
    assert weights.file_bytes == path.stat().st_size
    assert repr(weights) == f"<WeightFile {str(path)!r}: 1 weights, {path.stat().st_size:,} bytes>"


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_one_object_and_many_threads(tmp_path, suffix):
    arrays = {str(n): random_array(np.int32, (200, 50), n) for n in range(20)}
    write(tmp_path / f"w{suffix}", arrays | {"q": random_quantized((50, 60), bits=4)})
    weights, wrong = read(tmp_path / f"w{suffix}"), []

    def look():
        wrong.extend(name for name in arrays if weights[name].tobytes() != arrays[name].tobytes())
        if weights["q"] != random_quantized((50, 60), bits=4):
            wrong.append("q")

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_format_error_is_a_value_error(tmp_path):
    (tmp_path / "w.npz").write_bytes(bytes(100))
    with pytest.raises(ValueError, match="expected a zip archive") as caught:
        read(tmp_path / "w.npz")
    assert type(caught.value) is FormatError
