"""What optimizers refuse, in words that say what, expected, got, where."""

import math

import numpy as np
import pytest

from optimizer_cases import SGD, Adagrad, Adam, AdamW, RMSprop
from paring.training.optimizers import OPTIMIZERS
from paring.training.optimizers.clipping import ClipByGlobalNorm, ClipByNorm, ClipByValue
from paring.training.optimizers.parameter_groups import ParameterGroup
from paring.training.optimizers.states import OptimizerState, convert_momentum
from paring.training.optimizers.torch_states import state_from_torch

FINITE = "expected a finite number"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SGD(0.1, momentum=1), ValueError, f"momentum: {FINITE} of at least 0 and below 1, got 1"),
        (
            lambda: SGD(0.1, momentum=-0.1),
            ValueError,
            f"momentum: {FINITE} of at least 0 and below 1, got -0.1",
        ),
        (lambda: SGD(0.1, momentum="0.9"), TypeError, "momentum: expected a number, got str '0.9'"),
        (lambda: SGD(0.1, 0.9, "torch"), ValueError, "form: expected 'classic' or 'pytorch', got 'torch'"),
        (
            lambda: SGD(0.1, 0.9, dampening=0.5),
            ValueError,
            "dampening: expected 0 without momentum of form 'pytorch'",
        ),
        (
            lambda: SGD(0.1, form="pytorch", dampening=0.5),
            ValueError,
            "dampening: expected 0 without momentum",
        ),
        (
            lambda: SGD(0.1, 0.9, "pytorch", dampening=1),
            ValueError,
            f"dampening: {FINITE} of at least 0 and below 1",
        ),
        (
            lambda: SGD(0.1, nesterov=True),
            ValueError,
            "nesterov: expected a momentum and no dampening, got momentum 0.0",
        ),
        (
            lambda: SGD(0.1, 0.9, "pytorch", dampening=0.5, nesterov=True),
            ValueError,
            "nesterov: expected a momentum and no dampening, got momentum 0.9 and dampening 0.5",
        ),
        (lambda: SGD(0.1, 0.9, nesterov=1), TypeError, "nesterov: expected True or False, got int 1"),
        (lambda: Adagrad(lr_decay=-1), ValueError, f"lr_decay: {FINITE} of at least 0, got -1"),
        (lambda: Adagrad(initial_accumulator_value=-1), ValueError, "initial_accumulator_value: expected"),
        (lambda: Adagrad(eps=0), ValueError, f"eps: {FINITE} of at least 1e-30, got 0"),
        (lambda: RMSprop(eps=0), ValueError, f"eps: {FINITE} of at least 1e-30, got 0"),
        (lambda: RMSprop(alpha=1), ValueError, f"alpha: {FINITE} of at least 0 and below 1, got 1"),
        (lambda: RMSprop(momentum=-1), ValueError, "momentum: expected"),
        (lambda: RMSprop(centered="yes"), TypeError, "centered: expected True or False, got str 'yes'"),
        (lambda: Adam(eps=0), ValueError, f"eps: {FINITE} of at least 1e-30, got 0"),
        (lambda: Adam(eps=-1e-8), ValueError, f"eps: {FINITE} of at least 1e-30, got -1e-08"),
        (
            lambda: Adam(betas=(1.0, 0.9)),
            ValueError,
            rf"betas\[0\]: {FINITE} of at least 0 and below 1, got 1.0",
        ),
        (
            lambda: Adam(betas=(0.9, -0.1)),
            ValueError,
            rf"betas\[1\]: {FINITE} of at least 0 and below 1, got -0.1",
        ),
        (lambda: Adam(betas=0.9), TypeError, "betas: expected a pair of numbers, got 0.9"),
        (lambda: Adam(betas=(0.9, 0.9, 0.9)), TypeError, "betas: expected a pair of numbers"),
        (lambda: Adam(amsgrad=None), TypeError, "amsgrad: expected True or False, got NoneType None"),
        (lambda: ClipByGlobalNorm(0), ValueError, f"max_norm: {FINITE} above 0, got 0"),
        (lambda: ClipByNorm(math.inf), ValueError, f"max_norm: {FINITE} above 0, got inf"),
        (lambda: ClipByValue(-1), ValueError, f"limit: {FINITE} above 0, got -1"),
        (lambda: ClipByValue(10**400), ValueError, f"limit: {FINITE} above 0"),
        (
            lambda: ParameterGroup("*"),
            ValueError,
            r"ParameterGroup\('\*'\): expected a learning_rate, weight_decay or",
        ),
        (lambda: ParameterGroup("", frozen=True), ValueError, "match: expected a glob"),
        (lambda: ParameterGroup("*", frozen=1), TypeError, "frozen: expected True or False, got int 1"),
        (lambda: ParameterGroup("*", learning_rate=0), ValueError, f"learning_rate: {FINITE} above 0, got 0"),
        (
            lambda: ParameterGroup("*", weight_decay=-1),
            ValueError,
            f"weight_decay: {FINITE} of at least 0, got -1",
        ),
    ],
)
def test_options_out_of_range_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("cls", OPTIMIZERS, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"learning_rate": 0}, ValueError, f"learning_rate: {FINITE} above 0, got 0"),
        ({"learning_rate": -0.1}, ValueError, f"learning_rate: {FINITE} above 0, got -0.1"),
        ({"learning_rate": math.nan}, ValueError, f"learning_rate: {FINITE} above 0, got nan"),
        (
            {"learning_rate": "fast"},
            TypeError,
            "learning_rate: expected a number or a function of the step, got str",
        ),
        ({"weight_decay": -1}, ValueError, f"weight_decay: {FINITE} of at least 0, got -1"),
        ({"decoupled": 0}, TypeError, "decoupled: expected True or False, got int 0"),
        ({"maximize": "no"}, TypeError, "maximize: expected True or False, got str 'no'"),
        (
            {"clip": 1.0},
            TypeError,
            "clip: expected ClipByGlobalNorm, ClipByNorm, ClipByValue or None, got float",
        ),
        ({"groups": "*"}, TypeError, "groups: expected a list, got str"),
        ({"groups": ["*.bias"]}, TypeError, r"groups\[0\]: expected ParameterGroup, got str"),
    ],
)
def test_shared_options_are_checked_by_every_optimizer(cls, options, error, message):
    with pytest.raises(error, match=message):
        cls(**{"learning_rate": 0.1, **options})


