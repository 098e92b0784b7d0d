"""Optimizers against golden rows, the textbook's formulas in float64, and what their options promise."""

import math

import numpy as np
import pytest

import paring
from optimizer_cases import CASES, SGD, Adagrad, Adam, AdamW, RMSprop, Textbook, case_id
from paring.training.optimizers import OPTIMIZERS, StepRecord
from paring.training.optimizers.clipping import ClipByGlobalNorm, ClipByNorm, ClipByValue
from paring.training.optimizers.parameter_groups import ParameterGroup
from paring.training.optimizers.regularizers import L1
from paring.training.optimizers.states import OptimizerState, convert_momentum

START = [1.0, -2.0, 0.5]
GRADIENTS = [[0.1, -0.2, 0.3], [-0.3, 0.1, 0.2], [0.05, 0.4, -0.1]]

# PyTorch 2.13.0 in float64, printed to ten digits.
GOLDEN = [
    (SGD(0.1), [1.0150000000, -2.0300000000, 0.4600000000]),
    (SGD(0.1, 0.9), [1.0249000000, -2.0048000000, 0.3907000000]),
    (SGD(0.1, 0.9, "pytorch"), [1.0249000000, -2.0048000000, 0.3907000000]),
    (SGD(0.1, 0.9, "pytorch", dampening=0.5), [0.9989000000, -1.9753000000, 0.4047000000]),
    (SGD(0.1, 0.9, "pytorch", nesterov=True, weight_decay=0.01), [1.0293695126, -2.0184195251, 0.3579933848]),
    (Adagrad(0.1), [0.9792509537, -2.0320085157, 0.3712561046]),
    (
        Adagrad(0.1, lr_decay=0.1, initial_accumulator_value=0.1),
        [1.0215732784, -2.0298888120, 0.4102739136],
    ),
    (RMSprop(0.1), [0.7921409458, -2.3237530292, -0.7872524917]),
    (RMSprop(0.1, 0.9, momentum=0.9, centered=True), [0.6299384890, -1.6684776167, -0.6894036587]),
    (Adam(0.1), [0.9771688090, -1.9190994800, 0.2477756072]),
    (Adam(0.1, weight_decay=0.01, amsgrad=True), [0.9688012167, -1.9022514259, 0.2467194554]),
    (AdamW(0.1, weight_decay=0.01), [0.9743222890, -1.9133320117, 0.2465740419]),
]


def run(optimizer, weights, gradients, masks=None, state=None):
    """Take one step for each mapping of gradients; return the state."""
    state = optimizer.init(weights) if state is None else state
    for gradient in gradients:
        optimizer.step(weights, gradient, state, masks)
    return state


def normal(rng, *shape, dtype=np.float64):
    return rng.normal(size=shape).astype(dtype)


@pytest.mark.parametrize(("optimizer", "wanted"), GOLDEN, ids=lambda value: repr(value)[:40])
def test_three_steps_give_the_golden_rows(optimizer, wanted):
    weights = {"w": np.array(START)}
    run(optimizer, weights, [{"w": np.array(g)} for g in GRADIENTS])
    np.testing.assert_allclose(weights["w"], wanted, rtol=0, atol=5.1e-11)


def test_every_optimizer_has_a_case():
    assert {cls for cls, *_ in CASES} == set(OPTIMIZERS)
    assert {type(optimizer) for optimizer, _ in GOLDEN} == set(OPTIMIZERS)


OURS = [(cls, options) for cls, options, *_ in CASES] + [
    (SGD, {"momentum": 0.9}),
    (SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "decoupled": True}),
    (SGD, {"momentum": 0.9, "form": "pytorch", "nesterov": True, "weight_decay": 0.1, "decoupled": True}),
    (Adagrad, {"weight_decay": 0.1, "decoupled": True, "lr_decay": 0.5}),
    (RMSprop, {"weight_decay": 0.1, "decoupled": True}),
]


