"""Layer-wise distillation: least squares with zeros that stay, against NumPy's solver, and what it wins back."""

import tracemalloc

import numpy as np
import pytest

import paring
from paring import nn
from paring.graph.nodes import Node
from paring.training import distill_layers
from paring.training.distillation.least_squares import Moments, fit_rows, fit_scale, reselect_rows

RNG = np.random.default_rng(0)
MIX = RNG.standard_normal((24, 24)) / 5
GEMM = Node("Gemm", ("x", "w"), ("y",), {"transB": 1}, "fc")


def correlated(count, *lead):
    return (RNG.standard_normal((count, *lead, 24)) @ MIX).astype(np.float32)


def moments_of(x, y, centered=False):
    moments = Moments(centered)
    for part in (slice(0, 37), slice(37, None)):
        moments.add(GEMM, x[part], y[part], (y.shape[1], x.shape[1]))
    return moments


class TestLeastSquares:
    @pytest.mark.parametrize("centered", [False, True])
    def test_each_row_is_that_of_numpys_solver(self, centered):
        x = correlated(300) + 1
        y = (x @ RNG.standard_normal((24, 7))).astype(np.float32) + 3
        rows = RNG.standard_normal((7, 24))
        rows[RNG.random((7, 24)) < 0.6] = 0
        rows[0] = 0
        moments = moments_of(x, y, centered)
        found = fit_rows(rows, moments, 0.0)
        assert ((found == 0) == (rows == 0)).all()
        a, b = x.astype(float), y.astype(float)
        if centered:
            a, b = a - a.mean(0), b - b.mean(0)
        for row, own, target in zip(rows, found, b.T, strict=True):
            kept = np.flatnonzero(row)
            wanted = np.linalg.lstsq(a[:, kept], target, rcond=None)[0]
            left = np.linalg.norm(a[:, kept] @ own[kept] - target)
            least = np.linalg.norm(a[:, kept] @ wanted - target)
            assert left <= least * 1.001 + 1e-3 * np.linalg.norm(target)

    def test_damping_holds_rows_where_they_are(self):
        x = correlated(300)
        y = (x @ RNG.standard_normal((24, 7))).astype(np.float32)
        rows = RNG.standard_normal((7, 24))
        moments = moments_of(x, y)
        moved = [np.linalg.norm(fit_rows(rows, moments, damping) - rows) for damping in (0.01, 1.0, 100.0)]
        assert moved[0] > moved[1] > moved[2]
        assert moved[2] < 0.05 * moved[0]

    def test_scales(self):
        x = correlated(300)
        rows = RNG.standard_normal((5, 24))
        factors = np.array([0.5, 1.0, 2.0, 3.0, 7.0])
        moments = moments_of(x, (x @ (rows * factors[:, None]).T).astype(np.float32))
        np.testing.assert_allclose(fit_scale(rows, moments, alike=False), factors, rtol=1e-4)
        assert len(set(fit_scale(rows, moments, alike=True))) == 1
        assert fit_scale(-rows, moments, alike=False).tolist() == [1] * 5  # below 0 is no scale
        assert fit_scale(rows * 0, moments, alike=False).tolist() == [1] * 5

    def test_choosing_anew_costs_less_than_the_smallest(self):
        x = correlated(400) * np.geomspace(0.01, 10, 24).astype(np.float32)
        full = RNG.standard_normal((9, 24))
        y = (x @ full.T).astype(np.float32)
        moments = moments_of(x, y)

        def error(rows):
            return np.square(x @ rows.T - y).mean()

        smallest = np.where(np.abs(full) >= np.quantile(np.abs(full), 0.75), full, 0)
        chosen = reselect_rows(full, 0.75, moments, 0.01)
        assert (chosen == 0).sum() == round(0.75 * full.size)
        assert error(chosen) < 0.5 * error(fit_rows(smallest, moments, 0.01))


def dense(bias=True):
    return nn.Model(
        nn.Sequential(nn.Linear(24, 40, bias=bias), nn.GELU(), nn.Linear(40, 8, bias=bias)), (None, 24)
    )


def sequences(bias=True):
    return nn.Model(
        nn.Sequential(nn.Linear(24, 40, bias=bias), nn.GELU(), nn.Linear(40, 8, bias=bias)), (None, 6, 24)
    )