@pytest.mark.parametrize(
    ("rate", "error", "message"),
    [
        (lambda step: -0.5, ValueError, f"learning_rate at step 2: {FINITE} of at least 0, got -0.5"),
        (lambda step: math.nan, ValueError, f"learning_rate at step 2: {FINITE} of at least 0, got nan"),
        (lambda step: None, TypeError, "learning_rate at step 2: expected a number, got NoneType None"),
    ],
)
def test_what_a_schedule_gives_is_checked_at_use(rate, error, message):
    weights = {"w": np.ones(2)}
    state = OptimizerState(2, {})
    with pytest.raises(error, match=message):
        SGD(rate).step(weights, {"w": np.ones(2)}, state)
    group = ParameterGroup("w", learning_rate=rate)
    with pytest.raises(error, match=r"groups\[0\]\." + message):
        SGD(0.1, groups=[group]).step(weights, {"w": np.ones(2)}, state)
    assert state.step == 2
    assert (weights["w"] == 1).all()


def test_a_decay_that_turns_weights_around_is_refused():
    weights = {"w": np.ones(2)}
    optimizer = AdamW(0.5, weight_decay=3)
    with pytest.raises(ValueError, match=r"weight_decay: expected at most 1 times .*, got 3 \* 0.5 for 'w'"):
        optimizer.step(weights, {"w": np.ones(2)}, optimizer.init(weights))


def read_only(array):
    array.flags.writeable = False
    return array


