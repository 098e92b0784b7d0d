"""One list of losses: each with its targets and with what PyTorch calls it."""

import numpy as np

from paring.training.losses import (
    BinaryCrossEntropy,
    CosineSimilarityLoss,
    CrossEntropy,
    Huber,
    KLDivergence,
    MeanAbsoluteError,
    MeanSquaredError,
)


def labels(rng, shape):
    return rng.integers(0, shape[1], size=(shape[0], *shape[2:]))


def some_ignored(rng, shape):
    found = labels(rng, shape)
    found[rng.random(found.shape) < 0.4] = -100
    found.flat[0] = 1
    return found


def numbers(rng, shape):
    return rng.normal(size=shape)


def shares(rng, shape):
    return rng.random(size=shape)


def truths(rng, shape):
    return rng.random(size=shape) < 0.3


def probabilities(rng, shape):
    found = rng.random(size=shape) ** 3
    found[0, 0] = 0.0
    return found / found.sum(axis=1, keepdims=True)


WEIGHTS = (0.5, 2.0, 0.0, 1.25)


def cross_entropy(**options):
    def theirs(torch, outputs, targets):
        tensors = {
            k: torch.tensor(v, dtype=outputs.dtype) if k == "weight" else v for k, v in options.items()
        }
        return torch.nn.functional.cross_entropy(outputs, torch.tensor(targets), **tensors)

    return theirs


def binary(smoothing=0.0, **options):
    def theirs(torch, outputs, targets):
        tensors = {name: torch.tensor(value, dtype=outputs.dtype) for name, value in options.items()}
        yes = torch.tensor(targets).to(outputs.dtype) * (1 - smoothing) + smoothing / 2
        return torch.nn.functional.binary_cross_entropy_with_logits(outputs, yes, **tensors)

    return theirs


def elementwise(name, scale=1.0, **options):
    def theirs(torch, outputs, targets):
        return scale * getattr(torch.nn.functional, name)(outputs, torch.tensor(targets), **options)

    return theirs


def divergence(temperature, given="logits"):
    def theirs(torch, outputs, targets):
        f = torch.nn.functional
        teacher = torch.tensor(targets)
        teacher = (teacher if given == "logits" else teacher.log()) / temperature
        ours = f.log_softmax(outputs / temperature, dim=1)
        return temperature**2 * f.kl_div(ours, f.softmax(teacher, dim=1), reduction="batchmean")

    return theirs


def one_less_cosine(torch, outputs, targets):
    return (1 - torch.nn.functional.cosine_similarity(outputs, torch.tensor(targets), dim=-1)).mean()


# (loss, shape of outputs, maker of targets, PyTorch's function)
CASES = [
    (CrossEntropy(), (6, 4), labels, cross_entropy()),
    (CrossEntropy(), (3, 4, 5), labels, cross_entropy()),
    (CrossEntropy(), (2, 4, 3, 2), labels, cross_entropy()),
    (CrossEntropy(0.1), (6, 4), labels, cross_entropy(label_smoothing=0.1)),
    (CrossEntropy(1.0), (6, 4), labels, cross_entropy(label_smoothing=1.0)),
    (CrossEntropy(class_weights=WEIGHTS), (6, 4), labels, cross_entropy(weight=WEIGHTS)),
    (
        CrossEntropy(0.2, WEIGHTS),
        (3, 4, 5),
        labels,
        cross_entropy(label_smoothing=0.2, weight=WEIGHTS),
    ),
    (CrossEntropy(ignore_label=-100), (9, 4), some_ignored, cross_entropy()),
    (CrossEntropy(ignore_label=-100), (2, 4, 7), some_ignored, cross_entropy()),
    (CrossEntropy(ignore_label=1), (12, 4), labels, cross_entropy(ignore_index=1)),
    (
        CrossEntropy(0.3, WEIGHTS, -100),
        (4, 4, 7),
        some_ignored,
        cross_entropy(label_smoothing=0.3, weight=WEIGHTS),
    ),
    (BinaryCrossEntropy(), (6, 4), shares, binary()),
    (BinaryCrossEntropy(), (7,), truths, binary()),
    (BinaryCrossEntropy(0.2), (6, 4), truths, binary(smoothing=0.2)),
    (BinaryCrossEntropy(positive_weight=3), (6, 4), shares, binary(pos_weight=3.0)),
    (BinaryCrossEntropy(0.1, WEIGHTS), (2, 3, 4), shares, binary(0.1, pos_weight=WEIGHTS)),
    (MeanSquaredError(), (6, 4), numbers, elementwise("mse_loss")),
    (MeanSquaredError(), (5,), numbers, elementwise("mse_loss")),
    (MeanAbsoluteError(), (3, 4, 2), numbers, elementwise("l1_loss")),
    (Huber(), (6, 4), numbers, elementwise("huber_loss")),
    (Huber(0.3), (6, 4), numbers, elementwise("huber_loss", delta=0.3)),
    (Huber(0.5), (6, 4), numbers, elementwise("smooth_l1_loss", scale=0.5, beta=0.5)),
    (KLDivergence(), (6, 4), numbers, divergence(1.0)),
    (KLDivergence(4.0), (6, 4), numbers, divergence(4.0)),
    (KLDivergence(0.5), (6, 4), numbers, divergence(0.5)),
    (KLDivergence(1.0, "probabilities"), (6, 4), probabilities, divergence(1.0, "probabilities")),
    (KLDivergence(3.0, "probabilities"), (6, 4), probabilities, divergence(3.0, "probabilities")),
    (CosineSimilarityLoss(), (6, 4), numbers, one_less_cosine),
    (CosineSimilarityLoss(), (2, 3, 5), numbers, one_less_cosine),
]


def case_id(case):
    loss, shape, *_ = case
    return f"{loss!r}-{'x'.join(map(str, shape))}"


def make(case, rng, dtype=np.float64):
    """Return (loss, outputs, targets) of a case."""
    loss, shape, targets, _ = case
    return loss, (2 * rng.normal(size=shape)).astype(dtype), targets(rng, shape)
