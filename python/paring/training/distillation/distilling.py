"""Knowledge distillation: a student learns what a teacher makes of the data (Hinton, Vinyals, Dean 2015, section 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...nn.model import Model
from ..documents import check_count
from ..fitting.batches import ArrayBatches, Batch, Batches, check_examples, choose_share, take_batches
from ..fitting.history import History
from ..fitting.objectives import LossObjective, Objective, check_labels_of
from ..fitting.running import fit
from ..fitting.settings import describe
from ..losses.base import Loss
from ..losses.classes import CrossEntropy, KLDivergence
from ..number_checks import check_number
from ..optimizers.base import Optimizer
from .features import FeaturePair, check_features, compare_features, with_features
from .teachers import RECORDED, RecordedTeacher, Teacher, as_teacher, check_outputs, record_outputs

__all__ = ["Distillation", "distill"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Distillation(Objective):
    """``hard_weight * loss(student, labels) + soft_weight * T**2 * KL(teacher at T || student at T)``, batch means.

    With features, ``feature_weight`` times the mean squared difference of each is added.

    An `Objective` for `fit`; `distill` makes one. Recorded outputs of the teacher come with the batch and follow their
    examples through shuffling; others are computed batch by batch.

    Attributes
    ----------
    teacher : Teacher
    output : str
        The student's output that is compared.
    temperature : float
        T: both softmaxes are taken of logits divided by it. The square keeps the gradient's size.
    hard_weight, soft_weight : float
    loss : Loss
        For the labels.
    features : tuple of FeaturePair
        Further outputs of the student, and the layers of the teacher that they are to become like.
    feature_weight : float
    """

    teacher: Teacher
    output: str
    temperature: float = 4.0
    hard_weight: float = 0.1
    soft_weight: float = 0.9
    loss: Loss = field(default_factory=CrossEntropy)
    features: tuple[FeaturePair, ...] = ()
    feature_weight: float = 1.0

    def value_and_gradients(
        self, outputs: Mapping[str, Array], batch: Batch
    ) -> tuple[float, dict[str, Array]]:
        logits = outputs[self.output]
        value, gradients = 0.0, dict[str, Array]()
        if self.features:
            value, gradients = compare_features(
                self.features, self.teacher, outputs, batch, self.feature_weight
            )
        for weight, loss, targets in self._terms(batch, logits):
            more, gradient = loss.value_and_gradient(logits, targets)
            value += weight * more
            gradient *= gradient.dtype.type(weight)
            before = gradients.get(self.output)
            gradients[self.output] = gradient if before is None else before + gradient
        return value, gradients

    def value(self, outputs: Mapping[str, Array], batch: Batch) -> float:
        logits = outputs[self.output]
        value = sum(
            weight * loss.value(logits, targets) for weight, loss, targets in self._terms(batch, logits)
        )
        if self.features and all(pair.output in outputs for pair in self.features):
            value += compare_features(self.features, self.teacher, outputs, batch, self.feature_weight)[0]
        return value

    def _terms(self, batch: Batch, logits: Array) -> list[tuple[float, Loss, Array]]:
        """Return weights, losses and targets of the student's output."""
        terms: list[tuple[float, Loss, Array]] = []
        if self.soft_weight:
            terms.append((self.soft_weight, KLDivergence(self.temperature), self._teachers(batch, logits)))
        if self.hard_weight:
            terms.append((self.hard_weight, self.loss, self._labels(batch)))
        return terms

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "distillation",
            "temperature": self.temperature,
            "hard_weight": self.hard_weight,
            "soft_weight": self.soft_weight,
            "loss": describe(self.loss),
            "output": self.output,
            **(
                {"features": self._feature_names, "feature_weight": self.feature_weight}
                if self.features
                else {}
            ),
        }

    @property
    def _feature_names(self) -> list[list[str]]:
        return [[pair.output, pair.teacher] for pair in self.features]

    def _teachers(self, batch: Batch, logits: Array) -> Array:
        recorded = batch.extras.get(RECORDED)
        if recorded is not None:
            return recorded
        return check_outputs(self.teacher.logits(batch, self.temperature), batch.size, logits.shape[-1])

    def _labels(self, batch: Batch) -> Array:
        if batch.targets is None:
            raise ValueError(
                "data: expected labels for hard_weight, got None: give hard_weight=0 for unlabelled data"
            )
        return batch.targets


