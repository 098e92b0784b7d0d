"""Whose outputs a student learns: a model, a function, a PyTorch module, outputs computed before, or several."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...compression.recipe_steps import did_you_mean
from ...formats import read
from ...graph.evaluation import evaluate
from ...graph.nodes import Graph
from ...nn.model import Model
from ..fitting.batches import Batch, Batches

__all__ = ["RECORDED", "RecordedTeacher", "Teacher", "as_teacher", "check_outputs", "record_outputs"]

Array = npt.NDArray[Any]
RECORDED = "teacher"


class Teacher(ABC):
    """Gives logits, (examples, classes), for a batch."""

    @abstractmethod
    def logits(self, batch: Batch, temperature: float) -> Array:
        """Return the outputs for the examples of a batch; those of an ensemble depend on the temperature."""

    def features(self, batch: Batch, layers: Sequence[str]) -> dict[str, Array]:
        """Return what some layers give for the examples of a batch, by their names.

        Raises
        ------
        TypeError, ValueError
            If this teacher has no layers, or none of a name.
        """
        raise TypeError(
            "features: expected one teacher that has layers: a paring.nn.Model or a PyTorch module"
        )


class CallableTeacher(Teacher):
    """A function of the inputs, in the order of the student's."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def logits(self, batch: Batch, temperature: float) -> Array:
        outputs = self._function(*batch.inputs.values())
        if isinstance(outputs, tuple | list):
            raise TypeError(f"teacher: expected one output, got {len(outputs)}")
        return np.asarray(outputs)


