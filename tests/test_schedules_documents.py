"""Schedules as documents: exact, strict, and compared when a run goes on."""

import dataclasses
import json
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paring.training.documents import Documented
from paring.training.plateau import PlateauState, ReduceOnPlateau, ScoreSchedule
from paring.training.schedules import (
    Chain,
    Constant,
    Cosine,
    Exponential,
    LinearWarmup,
    MultiStep,
    Polynomial,
    Schedule,
    Step,
    check_same,
)
from paring.training.stopping import EarlyStopping, StoppingState
from schedule_cases import DOCUMENTS, TORCH, schedule_id

OTHERS = [
    ReduceOnPlateau(0.1, 0.5, 3, 0.01, False, 2, 0.001, "max"),
    PlateauState(0.1, None, 0, 0),
    PlateauState(0.1, -2.5, 3, 1),
    EarlyStopping(3, 0.01, "max"),
    StoppingState(0.5, 3, 1),
]


@pytest.mark.parametrize("case", DOCUMENTS, ids=schedule_id)
def test_the_document_is_this(case):
    schedule, document = case
    assert schedule.to_dict() == document
    assert list(schedule.to_dict()) == list(document)
    assert Schedule.from_dict(document) == schedule


@pytest.mark.parametrize(
    "value", [case[0] for case in TORCH + DOCUMENTS] + OTHERS, ids=lambda s: type(s).__name__
)
def test_json_brings_back_the_same(value):
    again = type(value).from_dict(json.loads(json.dumps(value.to_dict(), allow_nan=False)))
    assert again == value
    assert type(again) is type(value)
    assert check_same(value, again.to_dict()) == []


@given(initial=st.floats(1e-300, 1e300), steps=st.integers(1, 2**63 - 1))
@settings(deadline=None)
def test_every_number_comes_back(initial, steps):
    schedule = Cosine(initial, steps)
    assert Schedule.from_dict(json.loads(json.dumps(schedule.to_dict()))) == schedule


def test_defaults_may_be_left_out():
    assert Schedule.from_dict({"version": 1, "kind": "cosine", "initial": 1, "steps": 4}) == Cosine(1.0, 4)


def nested(depth):
    document = {"kind": "constant", "initial": 1.0}
    for _ in range(depth):
        document = {"kind": "chain", "parts": [{"schedule": document, "steps": None}]}
    return {"version": 1, **document}


def test_nesting_has_a_bound():
    deepest = Schedule.from_dict(nested(32))
    assert Schedule.from_dict(deepest.to_dict()) == deepest


WARMUP = {"kind": "linear_warmup", "start": 0.1, "peak": 1.0, "steps": 3}


def chain(*parts):
    return {"version": 1, "kind": "chain", "parts": list(parts)}


