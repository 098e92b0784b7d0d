"""From a source, a target and a recipe to jobs, with everything refused that can be before anything is written."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ..compression.application import find_global_cuts
from ..compression.forms import csr_cost, quantized_cost
from ..compression.plans import Plan, make_plans
from ..compression.recipe_sources import RecipeLike, as_recipe
from ..compression.sources import Source, open_source
from ..formats import check_suffix, read
from ..formats.weight_file import WeightFile, WeightInfo
from ..weights import Weight
from .fingerprint import fingerprint, job_key
from .job import Job, Task
from .model_folder import check_config, is_model_folder
from .spool import Spool, is_mapped

__all__ = ["existing_folder", "names_folder", "plan"]

SINGLE_NAME = "model.safetensors"
SHARD_SUFFIX = ".safetensors"
# What remains of a name like Llama-3.1-8B behind its last point is no suffix of a format.
FORMAT_SUFFIX = re.compile(r"\.[A-Za-z]+\d?")
BASE_MEMORY_BYTES = 100_000_000


def plan(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    recipe: RecipeLike | None = None,
    *,
    verify: bool = False,
) -> list[Job]:
    """Return the jobs that compress a weight file, or a checkpoint of many files, into `target`.

    Whatever can be refused without doing the work is refused here, and nothing is written. What has to be decided over
    all weights together (pruning of scope "global") is found in one reading and stored in each job.

    Parameters
    ----------
    source : str or path
        What `paring.read` takes.
    target : str or path
        A file to write (``.safetensors``, ``.npz``, ``.npy``, ``.gguf``): one job. Or a folder, made if it is not there
        (a name without such a suffix, or ending in a slash): one job for each file of the source, all of them written
        as ``.safetensors``, with an index and, if the source is a folder, its ``config.json``.
    recipe : Recipe, str or path, optional
        As for `paring.compress`.
    verify : bool
        Whether to read all of the source for the keys of the jobs. By default a file is known by its size, the time it
        was changed, and what it says about its tensors.

    Returns
    -------
    list of Job
        In the order of the files of the source.

    Raises
    ------
    TypeError, ValueError, OSError, FormatError
        As `paring.read` and `paring.compress` do; ValueError also if the target is (among) the source; OSError if it
        cannot be written.

    Examples
    --------
    >>> import numpy as np, paring, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paring.write(f"{folder}/in.npz", {"w": np.eye(64, dtype=np.float32)})
    ...     [job] = paring.jobs.plan(f"{folder}/in.npz", f"{folder}/out.npz", "int8")
    >>> job.names, job.output, job.bytes_before, job.bytes_after
    (('w',), 'out.npz', 16384, 4352)
    """
    recipe = as_recipe(recipe)
    place, to_folder = _check_target(target)
    weights = read(source)
    _check_apart(weights, place, to_folder)
    opened = open_source(weights)
    plans = make_plans(opened, recipe)
    with Spool(existing_folder(place), place) as spool:
        cuts = find_global_cuts(_kept_on_disk(opened, spool), plans)
    if to_folder and is_model_folder(source):
        check_config(weights.path.parent)
    tasks = [Task(plan, cuts.get(plan.name)) for plan in plans]
    outputs = _outputs(weights, place, to_folder)
    by_output: dict[str, list[Task]] = {output: [] for output in outputs.values()}
    for task in tasks:
        by_output[outputs[weights.shard_of(task.plan.name)]].append(task)
    fingerprints: dict[str, Any] = {}
    jobs = []
    for number, (output, own) in enumerate(by_output.items()):
        tensors = _tensors_by_file(weights, own)
        for file in tensors:
            if file not in fingerprints:
                fingerprints[file] = fingerprint(weights.path.parent, file, weights.shards[file], (), verify)
        inputs = tuple(replace(fingerprints[file], tensors=tuple(names)) for file, names in tensors.items())
        infos = [weights.describe(task.plan.name) for task in own]
        jobs.append(
            Job(
                number=number,
                count=len(by_output),
                source=str(Path(source).absolute()),
                target=str(place),
                output=output,
                to_folder=to_folder,
                tasks=tuple(own),
                inputs=inputs,
                bytes_before=sum(info.nbytes for info in infos),
                bytes_after=sum(_bytes_after(t.plan, info) for t, info in zip(own, infos, strict=True)),
                memory_bytes=max(map(_memory_bytes, infos), default=0) + BASE_MEMORY_BYTES,
                key=job_key(own, inputs, output),
            )
        )
    return jobs


def _check_target(target: str | os.PathLike[str]) -> tuple[Path, bool]:
    """Return the absolute path, and whether it is a folder; ValueError or OSError if nothing can be written there."""
    text = os.fspath(target)
    place = Path(text).absolute()
    to_folder = text.endswith(os.sep) or names_folder(place)
    if not to_folder:
        check_suffix(place)
    parent = existing_folder(place)
    if to_folder and place.exists() and not place.is_dir():
        raise NotADirectoryError(f"{place}: expected a folder to write into, got a file")
    if not place.parent.is_dir():
        raise FileNotFoundError(f"{place.parent}: no such folder to write into")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(f"{parent}: no permission to write into this folder")
    return place, to_folder


def names_folder(place: Path) -> bool:
    """Whether a target is a folder: one that is there, or any name without the suffix of a format."""
    return place.is_dir() or not FORMAT_SUFFIX.fullmatch(place.suffix)


def existing_folder(place: Path) -> Path:
    """Return the nearest folder that is there, the target itself or above it."""
    for folder in (place, *place.parents):
        if folder.is_dir():
            return folder
        if folder != place and os.path.lexists(folder):
            raise NotADirectoryError(f"{place}: expected a folder to write into, but {folder} is a file")
    return place


def _check_apart(weights: WeightFile, place: Path, to_folder: bool) -> None:
    folder = weights.path.parent
    if to_folder:
        if os.path.realpath(place) == os.path.realpath(folder):
            raise ValueError(f"{place}: expected another folder than that of the source")
        return
    for name in (weights.path.name, *weights.shards):
        if os.path.realpath(place) == os.path.realpath(folder / name):
            raise ValueError(f"{place}: expected another file than the source: it would be lost")


def _outputs(weights: WeightFile, place: Path, to_folder: bool) -> dict[str, str]:
    """Return the name of the file that each file of the source goes to."""
    names = list(weights.shards)
    if not to_folder:
        return dict.fromkeys(names, place.name)
    if len(names) == 1:
        return {names[0]: SINGLE_NAME}
    outputs = {name: _shard_name(name) for name in names}
    if len(set(outputs.values())) < len(names):
        outputs = {
            name: f"model-{number:05}-of-{len(names):05}{SHARD_SUFFIX}"
            for number, name in enumerate(names, 1)
        }
    return outputs


def _shard_name(name: str) -> str:
    stem = Path(name).stem.removeprefix("pytorch_")
    return f"{stem}{SHARD_SUFFIX}"


def _tensors_by_file(weights: WeightFile, tasks: list[Task]) -> dict[str, list[str]]:
    """Return what a job reads: tensors by the name of their file, in the order in which they are needed."""
    result: dict[str, list[str]] = {}
    for task in tasks:
        info = weights.describe(task.plan.name)
        for tensor in info.tensors:
            result.setdefault(weights.file_of(tensor), []).append(tensor)
    return result


def _kept_on_disk(source: Source, spool: Spool) -> Source:
    """Return the source with arrays that can all be held at once: what is no memory map goes to a file."""
    fetched: dict[str, Any] = {}

    def fetch(name: str) -> Weight:
        weight: npt.NDArray[Any] = source.fetch(name)  # type: ignore[assignment]  # only arrays are pruned
        if is_mapped(weight):
            return weight
        if name not in fetched:
            fetched[name] = spool.put(weight)
        return fetched[name]()  # type: ignore[no-any-return]

    return replace(source, fetch=fetch)


def _bytes_after(plan: Plan, info: WeightInfo) -> int:
    if plan.reason:
        return info.nbytes
    best = info.nbytes
    if plan.quantize is not None:
        best = min(best, quantized_cost(info.shape, plan.quantize, plan.axis).arrays)
    if plan.sparse and plan.prune is not None and plan.prune.sparsity is not None:
        size = _size(info)
        nnz = round(size * (1 - plan.prune.sparsity))
        best = min(best, csr_cost(info.shape, nnz, plan.quantize is not None, plan.axis).arrays)
    return best


def _memory_bytes(info: WeightInfo) -> int:
    return 2 * 4 * _size(info)


def _size(info: WeightInfo) -> int:
    size = 1
    for axis in info.shape:
        size *= axis
    return size
