"""Every option against torch.optim in float64, and a saved optimizer going on here."""

import numpy as np
import pytest

import paring
from optimizer_cases import CASES, SGD, Adam, case_id
from paring.training.optimizers.torch_states import state_from_torch

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="torch is not installed", exc_type=ImportError)


def parameters_of(torch, weights):
    return [torch.nn.Parameter(torch.tensor(w)) for w in weights.values()]


def torch_step(torch, parameters, optimizer, gradients):
    for parameter, gradient in zip(parameters, gradients.values(), strict=True):
        parameter.grad = torch.tensor(gradient)
    optimizer.step()


@pytest.mark.parametrize("case", CASES, ids=case_id)
@pytest.mark.parametrize("foreach", [False, True])
def test_every_option_equals_torch_in_float64(torch, case, foreach, rng):
    cls, options, torch_name, torch_options = case
    weights = {"a": rng.normal(size=(5, 7)), "b": rng.normal(size=3)}
    parameters = parameters_of(torch, weights)
    theirs = getattr(torch.optim, torch_name)(parameters, lr=0.05, foreach=foreach, **torch_options)
    ours = cls(learning_rate=0.05, **options)
    state = ours.init(weights)
    for _ in range(50):
        gradients = {name: rng.normal(size=w.shape) for name, w in weights.items()}
        ours.step(weights, gradients, state)
        torch_step(torch, parameters, theirs, gradients)
        for w, parameter in zip(weights.values(), parameters, strict=True):
            np.testing.assert_allclose(w, parameter.detach().numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_a_saved_optimizer_goes_on(torch, case, tmp_path, rng):
    cls, options, torch_name, torch_options = case
    weights = {"fc.weight": rng.normal(size=(5, 7)), "fc.bias": rng.normal(size=5)}
    parameters = parameters_of(torch, weights)
    theirs = getattr(torch.optim, torch_name)(parameters, lr=0.05, **torch_options)
    gradients = [{name: rng.normal(size=w.shape) for name, w in weights.items()} for _ in range(6)]
    for g in gradients[:3]:
        torch_step(torch, parameters, theirs, g)
    ours = cls(learning_rate=0.05, **options)
    if not ours.slots:
        return
    torch.save(theirs.state_dict(), tmp_path / "optimizer.pt")
    state = state_from_torch(paring.read(tmp_path / "optimizer.pt"), list(weights), 3)
    weights = {name: p.detach().numpy().copy() for name, p in zip(weights, parameters, strict=True)}
    for g in gradients[3:]:
        torch_step(torch, parameters, theirs, g)
        ours.step(weights, g, state)
    for w, parameter in zip(weights.values(), parameters, strict=True):
        np.testing.assert_allclose(w, parameter.detach().numpy(), rtol=1e-12, atol=1e-12)


def test_float32_steps_are_nearer_to_float64_than_torch_is(torch, rng):
    """Adam, one step after another from the same numbers: our worst error is no larger than that of torch."""
    size = 20_000
    weight = rng.normal(size=size).astype(np.float32)
    gradients = rng.normal(size=(5, size)).astype(np.float32)
    exact, ours = {"w": weight.astype(np.float64)}, {"w": weight.copy()}
    optimizer = Adam(0.01)
    states = optimizer.init(exact), optimizer.init(ours)
    parameter = torch.nn.Parameter(torch.tensor(weight))
    theirs = torch.optim.Adam([parameter], lr=0.01)
    for gradient in gradients:
        optimizer.step(exact, {"w": gradient.astype(np.float64)}, states[0])
        optimizer.step(ours, {"w": gradient}, states[1])
        torch_step(torch, [parameter], theirs, {"w": gradient})
    our_error = np.abs(ours["w"] - exact["w"]).max()
    assert our_error <= np.abs(parameter.detach().numpy() - exact["w"]).max() * 1.01


def test_the_forms_agree_with_torch_while_the_rate_stays(torch, rng):
    weights = {"w": rng.normal(size=9)}
    parameters = parameters_of(torch, weights)
    theirs = torch.optim.SGD(parameters, lr=0.1, momentum=0.9)
    ours = SGD(0.1, 0.9)
    state = ours.init(weights)
    for _ in range(10):
        gradients = {"w": rng.normal(size=9)}
        ours.step(weights, gradients, state)
        torch_step(torch, parameters, theirs, gradients)
    np.testing.assert_allclose(weights["w"], parameters[0].detach().numpy(), rtol=1e-12, atol=1e-12)
