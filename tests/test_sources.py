"""Where weights come from. Models are stand-ins with the same methods; PyTorch itself is in the peers' tests below."""

import sys
import types

import ml_dtypes
import numpy as np
import pytest

import paring
from paring.compression.sources import open_source

F32 = np.float32
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


class FakeTensor:
    """What a tensor of PyTorch can do: no NumPy form before detach() and cpu(), and none at all of bfloat16."""

    def __init__(self, array, dtype, ready=False):
        self.array, self.dtype, self.ready = array, f"fakegrad.{dtype}", ready

    def detach(self):
        return FakeTensor(self.array, self.dtype.partition(".")[2], self.ready)

    def cpu(self):
        return FakeTensor(self.array, self.dtype.partition(".")[2], True)

    def view(self, dtype):
        return FakeTensor(self.array.view(dtype), np.dtype(dtype).name, self.ready)

    def numpy(self):
        if not self.ready:
            raise RuntimeError("call detach() and cpu() first")
        if self.dtype in ("fakegrad.bfloat16", "fakegrad.quint8"):
            raise TypeError(f"Got unsupported ScalarType {self.dtype}")
        return self.array


@pytest.fixture
def framework(monkeypatch):
    module = types.ModuleType("fakegrad")
    module.int16, module.uint8 = np.int16, np.uint8
    monkeypatch.setitem(sys.modules, "fakegrad", module)
    monkeypatch.setattr(FakeTensor, "__module__", "fakegrad.tensor")
    monkeypatch.setattr(
        "paring.compression.sources.BORROWED_DTYPES", {"fakegrad.bfloat16": ("int16", BFLOAT16)}
    )
    return module


class Model:
    def __init__(self, state):
        self.state = state

    def state_dict(self):
        return self.state


class Keras:
    def __init__(self, arrays):
        self.arrays = arrays

    def get_weights(self):
        return [array.copy() for array in self.arrays]

    def set_weights(self, arrays):
        for mine, array in zip(self.arrays, arrays, strict=True):
            assert mine.dtype == array.dtype
            assert mine.shape == array.shape
        self.arrays = arrays


@pytest.fixture
def arrays(rng):
    return {"fc.weight": rng.standard_normal((64, 48)).astype(F32), "fc.bias": np.arange(64, dtype=F32)}


class TestMappings:
    def test_any_mapping(self, arrays):
        compressed = paring.compress(types.MappingProxyType(arrays))
        assert list(compressed) == list(arrays)
        assert compressed["fc.weight"] == paring.quantize(arrays["fc.weight"])
        assert compressed["fc.bias"] is arrays["fc.bias"]

    def test_things_with_an_array_form(self):
        class Variable:
            def __array__(self, dtype=None, copy=None):
                return np.ones((32, 32), F32)

        assert paring.compress({"v": Variable()})["v"] == paring.quantize(np.ones((32, 32), F32))

    @pytest.mark.parametrize(
        ("weights", "message"),
        [
            ({1: np.ones(3)}, "name of a weight: expected str, got int 1"),
            ({"a": [1.0]}, "'a': expected an array, a tensor, a QuantizedWeight or a SparseWeight, got list"),
            ({"a": None}, "'a': expected an array, .* got NoneType"),
            ({"a": {"b": np.ones(3)}}, "'a': expected an array, .* got dict"),
            (
                {"a": np.array([object()])},
                "'a': expected numbers or fixed-size text, got an array of Python objects",
            ),
            (
                [np.ones(3)],
                r"weights: expected a mapping of names to arrays, a path, or something with state_dict\(\)",
            ),
            (np.ones(3), "weights: expected a mapping .* got ndarray"),
            (Model([1, 2]), r"weights: state_dict\(\) gave a list instead of a mapping"),
        ],
        ids=str,
    )
    def test_others(self, weights, message):
        with pytest.raises(TypeError, match=message):
            paring.compress(weights)


class TestPaths:
    @pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
    @pytest.mark.parametrize("as_type", [str, lambda path: path], ids=["str", "Path"])
    def test_read_compress_write_read(self, tmp_path, arrays, suffix, as_type):
        path, small = tmp_path / f"w{suffix}", tmp_path / f"small{suffix}"
        arrays["text" if suffix == ".npz" else "ids"] = (
            np.array(["a", "bc"]) if suffix == ".npz" else np.arange(3)
        )
        paring.write(path, arrays, metadata={"by": "me"})
        compressed = paring.compress(as_type(path))
        assert compressed.metadata["by"] == "me"
        paring.write(small, compressed, metadata=compressed.metadata)
        back = paring.read(small)
        assert back.metadata["by"] == "me"
        assert set(back) == set(arrays)
        assert back["fc.weight"] == compressed["fc.weight"] == paring.quantize(arrays["fc.weight"])
        for name in set(arrays) - {"fc.weight"}:
            assert back[name].dtype == arrays[name].dtype
            assert back[name].tobytes() == arrays[name].tobytes()

    def test_compressed_weights_of_a_file_pass_through(self, tmp_path, arrays):
        first = paring.compress(arrays)
        paring.write(tmp_path / "a.safetensors", first)
        second = paring.compress(tmp_path / "a.safetensors", paring.Recipe([paring.QuantizeStep(bits=4)]))
        assert second["fc.weight"] == first["fc.weight"]
        assert second.report["fc.weight"].reason == "compressed already"

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            paring.compress(tmp_path / "nothing.safetensors")