@pytest.mark.parametrize("case", OURS, ids=case_id)
def test_float64_equals_the_textbook(case, rng):
    cls, options = case
    optimizer = cls(learning_rate=0.05, **options)
    weights = {"a": normal(rng, 3, 5), "b": normal(rng, 7), "c": np.array(0.5)}
    books = {name: Textbook(optimizer, w) for name, w in weights.items()}
    state = optimizer.init(weights)
    for _ in range(60):
        gradients = {name: normal(rng, *w.shape) for name, w in weights.items()}
        optimizer.step(weights, gradients, state)
        for name, book in books.items():
            book.step(gradients[name])
            np.testing.assert_allclose(weights[name], book.w, rtol=1e-12, atol=1e-12)
    assert state.step == 60


@pytest.mark.parametrize("case", OURS, ids=case_id)
def test_float32_goes_along_with_float64(case, rng):
    """Each step within 4 units of the float64 step from the same numbers, so 50 of them stay together."""
    cls, options = case
    optimizer = cls(learning_rate=0.01, **options)
    wide = {"w": normal(rng, 1000)}
    narrow = {"w": wide["w"].astype(np.float32)}
    wide["w"][:] = narrow["w"]
    states = optimizer.init(wide), optimizer.init(narrow)
    for _ in range(50):
        gradient = normal(rng, 1000, dtype=np.float32)
        optimizer.step(wide, {"w": gradient.astype(np.float64)}, states[0])
        optimizer.step(narrow, {"w": gradient}, states[1])
    size = np.abs(wide["w"]).max()
    np.testing.assert_allclose(narrow["w"], wide["w"], rtol=0, atol=50 * 4 * 2.0**-23 * size)


