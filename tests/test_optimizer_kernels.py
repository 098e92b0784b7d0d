"""Every row of the optimizer loops, every rule, against float64 NumPy: equal, or within 4 units for Adam in float32."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optimizer_reference as reference
from paring import _core
from protected_page import ending_at_wall

SIZES = (0, 1, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1000, 16384, 16385, 65537)
BIG = float(np.finfo(np.float32).max)
NUMBERS = {
    "rate": 0.01,
    "momentum": 0.9,
    "fresh": 0.7,
    "direct": 0.003,
    "first_share": 0.1,
    "second_share": 0.001,
    "epsilon": 1e-8,
}
OPTIONS = {
    "plain": {},
    "decay": {"decay": 0.01},
    "clip": {"gradient_factor": 0.3, "gradient_limit": 0.25},
    "uphill": {"gradient_factor": -1.0},
    "coupled": {"coupled_decay": 0.02},
    "threshold": {"threshold": 0.03},
    "shrink": {"shrink": 0.1},
    "all": {
        "gradient_factor": 0.9,
        "gradient_limit": 1.1,
        "coupled_decay": 0.02,
        "decay": 0.01,
        "threshold": 0.003,
        "shrink": 0.1,
    },
}
ROWS = [row for row in _core.loop_kernels() if row["family"] == "optimizers"]
LEVELS = [row["name"].removeprefix("optimizers_") for row in ROWS if row["usable"]]
every_level = pytest.mark.parametrize("isa", LEVELS)
every_rule = pytest.mark.parametrize("rule", reference.RULES)
every_option = pytest.mark.parametrize("option", OPTIONS)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def is_square(rule, slot):
    """Whether a slot is a sum or mean of squares."""
    return (
        slot == 0 if rule == "adagrad" or rule.startswith("rmsprop") else rule.startswith("adam") and slot > 0
    )


def values(size, dtype, rng):
    """Return numbers over four decades, with zeros of both signs and equal ones among them."""
    numbers = rng.normal(size=size) * 10 ** rng.uniform(-3, 1, size)
    places = rng.random(size) < 0.2
    numbers[places] = rng.choice([0.0, -0.0, 1.0, -1.0], places.sum())
    return numbers.astype(dtype)


def start(rule, size, dtype, rng):
    weight, gradient = values(size, dtype, rng), values(size, dtype, rng)
    slots = [values(size, dtype, rng) for _ in range(reference.RULES[rule])]
    slots = [np.abs(s) if is_square(rule, i) else s for i, s in enumerate(slots)]
    if "centered" in rule:  # the mean's square is at most the mean of squares
        slots[1] = (rng.uniform(-1, 1, size) * np.sqrt(slots[0].astype(np.float64))).astype(dtype)
    return weight, gradient, slots


def step(rule, numbers, weight, gradient, slots, mask=None, isa=""):
    """Run a kernel on copies that end at walls; return the new weight and slots."""
    weight, gradient, *slots = (ending_at_wall(a) for a in (weight, gradient, *slots))
    mask = None if mask is None else ending_at_wall(mask)
    _core.optimizer_step(rule, [("w", weight, gradient, slots, mask, _core.StepNumbers(**numbers))], isa=isa)
    return weight, slots


def rounded(array, dtype):
    with np.errstate(over="ignore"):
        return array.astype(dtype)


def units(actual, exact, size, least=0.0):
    """The largest error in units in the last place of float32 at `size`, which counts as at least `least`."""
    size = np.clip(np.abs(size), least, np.nextafter(np.float32(BIG), np.float32(0)))
    unit = np.spacing(size.astype(np.float32)).astype(np.float64)
    return float(np.max(np.abs(actual.astype(np.float64) - exact) / unit, initial=0.0))


def check(rule, numbers, weight, gradient, slots, mask, got):
    """Fail unless `got` is the reference's step: equal, or near where the contract says near."""
    wanted, wanted_slots, update = reference.kernel_step(rule, numbers, weight, gradient, slots, mask)
    new_weight, new_slots = got
    if reference.is_approximate(rule, numbers, weight.dtype):
        size = np.maximum.reduce([np.abs(weight.astype(np.float64)), np.abs(wanted), np.abs(update)])
        assert units(new_weight, wanted, size, 1e-30) <= 4
        assert np.array_equal(new_slots[0], rounded(wanted_slots[0], np.float32))
        assert units(new_slots[1], wanted_slots[1], wanted_slots[1]) <= 4
        return
    for new, old in zip((new_weight, *new_slots), (wanted, *wanted_slots), strict=True):
        assert np.array_equal(new, rounded(old, weight.dtype))