@pytest.mark.parametrize(
    ("document", "error", "message"),
    [
        (None, TypeError, "Schedule: expected a dict, got NoneType None"),
        ([], TypeError, r"Schedule: expected a dict, got list \[\]"),
        ({}, ValueError, "Schedule: expected a key 'version'"),
        (
            {"version": 2, "kind": "cosine"},
            ValueError,
            r"Schedule\.version: expected 1, got 2: written by a newer",
        ),
        ({"version": "1"}, TypeError, r"Schedule\.version: expected an int, got str '1'"),
        (
            {"version": 1},
            ValueError,
            "Schedule: expected a key 'kind' that is one of '.*'constant', 'exponential'",
        ),
        (
            {"version": 1, "kind": "cosin"},
            ValueError,
            r"Schedule\.kind: expected one of .*, got 'cosin'; did you mean 'cosine'",
        ),
        (
            {"version": 1, "kind": ["cosine"]},
            ValueError,
            r"Schedule\.kind: expected one of .*, got \['cosine'\]",
        ),
        ({"version": 1, "kind": "plateau_state"}, ValueError, r"Schedule\.kind: expected one of"),
        (
            {"version": 1, "kind": "cosine", "initial": 1.0, "step": 3},
            ValueError,
            "cosine: unknown key 'step' of kind 'cosine'; did you mean 'steps'",
        ),
        (
            {"version": 1, "kind": "cosine", "gamma": 3},
            ValueError,
            "cosine: unknown key 'gamma' of kind 'cosine'; expected 'initial', 'steps', 'end'",
        ),
        (
            {"version": 1, "kind": "cosine", "initial": 1.0},
            ValueError,
            "cosine: expected a key 'steps' of kind",
        ),
        (
            {"version": 1, "kind": "cosine", "initial": -1.0, "steps": 3},
            ValueError,
            r"cosine\.initial: expected a finite number above 0, got -1\.0",
        ),
        (
            {"version": 1, "kind": "cosine", "initial": 1.0, "steps": 3.0},
            TypeError,
            r"cosine\.steps: expected an int, got float 3\.0",
        ),
        (
            {"version": 1, "kind": "multi_step", "initial": 1.0, "milestones": [3, "4"]},
            TypeError,
            r"multi_step\.milestones\[1\]: expected an int, got str '4'",
        ),
        (
            {"version": 1, "kind": "chain", "parts": {}},
            TypeError,
            r"chain\.parts: expected a list of dicts, got dict",
        ),
        (chain(), ValueError, r"chain\.parts: expected at least one"),
        (chain(3), TypeError, r"chain\.parts\[0\]: expected a dict, got int 3"),
        (
            chain({"schedule": WARMUP}),
            ValueError,
            r"chain\.parts\[0\]: expected the keys 'schedule' and 'steps', got 'schedule'",
        ),
        (chain({}), ValueError, r"chain\.parts\[0\]: expected the keys 'schedule' and 'steps', got none"),
        (
            chain({"schedule": WARMUP, "steps": None}, {"schedule": None, "steps": 3}),
            TypeError,
            r"chain\.parts\[1\]\.schedule: expected a dict, got NoneType",
        ),
        (
            chain({"schedule": {"initial": 1}, "steps": 3}),
            ValueError,
            r"chain\.parts\[0\]\.schedule: expected a key 'kind'",
        ),
        (
            chain({"schedule": {**WARMUP, "steps": 0}, "steps": 3}),
            ValueError,
            r"chain\.parts\[0\]\.schedule\.steps: expected an integer from 1",
        ),
        (
            chain({"schedule": {**WARMUP, "version": 1}, "steps": 3}),
            ValueError,
            r"chain\.parts\[0\]\.schedule: unknown key 'version'",
        ),
        (
            chain({"schedule": WARMUP, "steps": -3}),
            ValueError,
            r"chain\.parts\[0\]: steps: expected an integer from 1",
        ),
        (nested(33), ValueError, r"chain\.parts.* expected at most 32 schedules around one, got more"),
        (nested(300), ValueError, r"chain\.parts.* expected at most 32 schedules around one, got more"),
    ],
)
def test_documents_that_are_refused(document, error, message):
    with pytest.raises(error, match=f"^{message}"):
        Schedule.from_dict(document)


def test_a_class_takes_its_own_kind_only():
    with pytest.raises(ValueError, match=r"^Step\.kind: expected one of 'step', got 'cosine'$"):
        Step.from_dict(Cosine(1.0, 3).to_dict())


@dataclasses.dataclass(frozen=True)
class Sawtooth(Schedule):
    """A schedule of a user's own that is stored."""

    peak: float
    kind: ClassVar[str] = "test_sawtooth"

    def _rate(self, step):
        return self.peak * (step % 3)


@dataclasses.dataclass(frozen=True)
class Unnamed(Sawtooth):
    """One that names no kind."""


