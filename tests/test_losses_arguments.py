"""What losses refuse, in words that say what, expected, got, where."""

import math

import numpy as np
import pytest

from loss_cases import CASES, case_id, make
from paring.training.losses import (
    BinaryCrossEntropy,
    CosineSimilarityLoss,
    CrossEntropy,
    Huber,
    KLDivergence,
    MeanSquaredError,
)

OUTPUTS = np.zeros((3, 4), np.float32)
LABELS = np.array([0, 1, 2])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: CrossEntropy(-0.1),
            ValueError,
            "label_smoothing: expected a finite number of at least 0, got -0.1",
        ),
        (lambda: CrossEntropy(1.1), ValueError, "label_smoothing: expected at most 1, got 1.1"),
        (lambda: CrossEntropy("a"), TypeError, "label_smoothing: expected a number, got str 'a'"),
        (
            lambda: CrossEntropy(class_weights=2.0),
            TypeError,
            "class_weights: expected a list of numbers, got float",
        ),
        (
            lambda: CrossEntropy(class_weights="12"),
            TypeError,
            "class_weights: expected a list of numbers, got str",
        ),
        (
            lambda: CrossEntropy(class_weights=[1, -1]),
            ValueError,
            "class_weights[1]: expected a finite number of at least 0, got -1",
        ),
        (
            lambda: CrossEntropy(class_weights=[0, 0]),
            ValueError,
            "class_weights: expected a number above 0 among them, got [0.0, 0.0]",
        ),
        (
            lambda: CrossEntropy(class_weights=()),
            ValueError,
            "class_weights: expected a number above 0 among them",
        ),
        (lambda: CrossEntropy(ignore_label=1.0), TypeError, "ignore_label: expected an int, got float 1.0"),
        (lambda: BinaryCrossEntropy(2), ValueError, "label_smoothing: expected at most 1, got 2.0"),
        (
            lambda: BinaryCrossEntropy(0, -1),
            ValueError,
            "positive_weight: expected a finite number of at least 0",
        ),
        (
            lambda: BinaryCrossEntropy(0, [1, math.nan]),
            ValueError,
            "positive_weight[1]: expected a finite number",
        ),
        (
            lambda: BinaryCrossEntropy(0, "3"),
            TypeError,
            "positive_weight: expected a list of numbers, got str",
        ),
        (lambda: Huber(0), ValueError, "delta: expected a finite number above 0, got 0"),
        (lambda: KLDivergence(0), ValueError, "temperature: expected a finite number above 0, got 0"),
        (lambda: KLDivergence(-2), ValueError, "temperature: expected a finite number above 0, got -2"),
        (
            lambda: KLDivergence(1, "log"),
            ValueError,
            "target_kind: expected 'logits' or 'probabilities', got 'log'",
        ),
        (
            lambda: CrossEntropy().value(OUTPUTS, np.array([0, 4, 9])),
            ValueError,
            "targets[1]: expected a label from 0 to 3, got 4",
        ),
        (
            lambda: CrossEntropy().value(np.zeros((2, 3, 2)), np.array([[0, 1], [-1, 3]])),
            ValueError,
            "targets[1, 0]: expected a label from 0 to 2, got -1",
        ),
        (
            lambda: CrossEntropy(ignore_label=-1).value(OUTPUTS, np.array([-1, 0, -2])),
            ValueError,
            "targets[2]: expected a label from 0 to 3, got -2",
        ),
        (
            lambda: CrossEntropy().value(OUTPUTS, np.array([0, 1, 2**63], np.uint64)),
            ValueError,
            "targets[2]: expected a label from 0 to 3, got 9223372036854775808",
        ),
        (
            lambda: CrossEntropy().value(OUTPUTS, LABELS[:, None]),
            ValueError,
            "targets: expected shape (3,) for outputs of shape (3, 4), got (3, 1)",
        ),
        (
            lambda: CrossEntropy().value(np.zeros((2, 3, 5)), np.zeros((2, 4), int)),
            ValueError,
            "targets: expected shape (2, 5) for outputs of shape (2, 3, 5), got (2, 4)",
        ),
        (
            lambda: CrossEntropy().value(OUTPUTS, OUTPUTS),
            TypeError,
            "targets: expected integer labels, one for each example, got dtype float32",
        ),
        (
            lambda: CrossEntropy().value(OUTPUTS, LABELS > 0),
            TypeError,
            "targets: expected integer labels, one for each example, got dtype bool",
        ),
        (
            lambda: CrossEntropy().value(OUTPUTS, [0, 1, 2]),
            TypeError,
            "targets: expected an array of labels, got list",
        ),
        (
            lambda: CrossEntropy().value(OUTPUTS[:, :1], LABELS),
            ValueError,
            "outputs: expected at least 2 classes along axis 1, got shape (3, 1); for a single output there is "
            "BinaryCrossEntropy",
        ),
        (
            lambda: CrossEntropy(class_weights=[1, 2]).value(OUTPUTS, LABELS),
            ValueError,
            "class_weights: expected 4 for outputs of shape (3, 4), got 2",
        ),
        (
            lambda: CrossEntropy().value(OUTPUTS[0], LABELS),
            ValueError,
            "outputs: expected at least 2 axes, got shape (4,)",
        ),
        (
            lambda: BinaryCrossEntropy().value(OUTPUTS, np.full((3, 4), 1.5)),
            ValueError,
            "targets[0, 0]: expected a probability from 0 to 1, got 1.5",
        ),
        (
            lambda: BinaryCrossEntropy().value(OUTPUTS[:, :1], LABELS),
            ValueError,
            "targets: expected shape (3, 1) like the outputs, got (3,)",
        ),
        (
            lambda: BinaryCrossEntropy(0, [1, 2]).value(OUTPUTS, OUTPUTS),
            ValueError,
            "positive_weight: expected 4 for outputs of shape (3, 4), got 2",
        ),
        (
            lambda: MeanSquaredError().value(np.array(1.0), np.ones(())),
            ValueError,
            "outputs: expected at least 1 axis, got shape ()",
        ),
        (
            lambda: KLDivergence().value(np.zeros((2, 3, 4)), np.zeros((2, 3, 4))),
            ValueError,
            "outputs: expected shape (examples, classes) with at least 2 classes, got (2, 3, 4)",
        ),
        (
            lambda: KLDivergence().value(np.zeros((2, 1)), np.zeros((2, 1))),
            ValueError,
            "outputs: expected shape (examples, classes) with at least 2 classes, got (2, 1)",
        ),
        (
            lambda: KLDivergence(1, "probabilities").value(
                np.zeros((2, 2)), np.array([[0.5, 0.5], [1.5, -0.5]])
            ),
            ValueError,
            "targets[1, 1]: expected a probability of at least 0, got -0.5",
        ),
        (
            lambda: KLDivergence(1, "probabilities").value(
                np.zeros((2, 2)), np.array([[0.5, 0.5], [0.5, 0.4]])
            ),
            ValueError,
            "targets[1]: expected probabilities that sum to 1, got 0.9",
        ),
        (
            lambda: CosineSimilarityLoss().value(np.zeros(3), np.zeros(3)),
            ValueError,
            "outputs: expected at least 2 axes, got shape (3,)",
        ),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value).startswith(message)


