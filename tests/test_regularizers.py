"""Proximal steps: the exact minimum they are defined by, whole groups at zero, penalties as numbers."""

import math

import numpy as np
import pytest

from optimizer_cases import SGD, Adam
from paring.training.optimizers import OPTIMIZERS
from paring.training.optimizers.regularizers import L1, L2, ElasticNet, GroupLasso

RATE = 0.25


def proximal(weight, regularizers, gradient=None, optimizer=None, mask=None):
    """Return the weight after a step with a gradient of zero, so that only regularizers move it."""
    optimizer = SGD(RATE, regularizers=regularizers or ()) if optimizer is None else optimizer
    weights = {"w": weight.copy()}
    gradients = {"w": np.zeros_like(weight) if gradient is None else gradient}
    optimizer.step(weights, gradients, optimizer.init(weights), None if mask is None else {"w": mask})
    return weights["w"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_l1_is_a_soft_threshold_with_exact_zeros(dtype):
    weight = np.array([1.0, -1.0, 0.125, -0.125, 0.1, -0.1, 0.0, -0.0, 0.126], dtype)
    got = proximal(weight, [L1(0.5)])
    wanted = np.array([0.875, -0.875, 0, 0, 0, 0, 0, 0, float(weight[-1]) - 0.125], dtype)
    assert got.tobytes() == wanted.tobytes()  # zeros are +0.0


def test_l2_divides_and_an_elastic_net_does_both():
    weight = np.array([1.0, -2.0, 0.1])
    np.testing.assert_allclose(proximal(weight, [L2(0.4)]), weight / 1.1, rtol=1e-15)
    wanted = np.array([0.875, -1.875, 0.0]) / 1.1
    for regularizers in (
        [ElasticNet(0.5, 0.4)],
        [L1(0.5), L2(0.4)],
        [L2(0.4), L1(0.2), ElasticNet(0.3, 0.0)],
    ):
        np.testing.assert_allclose(proximal(weight, regularizers), wanted, rtol=1e-15)


def objective(w, to, regularizers):
    return sum(one.penalty(w) for one in regularizers) + np.square(w - to).sum() / (2 * RATE)


@pytest.mark.parametrize(
    "regularizers",
    [
        [L1(0.5)],
        [L2(0.4)],
        [ElasticNet(0.3, 0.4)],
        [GroupLasso(0.2)],
        [GroupLasso(0.2), L1(0.1), L2(0.7)],
        [L2(0.7), GroupLasso(0.2), ElasticNet(0.1, 0.1)],
        [GroupLasso(0.1), GroupLasso(0.1)],
        [GroupLasso(0.3, axis=1)],
        [GroupLasso(0.3, axis=-1), L1(0.1)],
    ],
    ids=repr,
)
def test_the_step_is_the_minimum(regularizers, rng):
    weight = rng.normal(size=(6, 5)) * np.linspace(0.05, 1.0, 6)[:, None]
    got = proximal(weight, regularizers)
    best = objective(got, weight, regularizers)
    assert best < objective(weight, weight, regularizers)
    for scale in (1e-1, 1e-3, 1e-5):
        for _ in range(100):
            other = got + rng.normal(size=got.shape) * scale
            assert objective(other, weight, regularizers) > best
        assert objective(got * (1 + scale), weight, regularizers) > best
        assert objective(got * (1 - scale), weight, regularizers) > best


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("shape", "axis"), [((8, 5), 0), ((5, 8), 1), ((8, 3, 2, 2), 0), ((3, 8, 2, 2), 1), ((2, 3, 8), -1)]
)
def test_group_lasso_zeroes_whole_groups(shape, axis, dtype, rng):
    weight = rng.normal(size=shape)
    scale = np.array([1, 0.01, 1, 0.001, 0, 1, 0.01, 1])
    weight = np.moveaxis(np.moveaxis(weight, axis, -1) * scale, -1, axis)
    weight = np.ascontiguousarray(weight, dtype)
    strength = 0.3
    got = proximal(weight, [GroupLasso(strength, axis)])
    groups = np.moveaxis(weight, axis, 0).reshape(8, -1).astype(np.float64)
    norms = np.linalg.norm(groups, axis=1)
    threshold = RATE * strength * math.sqrt(groups.shape[1])
    with np.errstate(divide="ignore"):
        factors = np.maximum(0, 1 - threshold / norms)
    new = np.moveaxis(got, axis, 0).reshape(8, -1)
    np.testing.assert_allclose(new, groups * factors[:, None], rtol=1e-6 if dtype == np.float32 else 1e-14)
    assert [not group.any() for group in new] == [s < 0.1 for s in scale]