class ModelTeacher(CallableTeacher):
    """A model of ours, without training."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self._model = model

    def features(self, batch: Batch, layers: Sequence[str]) -> dict[str, Array]:
        graph = self._model.graph
        values = {layer: self._model.layer_output(layer) for layer in layers}
        inputs = {own.name: array for own, array in zip(graph.inputs, batch.inputs.values(), strict=True)}
        wanted = tuple(dict.fromkeys(values.values()))
        found = evaluate(Graph(graph.nodes, graph.initializers, graph.inputs, wanted), inputs)
        return {layer: found[value] for layer, value in values.items()}


class TorchTeacher(Teacher):
    """A PyTorch module. It is not imported for that: who has a module has PyTorch."""

    def __init__(self, module: Any) -> None:
        self._module, self._torch = module, sys.modules["torch"]

    def logits(self, batch: Batch, temperature: float) -> Array:
        outputs = self._run(batch)
        outputs = getattr(outputs, "logits", outputs)
        return np.asarray(outputs.detach().cpu().numpy())

    def features(self, batch: Batch, layers: Sequence[str]) -> dict[str, Array]:
        modules = dict(self._module.named_modules())
        found: dict[str, Array] = {}
        hooks = []
        try:
            for layer in layers:
                if layer not in modules:
                    raise ValueError(
                        f"features: expected the name of a module, got {layer!r}{did_you_mean(layer, modules)}"
                    )

                def keep(module: Any, inputs: Any, output: Any, layer: str = layer) -> None:
                    found[layer] = np.asarray(output.detach().cpu().numpy())

                hooks.append(modules[layer].register_forward_hook(keep))
            self._run(batch)
        finally:
            for hook in hooks:
                hook.remove()
        return found

    def _run(self, batch: Batch) -> Any:
        if self._module.training:
            raise ValueError(
                "teacher: expected a module in evaluation mode, or its batch norms move: call teacher.eval()"
            )
        torch: Any = self._torch
        with torch.no_grad():
            tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in batch.inputs.values()]
            return self._module(*tensors)


class EnsembleTeacher(Teacher):
    """The mean of what several teachers believe at the temperature of the loss."""

    def __init__(self, members: Sequence[Teacher]) -> None:
        self._members = members

    def logits(self, batch: Batch, temperature: float) -> Array:
        beliefs = []
        for member in self._members:
            scaled = member.logits(batch, temperature).astype(np.float64) / temperature
            shares = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
            beliefs.append(shares / shares.sum(axis=-1, keepdims=True))
        if len({belief.shape for belief in beliefs}) > 1:
            shapes = ", ".join(str(belief.shape) for belief in beliefs)
            raise ValueError(f"teacher: expected outputs of one shape from every teacher, got {shapes}")
        # Logits whose softmax at the temperature is the mean.
        with np.errstate(divide="ignore"):
            mean = np.log(np.mean(beliefs, axis=0))
        logits: Array = temperature * np.maximum(mean, -700.0)
        return logits


class RecordedTeacher(Teacher):
    """Outputs computed before; they come with the batch."""

    def __init__(self, outputs: Array) -> None:
        self.outputs = outputs

    def logits(self, batch: Batch, temperature: float) -> Array:
        if RECORDED not in batch.extras:
            raise ValueError(
                "teacher: expected the teacher itself for data other than the arrays its outputs were computed for"
            )
        return batch.extras[RECORDED]


def as_teacher(teacher: Any) -> Teacher:
    """Return a teacher; TypeError for what is none.

    A path is a file of one array: the outputs for every example, in the order of the data.
    """
    if isinstance(teacher, Teacher):
        return teacher
    if isinstance(teacher, str | os.PathLike):
        file = read(teacher)
        names = list(file)
        if len(names) != 1:
            raise ValueError(
                f"teacher: expected a file of one array of outputs, got {len(names)} in {file.path}"
            )
        teacher = file[names[0]]
    if isinstance(teacher, np.ndarray):
        return RecordedTeacher(teacher)
    if isinstance(teacher, tuple | list):
        if not teacher:
            raise ValueError("teacher: expected at least one, got none")
        return EnsembleTeacher([as_teacher(member) for member in teacher])
    if isinstance(teacher, Model):
        return ModelTeacher(teacher)
    torch: Any = sys.modules.get("torch")
    if torch is not None and isinstance(teacher, torch.nn.Module):
        return TorchTeacher(teacher)
    if not callable(teacher):
        raise TypeError(
            f"teacher: expected a model, a function of the inputs, an array of outputs, or a list of these, "
            f"got {type(teacher).__name__}"
        )
    return CallableTeacher(teacher)


def check_outputs(outputs: Array, size: int, classes: int | None, first: int = 0) -> Array:
    """Return a teacher's outputs as float32 or float64; TypeError or ValueError if they are no logits for a student."""
    if outputs.dtype.kind not in "fiu":
        raise TypeError(f"teacher: expected outputs that are numbers, got dtype {outputs.dtype}")
    if outputs.ndim != 2 or len(outputs) != size or (classes is not None and outputs.shape[1] != classes):
        wanted = (size, "classes" if classes is None else classes)
        raise ValueError(f"teacher: expected outputs of shape {wanted} as the student's, got {outputs.shape}")
    bad = ~np.isfinite(outputs).all(axis=1)
    if bad.any():
        raise ValueError(
            f"teacher: expected finite outputs, got NaN or infinity for example {first + int(bad.argmax())}"
        )
    return outputs if outputs.dtype in (np.float32, np.float64) else outputs.astype(np.float32)


def record_outputs(teacher: Teacher, batches: Batches, temperature: float, classes: int | None) -> Array:
    """Return a teacher's outputs for all examples, computed once.

    Raises
    ------
    ValueError
        If outputs are not finite or of another shape, or the same for every example: nothing could be learned.
    """
    found: list[Array] = []
    count = 0
    for batch in batches.epoch(0):
        outputs = check_outputs(teacher.logits(batch, temperature), batch.size, classes, count)
        found.append(outputs.astype(np.float32, copy=False))
        count += batch.size
    recorded = np.concatenate(found)
    if count > 1 and (recorded == recorded[0]).all():
        raise ValueError(f"teacher: expected outputs that tell examples apart, got the same for all {count}")
    return recorded
