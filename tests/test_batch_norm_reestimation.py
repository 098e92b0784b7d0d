"""One batch normalized, and running statistics computed anew: against NumPy, and that they bring accuracy back."""

import numpy as np
import pytest

import paring
from paring import nn
from paring.graph.evaluation import evaluate
from paring.graph.operators import Run
from paring.training.batch_norm import normalize_batch, reestimate_batch_norm
from paring.training.fitting import fit
from paring.training.fitting.measuring import measure
from paring.training.losses import CrossEntropy
from paring.training.metrics import accuracy
from paring.training.optimizers import Adam

RNG = np.random.default_rng(0)
IMAGES = (RNG.standard_normal((60, 3, 6, 5)) * 2 + 1).astype(np.float32)


def conv_net(seed=0):
    layers = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Conv2d(4, 2, 3),
        nn.BatchNorm2d(2),
    )
    return nn.Model(layers, (None, 3, 6, 5), seed=seed)


def moments(x):
    """Return mean and variance over everything but channels, in float64."""
    rows = np.moveaxis(x.astype(np.float64), 1, 0).reshape(x.shape[1], -1)
    return rows.mean(axis=1), rows.var(axis=1)


def first_layer(model, x):
    state = model.state_dict()
    layer = nn.Model(nn.Conv2d(3, 4, 3), (None, 3, 6, 5))
    layer.load_state_dict({"weight": state["0.weight"], "bias": state["0.bias"]})
    return layer(x)


class TestNumbers:
    @pytest.mark.parametrize("batch_size", [60, 20, 17, 59])
    def test_the_first_layer_gets_the_moments_of_all_data(self, batch_size):
        """However the data is cut: what is between batches counts. 59 leaves one example, which joins."""
        model = conv_net()
        names = reestimate_batch_norm(model, IMAGES, batch_size=batch_size)
        assert names == ("1.running_mean", "1.running_var", "5.running_mean", "5.running_var")
        mean, variance = moments(first_layer(model, IMAGES))
        np.testing.assert_allclose(model.state_dict()["1.running_mean"], mean, rtol=1e-5)
        np.testing.assert_allclose(model.state_dict()["1.running_var"], variance, rtol=1e-5)

    def test_in_one_batch_rest_is_what_training_sees(self):
        model = conv_net()
        reestimate_batch_norm(model, IMAGES)
        mean, variance = moments(model(IMAGES))
        np.testing.assert_allclose(mean, 0, atol=1e-5)
        np.testing.assert_allclose(variance, 1, rtol=1e-3)

    def test_the_second_pass_sees_layers_at_rest(self):
        model = conv_net()
        reestimate_batch_norm(model, IMAGES, batch_size=7, passes=2)
        mean, _variance = moments(model(IMAGES))
        once = conv_net()
        reestimate_batch_norm(once, IMAGES, batch_size=7)
        assert np.abs(mean).max() < 1e-5 < np.abs(moments(once(IMAGES))[0]).max()

    def test_some_batches_only(self):
        model, part = conv_net(), conv_net()
        reestimate_batch_norm(model, IMAGES, batch_size=20, batches=2)
        reestimate_batch_norm(part, IMAGES[:40], batch_size=20)
        for name, value in model.state_dict().items():
            np.testing.assert_array_equal(part.state_dict()[name], value)

    def test_no_weight_changes_and_targets_are_not_looked_at(self):
        model, twin = conv_net(), conv_net()
        before = {name: np.array(model.state_dict()[name]) for name in model.weights}
        reestimate_batch_norm(model, [(IMAGES, None)])
        reestimate_batch_norm(twin, (IMAGES, np.arange(60)))
        for name in before:
            np.testing.assert_array_equal(model.state_dict()[name], before[name])
        for name, value in model.state_dict().items():
            np.testing.assert_array_equal(twin.state_dict()[name], value)
        assert model.state_dict()["1.running_mean"].dtype == np.float32