def refused(loss, outputs, targets, error):
    """Return the message of all three ways to call a loss; it is the same."""
    messages = set()
    for method in (loss.value_and_gradient, loss.value, loss.per_example):
        with pytest.raises(error) as raised:
            method(outputs, targets)
        messages.add(str(raised.value))
    (message,) = messages
    return message


EVERY = pytest.mark.parametrize("case", CASES, ids=case_id)


@EVERY
def test_every_loss_checks_its_outputs(case, rng):
    loss, outputs, targets = make(case, rng)
    assert refused(loss, outputs.tolist(), targets, TypeError) == "outputs: expected an array, got list"
    for dtype in (np.float16, np.int64, np.complex128):
        wanted = f"outputs: expected dtype float32 or float64, got {np.dtype(dtype)}"
        assert refused(loss, outputs.astype(dtype), targets, TypeError) == wanted
    empty = outputs[:0]
    wanted = f"outputs: expected at least one example, got shape {empty.shape}"
    assert refused(loss, empty, targets[:0], ValueError) == wanted


@EVERY
def test_every_loss_checks_the_shape_of_its_targets(case, rng):
    loss, outputs, targets = make(case, rng)
    for wrong in (targets[1:], targets[..., None], targets.reshape(1, -1)[:, :-1]):
        message = refused(loss, outputs, wrong, ValueError)
        assert message.startswith(f"targets: expected shape {targets.shape} ")
        assert message.endswith(f", got {wrong.shape}")


@EVERY
def test_every_loss_checks_the_kind_of_its_targets(case, rng):
    loss, outputs, targets = make(case, rng)
    message = refused(loss, outputs, targets.tolist(), TypeError)
    assert message.startswith("targets: expected an array") and message.endswith("got list")
    message = refused(loss, outputs, targets.astype(np.complex128), TypeError)
    assert message.startswith("targets: expected") and message.endswith("got dtype complex128")
    message = refused(loss, outputs, targets.astype(str), TypeError)
    assert message.startswith("targets: expected")


@pytest.mark.parametrize(
    "case", [case for case in CASES if not isinstance(case[0], CrossEntropy)], ids=case_id
)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_targets_that_are_no_numbers_are_named(case, bad, rng):
    loss, outputs, targets = make(case, rng)
    targets = targets.astype(np.float64)
    targets[-1, ...] = bad
    message = refused(loss, outputs, targets, ValueError)
    assert message.startswith(f"targets[{len(targets) - 1}")
    assert message.endswith(f"]: expected a finite number, got {bad}")
