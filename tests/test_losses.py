"""Losses: formulas, central differences, one rounding, and numbers far from 1."""

import math
import pickle

import numpy as np
import pytest

from loss_cases import CASES, WEIGHTS, case_id, make
from paring.training.losses import (
    LOSSES,
    BinaryCrossEntropy,
    CosineSimilarityLoss,
    CrossEntropy,
    Huber,
    KLDivergence,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    NotFiniteError,
)

EVERY = pytest.mark.parametrize("case", CASES, ids=case_id)


def test_every_loss_has_a_case():
    assert {type(loss) for loss, *_ in CASES} == set(LOSSES)


@EVERY
def test_the_gradient_is_that_of_central_differences(case, rng):
    loss, outputs, targets = make(case, rng)
    _, gradient = loss.value_and_gradient(outputs, targets)
    step = 1e-6
    for index in np.ndindex(outputs.shape):
        up, down = outputs.copy(), outputs.copy()
        up[index] += step
        down[index] -= step
        wanted = (loss.value(up, targets) - loss.value(down, targets)) / (2 * step)
        # Two values of about 1, each within some units of the last place, divided by 2e-6.
        assert gradient[index] == pytest.approx(wanted, rel=1e-6, abs=2e-9)


@EVERY
def test_float32_is_float64_rounded_once(case, rng):
    loss, outputs, targets = make(case, rng, np.float32)
    value, gradient = loss.value_and_gradient(outputs, targets)
    wide_value, wide = loss.value_and_gradient(outputs.astype(np.float64), targets)
    assert type(value) is float
    assert value == wide_value == loss.value(outputs, targets)
    assert (gradient.dtype, gradient.shape, wide.dtype) == (np.float32, outputs.shape, np.float64)
    assert np.array_equal(gradient, wide.astype(np.float32))


@EVERY
@pytest.mark.parametrize("dtype", ["<f4", ">f4", ">f8"])
def test_layout_and_byte_order_do_not_matter(case, dtype, rng):
    loss, outputs, targets = make(case, rng, np.float32)
    value, gradient = loss.value_and_gradient(outputs, targets)
    strided = np.full((*outputs.shape[:-1], outputs.shape[-1] * 2), np.nan, dtype)[..., ::2]
    strided[...] = outputs
    turned = np.asfortranarray(targets.astype(targets.dtype.newbyteorder(">")))
    again, its_gradient = loss.value_and_gradient(strided, turned)
    assert again == value
    assert its_gradient.dtype == strided.dtype.newbyteorder("=")
    assert its_gradient.flags.c_contiguous and its_gradient.flags.writeable
    assert np.array_equal(its_gradient.astype(np.float32), gradient)


@EVERY
def test_arguments_are_read_only(case, rng):
    loss, outputs, targets = make(case, rng)
    before = outputs.copy(), targets.copy()
    outputs.flags.writeable = targets.flags.writeable = False
    _, gradient = loss.value_and_gradient(outputs, targets)
    gradient += 1
    assert np.array_equal(outputs, before[0]) and np.array_equal(targets, before[1])


@EVERY
def test_examples_together_are_the_value(case, rng):
    loss, outputs, targets = make(case, rng)
    each = loss.per_example(outputs, targets)
    assert each.dtype == np.float64
    if isinstance(loss, CrossEntropy):
        assert each.shape == targets.shape
        weights = np.array(loss.class_weights or [1.0] * 4)
        counts = targets != loss.ignore_label
        assert (each[~counts] == 0).all()
        total = weights[targets[counts]].sum()
    else:
        assert len(each) == len(outputs)
        total = each.size
    assert loss.value(outputs, targets) == pytest.approx(each.sum() / total, rel=1e-14)


@EVERY
def test_an_example_does_not_know_its_batch(case, rng):
    loss, outputs, targets = make(case, rng)
    each = loss.per_example(outputs, targets)
    for i in range(len(outputs)):
        alone = loss.per_example(outputs[i : i + 1], targets[i : i + 1])
        np.testing.assert_allclose(alone[0], each[i], rtol=1e-14, atol=1e-16)


