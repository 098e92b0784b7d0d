"""Metrics: counted by hand, ties in favour of the first, and what they refuse."""

import math

import numpy as np
import pytest

from paring.training.losses import CosineSimilarityLoss, MeanSquaredError, NotFiniteError
from paring.training.metrics import accuracy, cosine_similarity, mean_squared_error, top_k_accuracy

OUTPUTS = np.array([[0.1, 0.2, 0.7], [0.5, 0.4, 0.1], [0.3, 0.3, 0.4], [0.0, 0.0, 0.0]])


def test_accuracy_by_hand():
    assert accuracy(OUTPUTS, np.array([2, 0, 0, 0])) == 0.75
    assert accuracy(OUTPUTS, np.array([2, 0, 2, 0], np.uint8)) == 1.0
    assert accuracy(OUTPUTS, np.array([0, 1, 1, 1])) == 0.0


def test_of_equal_outputs_the_first_counts():
    same = np.zeros((3, 3))
    assert [top_k_accuracy(same, np.array([0, 1, 2]), k) for k in (1, 2, 3)] == [1 / 3, 2 / 3, 1.0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(50, 7), (9, 7, 4), (3, 7, 2, 5)])
def test_top_k_equals_a_sort(dtype, shape, rng):
    outputs = rng.integers(0, 4, size=shape).astype(dtype)
    labels = rng.integers(0, 7, size=(shape[0], *shape[2:]))
    order = np.argsort(-outputs, axis=1, kind="stable")
    for k in range(1, 8):
        wanted = (order[:, :k] == np.expand_dims(labels, 1)).any(axis=1).mean()
        assert top_k_accuracy(outputs, labels, k) == wanted
    assert accuracy(outputs, labels) == (outputs.argmax(axis=1) == labels).mean()


def test_ignored_labels_are_left_out():
    assert accuracy(OUTPUTS, np.array([2, -1, 0, -1]), ignore_label=-1) == 0.5
    assert top_k_accuracy(OUTPUTS, np.array([2, -1, 0, -1]), 2, ignore_label=-1) == 1.0


def test_numbers_by_hand():
    assert mean_squared_error(np.array([1.0, 3.0], np.float32), np.array([0, 1])) == 2.5
    assert cosine_similarity(np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [0.0, -3.0]])) == 0.0
    assert cosine_similarity(np.zeros((1, 2)), np.ones((1, 2))) == 0.0


def test_metrics_agree_with_the_losses(rng):
    outputs, targets = rng.normal(size=(5, 3, 4)), rng.normal(size=(5, 3, 4))
    wanted = MeanSquaredError().value(outputs, targets)
    assert mean_squared_error(outputs, targets) == pytest.approx(wanted, rel=1e-14)
    wanted = 1 - CosineSimilarityLoss().value(outputs, targets)
    assert cosine_similarity(outputs, targets) == pytest.approx(wanted, rel=1e-13)


def test_far_from_one():
    assert mean_squared_error(np.array([1e200]), np.array([-1e200])) == math.inf
    assert cosine_similarity(np.full((1, 4), 1e308), np.full((1, 4), 1e-308)) == pytest.approx(1.0)
    assert cosine_similarity(np.full((1, 3), 0.1), np.full((1, 3), 0.1)) <= 1.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: accuracy(OUTPUTS.tolist(), np.zeros(4, int)),
            TypeError,
            "outputs: expected an array, got list",
        ),
        (lambda: accuracy(OUTPUTS[0], np.zeros(3, int)), ValueError, "outputs: expected at least 2 axes"),
        (
            lambda: accuracy(OUTPUTS[:0], np.zeros(0, int)),
            ValueError,
            "outputs: expected at least one example",
        ),
        (
            lambda: accuracy(OUTPUTS * np.nan, np.zeros(4, int)),
            NotFiniteError,
            "outputs[0, 0]: expected a finite number, got nan",
        ),
        (
            lambda: accuracy(OUTPUTS, np.array([0, 1, 3, 0])),
            ValueError,
            "labels[2]: expected a label from 0 to 2, got 3",
        ),
        (
            lambda: accuracy(OUTPUTS, np.zeros(3, int)),
            ValueError,
            "labels: expected shape (4,) for outputs of shape",
        ),
        (lambda: accuracy(OUTPUTS, np.zeros(4)), TypeError, "labels: expected integer labels"),
        (
            lambda: accuracy(OUTPUTS, np.full(4, -1), ignore_label=-1),
            ValueError,
            "labels: expected a label other than -1, got none",
        ),
        (lambda: top_k_accuracy(OUTPUTS, np.zeros(4, int), 0), ValueError, "k: expected an integer from 1"),
        (
            lambda: top_k_accuracy(OUTPUTS, np.zeros(4, int), 4),
            ValueError,
            "k: expected at most the 3 classes, got 4",
        ),
        (lambda: top_k_accuracy(OUTPUTS, np.zeros(4, int), 1.0), TypeError, "k: expected an int, got float"),
        (
            lambda: mean_squared_error(OUTPUTS, OUTPUTS[:, :1]),
            ValueError,
            "targets: expected shape (4, 3) like the outputs, got (4, 1)",
        ),
        (
            lambda: mean_squared_error(OUTPUTS, OUTPUTS * np.nan),
            ValueError,
            "targets[0, 0]: expected a finite number, got nan",
        ),
        (
            lambda: mean_squared_error(OUTPUTS.astype(int), OUTPUTS),
            TypeError,
            "outputs: expected dtype float32 or",
        ),
        (lambda: cosine_similarity(OUTPUTS[0], OUTPUTS[0]), ValueError, "outputs: expected at least 2 axes"),
        (lambda: cosine_similarity(OUTPUTS, None), TypeError, "targets: expected an array, got NoneType"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value).startswith(message)
