"""Checkpoints in several files with an index."""

import json

import numpy as np
import pytest

import torch_files
from paring.errors import FormatError
from paring.formats import Limits, read, write
from paring.formats.readers import open_tensors
from shard_cases import ARRAYS, FIRST, PLACES, SECOND, write_index, write_shards
from weight_files import assert_same, random_quantized, random_sparse, safetensors_bytes


@pytest.fixture
def index(tmp_path):
    return write_shards(tmp_path)


def test_read(index):
    weights = read(index)
    assert list(weights) == ["b", "a", "c"]
    for name, array in ARRAYS.items():
        assert_same(weights[name], array)
        assert not weights[name].flags.writeable
    assert weights.describe("a").shape == (3, 4)
    assert weights.path == index
    assert weights.file_bytes == sum((index.parent / name).stat().st_size for name in (FIRST, SECOND))
    assert weights.metadata == {"format": "pt", "who": "second", "two": "2", "one": "1"}


def test_write_as_one_file(index, tmp_path):
    write(tmp_path / "one.safetensors", read(index), metadata={})
    write(tmp_path / "expected.safetensors", ARRAYS)
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "expected.safetensors").read_bytes()


def test_over_one_of_the_shards(index):
    write(index.parent / FIRST, read(index), metadata={})
    weights = read(index.parent / FIRST)
    assert set(weights) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert_same(weights[name], array)


def test_compressed_weights_over_shards(tmp_path):
    quantized, sparse = random_quantized((4, 6), bits=4), random_sparse((3, 5))
    write(tmp_path / FIRST, {"q": quantized})
    write(tmp_path / SECOND, {"s": sparse, "x": np.ones(2)})
    names = {f"q{suffix}": FIRST for suffix in quantized.tensors()}
    names |= {f"s{suffix}": SECOND for suffix in sparse.tensors()} | {"x": SECOND}
    weights = read(write_index(tmp_path, names))
    assert list(weights) == ["q", "s", "x"]
    assert weights["q"] == quantized
    assert weights["s"] == sparse


def test_parts_in_different_shards(tmp_path):
    quantized = random_quantized((4, 6))
    write(tmp_path / FIRST, {"q": quantized})
    data = (tmp_path / FIRST).read_bytes()
    length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    (tmp_path / FIRST).write_bytes(
        safetensors_bytes({"q": ("I8", [4, 6], [0, 24])}, quantized.data.tobytes(), metadata)
    )
    write(tmp_path / SECOND, {"q_scale": quantized.scale})
    weights = read(write_index(tmp_path, {"q": FIRST, "q_scale": SECOND}))
    assert list(weights) == ["q"]
    assert weights["q"] == quantized


def test_tensors_the_index_does_not_list(index):
    weights = read(write_index(index.parent, {"b": SECOND, "a": FIRST}))
    assert list(weights) == ["b", "a", "c"]
    assert_same(weights["c"], ARRAYS["c"])


def test_the_index_decides_between_shards(index):
    write(index.parent / FIRST, {"a": ARRAYS["a"], "b": np.zeros(1)})
    assert_same(read(index)["b"], ARRAYS["b"])
    write_index(index.parent, {"a": FIRST, "c": SECOND})
    with pytest.raises(
        FormatError, match=f"tensor 'b': expected the index to name one shard, .* {FIRST} and {SECOND}"
    ):
        read(index)


def test_shards_in_a_folder_below(tmp_path):
    (tmp_path / "parts").mkdir()
    write(tmp_path / "parts" / "x.safetensors", {"a": ARRAYS["a"]})
    assert_same(read(write_index(tmp_path, {"a": "parts/x.safetensors"}))["a"], ARRAYS["a"])


def test_places_and_shards(index):
    file = open_tensors(index, Limits())
    assert file.places == PLACES
    assert list(file.shards) == [SECOND, FIRST]
    assert {shard: sorted(held.names()) for shard, held in file.shards.items()} == {
        FIRST: ["a"],
        SECOND: ["b", "c"],
    }
    assert file.shards[FIRST].path == index.parent / FIRST
    assert file.path == index


@pytest.mark.parametrize("name", ["model.index.json", "model.v2.index.json"])
def test_shards_of_other_formats(tmp_path, name):
    write(tmp_path / "x.npz", {"a": ARRAYS["a"]})
    write(tmp_path / "b.npy", {"b": ARRAYS["b"]})
    write(tmp_path / "y.safetensors", {"c": ARRAYS["c"]})
    places = {"a": "x.npz", "b": "b.npy", "c": "y.safetensors"}
    weights = read(write_index(tmp_path, places, name))
    for tensor, array in ARRAYS.items():
        assert_same(weights[tensor], array)


@pytest.mark.parametrize("shard", ["x.txt", "x", "x.index.json"])
def test_shards_of_no_format(tmp_path, shard):
    (tmp_path / shard).write_text("{}")
    with pytest.raises(
        FormatError, match=rf"index\.json: expected a shard {shard}, got .*expected a folder or a file called"
    ):
        read(write_index(tmp_path, {"a": shard}, "model.index.json"))


def test_one_shard_by_two_names(index):
    with pytest.raises(
        FormatError, match=rf"tensor '[ac]': expected one name a shard, got './{SECOND}' and '{SECOND}'"
    ):
        read(write_index(index.parent, PLACES | {"c": f"./{SECOND}"}))


