"""Models: calls, graphs from elsewhere, compression, the table, copies."""

import copy
import pickle
import threading

import numpy as np
import pytest

import paring
from nn_cases import vgg_like
from paring import nn
from paring.graph.nodes import Graph, Input, Node
from paring.runtime.session import Session

RNG = np.random.default_rng(0)


def small():
    return nn.Model(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2)), (None, 4))


class TestCall:
    def test_it_computes(self):
        model = nn.Model(nn.Linear(4, 3), (None, 4))
        x = RNG.standard_normal((5, 4), np.float32)
        weight, bias = model.state_dict().values()
        np.testing.assert_allclose(model(x), x @ weight.T + bias, rtol=1e-5)

    def test_inputs_of_another_dtype_are_refused(self):
        with pytest.raises(TypeError, match="input 'input': expected an array of float32, got float64"):
            small()(np.ones((1, 4)))
        with pytest.raises(TypeError, match="input 'input': expected an array of float32, got list"):
            small()([[1, 2, 3, 4]])
        with pytest.raises(TypeError, match="input 'input': expected an array of int64, got int32"):
            nn.Model(nn.Embedding(3, 2), (None,))(np.zeros(1, np.int32))

    def test_inputs_of_another_shape_are_refused(self):
        with pytest.raises(ValueError, match=r"input 'input': expected shape \(None, 4\), got \(1, 5\)"):
            small()(np.ones((1, 5), np.float32))
        with pytest.raises(ValueError, match=r"expected 1 inputs \(input\), got 2"):
            small()(np.ones((1, 4), np.float32), np.ones(1))

    def test_a_number_that_is_in_no_embedding(self):
        with pytest.raises(ValueError, match="Gather node 'embedding'"):
            nn.Model(nn.Embedding(3, 2), (None,))(np.array([3]))

    def test_threads_may_share_it(self):
        model = nn.Model(vgg_like(), (None, 3, 12, 12))
        x = RNG.standard_normal((2, 3, 12, 12), np.float32)
        expected = model(x).tobytes()
        found = []
        threads = [
            threading.Thread(target=lambda: found.extend(model(x).tobytes() for _ in range(5)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [expected] * 20


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (
            lambda: nn.Model(nn.Linear(4, 3)),
            TypeError,
            r"expected the shape of its input .* Model\(Linear\(4, 3\), ",
        ),
        (lambda: nn.Model(nn.Linear(4, 3), 4), TypeError, "input shape: expected a shape such as"),
        (lambda: nn.Model(nn.Linear(4, 3), (None, -4)), ValueError, "input shape: .*non-negative"),
        (
            lambda: nn.Model("net", (None, 4)),
            TypeError,
            "expected a layer, values of nn.Input, or a Graph, got str",
        ),
        (lambda: nn.Model(small().graph, (None, 4)), TypeError, "expected nothing beside a graph"),
        (lambda: nn.Model(small().graph, dtype="float32"), TypeError, "expected nothing beside a graph"),
        (
            lambda: nn.Model(Graph((Node("Relu", ("x",), ("y",)),), {}, (), ("y",))),
            ValueError,
            "its input 'x' is no input",
        ),
    ],
)
def test_what_makes_no_model_is_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


class TestGraphs:
    def graph(self):
        initializers = {
            "w": np.eye(3, dtype=np.float32),
            "factor": np.array(2, np.float32),
            "shape": np.array([-1, 3]),
            "unused": np.ones(3, np.float32),
        }
        nodes = (
            Node("MatMul", ("x", "w"), ("h",), {}, "dense"),
            Node("Mul", ("h", "factor"), ("scaled",), {}, "scale"),
            Node("Reshape", ("scaled", "shape"), ("y",), {}, "shaped"),
        )
        return Graph(nodes, initializers, (Input("x", (None, 3)),), ("y",))

    def test_a_graph_from_elsewhere(self):
        graph = self.graph()
        model = nn.Model(graph)
        assert model.weights == ("w",)
        assert not np.shares_memory(model.state_dict()["w"], graph.initializers["w"])
        assert "unused" not in model.graph.initializers
        np.testing.assert_array_equal(model(np.ones((2, 3), np.float32)), np.full((2, 3), 2))

    def test_its_table(self):
        assert str(nn.Model(self.graph())) == (
            "Model: x float32 (None, 3) -> y (None, 3)\n"
            "layer   kind     output     parameters\n"
            "dense   MatMul   (None, 3)           9\n"
            "scale   Mul      (None, 3)           0\n"
            "shaped  Reshape  (None, 3)           0\n"
            "9 parameters, 9 of them trainable, 36 bytes"
        )


class TestTable:
    def test_layers_shapes_and_parameters(self):
        model = small()
        model.freeze("3.*")
        assert repr(model) == (
            "Model: input float32 (None, 4) -> output (None, 2)\n"
            "layer  kind            output     parameters\n"
            "0      Linear(4, 3)    (None, 3)          15\n"
            "1      BatchNorm1d(3)  (None, 3)           6\n"
            "2      ReLU()          (None, 3)           0\n"
            "3      Linear(3, 2)    (None, 2)           8\n"
            "29 parameters, 21 of them trainable, 140 bytes"
        )

    def test_nested_shared_and_without_a_place(self):
        x = nn.Input((None, 4))
        y = nn.Residual(nn.Sequential(nn.Linear(4, 4), nn.ReLU()))(x, name="block")
        y = nn.Linear(4, 4)(nn.Linear(4, 4)(y, name="l"), name="l") * 2
        rows = [line.split("  ") for line in str(nn.Model(x, y)).splitlines()[2:-1]]
        assert [(row[0], row[-1].strip()) for row in rows] == [
            ("block.layer.0", "20"),
            ("block.layer.1", "0"),
            ("block", "0"),
            ("l", "20"),
            ("l", "0"),
            ("mul_0", "0"),
        ]

    def test_what_a_terminal_obeys_is_written_out(self):
        model = nn.Model(nn.Sequential({"a\x1b[31m": nn.ReLU()}), (1,))
        assert "\x1b" not in str(model)


class TestCompression:
    def make(self):
        model = nn.Model(
            nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 32)), (None, 64)
        )
        x = RNG.standard_normal((8, 64), np.float32)
        return model, x

    def test_int8(self):
        model, x = self.make()
        small = model.compress()
        assert isinstance(small.state_dict()["0.weight"], paring.QuantizedWeight)
        assert isinstance(model.state_dict()["0.weight"], np.ndarray)
        assert small.report["0.weight"].form == "int8 channel"
        assert model.report is None
        assert np.abs(small(x) - model(x)).max() < 0.02
        assert not np.shares_memory(small.state_dict()["0.bias"], model.state_dict()["0.bias"])

    def test_it_runs_in_a_session(self):
        model, x = self.make()
        small = model.compress(paring.Recipe([paring.PruneStep(sparsity=0.9), paring.SparsifyStep()]))
        assert isinstance(small.state_dict()["0.weight"], paring.SparseWeight)
        np.testing.assert_allclose(Session(small)(x), small(x), atol=1e-5)
        np.testing.assert_allclose(Session(model)(x), model(x), atol=1e-5)

    def test_freezing_and_names_stay(self):
        model, _ = self.make()
        model.freeze("0.*")
        small = model.compress()
        assert small.frozen == model.frozen
        assert list(small.state_dict()) == list(model.state_dict())
        assert small.trainable == ("1.weight", "1.bias", "3.bias")

    def test_float64_is_refused(self):
        with pytest.raises(ValueError, match="expected a model of float32 to compress, got float64"):
            nn.Model(nn.Linear(4, 4), (1, 4), dtype="float64").compress()


def test_compress_takes_a_model_as_weights():
    model = nn.Model(nn.Linear(64, 64), (None, 64))
    compressed = paring.compress(model)
    assert list(compressed) == ["weight", "bias"]
    assert not np.shares_memory(compressed["bias"], model.state_dict()["bias"])


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_is_independent(clone):
    model = small()
    x = RNG.standard_normal((3, 4), np.float32)
    before = model(x)
    other = clone(model)
    np.testing.assert_array_equal(other(x), before)
    other.state_dict()["3.bias"][:] = 5
    np.testing.assert_array_equal(model(x), before)
    assert str(other) == str(model)


def test_the_package_stays_light():
    """`import paring` brings neither layers nor training."""
    import subprocess
    import sys

    code = "import sys, paring; print([m for m in sys.modules if m.startswith(('paring.nn', 'paring.training'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
