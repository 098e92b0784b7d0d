"""Rates that follow a score: PyTorch's counting, right below zero, and a state that is plain data."""

import dataclasses
import functools
import json
import math

import numpy as np
import pytest

from paring.training.documents import check_same
from paring.training.plateau import (
    SCORE_DRIVEN,
    PlateauState,
    RateState,
    ReduceOnPlateau,
    ScoreDriven,
    ScoreSchedule,
    ScoreState,
)


def rates_after(rates, scores, state=None):
    """Return the rate after each score."""
    state = rates.start() if state is None else state
    after = []
    for score in scores:
        state = rates.update(state, score)
        after.append(rates.rate(state))
    return after


def reductions(plateau, scores):
    """Return the indices of the scores after which the rate was another."""
    after = [plateau.initial, *rates_after(plateau, scores)]
    return [i for i in range(len(scores)) if after[i + 1] != after[i]]


def test_it_reduces_at_bad_score_number_patience_and_one():
    plateau = ReduceOnPlateau(1.0, patience=2)
    assert rates_after(plateau, [1.0] * 8) == [1, 1, 1, 0.1, 0.1, 0.1, 0.1 * 0.1, 0.1 * 0.1]
    assert reductions(ReduceOnPlateau(1.0, patience=0), [3.0, 2.0, 2.0, 1.0, 1.0]) == [2, 4]


def test_better_scores_begin_the_count_anew():
    plateau = ReduceOnPlateau(1.0, patience=1)
    assert reductions(plateau, [5, 5, 4, 4, 3, 3, 3]) == [6]


@pytest.mark.parametrize("constant", [-1.0, -1e-3, -1e6, 0.0, 2.0])
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("relative", [True, False])
def test_a_constant_score_reduces_whatever_its_sign(constant, mode, relative):
    plateau = ReduceOnPlateau(1.0, patience=2, mode=mode, relative=relative)
    assert reductions(plateau, [constant] * 8) == [3, 6]


def test_the_threshold_below_zero():
    plateau = ReduceOnPlateau(1.0, patience=0, threshold=0.1)
    assert reductions(plateau, [-1.0, -1.05, -1.2, -1.25, -1.4]) == [1, 3]
    upward = dataclasses.replace(plateau, mode="max")
    assert reductions(upward, [-1.0, -0.95, -0.85, -0.8, -0.7]) == [1, 3]


def test_an_absolute_threshold():
    plateau = ReduceOnPlateau(1.0, patience=0, threshold=0.5, relative=False)
    assert reductions(plateau, [100.0, 99.6, 99.4, 99.0, 98.5]) == [1, 3]


def test_equal_to_the_threshold_is_not_better():
    plateau = ReduceOnPlateau(1.0, patience=0, threshold=0.5)
    assert reductions(plateau, [2.0, 1.0, np.nextafter(1.0, 0.0)]) == [1]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, np.float32("nan"), 10**400])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_what_is_not_finite_is_bad(bad, mode):
    plateau = ReduceOnPlateau(1.0, patience=1, mode=mode)
    assert reductions(plateau, [1.0, bad, bad, bad, bad]) == [2, 4]
    state = plateau.update(plateau.update(plateau.start(), 1.0), bad)
    assert (state.best, state.bad) == (1.0, 1)
    assert plateau.update(plateau.start(), bad) == PlateauState(1.0, None, 1, 0)


def test_during_cooldown_bad_scores_do_not_count():
    plateau = ReduceOnPlateau(1.0, patience=1, cooldown=2)
    # The first sets the best; bad: 1, 2 (reduced), two of cooldown, 1, 2 (reduced).
    assert reductions(plateau, [1.0] * 7) == [2, 6]
    state = plateau.start()
    for score in [1.0, 1.0, 1.0, 0.5]:
        state = plateau.update(state, score)
    assert state == PlateauState(0.1, 0.5, 0, 1)