@pytest.mark.parametrize(
    ("shard", "message"),
    [
        ("/etc/x.safetensors", "expected a shard in the folder of the index, got '/etc/x.safetensors'"),
        ("../x.safetensors", "expected a shard in the folder of the index, got '../x.safetensors'"),
        ("p/../../x.safetensors", "expected a shard in the folder of the index"),
        ("x\0.safetensors", "expected a shard in the folder of the index"),
        ("..\\x.safetensors", "expected a shard in the folder of the index"),
        ("C:x.safetensors", "expected a shard in the folder of the index"),
        (".", "expected a shard in the folder of the index"),
        ("pytorch_model.bin", r"expected a \*.safetensors shard, got 'pytorch_model.bin'"),
        ("", r"expected a \*.safetensors shard, got ''"),
    ],
)
def test_shards_it_does_not_open(index, shard, message):
    write(index.parent.parent / "x.safetensors", {"a": np.ones(1)})
    with pytest.raises(FormatError, match=rf"index\.json: tensor 'a': {message}"):
        read(write_index(index.parent, {"a": shard}))


def test_missing_shard(index):
    (index.parent / SECOND).unlink()
    with pytest.raises(FormatError, match=rf"index\.json: expected a shard {SECOND}, got no such file in "):
        read(index)


def test_a_shard_that_cannot_be_opened(index):
    with pytest.raises(
        FormatError, match=r"index\.json: expected a shard x{300}.safetensors, got .*too long"
    ):
        read(write_index(index.parent, {"a": "x" * 300 + ".safetensors"}))
    (index.parent / "folder.safetensors").mkdir()
    with pytest.raises(FormatError, match=r"index\.json: expected a shard folder.safetensors, got a folder"):
        read(write_index(index.parent, {"a": "folder.safetensors"}))


def test_tensor_in_another_shard_than_promised(index):
    with pytest.raises(FormatError, match=rf"tensor 'a': expected it in {SECOND}, which does not hold it"):
        read(write_index(index.parent, PLACES | {"a": SECOND}))


def test_broken_shard(index):
    (index.parent / FIRST).write_bytes(b"123")
    with pytest.raises(FormatError, match=rf"{FIRST}: expected at least 8 bytes"):
        read(index)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"expected at least 2 bytes \(a JSON object\), got a file of 0 bytes"),
        ("[]", "expected a JSON object, got list"),
        ("{}", "expected a key 'weight_map', got none"),
        ('{"weights": {}}', "expected a key 'weight_map', got 'weights'"),
        ('{"weight_map": []}', "weight_map: expected an object of strings, got list"),
        ('{"weight_map": {"a": 1}}', "weight_map: expected a string for 'a', got int"),
        ('{"weight_map": {"a": "x", "a": "y"}}', "expected every key once, got 'a' twice"),
        ('{"weight_map": ', "expected JSON, got"),
    ],
)
def test_broken_index(tmp_path, text, message):
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(text)
    with pytest.raises(FormatError, match=rf"model\.safetensors\.index\.json: {message}"):
        read(path)


def test_an_index_beyond_the_limit(index):
    with pytest.raises(
        FormatError, match=r"index: expected at most 50 bytes \(limits.header_bytes\), got \d+"
    ):
        read(index, limits=Limits(header_bytes=50))


def test_an_index_of_nothing(tmp_path):
    assert len(read(write_index(tmp_path, {}))) == 0


def test_two_shards_that_describe_a_weight_differently(tmp_path):
    write(tmp_path / FIRST, {"q": random_quantized((4, 6))})
    write(tmp_path / SECOND, {"q": random_quantized((6, 4))})
    with pytest.raises(FormatError, match=f"weight 'q': {SECOND} describes it differently"):
        read(write_index(tmp_path, {"q": FIRST, "q_scale": SECOND}))


def torch_shard(name, values):
    content = torch_files.storage(size=len(values))
    tensor = torch_files.tensor((len(values),), (1,), of=content)
    return torch_files.archive({name: tensor}, {"0": np.array(values, np.float32).tobytes()})


@pytest.mark.parametrize("whole_folder", [True, False])
def test_shards_of_pytorch(tmp_path, whole_folder):
    (tmp_path / "pytorch_model-00001-of-00002.bin").write_bytes(torch_shard("a", [1, 2]))
    (tmp_path / "pytorch_model-00002-of-00002.bin").write_bytes(torch_shard("b", [3]))
    places = {"a": "pytorch_model-00001-of-00002.bin", "b": "pytorch_model-00002-of-00002.bin"}
    index = write_index(tmp_path, places, "pytorch_model.bin.index.json")
    weights = read(tmp_path if whole_folder else index)
    assert weights.path == index
    assert {name: array.tolist() for name, array in weights.items()} == {"a": [1, 2], "b": [3]}


def test_an_index_of_pytorch_names_no_other_format(tmp_path):
    write(tmp_path / "x.safetensors", {"a": ARRAYS["a"]})
    with pytest.raises(FormatError, match=r"tensor 'a': expected a \*.bin shard, got 'x.safetensors'"):
        read(write_index(tmp_path, {"a": "x.safetensors"}, "pytorch_model.bin.index.json"))
