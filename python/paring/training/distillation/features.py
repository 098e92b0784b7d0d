"""Features: what layers inside a student and a teacher give, which the student can learn as well."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...graph.nodes import Graph, Node
from ...nn.model import Model, make_model
from ..fitting.batches import Batch
from ..losses.base import NotFiniteError
from .teachers import Teacher

__all__ = ["FeaturePair", "check_features", "compare_features", "with_features"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FeaturePair:
    """A layer of the teacher, and the output of the student that is to become like it."""

    teacher: str
    output: str


def check_features(features: object) -> dict[str, str]:
    """Return layers of the student and those of the teacher beside them; TypeError or ValueError if they are none."""
    if not isinstance(features, Mapping):
        raise TypeError(
            f"features: expected a mapping of the student's layers to the teacher's, got {type(features).__name__}"
        )
    if not features or not all(isinstance(name, str) for pair in features.items() for name in pair):
        raise ValueError(f"features: expected names of layers, got {dict(features)!r}")
    return dict(features)


def with_features(
    student: Model, features: Mapping[str, str], teacher: Teacher, batch: Batch, seed: int
) -> tuple[Model, tuple[FeaturePair, ...]]:
    """Return the student with its features as further outputs, over the same arrays, and which those are.

    Where the teacher's feature has another width, a linear map of the student's, which is trained along, takes its
    place (Romero et al. 2015, arXiv 1412.6550, section 2.2): of the channels of maps, of the last axis elsewhere.

    Raises
    ------
    TypeError, ValueError
        If there are no such layers, or shapes differ in more than the width.
    """
    theirs = teacher.features(batch, tuple(features.values()))
    nodes, extra, pairs = list(student.graph.nodes), dict[str, Array](), []
    rng = np.random.default_rng([seed, 1])
    shapes = student.shapes
    for layer, other in features.items():
        value = student.layer_output(layer)
        shape: Any = shapes[value]
        wanted = theirs[other].shape
        axis = 1 if len(shape) == 4 else len(shape) - 1
        fits = len(shape) == len(wanted) and all(
            a in (None, b) or i == axis for i, (a, b) in enumerate(zip(shape, wanted, strict=True))
        )
        if not fits or shape[axis] is None:
            raise ValueError(
                f"features: expected a layer of the teacher that gives what {layer!r} gives, {shape}, but for its "
                f"width, got {wanted} of {other!r}"
            )
        output = value
        if shape[axis] != wanted[axis]:
            output, weight = f"{layer}:as_teacher", f"{layer}:to_teacher"
            width = (wanted[axis], shape[axis])
            drawn = (rng.standard_normal(width) / math.sqrt(width[1])).astype(student.dtype)
            if len(shape) == 4:
                extra[weight] = drawn.reshape(*width, 1, 1)
                nodes.append(Node("Conv", (value, weight), (output,), {}, output))
            else:
                extra[weight] = np.ascontiguousarray(drawn.T)
                nodes.append(Node("MatMul", (value, weight), (output,), {}, output))
        pairs.append(FeaturePair(other, output))
    outputs = tuple(dict.fromkeys((*student.graph.outputs, *(pair.output for pair in pairs))))
    graph = Graph(tuple(nodes), {**student.graph.initializers, **extra}, student.graph.inputs, outputs)
    return make_model(graph, (*student.state_dict(), *extra), (), student.frozen), tuple(pairs)


def compare_features(
    pairs: tuple[FeaturePair, ...],
    teacher: Teacher,
    outputs: Mapping[str, Array],
    batch: Batch,
    weight: float,
) -> tuple[float, dict[str, Array]]:
    """Return ``weight`` times the sum of mean squared differences, and its gradients by names of outputs."""
    theirs = teacher.features(batch, tuple(pair.teacher for pair in pairs))
    value = 0.0
    gradients: dict[str, Array] = {}
    for pair in pairs:
        own, other = outputs[pair.output], theirs[pair.teacher]
        if not np.isfinite(other).all():
            raise ValueError(f"teacher: expected finite features, got NaN or infinity from {pair.teacher!r}")
        difference = own - other.astype(own.dtype, copy=False)
        squares = float(np.square(difference, dtype=np.float64).mean())
        if not math.isfinite(squares):
            raise NotFiniteError(f"the student's feature beside {pair.teacher!r} holds NaN or infinity")
        value += weight * squares
        gradient = difference * own.dtype.type(2 * weight / own.size)
        before = gradients.get(pair.output)
        gradients[pair.output] = gradient if before is None else before + gradient
    return value, gradients