@every_level
@every_dtype
@every_rule
@every_option
def test_steps_equal_the_formula(isa, dtype, rule, option, rng):
    numbers = {**NUMBERS, **OPTIONS[option]}
    for size in SIZES:
        weight, gradient, slots = start(rule, size, dtype, rng)
        got = step(rule, numbers, weight, gradient, slots, isa=isa)
        check(rule, numbers, weight, gradient, slots, None, got)
        mask = (rng.random(size) < 0.5).astype(np.uint8) * rng.integers(1, 256, size).astype(np.uint8)
        got = step(rule, numbers, weight, gradient, slots, mask, isa)
        check(rule, numbers, weight, gradient, slots, mask, got)
        for array in (got[0], *got[1]):  # +0.0 to the bit
            assert not array[mask == 0].view(f"u{array.itemsize}").any()


@every_rule
@pytest.mark.parametrize("option", ["plain", "decay", "all"])
def test_one_answer_on_every_level_and_thread_count(rule, option, any_threads, rng):
    numbers = {**NUMBERS, **OPTIONS[option]}
    size = 300_001
    weight, gradient, slots = start(rule, size, np.float32, rng)
    weight[:64] = [1e-40, -1e-44, 3e38, -3e38] * 16
    gradient[32:96] = [1e-40, 3e38, -1e-44, 1e25] * 16
    mask = rng.integers(0, 2, size).astype(np.uint8)
    for kept in (None, mask):
        answers = set()
        for count in (1, 2, 3):
            _core.set_num_threads(count)
            for isa in LEVELS:
                new, new_slots = step(rule, numbers, weight, gradient, slots, kept, isa)
                answers.add(b"".join(array.tobytes() for array in (new, *new_slots)))
        assert len(answers) == 1


@every_level
@every_rule
@every_option
def test_a_mask_puts_an_end_to_nan(isa, rule, option, rng):
    numbers = {**NUMBERS, **OPTIONS[option]}
    weight, gradient, slots = start(rule, 40, np.float32, rng)
    for i, array in enumerate((weight, gradient, *slots)):
        array[10 * (i % 4) : 10 * (i % 4) + 10] = [np.nan, np.inf] * 5
    mask = np.zeros(40, np.uint8)
    new, new_slots = step(rule, numbers, weight, gradient, slots, mask, isa)
    assert all(not array.view(np.uint32).any() for array in (new, *new_slots))


@every_level
@every_dtype
@every_rule
@every_option
def test_nan_stays(isa, dtype, rule, option):
    numbers = {**NUMBERS, **OPTIONS[option]}
    for place in (0, 17):
        gradient = np.zeros(20, dtype)
        gradient[place] = np.nan
        slots = [np.zeros(20, dtype) for _ in range(reference.RULES[rule])]
        new, _ = step(rule, numbers, np.ones(20, dtype), gradient, slots, isa=isa)
        assert np.flatnonzero(np.isnan(new)).tolist() == [place]


# Adam on float32: what its other arithmetic has to hold.
ADAM = {"rate": 0.01, "first_share": 0.1, "second_share": 0.001, "epsilon": 1e-8}