def test_the_forms_of_momentum_part_when_the_rate_changes():
    rates = [0.1, 0.1, 0.01, 0.01]
    moved = {}
    for form in ("classic", "pytorch"):
        weights = {"w": np.array([0.0])}
        run(SGD(rates.__getitem__, 0.9, form), weights, [{"w": np.array([1.0])}] * 4)
        moved[form] = -weights["w"][0]
    # v: .1, .19, .181, .1729 and b: 1, 1.9, 2.71, 3.439
    assert moved["classic"] == pytest.approx(0.1 + 0.19 + 0.181 + 0.1729, rel=1e-12)
    assert moved["pytorch"] == pytest.approx(0.1 + 0.19 + 0.0271 + 0.03439, rel=1e-12)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_converted_between_the_forms(nesterov, rng):
    weights = {"a": normal(rng, 5), "b": normal(rng, 2, 2)}
    forms = {form: SGD(0.1, 0.9, form, nesterov=nesterov) for form in ("classic", "pytorch")}
    gradients = [{name: normal(rng, *w.shape) for name, w in weights.items()} for _ in range(8)]
    for here, there in (("classic", "pytorch"), ("pytorch", "classic")):
        stayed = {name: w.copy() for name, w in weights.items()}
        went = {name: w.copy() for name, w in weights.items()}
        run(forms[here], stayed, gradients)
        state = run(forms[here], went, gradients[:4])
        before = state.slots["a"][forms[here].slots[0]].copy()
        converted = convert_momentum(state, there, 0.1 if here == "classic" else {"a": 0.1, "b": 0.1})
        assert np.array_equal(state.slots["a"][forms[here].slots[0]], before)
        run(forms[there], went, gradients[4:], state=converted)
        for name in weights:
            np.testing.assert_allclose(went[name], stayed[name], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("case", OURS, ids=case_id)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masked_weights_stay_exactly_zero(case, dtype, rng):
    cls, options = case
    optimizer = cls(learning_rate=0.01, **options)
    weights = {"a": normal(rng, 4, 9, dtype=dtype), "b": normal(rng, 5, dtype=dtype)}
    free = {name: w.copy() for name, w in weights.items()}
    state, free_state = optimizer.init(weights), optimizer.init(free)
    mask = rng.random((4, 9)) < 0.5
    for masks in ({"a": mask, "b": None}, {"a": mask.astype(np.uint8)}):
        gradients = {name: normal(rng, *w.shape, dtype=dtype) for name, w in weights.items()}
        gradients["a"][~mask] = np.nan
        optimizer.step(weights, gradients, state, masks)
        gradients["a"][~mask] = 0
        optimizer.step(free, gradients, free_state)
        for array in (weights["a"], *state.slots["a"].values()):
            assert not array[~mask].view(f"u{array.itemsize}").any()
        assert np.array_equal(weights["a"][mask], free["a"][mask])
        assert np.array_equal(weights["b"], free["b"])


@pytest.mark.parametrize("case", OURS, ids=case_id)
def test_a_state_from_a_file_goes_on_to_the_same_bytes(case, tmp_path, rng):
    cls, options = case
    optimizer = cls(learning_rate=0.01, **options)
    weights = {"layer.weight": normal(rng, 3, 4, dtype=np.float32), "bias": normal(rng, 4)}
    gradients = [
        {name: normal(rng, *w.shape).astype(w.dtype) for name, w in weights.items()} for _ in range(6)
    ]
    stayed = {name: w.copy() for name, w in weights.items()}
    run(optimizer, stayed, gradients)
    state = run(optimizer, weights, gradients[:3])
    paring.write(tmp_path / "state.safetensors", state.to_arrays())
    restored = OptimizerState.from_arrays(paring.read(tmp_path / "state.safetensors"))
    assert restored.step == 3
    run(optimizer, weights, gradients[3:], state=restored)
    for name, w in weights.items():
        assert w.tobytes() == stayed[name].tobytes()


def test_schedules_are_asked_for_the_steps_done_before():
    asked = []

    def rate(step):
        asked.append(step)
        return 0.5 if step < 2 else 0.0

    weights = {"w": np.array([1.0])}
    optimizer = SGD(rate)
    state = optimizer.init(weights)
    records = [optimizer.step(weights, {"w": np.array([1.0])}, state) for _ in range(3)]
    assert asked == [0, 1, 2]
    assert records == [StepRecord(1, 0.5, None), StepRecord(2, 0.5, None), StepRecord(3, 0.0, None)]
    assert weights["w"] == [0.0]


def test_the_last_group_that_sets_something_counts():
    groups = [
        ParameterGroup("*", frozen=True),
        ParameterGroup("head.*", frozen=False, learning_rate=0.5),
        ParameterGroup("*.bias", weight_decay=0),
        ParameterGroup("head.bias", learning_rate=lambda step: 0.25),
    ]
    optimizer = SGD(0.1, weight_decay=1.0, groups=groups)
    weights = {name: np.array([1.0]) for name in ("body.weight", "body.bias", "head.weight", "head.bias")}
    weights["counter"] = np.array(3)  # frozen ones may be anything
    state = optimizer.init(weights)
    assert list(state.slots) == ["head.weight", "head.bias"]
    gradients = {name: np.array([1.0]) for name in ("body.weight", "head.weight", "head.bias")}
    record = optimizer.step(weights, gradients, state)
    assert record.learning_rate == 0.1
    assert {name: float(w.reshape(-1)[0]) for name, w in weights.items()} == {
        "body.weight": 1.0,
        "body.bias": 1.0,
        "head.weight": 1 - 0.5 * 2,
        "head.bias": 1 - 0.25,
        "counter": 3,
    }


def test_the_global_norm_is_exact_and_of_what_moves():
    weights = {name: np.zeros(2, np.float32) for name in ("a", "b", "frozen")}
    gradients = {"a": np.array([3, np.nan], np.float32), "b": np.array([0, 4], np.float32)}
    gradients["frozen"] = np.array([100, 100], np.float32)
    masks = {"a": np.array([1, 0], np.uint8)}
    before = {name: g.copy() for name, g in gradients.items()}
    for limit, factor in ((5.0, 1.0), (4.999, 4.999 / 5), (1.0, 0.2), (1e9, 1.0)):
        optimizer = SGD(1.0, clip=ClipByGlobalNorm(limit), groups=[ParameterGroup("frozen", frozen=True)])
        moved = {name: w.copy() for name, w in weights.items()}
        record = optimizer.step(moved, gradients, optimizer.init(moved), masks)
        assert record.gradient_norm == 5.0
        assert np.array_equal(moved["a"], np.array([-3 * factor, 0], np.float32))
        assert np.array_equal(moved["b"], np.array([0, -4 * factor], np.float32))
    for name, gradient in gradients.items():  # read only
        assert np.array_equal(gradient, before[name], equal_nan=True)


def test_clipping_by_norm_is_of_each_and_by_value_of_all(rng):
    gradients = {"a": np.array([3.0, 4.0]), "b": np.array([0.3, 0.4])}
    for clip, wanted in (
        (ClipByNorm(1.0), {"a": [0.6, 0.8], "b": [0.3, 0.4]}),
        (ClipByValue(0.35), {"a": [0.35, 0.35], "b": [0.3, 0.35]}),
    ):
        weights = {"a": np.zeros(2), "b": np.zeros(2)}
        optimizer = SGD(1.0, clip=clip, maximize=True)
        record = optimizer.step(weights, gradients, optimizer.init(weights))
        assert record.gradient_norm is None
        for name, expected in wanted.items():
            np.testing.assert_allclose(weights[name], expected, rtol=1e-15)


def test_the_global_norm_does_not_depend_on_order_or_threads(threads, rng):
    gradients = {str(i): normal(rng, 70_000, dtype=np.float32) for i in range(5)}
    optimizer = SGD(1.0, clip=ClipByGlobalNorm(1.0))
    norms = set()
    for names in (list(gradients), list(gradients)[::-1]):
        weights = {name: np.zeros(70_000, np.float32) for name in names}
        norms.add(optimizer.step(weights, gradients, optimizer.init(weights)).gradient_norm)
    assert len(norms) == 1
    exact = math.sqrt(math.fsum(v * v for g in gradients.values() for v in g.tolist()))
    assert norms.pop() == pytest.approx(exact, rel=1e-14)


def test_a_step_goes_clip_decay_update_decay_regularizer():
    """Each with a number that another order would not give."""
    weights = {"w": np.array([2.0, -0.01])}
    gradient = {"w": np.array([3.0, 4.0])}
    optimizer = SGD(0.5, weight_decay=0.1, clip=ClipByGlobalNorm(1.0), regularizers=[L1(0.2)])
    optimizer.step(weights, gradient, optimizer.init(weights))
    g = np.array([0.6, 0.8]) + 0.1 * np.array([2.0, -0.01])
    w = np.array([2.0, -0.01]) - 0.5 * g
    np.testing.assert_allclose(weights["w"], np.sign(w) * (np.abs(w) - 0.1), rtol=1e-14)
    weights = {"w": np.array([2.0, -0.01])}
    optimizer = SGD(0.5, weight_decay=0.1, decoupled=True, clip=ClipByValue(1.0), regularizers=[L1(0.2)])
    optimizer.step(weights, gradient, optimizer.init(weights))
    w = np.array([2.0, -0.01]) * (1 - 0.05) - 0.5
    np.testing.assert_allclose(weights["w"], np.sign(w) * (np.abs(w) - 0.1), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_centered_rmsprop_with_a_constant_gradient_stays_a_number(dtype):
    weights = {"w": np.zeros(8, dtype)}
    gradient = {"w": np.array([1, -1, 0.1, 0.3, 7, 1e-3, 0, 1e3], dtype)}
    optimizer = RMSprop(0.01, centered=True)
    state = optimizer.init(weights)
    for _ in range(5000):
        optimizer.step(weights, gradient, state)
    assert np.isfinite(weights["w"]).all()
    assert weights["w"][6] == 0


def test_a_refused_step_changes_nothing(rng):
    """Also where the last weight is the one that does not fit."""
    optimizer = Adam(0.1, clip=ClipByGlobalNorm(1.0))
    weights = {"a": normal(rng, 4), "b": normal(rng, 4)}
    state = optimizer.init(weights)
    before = {name: w.copy() for name, w in weights.items()}
    for bad in (np.array([1.0, np.inf, 2.0, 3.0]), np.ones(3), np.ones(4, np.float32)):
        with pytest.raises((ValueError, TypeError), match="the gradient of 'b'"):
            optimizer.step(weights, {"a": np.ones(4), "b": bad}, state)
        assert state.step == 0
        assert not any(slot.any() for slots in state.slots.values() for slot in slots.values())
        for name, w in weights.items():
            assert np.array_equal(w, before[name])


def test_empty_weights_are_fine():
    weights = {"w": np.zeros((0, 3), np.float32)}
    optimizer = Adam(clip=ClipByGlobalNorm(1.0))
    assert optimizer.step(weights, weights, optimizer.init(weights)).gradient_norm == 0