def test_a_schedule_of_ones_own_is_stored_by_its_kind():
    schedule = Chain([(Sawtooth(0.5), 4), (Constant(1.0), None)])
    assert Schedule.from_dict(schedule.to_dict()) == schedule
    with pytest.raises(TypeError, match=r"^Unnamed: expected a class that names its kind to be stored"):
        Unnamed(0.5).to_dict()


def test_a_kind_is_one_class():
    with pytest.raises(TypeError, match="expected a kind of its own, got 'cosine', which is Cosine"):
        type("Impostor", (Documented,), {"kind": "cosine"})
    assert Schedule.from_dict(Cosine(1.0, 3).to_dict()) == Cosine(1.0, 3)


BEGAN = Chain([(LinearWarmup(0.1, 1.0, 3), None), (Cosine(1.0, 4), None)])


@pytest.mark.parametrize(
    ("began", "now", "differences"),
    [
        (Cosine(0.1, 100), Cosine(0.1, 200), ["steps: 100 in the document, 200 now"]),
        (
            Cosine(0.1, 100),
            Cosine(0.2, 200),
            ["initial: 0.1 in the document, 0.2 now", "steps: 100 in the document, 200 now"],
        ),
        (Cosine(0.1, 100), Polynomial(0.1, 100), ["kind: 'cosine' in the document, 'polynomial' now"]),
        (MultiStep(0.1, [3, 5]), MultiStep(0.1, [3, 6]), ["milestones[1]: 5 in the document, 6 now"]),
        (MultiStep(0.1, [3, 5]), MultiStep(0.1, [3]), ["milestones: [3, 5] in the document, [3] now"]),
        (
            Exponential(0.1, 0.9),
            Exponential(0.1, 0.9, end=0.01),
            ["end: None in the document, 0.01 now"],
        ),
        (
            BEGAN,
            Chain([(LinearWarmup(0.1, 1.0, 3), None), (Cosine(1.0, 8), None)]),
            [
                "parts[1].schedule.steps: 4 in the document, 8 now",
                "parts[1].steps: 4 in the document, 8 now",
            ],
        ),
        (
            BEGAN,
            Chain([(Constant(1.0), 3), (Cosine(1.0, 4), None)]),
            ["parts[0].schedule.kind: 'linear_warmup' in the document, 'constant' now"],
        ),
        (ReduceOnPlateau(0.1), ReduceOnPlateau(0.1, patience=3), ["patience: 10 in the document, 3 now"]),
        (
            ReduceOnPlateau(0.1),
            ScoreSchedule(abs, 0.1),
            ["kind: 'reduce_on_plateau' in the document, 'score_schedule' now"],
        ),
        (EarlyStopping(3), EarlyStopping(4), ["patience: 3 in the document, 4 now"]),
    ],
)
def test_what_differs_is_named(began, now, differences):
    document = json.loads(json.dumps(began.to_dict()))
    assert check_same(began, document) == []
    assert check_same(now, document, allow_change=True) == differences
    with pytest.raises(ValueError) as raised:
        check_same(now, document)
    assert str(raised.value) == (
        f"{type(now).__name__}: not what the run began with: {'; '.join(differences)}; "
        f"pass allow_change=True to go on with it"
    )


def test_a_document_with_defaults_left_out_is_the_same():
    assert check_same(Cosine(1.0, 4), {"version": 1, "kind": "cosine", "initial": 1, "steps": 4}) == []


def test_a_bad_document_is_no_difference():
    with pytest.raises(ValueError, match=r"^cosine: expected a key 'steps'"):
        check_same(Cosine(1.0, 4), {"version": 1, "kind": "cosine", "initial": 1}, allow_change=True)
    with pytest.raises(TypeError, match=r"^Schedule: expected a dict, got str"):
        check_same(Cosine(1.0, 4), "cosine")
    with pytest.raises(
        TypeError, match=r"^settings: expected a schedule or another object with to_dict, got float"
    ):
        check_same(0.1, Cosine(1.0, 4).to_dict())