@every_level
@pytest.mark.parametrize("decay", [0.0, 0.01, 0.5])
@pytest.mark.parametrize("epsilon", [1e-10, 1e-8, 1e-4, 1.0])
def test_adam_is_within_four_units(isa, decay, epsilon, rng):
    """Also where gradient and mean cancel, and where the update is larger than the weight."""
    size = 200_000
    for rate in (1e-4, 0.01, 1.0):
        numbers = {**ADAM, "rate": rate, "decay": decay, "epsilon": epsilon}
        weight, gradient, slots = start("adam", size, np.float32, rng)
        slots[0][::3] = -gradient[::3] / np.float32(9)
        weight[::2] = values(size // 2, np.float32, rng) * np.float32(1e-4)
        got = step("adam", numbers, weight, gradient, slots, isa=isa)
        check("adam", numbers, weight, gradient, slots, None, got)


floats = st.floats(-BIG, BIG, width=32)
tame = st.floats(2.0**-50, 2.0**50, width=32)
signed = st.builds(math.copysign, tame | st.just(0.0), st.sampled_from([1.0, -1.0]))


@given(
    w=signed,
    g=signed,
    m=signed,
    v=tame | st.just(0.0),
    rate=st.floats(1e-6, 1.0),
    shares=st.tuples(st.floats(1e-4, 1.0), st.floats(1e-6, 1.0)),
    epsilon=st.floats(1e-12, 1.0),
    decay=st.just(0.0) | st.floats(1e-6, 1.0),
)
@settings(max_examples=600, deadline=None, derandomize=True)
def test_adam_is_within_four_units_anywhere(w, g, m, v, rate, shares, epsilon, decay):
    numbers = {
        "rate": rate,
        "first_share": shares[0],
        "second_share": shares[1],
        "epsilon": epsilon,
        "decay": decay,
    }
    weight, gradient, *slots = (np.array([x], np.float32) for x in (w, g, m, v))
    got = step("adam", numbers, weight, gradient, slots)
    check("adam", numbers, weight, gradient, slots, None, got)


@given(w=floats, g=floats, m=floats, v=st.floats(0, BIG, width=32))
@settings(max_examples=600, deadline=None, derandomize=True)
def test_adam_stays_finite_and_near_over_the_whole_range(w, g, m, v):
    """Squares beyond float32 stay at its largest number; the weight goes by the slots as stored."""
    weight, gradient, *slots = (np.array([x], np.float32) for x in (w, g, m, v))
    new, (mean, square) = step("adam", ADAM, weight, gradient, slots)
    _, wanted_slots, _ = reference.kernel_step("adam", ADAM, weight, gradient, slots)
    assert np.array_equal(mean, rounded(wanted_slots[0], np.float32))
    wanted_square = np.minimum(wanted_slots[1], BIG)
    assert units(square, wanted_square, wanted_square) <= 4
    wide_mean, wide_square = mean.astype(np.float64), square.astype(np.float64)
    update = ADAM["rate"] * wide_mean / (np.sqrt(wide_square) + ADAM["epsilon"])
    wanted = weight.astype(np.float64) - update
    if np.abs(wanted) < BIG and np.abs(wide_mean / ADAM["epsilon"]) < BIG:
        size = np.maximum.reduce([np.abs(wanted), np.abs(update), np.abs(weight)])
        assert units(new, wanted, size, 1e-30) <= 4


@every_level
def test_adam_does_not_divide_zero_by_zero(isa):
    zeros = np.zeros(33, np.float32)
    for epsilon in (1e-30, 1e-8):
        new, slots = step("adam", {**ADAM, "epsilon": epsilon}, zeros, zeros, [zeros, zeros], isa=isa)
        assert not new.any()
        assert not slots[0].any()
        assert not slots[1].any()


@every_level
@every_dtype
def test_sums_of_squares(isa, dtype, rng):
    for size in (*SIZES, 300_001):
        x = ending_at_wall(values(size, dtype, rng))
        mask = ending_at_wall(rng.integers(0, 3, size).astype(np.uint8))
        exact = math.fsum(v * v for v in x.tolist())
        assert _core.sum_of_squares(x, None, isa=isa) == pytest.approx(exact, rel=1e-14, abs=0)
        exact = math.fsum(v * v for v in x[mask != 0].tolist())
        assert _core.sum_of_squares(x, mask, isa=isa) == pytest.approx(exact, rel=1e-14, abs=0)
    x[7] = np.nan
    mask[7] = 1
    assert math.isnan(_core.sum_of_squares(x, mask, isa=isa))
    mask[7] = 0
    assert math.isfinite(_core.sum_of_squares(x, mask, isa=isa))


@every_dtype
def test_sums_of_squares_are_the_same_everywhere(dtype, any_threads, rng):
    x = values(300_001, dtype, rng)
    mask = rng.integers(0, 2, x.size).astype(np.uint8)
    answers = set()
    for count in (1, 2, 3):
        _core.set_num_threads(count)
        for isa in LEVELS:
            answers.add((_core.sum_of_squares(x, None, isa=isa), _core.sum_of_squares(x, mask, isa=isa)))
    assert len(answers) == 1


SHAPES = [
    (1, 5, 16),
    (1, 3, 1),
    (7, 33, 1),
    (3, 17, 5),
    (1, 40, 1000),
    (200, 300, 1),
    (2, 0, 3),
    (0, 4, 2),
    (2, 4, 0),
]


@every_level
@every_dtype
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_groups_shrink_by_their_norm(isa, dtype, shape, rng):
    x = values(math.prod(shape), dtype, rng).reshape(shape)
    x[:, ::3] *= dtype(0.01)
    norms = np.sqrt(np.square(x, dtype=np.float64).sum(axis=(0, 2)))
    threshold = float(np.median(norms)) if norms.size else 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = np.where(norms <= threshold, 0, 1 - threshold / norms) * 0.9
    got = ending_at_wall(x)
    zero = _core.shrink_groups(got, threshold, 0.9, isa=isa)
    np.testing.assert_allclose(
        got, x * factors[None, :, None], rtol=1e-12 if dtype == np.float64 else 2**-23, atol=0
    )
    gone = factors == 0
    assert zero == gone.sum()
    assert not got[:, gone].view(f"u{got.itemsize}").any()


def test_groups_are_the_same_everywhere(any_threads, rng):
    for shape in ((1, 300, 1000), (500, 700, 1), (30, 70, 90)):
        x = values(math.prod(shape), np.float32, rng).reshape(shape)
        answers = set()
        for count in (1, 2, 3):
            _core.set_num_threads(count)
            for isa in LEVELS:
                got = x.copy()
                _core.shrink_groups(got, 3.0, 0.9, isa=isa)
                answers.add(got.tobytes())
        assert len(answers) == 1


def test_a_group_with_nan_becomes_nan():
    x = np.ones((1, 2, 3), np.float32)
    x[0, 1, 1] = np.nan
    assert _core.shrink_groups(x, 0.5, 1.0) == 0
    assert np.isnan(x).all(axis=2).tolist() == [[False, True]]


def test_many_tensors_in_one_call_are_each_as_alone(threads, rng):
    tensors = []
    wanted = []
    for i, size in enumerate((0, 3, 0, 16384, 16385, 100_000, 1, 0, 65536, 0)):
        dtype = np.float64 if i % 3 == 2 else np.float32
        weight, gradient, slots = start("momentum", size, dtype, rng)
        numbers = {**NUMBERS, "rate": 0.01 * i}
        wanted.append(step("momentum", numbers, weight, gradient, slots))
        tensors.append((str(i), weight, gradient, slots, None, _core.StepNumbers(**numbers)))
    _core.optimizer_step("momentum", tensors)
    for (_, weight, _, slots, _, _), (new, new_slots) in zip(tensors, wanted, strict=True):
        assert np.array_equal(weight, new)
        assert np.array_equal(slots[0], new_slots[0])
    _core.optimizer_step("momentum", [])


def test_the_table_reaches_down_to_every_cpu():
    assert ROWS[-1]["name"] == "optimizers_scalar"
    assert ROWS[-1]["needs"] == []
    assert set(LEVELS) <= set(_core.levels())


def tensor(name="w", weight=None, gradient=None, slots=None, mask=None):
    one = np.ones(4, np.float32)
    return (
        name,
        one.copy() if weight is None else weight,
        one.copy() if gradient is None else gradient,
        [one.copy()] if slots is None else slots,
        mask,
        _core.StepNumbers(),
    )


F4 = np.ones(4, np.float32)
READ_ONLY = np.ones(4, np.float32)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("rule", "arguments", "error", "message"),
    [
        ("nadam", {}, ValueError, "rule: no such rule: nadam"),
        ("momentum", {"weight": np.ones(4, np.int32)}, TypeError, "w: expected a C-contiguous float32"),
        (
            "momentum",
            {"weight": np.ones(8, np.float32)[::2]},
            TypeError,
            "w: expected a C-contiguous float32",
        ),
        ("momentum", {"weight": READ_ONLY}, ValueError, "w: expected a writeable array"),
        (
            "momentum",
            {"gradient": np.ones(4)},
            TypeError,
            "the gradient of w: expected a C-contiguous float32",
        ),
        ("momentum", {"gradient": F4[:3]}, ValueError, r"the gradient of w: expected 4 elements, got \(3\)"),
        ("momentum", {"slots": []}, ValueError, "w: expected 1 slots, got 0"),
        ("gradient", {}, ValueError, "w: expected 0 slots, got 1"),
        ("momentum", {"slots": [np.ones(4)]}, TypeError, "slot 0 of w: expected a C-contiguous float32"),
        ("momentum", {"slots": [F4[:1]]}, ValueError, "slot 0 of w: expected 4 elements"),
        (
            "momentum",
            {"mask": np.ones(4, np.bool_)},
            TypeError,
            "the mask of w: expected a C-contiguous uint8",
        ),
        ("momentum", {"mask": np.ones(3, np.uint8)}, ValueError, "the mask of w: expected 4 elements"),
    ],
)
def test_what_does_not_fit_is_refused(rule, arguments, error, message):
    with pytest.raises(error, match=message):
        _core.optimizer_step(rule, [tensor(**arguments)])


