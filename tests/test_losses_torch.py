"""Every loss and every gradient against torch in float64, and kinks as they are there."""

import numpy as np
import pytest

from loss_cases import CASES, case_id, make
from paring.training.losses import CosineSimilarityLoss, CrossEntropy, Huber, MeanAbsoluteError

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="torch is not installed", exc_type=ImportError)


def with_gradient(torch, function, outputs, targets):
    tensor = torch.tensor(outputs, requires_grad=True)
    value = function(torch, tensor, targets)
    value.backward()
    return float(value), tensor.grad.numpy()


@pytest.mark.parametrize("case", CASES, ids=case_id)
@pytest.mark.parametrize("scale", [0.1, 1.0, 20.0])
def test_values_and_gradients_equal_those_of_torch(torch, case, scale, rng):
    loss, outputs, targets = make(case, rng)
    outputs *= scale
    value, gradient = loss.value_and_gradient(outputs, targets)
    their_value, theirs = with_gradient(torch, case[3], outputs, targets)
    assert value == pytest.approx(their_value, rel=1e-12, abs=1e-14)
    # A difference of two softmaxes: to the size of what is subtracted.
    np.testing.assert_allclose(gradient, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_float32_is_within_the_rounding_of_torch(torch, case, rng):
    loss, outputs, targets = make(case, rng, np.float32)
    if targets.dtype == np.float64:
        targets = targets.astype(np.float32)
    value, gradient = loss.value_and_gradient(outputs, targets)
    their_value, theirs = with_gradient(torch, case[3], outputs, targets)
    assert value == pytest.approx(their_value, rel=1e-5)
    np.testing.assert_allclose(gradient, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("loss", [MeanAbsoluteError(), Huber(0.5)])
def test_kinks_are_those_of_torch(torch, loss):
    outputs, targets = np.array([0.0, 0.5, -0.5, 2.0]), np.zeros(4)
    name = "l1_loss" if isinstance(loss, MeanAbsoluteError) else "huber_loss"
    options = {} if name == "l1_loss" else {"delta": 0.5}

    def function(torch, tensor, targets):
        return getattr(torch.nn.functional, name)(tensor, torch.tensor(targets), **options)

    _, theirs = with_gradient(torch, function, outputs, targets)
    assert loss.value_and_gradient(outputs, targets)[1].tolist() == theirs.tolist()


def test_where_ours_differs_from_torch(torch):
    """Nothing to learn from is no loss here, NaN there; and a zero vector has no direction."""
    case = next(case for case in CASES if case[0] == CrossEntropy(ignore_label=-100))
    outputs, targets = np.ones((2, 4)), np.array([-100, -100])
    assert np.isnan(with_gradient(torch, case[3], outputs, targets)[0])
    assert case[0].value(outputs, targets) == 0
    case = next(case for case in CASES if isinstance(case[0], CosineSimilarityLoss))
    outputs, targets = np.zeros((1, 2)), np.array([[1.0, 0.0]])
    _, theirs = with_gradient(torch, case[3], outputs, targets)
    assert abs(theirs).max() > 1e7
    assert abs(case[0].value_and_gradient(outputs, targets)[1]).max() == 0