def test_accuracy_comes_back_after_quantizing():
    """Four blobs, a deep narrow net: pruning moves what its layers see, and this moves it back."""
    centers = RNG.standard_normal((4, 16)) * 2
    labels = RNG.integers(0, 4, 1200)
    x = (centers[labels] + RNG.standard_normal((1200, 16))).astype(np.float32)
    layers = []
    for _ in range(4):
        layers += [nn.Linear(16 if not layers else 48, 48), nn.BatchNorm1d(48), nn.ReLU()]
    model = nn.Model(nn.Sequential(*layers, nn.Linear(48, 4)), (None, 16))
    fit(model, (x[:1000], labels[:1000]), loss=CrossEntropy(), optimizer=Adam(0.003), epochs=6)
    pruned = model.compress(paring.Recipe([paring.PruneStep(sparsity=0.85)], min_size=1000))
    held = (x[1000:], labels[1000:])
    trained, cut = (measure(m, held, metrics=[accuracy])["accuracy"] for m in (model, pruned))
    reestimate_batch_norm(pruned, x[:1000])
    again = measure(pruned, held, metrics=[accuracy])["accuracy"]
    assert trained > 0.97
    assert cut < 0.9
    assert again > cut + 0.5 * (trained - cut)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: reestimate_batch_norm(nn.ReLU(), IMAGES),
            TypeError,
            "model: expected a paring.nn.Model, got ReLU",
        ),
        (
            lambda: reestimate_batch_norm(nn.Model(nn.Linear(2, 2), (None, 2)), IMAGES),
            ValueError,
            "model: expected batch normalizations whose statistics are arrays, got none",
        ),
        (lambda: reestimate_batch_norm(conv_net(), IMAGES[:, :2]), ValueError, "data: expected shape"),
        (
            lambda: reestimate_batch_norm(conv_net(), IMAGES, batches=0),
            ValueError,
            "batches: expected an integer from 1",
        ),
        (
            lambda: reestimate_batch_norm(conv_net(), IMAGES, passes=0),
            ValueError,
            "passes: expected an integer from 1",
        ),
        (
            lambda: reestimate_batch_norm(conv_net(), IMAGES, batch_size=0),
            ValueError,
            "batch_size: expected an integer",
        ),
    ],
)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


class TestNormalizeBatch:
    @pytest.mark.parametrize("shape", [(7, 3), (4, 3, 5), (4, 3, 5, 6)])
    def test_is_what_the_layer_does_in_training(self, shape):
        rng = np.random.default_rng(0)
        x = (rng.standard_normal(shape) * 3 + 2).astype(np.float32)
        layer = nn.BatchNorm2d(3) if len(shape) == 4 else nn.BatchNorm1d(3)
        model = nn.Model(layer, (None, *shape[1:]))
        model.state_dict()["weight"][...] = [1, 2, 3]
        model.state_dict()["bias"][...] = [0, -1, 5]
        wanted = evaluate(model.training_graph, {"input": x}, Run(training=True))["output"]
        got = normalize_batch(x, np.array([1, 2, 3]), np.array([0, -1, 5]))
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"x": [[1.0]]}, TypeError, "x: expected an array of floats, got list"),
            ({"x": np.ones((2, 2), np.int64)}, TypeError, "x: expected an array of floats, got int64"),
            (
                {"x": np.ones(4)},
                ValueError,
                r"x: expected \(examples, channels, ...\) with two values a channel",
            ),
            ({"x": np.ones((1, 4))}, ValueError, r"with two values a channel or more, got \(1, 4\)"),
            (
                {"weight": np.ones(3)},
                ValueError,
                r"weight: expected a number, or shape \(2,\), got shape \(3,\)",
            ),
            (
                {"bias": np.ones((2, 2))},
                ValueError,
                r"bias: expected a number, or shape \(2,\), got shape \(2, 2\)",
            ),
            ({"epsilon": -1}, ValueError, "epsilon: expected a finite number of at least 0, got -1"),
        ],
    )
    def test_refusals(self, arguments, error, message):
        with pytest.raises(error, match=message):
            normalize_batch(**{"x": np.ones((3, 2)), **arguments})