def test_shared_memory_is_refused():
    both = np.ones(6, np.float32)
    for first, second, message in (
        (tensor("a", both[:4]), tensor("b", both[2:]), "b: shares memory with a"),
        (tensor("a", both[:4]), tensor("b", slots=[both[2:]]), "slot 0 of b: shares memory with a"),
        (tensor("a", both[:4]), tensor("b", gradient=both[2:]), "the gradient of b: shares memory with a"),
        (tensor("a", gradient=both[:4]), tensor("b", both[2:]), "b: shares memory with the gradient of a"),
        (tensor("a", mask=both.view(np.uint8)[:4]), tensor("b", both[:4]), "shares memory"),
    ):
        with pytest.raises(ValueError, match=message):
            _core.optimizer_step("momentum", [first, second])
        with pytest.raises(ValueError, match="shares memory"):
            _core.optimizer_step("momentum", [second, first])
    gradient = np.ones(4, np.float32)  # read twice is fine
    _core.optimizer_step("momentum", [tensor("a", gradient=gradient), tensor("b", gradient=gradient)])


def test_other_arguments_are_refused():
    with pytest.raises(TypeError, match="x: expected a C-contiguous float32"):
        _core.sum_of_squares(np.ones(3, np.int64), None)
    with pytest.raises(ValueError, match="mask: expected 3 elements"):
        _core.sum_of_squares(np.ones(3), np.ones(2, np.uint8))
    with pytest.raises(TypeError, match="x: expected a C-contiguous float32 array of 3 axes"):
        _core.shrink_groups(np.ones((2, 3), np.float32), 1.0, 1.0)
    read_only = np.ones((1, 2, 3))
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="x: expected a writeable array"):
        _core.shrink_groups(read_only, 1.0, 1.0)
