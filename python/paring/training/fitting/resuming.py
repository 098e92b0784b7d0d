"""From a run to a checkpoint and back: what is kept, and what must be the same when a run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt

from ...errors import FormatError
from ..documents import find_differences
from ..optimizers.states import OptimizerState
from ..plateau import RateState
from ..stopping import StoppingState
from .checkpoints import Checkpoint, graph_fingerprint, read_checkpoint, write_checkpoint
from .history import History
from .settings import describe
from .trainer import Trainer, check_masks, put_state

__all__ = ["resume_trainer", "save_trainer"]

Array = npt.NDArray[Any]


def settings_of(trainer: Trainer) -> dict[str, Any]:
    """Return what a run that goes on must have in common with the one that began."""
    shapes = {name: tuple(value.shape) for name, value in trainer.model.state_dict().items()}
    plateau = trainer.watch.plateau
    optimizer = describe(trainer.stepper.optimizer)
    if plateau is not None:  # moves, and is in the plateau's state
        optimizer.pop("learning_rate")
    return {
        "model": graph_fingerprint(trainer.model.graph, shapes),
        "trained": sorted(trainer.stepper.weights),
        "objective": trainer.objective.to_dict(),
        "optimizer": optimizer,
        "data": trainer.data.to_dict(),
        "accumulate": trainer.accumulate,
        "seed": trainer.seed,
        "watch": {
            "name": trainer.watch.name,
            "judge": trainer.watch.judge.to_dict(),
            "plateau": describe(plateau),
        },
    }


def save_trainer(trainer: Trainer, path: Path) -> None:
    """Write a checkpoint."""
    document = {
        "settings": settings_of(trainer),
        "epoch": trainer.epoch,
        "epoch_step": trainer.epoch_step,
        "batch": trainer.batch,
        "seen": trainer.seen,
        "lost": trainer.lost.hex(),
        "judged": trainer.judged.to_dict(),
        "rate": None if trainer.rate_state is None else trainer.rate_state.to_dict(),
        "history": trainer.history.to_dict(),
        "callbacks": [callback.to_dict() for callback in trainer.callbacks],
    }
    arrays: dict[str, dict[str, Array]] = {
        "model": trainer.arrays(),
        "best": trainer.best,
        "optimizer": trainer.stepper.state.to_arrays(),
        "mask": dict(trainer.stepper.masks),
    }
    write_checkpoint(path, Checkpoint(arrays, document))


def resume_trainer(trainer: Trainer, path: Path, allow_change: bool) -> None:
    """Go on where a checkpoint was written.

    Raises
    ------
    FormatError
        If it is no checkpoint, or damaged.
    ValueError
        If it is of another model, or of other settings, unless `allow_change`; the message says what differs.
    """
    found = read_checkpoint(path)
    document = found.document
    try:
        _check_settings(trainer, document["settings"], allow_change)
        taken = _parts_of(document, path)
        state = OptimizerState.from_arrays(found.arrays["optimizer"])
        _check_arrays(trainer, path, found.arrays, state)
    except _OtherSettingsError as error:
        raise ValueError(f"{path}: {error}") from None
    except FormatError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(
            f"{path}: expected a checkpoint of paring.fit, got a damaged one: {error}"
        ) from error
    history, judged, rate, numbers, lost, callbacks = taken
    if len(callbacks) != len(trainer.callbacks):
        raise ValueError(f"{path}: expected {len(callbacks)} callbacks as then, got {len(trainer.callbacks)}")
    put_state(trainer.model, found.arrays["model"])
    trainer.best = found.arrays["best"]
    trainer.stepper.state = state
    trainer.stepper.set_masks(found.arrays["mask"])
    trainer.epoch, trainer.epoch_step, trainer.batch, trainer.seen = numbers
    trainer.lost, trainer.judged, trainer.history = lost, judged, history
    if trainer.rate_state is not None and rate is not None:
        trainer.rate_state = rate
        trainer.take_rate()
    # Whoever goes on wants more than what ended the run before.
    trainer.history.stopped, trainer.history.interrupted = "", False
    for callback, own in zip(trainer.callbacks, callbacks, strict=True):
        callback.restore(own)


def _check_settings(trainer: Trainer, then: dict[str, Any], allow_change: bool) -> None:
    now = settings_of(trainer)
    for name, what in (("model", "graph and shapes"), ("trained", "names of trained weights")):
        if then[name] != now[name]:
            raise _OtherSettingsError(f"is the checkpoint of another model: {what} differ")
    if then["optimizer"]["kind"] != now["optimizer"]["kind"]:
        kinds = then["optimizer"]["kind"], now["optimizer"]["kind"]
        raise _OtherSettingsError(f"was made with the optimizer {kinds[0]}, not {kinds[1]}")
    differences = list(find_differences("", then, now))
    if differences and not allow_change:
        raise _OtherSettingsError(
            f"not what the run began with: {'; '.join(differences)}; pass allow_change=True to go on"
        )


class _OtherSettingsError(Exception):
    """What a sound checkpoint was made with is not what a run goes on with."""


def _parts_of(
    document: dict[str, Any], path: Path
) -> tuple[History, StoppingState, RateState | None, list[int], float, list[Any]]:
    """Return history, state of the judge, state of the rate, counts, sum of losses, and callbacks' documents."""
    numbers = [document[name] for name in ("epoch", "epoch_step", "batch", "seen")]
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise FormatError(f"{path}: expected counts from 0 up, got {numbers}")
    if not isinstance(document["callbacks"], list):
        raise FormatError(f"{path}: expected a list of callbacks, got {type(document['callbacks']).__name__}")
    return (
        History.from_dict(document["history"]),
        StoppingState.from_dict(document["judged"]),
        None if document["rate"] is None else RateState.from_dict(document["rate"]),
        numbers,
        float.fromhex(document["lost"]),
        document["callbacks"],
    )


def _check_arrays(
    trainer: Trainer, path: Path, arrays: dict[str, dict[str, Array]], state: OptimizerState
) -> None:
    own = trainer.arrays()
    for group in ("model", "best"):
        names = set(arrays[group])
        if names != set(own) and (group == "model" or names):
            raise FormatError(f"{path}: expected the arrays {', '.join(sorted(own))} in {group!r}")
        for name in names:
            _check_like(arrays[group][name], own[name], f"{path}: {group}/{name}")
    if set(state.slots) - set(trainer.stepper.weights):
        raise FormatError(f"{path}: expected the optimizer's state of trained weights only")
    for name, held in trainer.stepper.state.slots.items():
        if set(held) != set(state.slots.get(name, {})):
            raise FormatError(
                f"{path}: expected the slots {', '.join(held)} of {name!r} in the optimizer's state"
            )
        for slot, array in held.items():
            _check_like(state.slots[name][slot], array, f"{path}: optimizer/{slot}/{name}")
    if not _held_slots(trainer.stepper.state):
        state.slots = trainer.stepper.state.slots
    check_masks(arrays["mask"], trainer.stepper.weights)


def _held_slots(state: OptimizerState) -> bool:
    """Whether an optimizer remembers arrays: plain SGD has none, and no entries of weights either when stored."""
    return any(state.slots.values())


def _check_like(array: Array, expected: Array, where: str) -> None:
    """Raise FormatError if an array has another shape or dtype than one expected."""
    if array.shape != expected.shape or array.dtype != expected.dtype:
        raise FormatError(
            f"{where}: expected {expected.dtype} of shape {expected.shape}, got {array.dtype} of shape {array.shape}"
        )
