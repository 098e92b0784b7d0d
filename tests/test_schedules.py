"""Schedules: golden rows, and that they are pure functions which hold their last rate and compose."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paring.training.optimizers import SGD
from paring.training.schedules import (
    SCHEDULES,
    Chain,
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    InverseTime,
    LinearWarmup,
    MultiStep,
    OneCycle,
    Polynomial,
    Schedule,
    Step,
)
from schedule_cases import DOCUMENTS, TORCH, schedule_id

# PyTorch 2.13.0 with a rate of 1, to the digits that stand here; Keras and optax where PyTorch has none.
GOLDEN = [
    (Constant(1.0), [1, 1, 1]),
    (Exponential(1.0, 0.9), [1, 0.9, 0.81, 0.729]),
    (InverseTime(1.0, 0.5), [1, 0.6667, 0.5, 0.4]),
    (Step(1.0, 2), [1, 1, 0.1, 0.1, 0.01]),
    (MultiStep(1.0, [2, 4]), [1, 1, 0.1, 0.1, 0.01]),
    (LinearWarmup(1 / 3, 1.0, 5), [0.3333, 0.4667, 0.6, 0.7333, 0.8667, 1, 1]),
    (Polynomial(1.0, 5), [1, 0.8, 0.6, 0.4, 0.2, 0, 0]),
    (Polynomial(1.0, 4, 2), [1, 0.5625, 0.25, 0.0625, 0, 0]),
    (Cosine(1.0, 4), [1, 0.8536, 0.5, 0.1464, 0, 0, 0]),
    (CosineRestarts(1.0, 3, 2), [1, 0.75, 0.25, 1, 0.933, 0.75, 0.5, 0.25, 0.067, 1]),
    (OneCycle(1.0, 10), [0.04, 0.52, 1, 0.9505, 0.8117, 0.6113, 0.3887, 0.1883, 0.0495, 4e-6]),
    (
        Chain([(LinearWarmup(0.1, 1.0, 3), 3), (Cosine(1.0, 4), 4)]),
        [0.1, 0.4, 0.7, 1, 0.8536, 0.5, 0.1464, 0],
    ),
    (Chain([(Constant(1 / 3), 5), (Constant(1.0), None)]), [0.3333] * 5 + [1, 1]),
]

ALL = [schedule for schedule, *_ in TORCH + DOCUMENTS + GOLDEN]


@pytest.mark.parametrize(("schedule", "wanted"), GOLDEN, ids=lambda value: type(value).__name__)
def test_golden_rows(schedule, wanted):
    np.testing.assert_allclose(schedule.values(len(wanted)), wanted, rtol=0, atol=5.1e-5)


def test_three_phases_go_down_as_long_as_up():
    schedule = OneCycle(1.0, 11, 0.4, 10.0, 10.0, "linear", three_phases=True)
    # Up to update 3.4, down to where it began at 6.8, and to a tenth of that at 10.
    up = [0.1 + 0.9 * k / 3.4 for k in range(4)]
    down = [1.0 - 0.9 * (k - 3.4) / 3.4 for k in range(4, 7)]
    rest = [0.1 - 0.09 * (k - 6.8) / 3.2 for k in range(7, 11)]
    np.testing.assert_allclose(schedule.values(12), [*up, *down, *rest, 0.01], rtol=1e-13)


def test_the_lowest_rate_of_one_cycle():
    assert OneCycle(1.0, steps=10)(9) == pytest.approx(4e-6, rel=1e-12)


def test_every_schedule_has_a_case():
    assert {type(schedule) for schedule, _ in GOLDEN} == set(SCHEDULES)
    assert {type(schedule) for schedule, _ in DOCUMENTS} == set(SCHEDULES)
    assert {type(schedule) for schedule, *_ in TORCH} | {Chain} == set(SCHEDULES)
    assert len({schedule.kind for schedule in SCHEDULES}) == len(SCHEDULES)


@pytest.mark.parametrize("schedule", ALL, ids=lambda s: type(s).__name__)
def test_a_schedule_is_a_pure_function(schedule):
    """In any order, as a copy, in another process by pickle, from NumPy's integers: the same bits."""
    steps = list(range(40))
    forward = [schedule(step) for step in steps]
    again = pickle.loads(pickle.dumps(copy.deepcopy(schedule)))
    assert [again(np.int64(step)) for step in reversed(steps)] == forward[::-1]
    assert schedule.values(40).tolist() == forward
    assert all(type(rate) is float and rate >= 0 for rate in forward)
    assert again == schedule and hash(again) == hash(schedule)


