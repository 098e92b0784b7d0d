"""What happens between the steps of somebody else's training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["Callback"]


class Callback:
    """Is told of the moments of a run; a subclass overrides those it cares for.

    It may look at everything the `Trainer` has, call its `set_masks` and `stop`, and change weights in place. What a
    callback remembers, and a resumed run must know, goes through `to_dict` and `restore`.
    """

    def on_start(self, trainer: Trainer) -> None:
        """Before the first step of this call, after a checkpoint was read if there was one."""

    def on_step(self, trainer: Trainer) -> None:
        """After an update."""

    def on_epoch(self, trainer: Trainer) -> None:
        """After an epoch was measured, before its checkpoint is written."""

    def on_end(self, trainer: Trainer) -> None:
        """After the last epoch, however it ended; the model has the weights that it keeps."""

    def to_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, as JSON-able values."""
        return {}

    def restore(self, document: Mapping[str, Any]) -> None:
        """Take back what `to_dict` gave."""