@EVERY
def test_a_loss_is_plain_data(case):
    loss = case[0]
    assert pickle.loads(pickle.dumps(loss)) == loss
    assert hash(loss) == hash(pickle.loads(pickle.dumps(loss)))


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def test_cross_entropy_by_its_formula(rng):
    outputs, labels = rng.normal(size=(5, 4)), np.array([3, 1, 0, 2, 3])
    n = -np.log(softmax(outputs))
    w, s = np.array(WEIGHTS), 0.3
    hard = (w[labels] * n[np.arange(5), labels]).sum()
    soft = (w * n).sum() / 4
    wanted = ((1 - s) * hard + s * soft) / w[labels].sum()
    assert CrossEntropy(s, WEIGHTS).value(outputs, labels) == pytest.approx(wanted, rel=1e-14)


def test_binary_cross_entropy_by_its_formula(rng):
    outputs, targets = rng.normal(size=(5, 4)), rng.random(size=(5, 4))
    sigmoid = 1 / (1 + np.exp(-outputs))
    smooth = targets * 0.8 + 0.1
    wanted = -(3 * smooth * np.log(sigmoid) + (1 - smooth) * np.log(1 - sigmoid)).mean()
    assert BinaryCrossEntropy(0.2, 3).value(outputs, targets) == pytest.approx(wanted, rel=1e-14)


def test_divergence_by_its_formula(rng):
    outputs, teacher = rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
    p, q = softmax(teacher / 3), softmax(outputs / 3)
    wanted = 9 * (p * np.log(p / q)).sum() / 5
    assert KLDivergence(3).value(outputs, teacher) == pytest.approx(wanted, rel=1e-14)
    given = KLDivergence(3, "probabilities")
    assert given.value(outputs, softmax(teacher)) == pytest.approx(wanted, rel=1e-13)


def test_zero_probabilities_count_for_nothing():
    loss = KLDivergence(2.0, "probabilities")
    value, gradient = loss.value_and_gradient(np.zeros((1, 3)), np.array([[0.0, 0.5, 0.5]]))
    assert value == pytest.approx(4 * math.log(1.5), rel=1e-14)
    np.testing.assert_allclose(gradient, [[2 / 3, -1 / 3, -1 / 3]], rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e3, 1e30])
def test_large_logits_do_not_overflow(dtype, size):
    outputs = np.array([[size, 0, -size], [0, size, -size]], dtype)
    value, gradient = CrossEntropy().value_and_gradient(outputs, np.array([0, 2]))
    assert value == pytest.approx(float(outputs[0, 0]), rel=1e-12)
    assert gradient.tolist() == [[0, 0, 0], [0, 0.5, -0.5]]
    value, gradient = BinaryCrossEntropy().value_and_gradient(outputs[:1], np.array([[1, 1, 1]]))
    assert value == pytest.approx((float(outputs[0, 0]) + math.log(2)) / 3, rel=1e-12)
    np.testing.assert_allclose(gradient, [[0, -0.5 / 3, -1 / 3]], rtol=1e-6)
    value, gradient = KLDivergence().value_and_gradient(outputs[:1], -outputs[:1])
    assert value == pytest.approx(2 * float(outputs[0, 0]), rel=1e-12)
    assert gradient.tolist() == [[1, 0, -1]]


def test_small_tails_keep_their_digits():
    """1 - sigmoid(40) is 0 in float64; its gradient is not."""
    _, gradient = BinaryCrossEntropy().value_and_gradient(np.array([40.0, -40.0]), np.array([1, 0]))
    np.testing.assert_allclose(gradient, [-math.exp(-40) / 2, math.exp(-40) / 2], rtol=1e-15)
    each = BinaryCrossEntropy().per_example(np.array([40.0, -40.0]), np.array([1, 0]))
    np.testing.assert_allclose(each, [math.exp(-40)] * 2, rtol=1e-15)


def test_gradients_at_kinks_are_those_of_torch():
    zeros, targets = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])
    assert MeanAbsoluteError().value_and_gradient(zeros, targets)[1].tolist() == [0, 0, 0]
    _, gradient = Huber(1.0).value_and_gradient(np.array([1.0, -1.0, 0.0, 4.0]), np.zeros(4))
    assert gradient.tolist() == [0.25, -0.25, 0, 0.25]


def test_vectors_of_zeros_have_no_direction():
    outputs = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 2.0]])
    targets = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 5.0]])
    value, gradient = CosineSimilarityLoss().value_and_gradient(outputs, targets)
    assert value == pytest.approx(2 / 3)
    assert gradient.tolist() == [[0, 0], [0, 0], [0, 0]]


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
def test_directions_do_not_depend_on_lengths(size):
    loss = CosineSimilarityLoss()
    value, gradient = loss.value_and_gradient(np.array([[size, 0.0]]), np.array([[size, size]]))
    assert value == pytest.approx(1 - 0.5**0.5)
    np.testing.assert_allclose(gradient, [[0, -(0.5**0.5) / size]], rtol=1e-14)


