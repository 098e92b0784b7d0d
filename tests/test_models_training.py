"""What training sees of a model: trainable and frozen weights, running statistics, the graph to train with."""

import numpy as np
import pytest

from paring import nn
from paring.graph.evaluation import evaluate, record
from paring.graph.nodes import Graph, Input, Node
from paring.graph.operators import Run

RNG = np.random.default_rng(0)


def small():
    return nn.Model(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2)), (None, 4))


class TestFreezing:
    def test_all_weights_are_trainable_at_first(self):
        assert small().trainable == small().weights
        assert small().frozen == ()

    def test_freeze_and_unfreeze_by_pattern(self):
        model = small()
        assert model.freeze("0.*") == ("0.weight", "0.bias")
        assert model.freeze("*.bias") == ("0.bias", "1.bias", "3.bias")
        assert model.trainable == ("1.weight", "3.weight")
        assert model.frozen == ("0.weight", "0.bias", "1.bias", "3.bias")
        assert model.unfreeze("0.*") == ("0.weight", "0.bias")
        assert model.trainable == ("0.weight", "0.bias", "1.weight", "3.weight")
        model.freeze()
        assert model.trainable == ()

    def test_a_pattern_that_matches_nothing_is_refused(self):
        for change in (small().freeze, small().unfreeze):
            with pytest.raises(
                ValueError, match=r"no weight has a name that matches '0\.wieght'; did you mean '0\.w"
            ):
                change("0.wieght")
            with pytest.raises(TypeError, match="pattern: expected a glob"):
                change(3)

    def test_frozen_statistics_rest_in_training(self):
        model = small()
        assert set(model.statistics) == {"1.running_mean", "1.running_var"}
        model.freeze("*.running_var")
        assert model.statistics == {}
        x = RNG.standard_normal((6, 4), np.float32)
        run = Run(training=True)
        np.testing.assert_array_equal(evaluate(model.training_graph, {"input": x}, run)["output"], model(x))
        model.unfreeze("*.running_var")
        different = evaluate(model.training_graph, {"input": x}, run)["output"]
        assert np.abs(different - model(x)).max() > 1e-3


class TestStatistics:
    def test_training_gives_new_ones(self):
        model = nn.Model(nn.BatchNorm1d(2, momentum=0.25), (None, 2), dtype="float64")
        x = np.array([[0.0, 1.0], [4.0, 1.0]])
        outputs = evaluate(model.training_graph, {"input": x}, Run(training=True))
        mean, var = (outputs[model.statistics[name]] for name in ("running_mean", "running_var"))
        np.testing.assert_allclose(mean, [0.5, 0.25])
        # 3/4 of the old variance 1, 1/4 of the batch's, divided by n.
        np.testing.assert_allclose(var, [0.75 + 0.25 * 4, 0.75])
        np.testing.assert_allclose(outputs["output"][:, 0], [-1, 1], atol=1e-5)

    def test_the_graph_for_inference_gives_none(self):
        model = small()
        assert model.graph.outputs == ("output",)
        assert model.training_graph.outputs == ("output", *model.statistics.values())
        assert model.training_graph.initializers is model.graph.initializers
        norm = next(node for node in model.graph.nodes if node.op == "BatchNormalization")
        assert len(norm.outputs) == 1

    def test_gradients_of_all_trainable_weights(self):
        model = small()
        x = RNG.standard_normal((6, 4), np.float32)
        tape = record(model.training_graph, {"input": x}, model.trainable, Run(training=True))
        found = tape.backward({"output": np.ones((6, 2), np.float32)})
        assert set(found) == set(model.trainable)
        for name, gradient in found.items():
            assert gradient.shape == model.state_dict()[name].shape

    def test_a_norm_called_twice_keeps_the_statistics_of_the_first(self):
        x = nn.Input((None, 3))
        y = nn.BatchNorm1d(3)(nn.BatchNorm1d(3)(x, name="n"), name="n")
        model = nn.Model(x, y)
        assert list(model.statistics) == ["n.running_mean", "n.running_var"]
        modes = [node.attributes.get("training_mode", 0) for node in model.training_graph.nodes]
        assert modes == [1, 0]

    def test_names_that_are_taken(self):
        initializers = {name: np.ones(3, np.float32) for name in "abcd"}
        nodes = (
            Node("Relu", ("x",), ("n:mean",), {}, "r"),
            Node("BatchNormalization", ("n:mean", *"abcd"), ("y",), {}, "n"),
        )
        model = nn.Model(Graph(nodes, initializers, (Input("x", (None, 3)),), ("y",)))
        assert model.statistics == {"c": "n:mean:", "d": "n:var"}
        assert evaluate(model.training_graph, {"x": np.eye(3, dtype=np.float32)}, Run(training=True))[
            "y"
        ].shape
