"""What schedules refuse when they are made, in words that say what, expected, got."""

import math

import pytest

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
    Step,
)

# The rate that each is made of, with arguments that are right but for it.
RATES = [
    (lambda rate: Constant(rate), "initial"),
    (lambda rate: Exponential(rate, 0.9), "initial"),
    (lambda rate: InverseTime(rate, 0.9), "initial"),
    (lambda rate: Step(rate, 3), "initial"),
    (lambda rate: MultiStep(rate, [3]), "initial"),
    (lambda rate: Polynomial(rate, 3), "initial"),
    (lambda rate: Cosine(rate, 3), "initial"),
    (lambda rate: CosineRestarts(rate, 3), "initial"),
    (lambda rate: OneCycle(rate, 3), "peak"),
    (lambda rate: LinearWarmup(0.0, rate, 3), "peak"),
    (lambda rate: Exponential(1.0, rate), "rate"),
    (lambda rate: InverseTime(1.0, rate), "rate"),
    (lambda rate: Step(1.0, 3, rate), "factor"),
    (lambda rate: MultiStep(1.0, [3], rate), "factor"),
    (lambda rate: Polynomial(1.0, 3, rate), "power"),
]

COUNTS = [
    (lambda count: Exponential(1.0, 0.9, count), "transition_steps"),
    (lambda count: InverseTime(1.0, 0.9, count), "transition_steps"),
    (lambda count: Step(1.0, count), "every"),
    (lambda count: MultiStep(1.0, [count]), r"milestones\[0\]"),
    (lambda count: Polynomial(1.0, count), "steps"),
    (lambda count: Cosine(1.0, count), "steps"),
    (lambda count: CosineRestarts(1.0, count), "steps"),
    (lambda count: CosineRestarts(1.0, 3, count), "multiplier"),
    (lambda count: OneCycle(1.0, count), "steps"),
    (lambda count: LinearWarmup(0.0, 1.0, count), "steps"),
    (lambda count: Chain([(Constant(1.0), count)]), r"parts\[0\]: steps"),
]

ENDS = [
    (lambda end: Exponential(1.0, 0.9, end=end), "end"),
    (lambda end: Polynomial(1.0, 3, end=end), "end"),
    (lambda end: Cosine(1.0, 3, end), "end"),
    (lambda end: CosineRestarts(1.0, 3, 1, end), "end"),
    (lambda end: LinearWarmup(end, 1.0, 3), "start"),
    (lambda end: OneCycle(1.0, 3, end), "warmup_fraction"),
]


def test_every_schedule_is_here():
    made = [make(1.0) for make, _ in RATES] + [make(1) for make, _ in COUNTS]
    assert {type(schedule) for schedule in made} == set(SCHEDULES)


@pytest.mark.parametrize(("make", "name"), RATES)
@pytest.mark.parametrize("rate", [0, -0.1, math.nan, math.inf, 10**400], ids=lambda rate: f"{rate}"[:5])
def test_rates_are_above_zero(make, name, rate):
    with pytest.raises(ValueError, match=f"^{name}: expected a finite number above 0, got {rate}"):
        make(rate)


@pytest.mark.parametrize(("make", "name"), RATES + ENDS)
@pytest.mark.parametrize("rate", ["0.1", True, [0.1], 1j])
def test_rates_are_numbers(make, name, rate):
    with pytest.raises(TypeError, match=f"^{name}: expected a number, got {type(rate).__name__}"):
        make(rate)


@pytest.mark.parametrize(("make", "name"), ENDS)
@pytest.mark.parametrize("end", [-1e-9, math.nan, math.inf])
def test_no_schedule_ends_below_zero(make, name, end):
    with pytest.raises(ValueError, match=f"^{name}: expected a finite number of at least 0, got {end}"):
        make(end)


@pytest.mark.parametrize(("make", "name"), COUNTS)
@pytest.mark.parametrize("count", [0, -3, 2**63])
def test_counts_are_above_zero(make, name, count):
    with pytest.raises(ValueError, match=rf"^{name}: expected an integer from 1 to 2\*\*63 - 1, got {count}"):
        make(count)