F4 = np.ones(4, np.float32)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"weights": [F4]}, TypeError, "weights: expected a mapping of names to arrays, got list"),
        ({"weights": {}}, ValueError, "weights: expected at least one, got an empty mapping"),
        ({"weights": {"w": [1.0]}}, TypeError, "'w': expected an array, got list"),
        (
            {"weights": {"w": np.ones(4, np.float16)}},
            TypeError,
            "'w': expected dtype float32 or float64, got <f2",
        ),
        ({"weights": {"w": np.ones(4, ">f4")}}, TypeError, "'w': expected dtype float32 or float64, got >f4"),
        (
            {"weights": {"w": np.ones(4, np.int64)}},
            TypeError,
            "'w': expected .*got <i8; freeze what is not trained",
        ),
        (
            {"weights": {"w": np.ones(8, np.float32)[::2]}},
            ValueError,
            "'w': expected a C-contiguous, aligned array",
        ),
        (
            {"weights": {"w": read_only(np.ones(4, np.float32))}},
            ValueError,
            "'w': expected a writeable array",
        ),
        ({"gradients": [F4]}, TypeError, "gradients: expected a mapping of names to arrays, got list"),
        ({"gradients": {}}, ValueError, "gradients: expected one for every weight .*, got none for 'w'"),
        ({"gradients": {"w": F4, "v": F4}}, ValueError, "gradients: no weight is called 'v'"),
        ({"gradients": {"w": None}}, TypeError, "the gradient of 'w': expected an array, got NoneType"),
        (
            {"gradients": {"w": np.ones(4)}},
            TypeError,
            "the gradient of 'w': expected dtype float32 .*, got <f8",
        ),
        (
            {"gradients": {"w": F4[:3]}},
            ValueError,
            r"the gradient of 'w': expected shape \(4,\) .*, got \(3,\)",
        ),
        (
            {"gradients": {"w": np.ones(8, np.float32)[::2]}},
            ValueError,
            "the gradient of 'w': expected a C-contiguous",
        ),
        ({"state": {}}, TypeError, "state: expected what init gives, an OptimizerState, got dict"),
        ({"state": OptimizerState(-1, {})}, ValueError, "state.step: expected an int from 0 up, got -1"),
        ({"state": OptimizerState(1.0, {})}, ValueError, "state.step: expected an int from 0 up, got 1.0"),
        (
            {"state": OptimizerState(0, {})},
            ValueError,
            "state of 'w': expected the slots velocity, got none; is it of",
        ),
        (
            {"state": OptimizerState(0, {"w": {"sum": F4}})},
            ValueError,
            "expected the slots velocity, got sum",
        ),
        ({"state": OptimizerState(0, {"x": {}})}, ValueError, "state: no weight is called 'x'"),
        (
            {"state": OptimizerState(0, {"w": {"velocity": np.ones(4)}})},
            TypeError,
            "the slot velocity of 'w': expected dtype float32 like the weight, got <f8",
        ),
        (
            {"state": OptimizerState(0, {"w": {"velocity": np.ones((2, 2), np.float32)}})},
            ValueError,
            r"the slot velocity of 'w': expected shape \(4,\) like the weight, got \(2, 2\)",
        ),
        (
            {"state": OptimizerState(0, {"w": {"velocity": read_only(np.ones(4, np.float32))}})},
            ValueError,
            "the slot velocity of 'w': expected a writeable array, got a read-only one",
        ),
        ({"masks": [F4]}, TypeError, "masks: expected a mapping of names to arrays, got list"),
        ({"masks": {"ww": None}}, ValueError, "masks: no weight is called 'ww'; did you mean 'w'"),
        ({"masks": {"w": [1, 0, 1, 1]}}, TypeError, "the mask of 'w': expected an array or None, got list"),
        ({"masks": {"w": F4}}, TypeError, "the mask of 'w': expected dtype bool or uint8, got <f4"),
        (
            {"masks": {"w": np.ones(3, bool)}},
            ValueError,
            r"the mask of 'w': expected shape \(4,\) .*, got \(3,\)",
        ),
        (
            {"masks": {"w": np.ones(8, bool)[::2]}},
            ValueError,
            "the mask of 'w': expected a C-contiguous array",
        ),
    ],
)
def test_what_does_not_fit_a_step_is_refused(arguments, error, message):
    optimizer = SGD(0.1, 0.9)
    good = {"weights": {"w": np.ones(4, np.float32)}, "gradients": {"w": F4}}
    good["state"] = optimizer.init(good["weights"])
    with pytest.raises(error, match=message):
        optimizer.step(**{**good, **arguments})
    assert (good["weights"]["w"] == 1).all()
    assert good["state"].step == 0


