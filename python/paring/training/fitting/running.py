"""Training a model: `fit`, the loop around steps, measurements and checkpoints."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...nn.model import Model
from ..documents import check_count
from ..number_checks import check_number
from ..optimizers.base import Optimizer
from ..plateau import ScoreDriven
from ..score_order import check_mode
from ..stopping import EarlyStopping
from .batches import split_arrays, take_batches
from .callbacks import Callback
from .checkpoints import check_path
from .history import History
from .measuring import Metrics, as_metrics
from .objectives import as_objective, check_labels_of
from .progress import open_progress
from .resuming import resume_trainer, save_trainer
from .stepping import Stepper
from .trainer import Trainer, Watch

__all__ = ["fit"]

FOREVER = 2**62


def fit(
    model: Model,
    data: Any,
    *,
    loss: Any,
    optimizer: Optimizer,
    epochs: int = 1,
    batch_size: int = 32,
    validation: Any = None,
    metrics: Metrics = (),
    watch: str | None = None,
    mode: Literal["min", "max"] | None = None,
    stop: EarlyStopping | None = None,
    plateau: ScoreDriven | None = None,
    keep_best: bool | None = None,
    masks: Mapping[str, npt.NDArray[np.bool_]] | Literal["zeros"] | None = None,
    seed: int = 0,
    shuffle: bool = True,
    accumulate: int = 1,
    callbacks: Sequence[Callback] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_steps: int | None = None,
    resume: bool | None = None,
    allow_change: bool = False,
    progress: Any = None,
) -> History:
    """Train a model in place.

    The same arguments give the same bytes, and so does a run that was killed and called again with ``resume=True``:
    order and chance are functions of seed, epoch and step. A batch that is not finite changes nothing. Ctrl-C ends
    training with the best weights, or those of now where none are kept.

    Parameters
    ----------
    model : Model
    data : tuple ``(inputs, targets)`` of arrays, or iterable of such batches
        Inputs are an array, or several in the order or by the names of the model's inputs. An iterable is gone through
        again each epoch, in its own order.
    loss : Loss or Objective
        One of `paring.training.losses`; or an `Objective`, for models of several outputs and losses that need more.
    optimizer : Optimizer
        One of `paring.training.optimizers`; its learning rate may be a schedule.
    epochs, batch_size : int
        The last batch of arrays may be smaller. One example left over joins the batch before if the model has batch
        normalization.
    validation : data as above, or float
        Measured after each epoch; a number is the share of `data` that is kept apart for it.
    metrics : functions of (outputs, targets), or a mapping of names to them
        Measured on `validation`.
    watch : str, optional
        The score that decides what is best: "validation_loss" (the default where there is validation data), "loss", or
        the name of a metric.
    mode : {"min", "max"}, optional
        Which scores are good; by default "min" for losses and errors, "max" for other metrics. `stop` and `plateau`
        must have the same.
    stop : EarlyStopping, optional
    plateau : ReduceOnPlateau or another of `paring.training.plateau`, optional
        Sets the learning rate in place of the optimizer's; groups with rates of their own keep them.
    keep_best : bool, optional
        Whether the model ends with the weights of the best epoch; by default where there is validation data.
    masks : mapping of str to ndarray of bool, or "zeros", optional
        Weights are zero where a mask is False, from the start and exactly. "zeros": those that are zero now stay so.
    seed : int
    shuffle : bool
        Whether arrays are taken in a new order each epoch.
    accumulate : int
        Batches that make one update together.
    callbacks : sequence of Callback
    checkpoint : path, optional
        A ``.safetensors`` file that is written after each epoch, whole or not at all.
    checkpoint_steps : int, optional
        Write it after every so many updates, too.
    resume : bool, optional
        Whether to go on from the checkpoint if it is there; it is an error to leave that open. A larger `epochs` goes
        on with a run that was complete.
    allow_change : bool
        Whether settings may differ from those the checkpoint was made with; never model or kind of optimizer.
    progress : bool or callable, optional
        True shows a bar on standard error, or a line an epoch where that is no terminal; a function is called with a
        `ProgressRecord` after each update and each epoch.

    Returns
    -------
    History

    Raises
    ------
    TypeError, ValueError
        If arguments do not fit each other, or targets do not fit the loss (labels out of range, only one class).
    DivergedError
        If something is not finite: it names the step and the first node or weight; the model has the weights of before.
    FormatError, OSError
        If a checkpoint cannot be read or written.

    Examples
    --------
    >>> import numpy as np
    >>> from paring import nn
    >>> from paring.training.losses import CrossEntropy
    >>> from paring.training.metrics import accuracy
    >>> from paring.training.optimizers import Adam
    >>> x = np.random.default_rng(0).standard_normal((200, 2)).astype(np.float32)
    >>> model = nn.Model(nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2)), (None, 2))
    >>> data = (x, (x[:, 0] * x[:, 1] > 0).astype(int))
    >>> options = {"validation": 0.2, "metrics": [accuracy]}
    >>> history = fit(model, data, loss=CrossEntropy(), optimizer=Adam(0.02), epochs=30, **options)
    >>> bool(history["accuracy"].max() > 0.9)
    True
    """
    if not isinstance(model, Model):
        raise TypeError(f"model: expected a paring.nn.Model, got {type(model).__name__}")
    if not isinstance(optimizer, Optimizer):
        kind = optimizer.__name__ if isinstance(optimizer, type) else type(optimizer).__name__
        raise TypeError(f"optimizer: expected one of paring.training.optimizers, got {kind}")
    epochs, batch_size = check_count(epochs, "epochs", 1), check_count(batch_size, "batch_size", 1)
    seed, accumulate = check_count(seed, "seed"), check_count(accumulate, "accumulate", 1)
    if checkpoint_steps is not None:
        check_count(checkpoint_steps, "checkpoint_steps", 1)
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise TypeError(f"callbacks: expected Callback objects, got {type(callback).__name__}")
    objective = as_objective(loss, model.graph.outputs)
    if isinstance(validation, int | float) and not isinstance(validation, bool):
        data, validation = split_arrays(data, check_number(validation, "validation", above=0, below=1), seed)
    check_labels_of(objective, data, model)
    normalizes = bool(model.statistics)
    batches = take_batches(data, model.graph, batch_size, seed if shuffle else None, never_one=normalizes)
    held = None if validation is None else take_batches(validation, model.graph, 256, None, "validation")
    named = as_metrics(metrics)
    if named and held is None:
        raise ValueError("metrics: expected validation data to measure them on, got none")
    trainer = Trainer(
        model=model,
        objective=objective,
        stepper=Stepper(model, objective, optimizer, seed),
        data=batches,
        validation=held,
        metrics=named,
        epochs=epochs,
        accumulate=accumulate,
        watch=_check_watch(watch, mode, stop, plateau, keep_best, held is not None, list(named)),
        callbacks=tuple(callbacks),
        checkpoint=None if checkpoint is None else check_path(checkpoint),
        checkpoint_steps=checkpoint_steps,
        show=None,
        seed=seed,
        write=save_trainer,
    )
    if masks is not None:
        trainer.set_masks(_zeros(trainer.stepper) if isinstance(masks, str) and masks == "zeros" else masks)
    _resume(trainer, resume, allow_change)
    trainer.show, close = open_progress(progress)
    try:
        _run(trainer)
    finally:
        close()
    return trainer.history


def _run(trainer: Trainer) -> None:
    """Run, and leave the weights that are to be kept, however it ends."""
    try:
        for callback in trainer.callbacks:
            callback.on_start(trainer)
        trainer.run()
    except KeyboardInterrupt:
        trainer.history.interrupted = True
        trainer.history.stopped = "interrupted"
    trainer.restore_best()
    for callback in trainer.callbacks:
        callback.on_end(trainer)


def _resume(trainer: Trainer, resume: bool | None, allow_change: bool) -> None:
    path = trainer.checkpoint
    if path is None:
        if resume:
            raise ValueError("resume: expected a checkpoint to go on from, got none")
        return
    if not path.exists():
        if not path.parent.is_dir():
            raise FileNotFoundError(f"{path.parent}: no such folder to write a checkpoint into")
        return
    if resume is None:
        raise ValueError(f"{path}: is there already: resume=True goes on with it, resume=False begins anew")
    if resume:
        resume_trainer(trainer, path, allow_change)


def _zeros(stepper: Stepper) -> dict[str, npt.NDArray[np.bool_]]:
    """Return masks that keep what is zero: of matrices and filters, since biases begin at zero."""
    return {name: weight != 0 for name, weight in stepper.weights.items() if weight.ndim > 1}


def _check_watch(
    watch: str | None,
    mode: str | None,
    stop: EarlyStopping | None,
    plateau: ScoreDriven | None,
    keep_best: bool | None,
    validates: bool,
    metrics: list[str],
) -> Watch:
    known = ["loss", *(["validation_loss", *metrics] if validates else [])]
    name = watch if watch is not None else "validation_loss" if validates else "loss"
    if name not in known:
        raise ValueError(f"watch: expected one of {', '.join(known)}, got {name!r}")
    if stop is not None and not isinstance(stop, EarlyStopping):
        raise TypeError(f"stop: expected an EarlyStopping, got {type(stop).__name__}")
    if plateau is not None and not isinstance(plateau, ScoreDriven):
        raise TypeError(
            f"plateau: expected a ReduceOnPlateau or a ScoreSchedule, got {type(plateau).__name__}"
        )
    if keep_best is not None and not isinstance(keep_best, bool):
        raise TypeError(f"keep_best: expected True, False or None, got {type(keep_best).__name__}")
    if mode is None:
        mode = "min" if name.endswith("loss") or "error" in name else "max"
    check_mode(mode)
    for label, other in (("stop", stop), ("plateau", plateau)):
        own = getattr(other, "mode", None)
        if own is not None and own != mode:
            raise ValueError(
                f"{label}: expected mode {mode!r}, by which {name!r} is watched, got {own!r}: give it the same, "
                f"or fit mode={own!r}"
            )
    judge = stop if stop is not None else EarlyStopping(FOREVER, mode=mode)
    return Watch(name, judge, stop is not None, validates if keep_best is None else keep_best, plateau)
