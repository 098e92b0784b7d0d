"""Models in files: the same bytes and outputs again, and every file that is no model."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import paring
from nn_cases import CASES, transformer_block, vgg_like
from paring import nn
from paring.errors import FormatError
from paring.nn.model_files import GRAPH_KEY, MODEL_KEY

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_there_and_back(tmp_path, case, suffix):
    model = nn.Model(case.layer, (None, *case.shape[1:]), seed=3)
    first, second = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    model.save(first)
    again = nn.load(first)
    x = case.array("float32")
    assert again(x).tobytes() == model(x).tobytes()
    assert list(again.state_dict()) == list(model.state_dict())
    assert str(again) == str(model)
    assert (again.graph.nodes, again.graph.inputs) == (model.graph.nodes, model.graph.inputs)
    again.save(second)
    assert second.read_bytes() == first.read_bytes()


def test_what_is_loaded_can_be_trained(tmp_path):
    model = nn.Model(vgg_like(), (None, 3, 12, 12))
    model.freeze("0.*")
    model.save(tmp_path / "m.safetensors")
    again = nn.load(tmp_path / "m.safetensors")
    assert again.trainable == model.trainable
    assert again.frozen == model.frozen
    assert again.statistics == model.statistics
    for array in again.state_dict().values():
        assert array.flags.writeable
    (tmp_path / "m.safetensors").write_bytes(b"gone")
    for name, array in again.state_dict().items():
        np.testing.assert_array_equal(array, model.state_dict()[name])


def test_float64_and_several_inputs(tmp_path):
    model = nn.Model(*transformer_block(12, 3, 20))
    model.save(tmp_path / "m.safetensors")
    again = nn.load(tmp_path / "m.safetensors")
    x, padding = RNG.standard_normal((2, 5, 12), np.float32), np.zeros((2, 5), np.bool_)
    assert again(x, padding).tobytes() == model(x, padding).tobytes()
    double = nn.Model(nn.Linear(3, 2), (None, 3), dtype="float64")
    double.save(tmp_path / "d.safetensors")
    assert nn.load(tmp_path / "d.safetensors").dtype == np.float64


def test_compressed_weights_stay_compressed(tmp_path):
    layers = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))
    model = nn.Model(layers, (None, 64))
    recipe = paring.Recipe(
        [
            paring.QuantizeStep(bits=4, granularity="group", group_size=32, match="0.weight"),
            paring.PruneStep(sparsity=0.9, match="2.weight"),
            paring.SparsifyStep(match="2.weight"),
        ]
    )
    small = model.compress(recipe)
    small.save(tmp_path / "small.safetensors")
    again = nn.load(tmp_path / "small.safetensors")
    assert isinstance(again.state_dict()["0.weight"], paring.QuantizedWeight)
    assert isinstance(again.state_dict()["2.weight"], paring.SparseWeight)
    assert again.state_dict()["0.weight"] == small.state_dict()["0.weight"]
    x = RNG.standard_normal((3, 64), np.float32)
    assert again(x).tobytes() == small(x).tobytes()


def test_other_programs_read_the_weights_by_their_names(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    x = nn.Input((None, 4))
    model = nn.Model(x, nn.Dropout(0.1)(nn.Linear(4, 3)(x, name="fc")) * 2)
    model.save(tmp_path / "m.safetensors")
    assert set(safetensors.load_file(tmp_path / "m.safetensors")) == {"fc.weight", "fc.bias"}
    weights = paring.read(tmp_path / "m.safetensors")
    nn.Model(nn.Sequential({"fc": nn.Linear(4, 3)}), (None, 4)).load_state_dict(weights)


def test_large_constants_lie_beside_the_weights(tmp_path):
    x = nn.Input((None, 2000))
    table = RNG.standard_normal(2000)
    model = nn.Model(x, nn.Linear(2000, 2)(x * table, name="fc"))
    model.save(tmp_path / "m.safetensors")
    again = nn.load(tmp_path / "m.safetensors")
    assert again.weights == ("fc.weight", "fc.bias")
    values = RNG.standard_normal((2, 2000), np.float32)
    assert again(values).tobytes() == model(values).tobytes()


def test_a_graph_alone_is_a_model(tmp_path):
    model = nn.Model(nn.Linear(3, 2), (None, 3))
    model.save(tmp_path / "m.safetensors")
    weights = paring.read(tmp_path / "m.safetensors")
    metadata = {GRAPH_KEY: weights.metadata[GRAPH_KEY]}
    paring.write(tmp_path / "g.safetensors", weights, metadata=metadata)
    again = nn.load(tmp_path / "g.safetensors")
    assert set(again.weights) == {"weight", "bias"}
    x = np.ones((1, 3), np.float32)
    assert again(x).tobytes() == model(x).tobytes()


@pytest.mark.parametrize("name", ["m.npy", "m.gguf", "m.onnx", "m"])
def test_other_suffixes_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"expected a file called \*\.safetensors or \*\.npz for a model"):
        nn.Model(nn.Linear(3, 2), (None, 3)).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_the_old_file(tmp_path):
    path = tmp_path / "m.safetensors"
    nn.Model(nn.Linear(3, 2), (None, 3)).save(path)
    before = path.read_bytes()
    model = nn.Model(nn.Linear(3, 2), (None, 3))
    model.graph.initializers["weight"] = np.array([object()])
    with pytest.raises(TypeError, match="Python objects"):
        model.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def parts(tmp_path):
    model = nn.Model(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Dropout(0.5)), (None, 3))
    model.freeze("0.bias")
    model.save(tmp_path / "whole.safetensors")
    file = paring.read(tmp_path / "whole.safetensors")
    return dict(file), dict(file.metadata)


def spoiled(tmp_path, spoil):
    weights, metadata = parts(tmp_path)
    graph, model = json.loads(metadata[GRAPH_KEY]), json.loads(metadata[MODEL_KEY])
    metadata.update(
        spoil(weights, graph, model) or {GRAPH_KEY: json.dumps(graph), MODEL_KEY: json.dumps(model)}
    )
    path = tmp_path / "spoiled.safetensors"
    paring.write(path, weights, metadata=metadata)
    return path


def remove(table, key):
    del table[key]


BAD = [
    (lambda w, g, m: {GRAPH_KEY: "{"}, r"metadata 'paring\.graph': expected JSON"),
    (lambda w, g, m: {GRAPH_KEY: "[]"}, r"metadata 'paring\.graph': expected a JSON object, got list"),
    (lambda w, g, m: {GRAPH_KEY: '{"a":' * 100 + "1" + "}" * 100}, r"at most 64 deep"),
    (lambda w, g, m: {GRAPH_KEY: '{"version": NaN}'}, r"expected JSON numbers, got NaN"),
    (lambda w, g, m: {GRAPH_KEY: '{"version": 1, "version": 1}'}, r"expected every key once"),
    (lambda w, g, m: g.update(version=2), r"metadata 'paring\.graph': version: expected 1, got 2"),
    (
        lambda w, g, m: remove(w, "0.bias"),
        r"metadata 'paring\.graph': expected weights .* none called '0\.bias'",
    ),
    (
        lambda w, g, m: w.update(more=np.ones(3)),
        r"metadata 'paring\.graph': expected weights .* unused 'more'",
    ),
    (
        lambda w, g, m: w.update({"0.weight": np.ones((2, 4), np.float32)}),
        r"Gemm node '0': expected an inner size",
    ),
    (lambda w, g, m: {MODEL_KEY: "nonsense"}, r"metadata 'paring\.model': expected JSON"),
    (
        lambda w, g, m: remove(m, "state"),
        r"metadata 'paring\.model': expected version, state, frozen, layers, got",
    ),
    (
        lambda w, g, m: m.update(more=1),
        r"metadata 'paring\.model': expected version, state, frozen, layers, got",
    ),
    (lambda w, g, m: {MODEL_KEY: "{}"}, r"metadata 'paring\.model': expected version, .* got nothing"),
    (lambda w, g, m: m.update(version=9), r"metadata 'paring\.model': version: expected 1, got 9"),
    (lambda w, g, m: m.update(state="0.weight"), r"state: expected a list of names, got '0\.weight'"),
    (lambda w, g, m: m.update(state=[3]), r"state: expected a list of names, got \[3\]"),
    (lambda w, g, m: m["state"].append("nobody"), r"state: expected names of weights, got 'nobody'"),
    (lambda w, g, m: m["state"].append("0.bias"), r"state: expected each name once"),
    (lambda w, g, m: m.update(frozen=["2:ratio"]), r"frozen: expected names of weights, got '2:ratio'"),
    (lambda w, g, m: m.update(layers=None), r"layers: expected a list, got NoneType"),
    (
        lambda w, g, m: m["layers"].append(["a", "b"]),
        r"layers\[3\]: expected \[name, layer, output, weights\]",
    ),
    (
        lambda w, g, m: m["layers"].append(["a", "b", 3, []]),
        r"layers\[3\]: expected \[name, layer, output, weights\]",
    ),
    (
        lambda w, g, m: m["layers"].append(["a", "b", "c", 3]),
        r"layers\[3\]: weights: expected a list of names",
    ),
    (
        lambda w, g, m: m["layers"].append(["a", "b", "c", ["0.bias"]]),
        r"layers\[3\]: weights: expected names of weights, got '0\.bias'",
    ),
]


@pytest.mark.parametrize(("spoil", "message"), BAD)
def test_what_is_no_model(tmp_path, spoil, message):
    path = spoiled(tmp_path, spoil)
    with pytest.raises(FormatError, match=message) as caught:
        nn.load(path)
    assert str(path) in str(caught.value)


def test_weights_of_integers_are_no_state(tmp_path):
    path = spoiled(tmp_path, lambda w, g, m: w.update({"0.bias": np.ones(2, np.int64)}))
    with pytest.raises(FormatError, match=r"state: expected names of weights, got '0\.bias'"):
        nn.load(path)


def test_a_file_of_weights_only(tmp_path):
    paring.write(tmp_path / "w.safetensors", {"a": np.ones(3)})
    with pytest.raises(
        FormatError, match=r"w\.safetensors: expected a model with a graph .* load_state_dict"
    ):
        nn.load(tmp_path / "w.safetensors")


def test_no_file_and_other_suffixes(tmp_path):
    with pytest.raises(FileNotFoundError):
        nn.load(tmp_path / "m.safetensors")
    (tmp_path / "m.txt").write_text("x")
    with pytest.raises(ValueError, match=r"got suffix '\.txt'"):
        nn.load(tmp_path / "m.txt")


def test_limits_hold(tmp_path):
    nn.Model(nn.Linear(3, 2), (None, 3)).save(tmp_path / "m.safetensors")
    with pytest.raises(FormatError, match=r"limits\.header_bytes"):
        nn.load(tmp_path / "m.safetensors", limits=paring.Limits(header_bytes=100))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    layers = nn.Sequential(
        nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 2)
    )
    nn.Model(layers, (None, 1, 5, 5)).save(folder / "m.safetensors")
    return folder, (folder / "m.safetensors").read_bytes()


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_flipped_cut_and_repeated_bytes(whole, data):
    folder, content = whole
    raw = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        # Mostly in the header, which is what is read with care.
        at = data.draw(st.integers(0, len(raw) - 1))
        kind = data.draw(st.sampled_from(["flip", "digit", "cut", "repeat"]))
        if kind == "flip":
            raw[at] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == "digit":
            raw[at] = data.draw(st.sampled_from(b'0123456789"[]{},:-.ex'))
        elif kind == "cut":
            del raw[at : at + data.draw(st.integers(1, 9))]
        else:
            raw[at:at] = raw[at : at + data.draw(st.integers(1, 9))]
        if not raw:
            break
    path = folder / "spoiled.safetensors"
    path.write_bytes(bytes(raw))
    try:
        model = nn.load(path)
    except FormatError as error:
        assert str(path) in str(error)
    else:
        assert isinstance(str(model), str)
