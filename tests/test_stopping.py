"""Early stopping: when, on which score, and that its state is plain data."""

import json
import math

import pytest

from paring.training.stopping import EarlyStopping, StoppingState


def follow(stopping, scores):
    """Return the states after each score, to the first at which it stops."""
    state = stopping.start()
    states = []
    for score in scores:
        state = stopping.update(state, score)
        states.append(state)
        if stopping.should_stop(state):
            break
    return states


def test_it_stops_at_bad_score_number_patience():
    states = follow(EarlyStopping(2), [3, 2, 2.5, 1, 1, 1, 1, 1])
    assert len(states) == 6
    assert [state.improved for state in states] == [True, True, False, True, False, False]
    assert [state.best_index for state in states] == [0, 1, 1, 3, 3, 3]
    assert states[-1] == StoppingState(best=1.0, scores=6, bad=2)


def test_upward():
    states = follow(EarlyStopping(1, mode="max"), [0.1, 0.5, 0.4, 0.9])
    assert [state.best for state in states] == [0.1, 0.5, 0.5]


def test_a_small_step_is_no_better():
    scores = [1.0, 0.95, 0.9, 0.85]
    assert len(follow(EarlyStopping(3, min_delta=0.25), scores)) == 4
    assert not EarlyStopping(3, min_delta=0.06).should_stop(follow(EarlyStopping(3, 0.06), scores)[-1])
    exact = follow(EarlyStopping(1, min_delta=0.25), [1.0, 0.75, 0.5])
    assert [state.improved for state in exact] == [True, False]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_what_is_not_finite_is_bad(bad, mode):
    states = follow(EarlyStopping(2, mode=mode), [bad, bad, 1.0])
    assert states[-1] == StoppingState(None, 2, 2)
    assert (states[-1].best_index, states[-1].improved) == (None, False)
    later = follow(EarlyStopping(2, mode=mode), [bad, 1.0, bad, bad])
    assert (later[-1].best, later[-1].best_index, len(later)) == (1.0, 1, 4)


def test_negative_scores():
    assert len(follow(EarlyStopping(2), [-1.0] * 10)) == 3


def test_nothing_measured_yet():
    state = EarlyStopping(1).start()
    assert (state.best, state.best_index, state.improved) == (None, None, False)
    assert not EarlyStopping(1).should_stop(state)


def test_a_run_that_was_stopped_goes_on_the_same(rng):
    stopping = EarlyStopping(4, 0.1)
    scores = rng.normal(size=40).tolist()
    whole = follow(stopping, scores)
    for stop in range(len(whole)):
        state = StoppingState.from_dict(json.loads(json.dumps(whole[stop].to_dict(), allow_nan=False)))
        assert state == whole[stop]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: EarlyStopping(0), ValueError, "patience: expected an integer from 1"),
        (lambda: EarlyStopping(1.5), TypeError, "patience: expected an int, got float"),
        (lambda: EarlyStopping(1, -0.1), ValueError, "min_delta: expected a finite number of at least 0"),
        (lambda: EarlyStopping(1, mode="up"), ValueError, "mode: expected 'min' or 'max', got 'up'"),
        (
            lambda: EarlyStopping(1).update(StoppingState(), "1"),
            TypeError,
            "score: expected a number, got str '1'",
        ),
        (
            lambda: EarlyStopping(1).update(None, 1.0),
            TypeError,
            "state: expected a StoppingState, got NoneType",
        ),
        (lambda: EarlyStopping(1).should_stop(1.0), TypeError, "state: expected a StoppingState, got float"),
        (lambda: StoppingState(math.inf), ValueError, "best: expected a finite number or None, got inf"),
        (lambda: StoppingState(1.0, -1), ValueError, "scores: expected an integer from 0"),
        (lambda: StoppingState(1.0, 3, 4), ValueError, "bad: expected at most the 3 scores, got 4"),
        (
            lambda: StoppingState.from_dict({"version": 1, "kind": "stopping_state", "scores": 1, "bad": 2}),
            ValueError,
            r"stopping_state\.bad: expected at most the 1 scores, got 2",
        ),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()
