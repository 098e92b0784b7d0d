"""Every schedule against torch.optim.lr_scheduler."""

import math

import numpy as np
import pytest

from paring.training.plateau import ReduceOnPlateau
from paring.training.schedules import Chain, Constant, Cosine, LinearWarmup, OneCycle
from schedule_cases import TORCH, schedule_id

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="torch is not installed", exc_type=ImportError)


def rates_of(torch, make, n, rate=0.4):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    rates = []
    for k in range(n):
        if k:
            scheduler.step()
        rates.append(float(optimizer.param_groups[0]["lr"]))
    return rates


def assert_equal(ours, theirs):
    # Relative to the rates around it: the recursive forms leave 1e-17 where ours is 0.
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("case", TORCH, ids=schedule_id)
def test_rates_equal_those_of_torch(torch, case):
    schedule, name, options, n = case
    theirs = rates_of(torch, lambda forms, optimizer: getattr(forms, name)(optimizer, **options), n)
    assert_equal(schedule.values(n), theirs)


def test_a_chain_equals_sequential(torch):
    def make(forms, optimizer):
        parts = [
            forms.LinearLR(optimizer, 0.25, 1.0, 5),
            forms.CosineAnnealingLR(optimizer, 20),
            forms.ConstantLR(optimizer, 0.5, 1000),
        ]
        return forms.SequentialLR(optimizer, parts, [5, 20])

    chain = Chain([(LinearWarmup(0.1, 0.4, 5), None), (Cosine(0.4, 20), 15), (Constant(0.2), None)])
    assert_equal(chain.values(40), rates_of(torch, make, 40))


def test_a_cosine_goes_up_again_in_torch_only(torch):
    theirs = rates_of(torch, lambda forms, optimizer: forms.CosineAnnealingLR(optimizer, 4), 9)
    assert theirs[8] == pytest.approx(0.4)
    assert Cosine(0.4, 4)(8) == 0


def test_one_cycle_ends_by_an_error_in_torch_only(torch):
    def make(forms, optimizer):
        return forms.OneCycleLR(optimizer, 0.4, total_steps=3, cycle_momentum=False)

    with pytest.raises(ValueError, match="Tried to step"):
        rates_of(torch, make, 5)
    assert OneCycle(0.4, 3)(5) == OneCycle(0.4, 3)(2)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize(
    ("patience", "cooldown", "minimum"), [(0, 0, 0.0), (2, 0, 0.01), (1, 2, 0.0), (3, 5, 0.02)]
)
def test_a_plateau_equals_that_of_torch(torch, mode, relative, patience, cooldown, minimum, rng):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode, 0.7, patience, 0.05, "rel" if relative else "abs", cooldown, minimum
    )
    ours = ReduceOnPlateau(1.0, 0.7, patience, 0.05, relative, cooldown, minimum, mode)
    state = ours.start()
    # Above zero, where PyTorch's relative threshold is sound; with NaN among them.
    scores = 1 + np.linspace(1, 0, 200) + rng.uniform(-0.2, 0.2, size=200)
    scores[rng.integers(0, 200, size=10)] = math.nan
    for score in scores if mode == "min" else 4 - scores:
        theirs.step(score)
        state = ours.update(state, score)
        # Ours goes below what PyTorch takes for no change.
        assert ours.rate(state) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12, abs=1e-7)
        assert state.bad == theirs.num_bad_epochs
        assert state.cooldown == theirs.cooldown_counter