def test_the_minimum_holds():
    plateau = ReduceOnPlateau(1.0, 0.1, 0, minimum=0.05)
    assert rates_after(plateau, [1.0] * 4) == [1.0, 0.1, 0.05, 0.05]
    assert rates_after(ReduceOnPlateau(1.0, 0.1, 0), [1.0] * 500)[-1] == 0.0


def test_small_rates_are_reduced_too():
    """PyTorch leaves out changes of at most 1e-8."""
    assert rates_after(ReduceOnPlateau(1e-9, 0.5, 0), [1.0, 1.0]) == [1e-9, 5e-10]


def test_states_are_not_changed():
    plateau = ReduceOnPlateau(1.0, patience=0)
    state = plateau.start()
    plateau.update(state, 1.0)
    assert state == PlateauState(1.0, None, 0, 0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        state.rate = 2.0


def halved(score):
    return score / 2


@pytest.mark.parametrize(
    "rates",
    [
        ReduceOnPlateau(1.0, 0.5, 2, cooldown=1),
        ReduceOnPlateau(1.0, 0.9, 1, 0.2, False, 3, 0.3, "max"),
        ScoreSchedule(halved, 0.1),
    ],
    ids=lambda rates: type(rates).__name__,
)
def test_a_run_that_was_stopped_goes_on_the_same(rates, rng):
    scores = rng.normal(size=60) ** 2
    whole = rates_after(rates, scores)
    for stop in range(0, 60, 7):
        state = rates.start()
        for score in scores[:stop]:
            state = rates.update(state, score)
        again = RateState.from_dict(json.loads(json.dumps(state.to_dict(), allow_nan=False)))
        assert again == state
        assert rates_after(rates, scores[stop:], again) == whole[stop:]


def test_any_function_of_the_score():
    rates = ScoreSchedule(halved, 0.1)
    assert rates.rate(rates.start()) == 0.1
    assert rates_after(rates, [1.0, 0.5, np.float32(0)]) == [0.5, 0.25, 0.0]


def test_the_list_is_complete():
    assert set(SCORE_DRIVEN) == set(ScoreDriven.__subclasses__())


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ReduceOnPlateau(0), ValueError, "initial: expected a finite number above 0, got 0"),
        (lambda: ReduceOnPlateau(-0.1), ValueError, r"initial: expected a finite number above 0, got -0\.1"),
        (lambda: ReduceOnPlateau("0.1"), TypeError, "initial: expected a number, got str"),
        (
            lambda: ReduceOnPlateau(1, 1),
            ValueError,
            "factor: expected a finite number above 0 and below 1, got 1",
        ),
        (
            lambda: ReduceOnPlateau(1, 0),
            ValueError,
            "factor: expected a finite number above 0 and below 1, got 0",
        ),
        (lambda: ReduceOnPlateau(1, patience=-1), ValueError, "patience: expected an integer from 0"),
        (lambda: ReduceOnPlateau(1, patience=1.0), TypeError, "patience: expected an int, got float"),
        (
            lambda: ReduceOnPlateau(1, threshold=-1),
            ValueError,
            "threshold: expected a finite number of at least 0",
        ),
        (
            lambda: ReduceOnPlateau(1, relative="rel"),
            TypeError,
            "relative: expected True or False, got str 'rel'",
        ),
        (lambda: ReduceOnPlateau(1, cooldown=-1), ValueError, "cooldown: expected an integer from 0"),
        (
            lambda: ReduceOnPlateau(1, minimum=-1),
            ValueError,
            "minimum: expected a finite number of at least 0",
        ),
        (
            lambda: ReduceOnPlateau(1, minimum=2),
            ValueError,
            r"minimum: expected at most the initial 1\.0, got 2\.0",
        ),
        (lambda: ReduceOnPlateau(1, mode="auto"), ValueError, "mode: expected 'min' or 'max', got 'auto'"),
        (
            lambda: ReduceOnPlateau(1, mode=["min"]),
            ValueError,
            r"mode: expected 'min' or 'max', got \['min'\]",
        ),
        (lambda: ScoreSchedule(0.1, 0.1), TypeError, "function: expected a function of the score, got float"),
        (lambda: ScoreSchedule(abs, 0), ValueError, "initial: expected a finite number above 0, got 0"),
        (lambda: PlateauState(-1.0), ValueError, "rate: expected a finite number of at least 0"),
        (lambda: PlateauState(1.0, math.nan), ValueError, "best: expected a finite number or None, got nan"),
        (lambda: PlateauState(1.0, "1"), TypeError, "best: expected a number, got str '1'"),
        (lambda: PlateauState(1.0, None, -1), ValueError, "bad: expected an integer from 0"),
        (lambda: PlateauState(1.0, None, 0, 0.5), TypeError, "cooldown: expected an int, got float"),
        (lambda: ScoreState(math.inf), ValueError, "rate: expected a finite number of at least 0, got inf"),
        (
            lambda: RateState.from_dict({"version": 1, "kind": "plateau_state", "rate": 0.1, "bads": 1}),
            ValueError,
            "plateau_state: unknown key 'bads' of kind 'plateau_state'; did you mean 'bad'",
        ),
        (
            lambda: PlateauState.from_dict({"version": 1, "kind": "plateau_state", "rate": -0.1}),
            ValueError,
            r"plateau_state\.rate: expected a finite number of at least 0",
        ),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=f"^{message}"):
        make()


