"""Which input it was: what decides whether a job done earlier still stands."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .._core import version
from ..formats.weight_file import TensorFile
from .tasks import Input, Task

__all__ = ["fingerprint", "job_key", "plan_key"]

CHUNK_BYTES = 1 << 20


def fingerprint(folder: Path, name: str, file: TensorFile, tensors: Sequence[str], verify: bool) -> Input:
    """Return an input of a job as it is now; with `verify` its whole contents are read."""
    path = folder / name
    status = path.stat()
    infos = [(tensor, vars(file.info(tensor))) for tensor in file.names()]
    header = _digest([infos, file.metadata, file.descriptions])
    return Input(
        file=name,
        tensors=tuple(tensors),
        bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        header=header,
        contents=_contents(path) if verify else "",
    )


def job_key(tasks: Sequence[Task], inputs: Sequence[Input], output: str) -> str:
    """Return the hash of everything that decides what a job writes."""
    return _digest([version, output, [task.to_dict() for task in tasks], [vars(item) for item in inputs]])


def plan_key(keys: Sequence[str], source: str, target: str) -> str:
    """Return the hash by which the jobs of one plan know each other."""
    return _digest([list(keys), source, target])


def _digest(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, default=dict).encode()).hexdigest()


def _contents(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