def test_memory_in_two_places_is_refused():
    both = np.ones(4)
    optimizer = SGD(0.1, 0.9)
    weights = {"tied": both, "again": both}
    gradients = {name: np.ones(4) for name in weights}
    state = optimizer.init(weights)
    with pytest.raises(ValueError, match="'again': shares memory with 'tied'"):
        optimizer.step(weights, gradients, state)
    with pytest.raises(
        ValueError, match=r"the gradient of 'w': shares memory with 'w'|'w': shares memory with the grad"
    ):
        optimizer.step({"w": both}, {"w": both}, OptimizerState(0, {"w": {"velocity": np.ones(4)}}))
    assert (both == 1).all()
    assert state.step == 0


def test_patterns_that_match_nothing_are_refused():
    weights = {"layer.weight": np.ones(2), "layer.bias": np.ones(2)}
    with pytest.raises(
        ValueError, match=r"groups\[1\]: no weight has a name that matches '\*.bais'; did you mean '\*.bias'"
    ):
        SGD(0.1, groups=[ParameterGroup("*", frozen=False), ParameterGroup("*.bais", weight_decay=0)]).init(
            weights
        )
    with pytest.raises(ValueError, match=r"matches 'layer.weigth'; did you mean 'layer.weight'"):
        SGD(0.1, groups=[ParameterGroup("layer.weigth", weight_decay=0)]).init(weights)
    with pytest.raises(ValueError, match="groups: every weight is frozen; expected at least one to train"):
        SGD(0.1, groups=[ParameterGroup("layer.*", frozen=True)]).init(weights)
    with pytest.raises(TypeError, match="weights: expected a mapping of names to arrays, got list"):
        SGD(0.1).init([np.ones(2)])


@pytest.mark.parametrize("clip", [ClipByGlobalNorm(1.0), ClipByNorm(1.0)], ids=repr)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_norm_that_is_no_number_names_the_tensor(clip, bad):
    weights = {"a": np.ones(2, np.float32), "b.weight": np.ones((3, 2), np.float32)}
    gradients = {name: np.ones_like(w) for name, w in weights.items()}
    gradients["b.weight"][1, 1] = gradients["b.weight"][2, 1] = bad
    optimizer = Adam(0.1, clip=clip)
    with pytest.raises(
        ValueError, match=f"the gradient of 'b.weight': {bad} at index 3; clipping by norm needs"
    ):
        optimizer.step(weights, gradients, optimizer.init(weights))
    assert all((w == 1).all() for w in weights.values())