def distill(
    teacher: Any,
    student: Model,
    data: Any,
    *,
    optimizer: Optimizer,
    temperature: float = 4.0,
    hard_weight: float = 0.1,
    soft_weight: float = 0.9,
    features: Mapping[str, str] | None = None,
    feature_weight: float = 1.0,
    loss: Loss | None = None,
    batch_size: int = 32,
    seed: int = 0,
    shuffle: bool = True,
    validation: Any = None,
    **options: Any,
) -> History:
    """Train a student to give what a teacher gives.

    The value of a batch is ``hard_weight * loss(student, labels) + soft_weight * T**2 * KL(teacher || student)``, both
    softmaxes at temperature T, a mean over examples (Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2). Of data
    in arrays the teacher's outputs are computed once, before the first step; of other data batch by batch. The teacher
    is never changed, and its architecture may be any other.

    Parameters
    ----------
    teacher : Model, callable, PyTorch module in evaluation mode, array, path, or list of these
        Gives logits (examples, classes). A callable gets the inputs in the order of the student's. An array, or a file
        of one, holds the outputs for every example of `data`, in order. Several are an ensemble: the mean of their
        softmaxes at T is learned.
    student : Model
        With one output, (examples, classes); of any shape with ``soft_weight=0``.
    data : tuple ``(inputs, labels)``, or iterable of such batches
        Labels may be None with ``hard_weight=0``.
    optimizer, batch_size, seed, shuffle, validation, **options
        As for `fit`: epochs, metrics, stop, masks, checkpoint, progress and the others.
    temperature : float
        Above 0.
    hard_weight, soft_weight : float
        At least 0; `soft_weight` above 0 unless there are features: without it nothing would be distilled.
    features : mapping of str to str, optional
        Layers of the student, by the names in ``print(student)``, and those of the teacher (a model, or modules of
        PyTorch) that they are to become like (Romero et al. 2015, arXiv 1412.6550, section 2.2). Where the widths
        differ, a linear map of the student's feature is trained along and thrown away.
    feature_weight : float
        Above 0: times the mean squared difference of each.
    loss : Loss, optional
        For the labels; by default `CrossEntropy`.

    Returns
    -------
    History

    Raises
    ------
    TypeError, ValueError
        As `fit`; and if the teacher's outputs are not finite, of another shape than the student's, or the same for
        every example.

    Examples
    --------
    >>> import numpy as np
    >>> from paring import nn
    >>> from paring.training.optimizers import Adam
    >>> x = np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32)
    >>> def teacher(x):
    ...     return np.stack([3 * x[:, 0], 3 * x[:, 1]], axis=1)
    >>> student = nn.Model(nn.Linear(4, 2), (None, 4))
    >>> history = distill(teacher, student, (x, None), hard_weight=0, optimizer=Adam(0.05), epochs=60)
    >>> bool((student(x).argmax(1) == teacher(x).argmax(1)).mean() > 0.97)
    True
    """
    if not isinstance(student, Model):
        raise TypeError(f"student: expected a paring.nn.Model, got {type(student).__name__}")
    if "loss" in options or "objective" in options:
        raise TypeError("distill() takes the loss for labels as loss=")
    if len(student.graph.outputs) != 1:
        raise ValueError(f"student: expected one output, got {', '.join(student.graph.outputs)}")
    temperature = check_number(temperature, "temperature", above=0)
    hard_weight = check_number(hard_weight, "hard_weight", least=0)
    pairs = None if features is None else check_features(features)
    feature_weight = check_number(feature_weight, "feature_weight", above=0)
    soft_weight = check_number(soft_weight, "soft_weight", **({"least": 0} if pairs else {"above": 0}))
    loss = CrossEntropy() if loss is None else loss
    if not isinstance(loss, Loss):
        raise TypeError(
            f"loss: expected one of paring.training.losses for the labels, got {type(loss).__name__}"
        )
    output = student.graph.outputs[0]
    guide = as_teacher(teacher)
    objective = Distillation(guide, output, temperature, hard_weight, soft_weight, loss)
    if hard_weight:
        check_labels_of(LossObjective(loss, output), data, student)
    batch_size = check_count(batch_size, "batch_size", 1)
    order = check_count(seed, "seed") if shuffle else None
    train, held = _prepare(objective, student, data, validation, batch_size, order, seed)
    trained = student
    if pairs is not None:
        first = next(take_batches(train, student.graph, batch_size, None).epoch(0))
        trained, own = with_features(student, pairs, guide, first, seed)
        objective = replace(objective, features=own, feature_weight=feature_weight)
    try:
        return fit(
            trained,
            train,
            loss=objective,
            optimizer=optimizer,
            batch_size=batch_size,
            validation=held,
            seed=seed,
            shuffle=shuffle,
            **options,
        )
    finally:
        # Weights are trained in place; statistics are new arrays.
        student.graph.initializers.update(
            {name: trained.graph.initializers[name] for name in student.state_dict()}
        )


def _prepare(
    objective: Distillation,
    student: Model,
    data: Any,
    validation: Any,
    batch_size: int,
    order: int | None,
    seed: int,
) -> tuple[Any, Any]:
    """Return data and validation data, with the teacher's outputs where they are arrays."""
    if not (isinstance(data, tuple) and len(data) == 2):
        if isinstance(objective.teacher, RecordedTeacher):
            raise ValueError(
                "teacher: expected the teacher itself for data that is not in arrays, got its outputs"
            )
        return data, validation
    inputs, targets = check_examples(data[0], data[1], student.graph.inputs, "data")
    if objective.hard_weight and targets is None:
        raise ValueError(
            "data: expected labels for hard_weight, got None: give hard_weight=0 for unlabelled data"
        )
    if not objective.soft_weight:
        return (data, validation)
    size, classes = len(next(iter(inputs.values()))), student.output_shapes[objective.output][-1]
    if isinstance(objective.teacher, RecordedTeacher):
        recorded = check_outputs(objective.teacher.outputs, size, classes)
    else:
        whole = take_batches((tuple(inputs.values()), None), student.graph, 256, None)
        recorded = record_outputs(objective.teacher, whole, objective.temperature, classes)
    if size > 1 and (recorded == recorded[0]).all():
        raise ValueError(f"teacher: expected outputs that tell examples apart, got the same for all {size}")
    never_one = bool(student.statistics)

    def cut(chosen: Any, own_order: int | None, own_size: int) -> Batches:
        return ArrayBatches(
            {name: array[chosen] for name, array in inputs.items()},
            None if targets is None else targets[chosen],
            own_size,
            own_order,
            never_one and own_order is not None,
            {RECORDED: np.asarray(recorded)[chosen]},
        )

    if isinstance(validation, int | float) and not isinstance(validation, bool):
        chosen = choose_share(size, check_number(validation, "validation", above=0, below=1), seed)
        return cut(~chosen, order, batch_size), cut(chosen, None, 256)
    return cut(slice(None), order, batch_size), validation