@pytest.mark.parametrize(("make", "name"), COUNTS)
@pytest.mark.parametrize("count", [1.0, "3", True])
def test_counts_are_integers(make, name, count):
    with pytest.raises(TypeError, match=f"^{name}: expected an int, got {type(count).__name__}"):
        make(count)


DEEP = Constant(1.0)
for _ in range(32):
    DEEP = Chain([(DEEP, None)])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: Exponential(1.0, 0.9, staircase=1),
            TypeError,
            "staircase: expected True or False, got int 1",
        ),
        (
            lambda: InverseTime(1.0, 0.9, 1, None),
            TypeError,
            "staircase: expected True or False, got NoneType",
        ),
        (
            lambda: Exponential(0.1, 0.9, end=0.2),
            ValueError,
            r"end: expected at most the initial 0\.1 with rate 0\.9, got 0\.2",
        ),
        (
            lambda: Exponential(0.1, 1.1, end=0.05),
            ValueError,
            r"end: expected at least the initial 0\.1 with rate 1\.1, got 0\.05",
        ),
        (lambda: MultiStep(1.0, 3), TypeError, "milestones: expected a list of steps, got int 3"),
        (lambda: MultiStep(1.0, "34"), TypeError, "milestones: expected a list of steps, got str '34'"),
        (lambda: MultiStep(1.0, []), ValueError, "milestones: expected at least one step, got none"),
        (
            lambda: MultiStep(1.0, [2, 5, 5]),
            ValueError,
            r"milestones\[2\]: expected more than the 5 before it, got 5",
        ),
        (
            lambda: LinearWarmup(0.2, 0.1, 3),
            ValueError,
            r"start: expected at most the peak 0\.1, got 0\.2; Polynomial goes down",
        ),
        (
            lambda: OneCycle(1.0, 10, 1.5),
            ValueError,
            r"warmup_fraction: expected at most 1 with two phases, got 1\.5",
        ),
        (
            lambda: OneCycle(1.0, 10, 0.6, three_phases=True),
            ValueError,
            r"warmup_fraction: expected at most 0\.5 with three phases, got 0\.6",
        ),
        (
            lambda: OneCycle(1.0, 10, start_divisor=0.5),
            ValueError,
            r"start_divisor: expected a finite number of at least 1, got 0\.5",
        ),
        (
            lambda: OneCycle(1.0, 10, end_divisor=0),
            ValueError,
            "end_divisor: expected a finite number of at least 1, got 0",
        ),
        (
            lambda: OneCycle(1.0, 10, shape="cos"),
            ValueError,
            "shape: expected 'cosine' or 'linear', got 'cos'",
        ),
        (
            lambda: OneCycle(1.0, 10, three_phases="no"),
            TypeError,
            "three_phases: expected True or False, got str",
        ),
        (
            lambda: Chain(Constant(1.0)),
            TypeError,
            r"parts: expected a list of \(schedule, steps\), got Constant",
        ),
        (lambda: Chain([]), ValueError, r"parts: expected at least one \(schedule, steps\), got none"),
        (
            lambda: Chain([Constant(1.0)]),
            TypeError,
            r"parts\[0\]: expected a pair \(schedule, steps\), got Constant",
        ),
        (
            lambda: Chain([(Constant(1.0), 3), (0.1, 3)]),
            TypeError,
            r"parts\[1\]: expected a schedule, got float 0\.1",
        ),
        (
            lambda: Chain([(Constant(1.0), None), (Constant(2.0), None)]),
            ValueError,
            r"parts\[0\]: expected a number of steps for Constant\(initial=1\.0\), which has no length and is not the",
        ),
        (
            lambda: Chain([(Constant(1.0), 2**62), (Constant(1.0), 2**62)]),
            ValueError,
            r"parts: expected at most 2\*\*63 - 1 steps together",
        ),
        (lambda: Chain([(DEEP, None)]), ValueError, "parts: expected at most 32 chains within each other"),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=f"^{message}"):
        make()