def test_norms_beyond_float64_are_refused():
    weights = {"a": np.ones(2), "b": np.ones(2)}
    optimizer = Adam(0.1, clip=ClipByGlobalNorm(1.0))
    state = optimizer.init(weights)
    with pytest.raises(ValueError, match="the gradient of 'b': its norm is beyond float64"):
        optimizer.step(weights, {"a": np.ones(2), "b": np.full(2, 1e200)}, state)
    huge = np.array([1.3e154, 0])
    with pytest.raises(ValueError, match="gradients: the norm of all of them is beyond float64"):
        optimizer.step(weights, {"a": huge, "b": huge}, state)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "arrays: expected an entry 'step', got none"),
        ({"exp_avg/w": F4}, "arrays: expected an entry 'step', got 'exp_avg/w'"),
        ({"step": np.array([1, 2])}, r"arrays\['step'\]: expected one integer from 0 up, got int64 \[1, 2\]"),
        ({"step": np.array(1.0)}, r"arrays\['step'\]: expected one integer from 0 up, got float64 1.0"),
        ({"step": np.array(-1)}, r"arrays\['step'\]: expected one integer from 0 up, got int64 -1"),
        ({"step": np.array(1), "w": F4}, "arrays: expected names such as 'exp_avg/fc.weight', got 'w'"),
        ({"step": np.array(1), "/w": F4}, "arrays: expected names such as .*, got '/w'"),
        ({"step": np.array(1), "sum/": F4}, "arrays: expected names such as .*, got 'sum/'"),
    ],
)
def test_arrays_of_no_state_are_refused(arrays, message):
    with pytest.raises(ValueError, match=message):
        OptimizerState.from_arrays(arrays)


def test_states_come_from_arrays_as_copies():
    array = np.ones((2, 3), np.float32)
    state = OptimizerState.from_arrays({"step": np.array([4], np.uint8), "sum/a/b": array})
    assert state.step == 4
    assert list(state.slots) == ["a/b"]
    assert not np.shares_memory(state.slots["a/b"]["sum"], array)


@pytest.mark.parametrize(
    ("to", "rate", "message"),
    [
        ("keras", 0.1, "to: expected 'classic' or 'pytorch', got 'keras'"),
        ("pytorch", 0.1, "state of 'w': expected the slot 'velocity' alone, got 'momentum_buffer'"),
        ("classic", 0.0, f"learning_rate: {FINITE} above 0, got 0"),
        ("classic", {"v": 1.0}, "learning_rate: expected one for every weight, got none for 'w'"),
        ("classic", {"w": -1.0}, rf"learning_rate\['w'\]: {FINITE} above 0, got -1"),
    ],
)
def test_momentum_that_cannot_be_converted_is_refused(to, rate, message):
    with pytest.raises(ValueError, match=message):
        convert_momentum(OptimizerState(1, {"w": {"momentum_buffer": F4}}), to, rate)
    with pytest.raises(ValueError, match="state of 'w': expected the slot 'velocity' alone, got none"):
        convert_momentum(OptimizerState(1, {"w": {}}), "pytorch", 0.1)


SAVED = {"state.0.step": np.array(3.0), "state.0.sum": F4, "state.1.step": np.array(3.0), "state.1.sum": F4}


@pytest.mark.parametrize(
    ("arrays", "names", "step", "message"),
    [
        ({}, ["a"], None, "arrays: expected names such as 'state.0.exp_avg', got none"),
        ({"fc.weight": F4, "state.x.sum": F4, "state.0": F4}, ["a"], None, "arrays: expected names such as"),
        (SAVED, ["a"], None, "names: expected one for every weight, got 1 and an entry 'state.1.step'"),
        (SAVED, ["a", "b"], 4, "step: expected 3 as the state says, got 4"),
        (SAVED, ["a", "b"], -1, "step: expected an int from 0 up, got -1"),
        (
            SAVED | {"state.1.step": np.array(2.0)},
            ["a", "b"],
            None,
            "'a' has done 3 steps and 'b' 2; expected the same",
        ),
        (SAVED | {"state.1.step": F4}, ["a", "b"], None, "'a' has done 3 steps and 'b' nan"),
        (
            {"state.0.step": np.array(1.5), "state.0.sum": F4},
            ["a"],
            None,
            "expected a number of steps, got 1.5",
        ),
        (
            {"state.0.step": np.array(np.inf), "state.0.sum": F4},
            ["a"],
            None,
            "expected a number of steps, got inf",
        ),
        ({"state.0.momentum_buffer": F4}, ["a"], None, "step: expected how many steps were done"),
    ],
)
def test_what_is_no_state_of_pytorch_is_refused(arrays, names, step, message):
    with pytest.raises(ValueError, match=message):
        state_from_torch(arrays, names, step)