@pytest.mark.parametrize("schedule", ALL, ids=lambda s: type(s).__name__)
def test_after_its_length_the_rate_stays(schedule):
    if schedule.length is None:
        with pytest.raises(ValueError, match=r"n: expected a number of steps for .*, which has no length"):
            schedule.values()
        return
    assert len(schedule.values()) == schedule.length
    assert {schedule(schedule.length + more) for more in (1, 2, 1000, 2**62)} == {schedule(schedule.length)}


@pytest.mark.parametrize(
    ("schedule", "length"),
    [
        (Constant(1.0), None),
        (Exponential(1.0, 0.5, end=0.25), None),
        (InverseTime(1.0, 1.0), None),
        (Step(1.0, 2), None),
        (MultiStep(1.0, [2, 4]), None),
        (CosineRestarts(1.0, 3), None),
        (Polynomial(1.0, 5), 5),
        (Cosine(1.0, 5), 5),
        (OneCycle(1.0, 5), 5),
        (LinearWarmup(0.5, 1.0, 5), 5),
        (Chain([(Constant(1.0), 5), (Step(0.5, 1), 3)]), 8),
        (Chain([(LinearWarmup(0.5, 1.0, 5), None), (Cosine(1.0, 7), None)]), 12),
        (Chain([(LinearWarmup(0.5, 1.0, 5), None), (Step(0.5, 1), None)]), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_lengths(schedule, length):
    assert schedule.length == length


@given(
    initial=st.floats(1e-6, 10),
    end=st.floats(0, 10),
    steps=st.integers(1, 10**6),
    power=st.floats(0.1, 5),
    share=st.floats(0, 1),
)
@settings(deadline=None)
def test_ends_are_exact_and_nothing_lies_outside(initial, end, steps, power, share):
    low, high = min(initial, end), max(initial, end)
    for schedule in (Polynomial(initial, steps, power, end), Cosine(initial, steps, end)):
        assert schedule(0) == initial
        assert schedule(steps) == end
        # Half a unit of rounding for each product and the sum.
        assert low * (1 - 1e-15) <= schedule(int(share * steps)) <= high * (1 + 1e-15)
    warmup = LinearWarmup(low, max(high, 1e-6), steps)
    assert (warmup(0), warmup(steps)) == (warmup.start, warmup.peak)


def test_a_power_below_one_and_a_rise():
    np.testing.assert_allclose(Polynomial(1.0, 4, 0.5).values(5), [1, 0.75**0.5, 0.5**0.5, 0.5, 0])
    np.testing.assert_allclose(Polynomial(0.25, 3, end=1.0).values(4), [0.25, 0.5, 0.75, 1.0], rtol=1e-15)


def test_an_exponential_stops_at_its_end():
    assert Exponential(1.0, 0.5, end=0.3).values(4).tolist() == [1.0, 0.5, 0.3, 0.3]
    assert Exponential(1.0, 2.0, end=3.0).values(4).tolist() == [1.0, 2.0, 3.0, 3.0]
    assert Exponential(1.0, 2.0, end=3.0)(10**9) == 3.0
    assert Exponential(1.0, 0.5)(10**9) == 0.0


def test_a_part_of_a_chain_counts_from_zero_and_may_be_cut():
    chain = Chain([(Step(1.0, 2, 0.5), 3), (Cosine(1.0, 4), 2), (Exponential(8.0, 0.5), 2)])
    np.testing.assert_allclose(chain.values(9), [1, 1, 0.5, 1, (1 + 0.5**0.5) / 2, 8, 4, 2, 2], rtol=1e-15)


def test_chains_within_chains():
    inner = Chain([(Constant(1.0), 1), (Constant(0.5), 1)])
    chain = Chain([(inner, None), (inner, 1), (Constant(0.25), None)])
    assert chain.values(5).tolist() == [1.0, 0.5, 1.0, 0.25, 0.25]
    assert chain.length is None


def test_a_length_of_its_own_may_be_written_out():
    warmup = LinearWarmup(0.1, 1.0, 3)
    assert Chain([(warmup, None), (Constant(1.0), None)]) == Chain([[warmup, 3], [Constant(1.0), None]])


def test_restarts_far_away_are_found_at_once():
    schedule = CosineRestarts(1.0, 3, 2)
    begin = 3 * (2**40 - 1)
    assert schedule(begin) == 1.0
    assert schedule(begin + 3 * 2**39) == 0.5
    assert CosineRestarts(1.0, 7)(7 * 10**17) == 1.0


def test_schedules_compare_by_their_arguments():
    assert Cosine(1.0, 4) == Cosine(1, 4, 0)
    assert Cosine(1.0, 4) != Cosine(1.0, 5)
    assert Step(1.0, 4) != Cosine(1.0, 4)
    assert MultiStep(1.0, [1, 2]) == MultiStep(1.0, (1, 2))
    with pytest.raises(dataclasses.FrozenInstanceError):
        Cosine(1.0, 4).steps = 5


def test_an_optimizer_takes_a_schedule():
    weights = {"w": np.array([1.0])}
    optimizer = SGD(Exponential(0.5, 0.5))
    state = optimizer.init(weights)
    rates = [optimizer.step(weights, {"w": np.array([1.0])}, state).learning_rate for _ in range(3)]
    assert rates == [0.5, 0.25, 0.125]
    assert weights["w"].tolist() == [0.125]


@dataclasses.dataclass(frozen=True)
class Descent(Schedule):
    """A schedule of a user's own that goes below zero."""

    start: float

    def _rate(self, step):
        return self.start - step


def test_a_schedule_of_ones_own():
    assert Chain([(Descent(2.0), 2), (Descent(1.0), None)]).values(4).tolist() == [2.0, 1.0, 1.0, 0.0]
    with pytest.raises(TypeError, match="abstract"):
        Schedule()


@pytest.mark.parametrize("case", DOCUMENTS, ids=schedule_id)
def test_the_repr_makes_it_again(case):
    schedule, _ = case
    names = {cls.__name__: cls for cls in SCHEDULES}
    assert eval(repr(schedule), names) == schedule


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Constant(0.1)(-1), ValueError, r"step: expected an integer from 0 to 2\*\*63 - 1, got -1"),
        (lambda: Constant(0.1)(2**63), ValueError, r"step: expected an integer from 0 to 2\*\*63 - 1, got 9"),
        (lambda: Constant(0.1)(1.0), TypeError, r"step: expected an int, got float 1\.0"),
        (lambda: Constant(0.1)(True), TypeError, "step: expected an int, got bool True"),
        (lambda: Constant(0.1).values(-1), ValueError, "n: expected an integer from 0 to"),
        (lambda: Constant(0.1).values("3"), TypeError, "n: expected an int, got str '3'"),
        (
            lambda: Descent(1.5)(2),
            ValueError,
            r"Descent\(start=1\.5\): expected a finite rate of at least 0 at step 2, got -0\.5",
        ),
        (
            lambda: Descent(float("nan"))(3),
            ValueError,
            "expected a finite rate of at least 0 at step 3, got nan",
        ),
        (
            lambda: Exponential(0.1, 2.0)(5000),
            ValueError,
            r"Exponential\(.*rate=2\.0.*\): expected a finite rate of at least 0 at step 5000, got inf",
        ),
        (lambda: Step(1e308, 1, 10.0)(1), ValueError, "at step 1, got inf"),
        (lambda: Step(1.0, 1, 10.0)(400), ValueError, "at step 400, got inf"),
        (
            lambda: Chain([(Constant(1.0), 4), (Descent(1.0), None)])(6),
            ValueError,
            "Descent.* at step 2, got -1",
        ),
    ],
)
def test_calls_that_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