class TestStateDict:
    def test_tensors(self, framework, arrays):
        model = Model({name: FakeTensor(a, "float32") for name, a in arrays.items()})
        compressed = paring.compress(model)
        assert compressed["fc.weight"] == paring.quantize(arrays["fc.weight"])
        assert compressed["fc.bias"].tolist() == arrays["fc.bias"].tolist()
        assert compressed.report["fc.weight"].dtype == "float32"

    def test_a_mapping_of_tensors(self, framework, arrays):
        state = {name: FakeTensor(a, "float32") for name, a in arrays.items()}
        assert paring.compress(state)["fc.weight"] == paring.quantize(arrays["fc.weight"])

    def test_bfloat16(self, framework, arrays):
        bits = {name: a.astype(BFLOAT16) for name, a in arrays.items()}
        compressed = paring.compress(Model({name: FakeTensor(a, "bfloat16") for name, a in bits.items()}))
        assert compressed["fc.weight"] == paring.quantize(bits["fc.weight"])
        assert compressed["fc.bias"].dtype == BFLOAT16
        assert compressed["fc.bias"].tobytes() == bits["fc.bias"].tobytes()

    def test_training_on_does_not_reach_what_was_kept(self, framework, arrays):
        compressed = paring.compress(Model({name: FakeTensor(a, "float32") for name, a in arrays.items()}))
        before = compressed["fc.bias"].tolist()
        arrays["fc.bias"] += 1
        assert compressed["fc.bias"].tolist() == before

    def test_tensors_without_an_array_form(self, framework):
        with pytest.raises(TypeError, match="'q': this tensor has no form as a NumPy array: Got unsupported"):
            paring.compress({"q": FakeTensor(np.ones(3), "quint8")})


class TestGetWeights:
    @pytest.fixture
    def model(self, rng):
        return Keras(
            [
                rng.standard_normal((48, 64)).astype(F32),  # [in, out]
                np.zeros(64, F32),
                rng.standard_normal((3, 3, 8, 16)).astype(np.float16),
            ]
        )

    def test_channels_are_the_last_axis(self, model):
        compressed = paring.compress(model)
        assert list(compressed) == ["0", "1", "2"]
        assert compressed["0"] == paring.quantize(model.arrays[0], axis=-1)
        assert compressed["2"] == paring.quantize(model.arrays[2], axis=3)
        assert compressed["0"].scale.shape == (64, 1)

    def test_axis_of_the_step_comes_first(self, model):
        compressed = paring.compress(model, paring.Recipe([paring.QuantizeStep(axis=0)]))
        assert compressed["0"] == paring.quantize(model.arrays[0], axis=0)

    def test_dense_list_goes_back(self, model):
        compressed = paring.compress(model)
        dense = compressed.dense_list()
        model.set_weights(dense)
        assert dense[0].tolist() == compressed["0"].dense().tolist()
        assert dense[2].tolist() == compressed["2"].dense().astype(np.float16).tolist()

    def test_sparse_too(self, model):
        recipe = paring.Recipe([paring.PruneStep(sparsity=0.9), paring.SparsifyStep()])
        compressed = paring.compress(model, recipe)
        assert isinstance(compressed["0"], paring.SparseWeight)
        model.set_weights(compressed.dense_list())
        assert np.count_nonzero(model.arrays[0]) == 48 * 64 - round(0.9 * 48 * 64)

    def test_keras_on_torch_has_both_methods(self, model):
        model.state_dict = lambda: pytest.fail("get_weights() is what Keras' users know")
        assert list(open_source(model).names) == ["0", "1", "2"]
        assert open_source(model).axis == -1


@pytest.mark.peers
class TestTorch:
    @pytest.fixture
    def torch(self):
        return pytest.importorskip("torch")

    @pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
    def test_module(self, torch, dtype):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(64, 48), torch.nn.LayerNorm(48)).to(getattr(torch, dtype))
        compressed = paring.compress(model)
        assert list(compressed) == list(model.state_dict())
        weight = model[0].weight.detach()
        q = compressed["0.weight"]
        exact = weight.to(torch.float32).numpy()
        assert q == paring.quantize(exact)
        assert compressed.report["0.weight"].dtype == dtype
        bias = compressed["0.bias"]
        assert str(bias.dtype) == dtype
        assert bias.astype(np.float64).tolist() == model[0].bias.detach().to(torch.float64).tolist()
        before = bias.tobytes()
        with torch.no_grad():
            model[0].bias += 1
        assert bias.tobytes() == before

    def test_float8_passes_bit_for_bit(self, torch):
        tensor = torch.arange(-8, 8, dtype=torch.float32).to(torch.float8_e4m3fn)
        kept = paring.compress({"f8": tensor})["f8"]
        assert kept.dtype == ml_dtypes.float8_e4m3fn
        assert kept.astype(F32).tolist() == tensor.to(torch.float32).tolist()

    def test_sparse_tensor(self, torch):
        with pytest.raises(TypeError, match="'s': this tensor has no form as a NumPy array"):
            paring.compress({"s": torch.eye(4).to_sparse()})