@pytest.mark.parametrize("loss", [CrossEntropy(ignore_label=7), CrossEntropy(0.1, WEIGHTS, 7)])
def test_where_no_example_counts_nothing_is_lost(loss):
    outputs = np.ones((3, 4), np.float32)
    value, gradient = loss.value_and_gradient(outputs, np.array([7, 7, 7]))
    assert value == 0.0 == loss.value(outputs, np.array([7, 7, 7]))
    assert gradient.tolist() == np.zeros((3, 4)).tolist()
    assert loss.per_example(outputs, np.array([7, 7, 7])).tolist() == [0, 0, 0]


def test_where_no_example_has_a_weight_nothing_is_lost():
    value, gradient = CrossEntropy(class_weights=WEIGHTS).value_and_gradient(
        np.ones((2, 4)), np.array([2, 2])
    )
    assert (value, gradient.tolist()) == (0.0, np.zeros((2, 4)).tolist())


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.uint64])
def test_labels_may_be_any_integers(dtype):
    outputs = np.arange(8.0).reshape(2, 4)
    wanted = CrossEntropy().value(outputs, np.array([1, 3]))
    assert CrossEntropy().value(outputs, np.array([1, 3], dtype)) == wanted
    assert CrossEntropy(ignore_label=-100).value(outputs, np.array([1, 3], dtype)) == wanted


def test_a_batch_of_one():
    value, gradient = CrossEntropy().value_and_gradient(np.zeros((1, 2)), np.array([1]))
    assert (value, gradient.tolist()) == (pytest.approx(math.log(2)), [[0.5, -0.5]])


@pytest.mark.parametrize(
    ("loss", "outputs", "targets", "message"),
    [
        (
            MeanSquaredError(),
            np.array([1.0, 1e200]),
            np.zeros(2),
            r"^loss of example\[1\]: expected a finite number, got inf$",
        ),
        (
            MeanSquaredError(),
            np.full(4, 1e154),
            np.zeros(4),
            "^loss: expected a finite value, got inf for all examples together$",
        ),
        (
            MeanSquaredError(),
            np.array([3e38], np.float32),
            np.array([-3e38], np.float32),
            r"^gradient\[0\]: expected a finite number, got inf$",
        ),
        (
            CosineSimilarityLoss(),
            np.array([[1e-310, 0.0]]),
            np.array([[0.0, 1.0]]),
            r"^gradient\[0, 1\]: expected a finite number, got -inf$",
        ),
        (
            CrossEntropy(),
            np.array([[1e308, -1e308]]),
            np.array([1]),
            r"^loss of example\[0\]: expected a finite number, got inf$",
        ),
        (
            KLDivergence(1e-300),
            np.array([[1e10, 0.0]]),
            np.array([[0.0, 1.0]]),
            r"^loss of example\[0\]: expected a finite number, got nan$",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_leaves_the_numbers_is_said(loss, outputs, targets, message):
    with pytest.raises(NotFiniteError, match=message):
        loss.value_and_gradient(outputs, targets)


def test_examples_that_leave_the_numbers_are_named():
    with pytest.raises(NotFiniteError, match=r"^loss of example\[1\]: expected a finite number, got inf"):
        MeanSquaredError().per_example(np.array([1.0, 1e200]), np.zeros(2))


@EVERY
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("method", ["value_and_gradient", "value", "per_example"])
def test_outputs_that_are_no_numbers_are_named(case, bad, method, rng):
    loss, outputs, targets = make(case, rng, np.float32)
    outputs[-1, ...] = bad
    first = (len(outputs) - 1, *[0] * (outputs.ndim - 1))
    wanted = f"outputs[{', '.join(map(str, first))}]: expected a finite number, got {bad}"
    with pytest.raises(NotFiniteError) as raised:
        getattr(loss, method)(outputs, targets)
    assert str(raised.value) == wanted
    assert isinstance(raised.value, ValueError)


def test_a_loss_is_made_by_subclassing():
    with pytest.raises(TypeError, match="abstract"):
        Loss()