def test_masked_elements_are_no_part_of_a_norm():
    weight = np.array([[3.0, 4.0, 1000.0]])
    got = proximal(weight, [GroupLasso(1.0)], mask=np.array([[True, True, False]]))
    threshold = RATE * math.sqrt(3)
    np.testing.assert_allclose(got, [[3 * (1 - threshold / 5), 4 * (1 - threshold / 5), 0]], rtol=1e-14)


@pytest.mark.parametrize("cls", OPTIMIZERS, ids=lambda cls: cls.__name__)
def test_regularizers_come_after_the_update_of_every_optimizer(cls, rng):
    weight = rng.normal(size=(4, 6))
    gradient = rng.normal(size=(4, 6))
    moved = proximal(weight, None, gradient, cls(learning_rate=RATE))
    regularizers = [ElasticNet(0.2, 0.3), GroupLasso(0.1)]
    got = proximal(weight, None, gradient, cls(learning_rate=RATE, regularizers=regularizers))
    np.testing.assert_allclose(got, proximal(moved, regularizers), rtol=1e-13, atol=1e-15)


def test_they_go_by_name_and_by_the_rate_in_force(rng):
    weights = {"a.weight": np.array([1.0]), "a.bias": np.array([1.0])}
    optimizer = SGD(
        lambda step: 0.5 / (1 + step), regularizers=[L1(0.5, match="*.weight"), L1(0.1, match="a.*")]
    )
    state = optimizer.init(weights)
    zeros = {name: np.array([0.0]) for name in weights}
    optimizer.step(weights, zeros, state)
    optimizer.step(weights, zeros, state)
    assert weights["a.weight"][0] == pytest.approx(1 - 0.75 * 0.6, rel=1e-15)
    assert weights["a.bias"][0] == pytest.approx(1 - 0.75 * 0.1, rel=1e-15)


def test_the_proximal_step_reaches_zero_where_a_subgradient_swings(rng):
    """Least squares with few true weights: exact zeros, and the true ones found."""
    x = rng.normal(size=(200, 20))
    truth = np.zeros(20)
    truth[:3] = 2.0, -1.0, 0.5
    y = x @ truth
    proximal_weights, swinging = {"w": np.zeros(20)}, np.zeros(20)
    optimizer = SGD(0.05, regularizers=[L1(0.1)])
    state = optimizer.init(proximal_weights)
    for _ in range(500):
        w = proximal_weights["w"]
        optimizer.step(proximal_weights, {"w": x.T @ (x @ w - y) / 200}, state)
        swinging -= 0.05 * (x.T @ (x @ swinging - y) / 200 + 0.1 * np.sign(swinging))
    assert np.flatnonzero(proximal_weights["w"]).tolist() == [0, 1, 2]
    assert np.count_nonzero(swinging) > 15
    np.testing.assert_allclose(proximal_weights["w"][:3], swinging[:3], atol=0.02)


def test_penalties():
    weight = np.array([[3.0, -4.0], [0.0, 0.0]], np.float32)
    assert L1(0.5).penalty(weight) == 3.5
    assert L2(0.5).penalty(weight) == 6.25
    assert ElasticNet(0.5, 0.5).penalty(weight) == 9.75
    assert GroupLasso(0.5).penalty(weight) == 0.5 * math.sqrt(2) * 5
    assert GroupLasso(0.5, axis=1).penalty(weight) == 0.5 * math.sqrt(2) * 7


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L1(-1), ValueError, "strength: expected a finite number of at least 0, got -1"),
        (lambda: L2(math.nan), ValueError, "strength: expected a finite number of at least 0, got nan"),
        (lambda: ElasticNet("x", 1), TypeError, "l1: expected a number, got str 'x'"),
        (lambda: ElasticNet(1, math.inf), ValueError, "l2: expected a finite number of at least 0, got inf"),
        (lambda: GroupLasso(True), TypeError, "strength: expected a number, got bool True"),
        (lambda: GroupLasso(1, 0.5), TypeError, "axis: expected an int, got float 0.5"),
        (lambda: L1(1, match=""), ValueError, "match: expected a glob"),
        (lambda: L1(1, match=3), TypeError, "match: expected a glob"),
        (lambda: Adam(regularizers=[3]), TypeError, r"regularizers\[0\]: expected L1 or L2 or .*, got int"),
        (lambda: Adam(regularizers=L1(1)), TypeError, "regularizers: expected a list, got L1"),
        (
            lambda: proximal(np.ones(3), [L1(1, match="*.weight")]),
            ValueError,
            r"regularizers\[0\]: no weight has a name that matches '\*\.weight'",
        ),
        (
            lambda: proximal(np.ones(3), [GroupLasso(1, axis=1)]),
            ValueError,
            r"'w': GroupLasso: expected an axis 1, got shape \(3,\)",
        ),
        (
            lambda: GroupLasso(1).penalty(np.array(1.0)),
            ValueError,
            r"weight: GroupLasso: expected an axis 0, got shape \(\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