PLATEAU = ReduceOnPlateau(1.0)
HALVED = ScoreSchedule(halved, 0.1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: PLATEAU.update(PLATEAU.start(), "1"), TypeError, "score: expected a number, got str '1'"),
        (lambda: PLATEAU.update(PLATEAU.start(), None), TypeError, "score: expected a number, got NoneType"),
        (
            lambda: PLATEAU.update(HALVED.start(), 1.0),
            TypeError,
            "state: expected a PlateauState, got ScoreState",
        ),
        (
            lambda: HALVED.update(PLATEAU.start(), 1.0),
            TypeError,
            "state: expected a ScoreState, got PlateauState",
        ),
        (lambda: HALVED.update(HALVED.start(), True), TypeError, "score: expected a number, got bool"),
        (lambda: PLATEAU.rate(0.1), TypeError, "state: expected what start or update gave, got float"),
        (
            lambda: HALVED.update(HALVED.start(), -3),
            ValueError,
            r"rate of function test_plateau\.halved at score -3\.0: expected a finite number of at least 0, got -1\.5",
        ),
        (
            lambda: HALVED.update(HALVED.start(), math.nan),
            ValueError,
            r"rate of function test_plateau\.halved at score nan: expected a finite number of at least 0, got nan",
        ),
        (
            lambda: ScoreSchedule(functools.partial(dict), 0.1).update(ScoreState(0.1), 1.0),
            TypeError,
            "'float' object is not iterable",
        ),
        (
            lambda: ScoreSchedule(str, 0.1).update(ScoreState(0.1), 1.0),
            TypeError,
            r"rate of function builtins\.str at score 1\.0: expected a number, got str '1\.0'",
        ),
    ],
)
def test_calls_that_are_refused(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()


def test_a_function_is_stored_by_name():
    document = HALVED.to_dict()
    assert document == {
        "version": 1,
        "kind": "score_schedule",
        "function": "test_plateau.halved",
        "initial": 0.1,
    }
    assert check_same(HALVED, document) == []
    with pytest.raises(
        ValueError, match=r"^score_schedule\.function: expected the schedule to be made by code"
    ):
        ScoreDriven.from_dict(document)
    with pytest.raises(
        ValueError, match=r"function: 'test_plateau\.halved' in the document, 'builtins\.abs' now"
    ):
        check_same(ScoreSchedule(abs, 0.1), document)
    with pytest.raises(ValueError, match=r"initial: nothing in the document, 0\.1 now"):
        check_same(HALVED, {key: document[key] for key in ("version", "kind", "function")})
    with pytest.raises(ValueError, match="other: 3 in the document, nothing now"):
        check_same(HALVED, {**document, "other": 3})
    with pytest.raises(ValueError, match="kind: 'reduce_on_plateau' in the document, 'score_schedule' now"):
        check_same(HALVED, PLATEAU.to_dict())