def images():
    layers = nn.Sequential(
        nn.Conv2d(3, 12, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(12, 8, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32, 5),
    )
    return nn.Model(layers, (None, 3, 8, 8))


MODELS = {
    "dense": (dense, lambda: correlated(500)),
    "dense, no bias": (lambda: dense(False), lambda: correlated(500)),
    "sequences": (sequences, lambda: correlated(100, 6)),
    "sequences, no bias": (lambda: sequences(False), lambda: correlated(100, 6)),
    "images": (images, lambda: np.cumsum(RNG.standard_normal((200, 3, 8, 8)), axis=3).astype(np.float32)),
}


def pruned(model, sparsity=0.6):
    state = model.state_dict()
    return model.copy({name: paring.prune(w, sparsity=sparsity) for name, w in state.items() if w.ndim > 1})


def error(model, original, x):
    return float(np.square(model(x) - original(x)).mean())


@pytest.mark.parametrize("name", MODELS)
class TestWinsBack:
    def test_pruned_arrays(self, name):
        make, data = MODELS[name]
        model, x, fresh = make(), data(), data()
        before = pruned(model)
        after = distill_layers(model, before, x, batch_size=64)
        assert error(after, model, fresh) < 0.5 * error(before, model, fresh)
        for key, weight in before.state_dict().items():
            if weight.ndim > 1:
                np.testing.assert_array_equal(after.state_dict()[key] == 0, weight == 0)
        chosen = distill_layers(model, before, x, batch_size=64, reselect=True)
        assert error(chosen, model, fresh) < error(after, model, fresh)

    def test_csr(self, name):
        make, data = MODELS[name]
        model, x = make(), data()
        whole = pruned(model)
        sparse = whole.copy({n: paring.sparsify(w) for n, w in whole.state_dict().items() if w.ndim > 1})
        after = distill_layers(model, sparse, x)
        wanted = distill_layers(model, whole, x)
        for key, weight in after.state_dict().items():
            dense = weight if isinstance(weight, np.ndarray) else weight.dense()
            np.testing.assert_allclose(dense, wanted.state_dict()[key], rtol=1e-3, atol=1e-5)

    @pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
    def test_scales_of_integers(self, name, granularity):
        make, data = MODELS[name]
        model, x, fresh = make(), data(), data()
        state = model.state_dict()
        small = model.copy({n: paring.quantize(w, 2, granularity, 8) for n, w in state.items() if w.ndim > 1})
        after = distill_layers(model, small, x)
        # One number for a whole tensor cannot win much, and what is best for a layer need not be best behind it.
        bound = 1.05 if granularity == "tensor" else 0.9
        assert error(after, model, fresh) < bound * error(small, model, fresh)
        for key, weight in small.state_dict().items():
            if not isinstance(weight, np.ndarray):
                np.testing.assert_array_equal(weight.data, after.state_dict()[key].data)

    def test_the_same_for_any_batch_size(self, name):
        make, data = MODELS[name]
        model, x = make(), data()
        before = pruned(model)
        one, other = (distill_layers(model, before, x, batch_size=size) for size in (7, 1000))
        np.testing.assert_allclose(one(x), other(x), rtol=1e-2, atol=1e-4)


class TestBounds:
    def test_integer_csr(self):
        model, x = dense(), correlated(500)
        small = model.copy(
            {
                "0.weight": paring.sparsify(
                    paring.quantize(paring.prune(model.state_dict()["0.weight"], sparsity=0.6))
                )
            }
        )
        after = distill_layers(model, small, x)
        assert error(after, model, x) < error(small, model, x)
        np.testing.assert_array_equal(
            after.state_dict()["0.weight"].data, small.state_dict()["0.weight"].data
        )

    def test_only_what_matches_and_what_was_changed(self):
        model, x = dense(), correlated(200)
        before = pruned(model)
        after = distill_layers(model, before, x, match="2.*")
        np.testing.assert_array_equal(after.state_dict()["0.weight"], before.state_dict()["0.weight"])
        np.testing.assert_array_equal(after.state_dict()["0.bias"], before.state_dict()["0.bias"])
        assert not np.array_equal(after.state_dict()["2.weight"], before.state_dict()["2.weight"])
        with pytest.raises(
            ValueError,
            match="expected weights of dense layers or convolutions that were changed, got none for",
        ):
            distill_layers(model, model.copy(), x)

    def test_models_given_are_not_touched(self):
        model, x = dense(), correlated(200)
        before = pruned(model)
        bytes_before = [w.tobytes() for m in (model, before) for w in m.state_dict().values()]
        distill_layers(model, before, x)
        assert [w.tobytes() for m in (model, before) for w in m.state_dict().values()] == bytes_before

    def test_memory_is_that_of_the_values_between_two_layers(self):
        """Of a deep model much less than what all its layers give together."""
        width, depth, count = 64, 24, 2000
        layers = [layer for _ in range(depth) for layer in (nn.Linear(width, width), nn.Tanh())]
        model = nn.Model(nn.Sequential(*layers), (None, width))
        x = RNG.standard_normal((count, width)).astype(np.float32)
        before = pruned(model)
        tracemalloc.start()
        distill_layers(model, before, x)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 0.4 * 2 * depth * x.nbytes

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"original": 3}, TypeError, "original: expected a paring.nn.Model, got int"),
            ({"compressed": {}}, TypeError, "compressed: expected a paring.nn.Model, got dict"),
            (
                {"compressed": sequences()},
                ValueError,
                "compressed: expected a model of the same layers as the original",
            ),
            ({"match": None}, TypeError, "match: expected a glob, got NoneType"),
            ({"damping": -1}, ValueError, "damping: expected a finite number of at least 0, got -1"),
            ({"reselect": 1}, TypeError, "reselect: expected True or False, got int"),
            ({"inputs": correlated(5)[:, :3]}, ValueError, "expected shape"),
        ],
    )
    def test_refusals(self, arguments, error, message):
        model = dense()
        with pytest.raises(error, match=message):
            distill_layers(
                **{"original": model, "compressed": pruned(model), "inputs": correlated(20), **arguments}
            )

    def test_a_smaller_model_and_values_that_are_not_finite(self):
        model, x = dense(), correlated(50)
        with pytest.raises(
            ValueError, match=r"compressed: expected '0.weight' of shape \(40, 24\), got shape \(20, 24\)"
        ):
            distill_layers(model, paring.training.remove_units(model, 0.5), x)
        x[3, 3] = np.inf
        with pytest.raises(
            ValueError, match=r"expected finite values, got NaN or infinity on the way to '0\.weight'"
        ):
            distill_layers(model, pruned(model), x)
