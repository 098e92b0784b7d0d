"""From a source, a target and a recipe to jobs, with everything refused that can be before anything is written."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ..compression.application import find_global_cuts
from ..compression.forms import csr_cost, quantized_cost
from ..compression.plans import Plan, make_plans
from ..compression.recipe_sources import RecipeLike, as_recipe
from ..compression.sources import Source, open_source
from ..formats import read
from ..formats.weight_file import WeightFile, WeightInfo
from ..weights import Weight
from .fingerprint import fingerprint, job_key, plan_key
from .job import Job
from .model_folder import check_config, is_model_folder
from .spool import Spool, is_mapped
from .staging import SHARD_SUFFIX, Staging
from .targets import check_apart, check_forms, check_neighbours, check_target, existing_folder
from .tasks import Input, Task

__all__ = ["plan"]

SINGLE_NAME = f"model{SHARD_SUFFIX}"
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
    place, to_folder = check_target(target)
    Staging(place, to_folder).check()
    weights = read(source)
    check_apart(weights, place, to_folder)
    outputs = _outputs(weights, place, to_folder)
    if to_folder:
        check_neighbours(place, outputs.values())
        if is_model_folder(source):
            check_config(weights.path.parent)
    opened = open_source(weights)
    by_output: dict[str, list[Plan]] = {output: [] for output in outputs.values()}
    plans = make_plans(opened, recipe)
    for plan in plans:
        by_output[outputs[weights.shard_of(plan.name)]].append(plan)
    for output, own in by_output.items():
        check_forms(place / output if to_folder else place, own, opened, weights)
    with Spool(existing_folder(place), place) as spool:
        cuts = find_global_cuts(_kept_on_disk(opened, spool), plans)
    tasks = {output: [Task(plan, cuts.get(plan.name)) for plan in own] for output, own in by_output.items()}
    inputs = _inputs(weights, tasks, verify)
    keys = {output: job_key(own, inputs[output], output) for output, own in tasks.items()}
    absolute = str(Path(source).absolute())
    plan_hash = plan_key(list(keys.values()), absolute, str(place))
    return [
        Job(
            number=number,
            count=len(tasks),
            source=absolute,
            target=str(place),
            output=output,
            to_folder=to_folder,
            tasks=tuple(own),
            inputs=inputs[output],
            **_estimates(weights, own),
            key=keys[output],
            plan=plan_hash,
        )
        for number, (output, own) in enumerate(tasks.items())
    ]


def _outputs(weights: WeightFile, place: Path, to_folder: bool) -> dict[str, str]:
    """Return the name of the file that each file of the source goes to."""
    names = list(weights.shards)
    if not names:
        raise ValueError(f"{weights.path}: expected weights, got an index that names no file")
    if not to_folder:
        return dict.fromkeys(names, place.name)
    if len(names) == 1:
        return {names[0]: SINGLE_NAME}
    outputs = {name: _shard_name(name) for name in names}
    if len(set(outputs.values())) < len(names) or any(output.startswith(".") for output in outputs.values()):
        outputs = {
            name: f"model-{number:05}-of-{len(names):05}{SHARD_SUFFIX}"
            for number, name in enumerate(names, 1)
        }
    return outputs


def _shard_name(name: str) -> str:
    stem = Path(name).stem.removeprefix("pytorch_")
    return f"{stem}{SHARD_SUFFIX}"


def _inputs(
    weights: WeightFile, tasks: Mapping[str, Sequence[Task]], verify: bool
) -> dict[str, tuple[Input, ...]]:
    """Return what each job reads: the files, and which of their tensors, in the order in which they are needed."""
    known: dict[str, Input] = {}
    inputs = {}
    for output, own in tasks.items():
        tensors: dict[str, list[str]] = {}
        for task in own:
            for tensor in weights.describe(task.plan.name).tensors:
                tensors.setdefault(weights.file_of(tensor), []).append(tensor)
        for file in tensors.keys() - known.keys():
            known[file] = fingerprint(weights.path.parent, file, weights.shards[file], (), verify)
        inputs[output] = tuple(replace(known[file], tensors=tuple(names)) for file, names in tensors.items())
    return inputs


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


def _estimates(weights: WeightFile, tasks: Sequence[Task]) -> dict[str, int]:
    infos = [weights.describe(task.plan.name) for task in tasks]
    return {
        "bytes_before": sum(info.nbytes for info in infos),
        "bytes_after": sum(_bytes_after(task.plan, info) for task, info in zip(tasks, infos, strict=True)),
        "memory_bytes": max(map(_memory_bytes, infos), default=0) + BASE_MEMORY_BYTES,
    }


def _bytes_after(plan: Plan, info: WeightInfo) -> int:
    if plan.reason:
        return info.nbytes
    best = info.nbytes
    if plan.quantize is not None:
        best = min(best, quantized_cost(info.shape, plan.quantize, plan.axis).arrays)
    if plan.sparse and plan.prune is not None and plan.prune.sparsity is not None:
        nnz = round(math.prod(info.shape) * (1 - plan.prune.sparsity))
        best = min(best, csr_cost(info.shape, nnz, plan.quantize is not None, plan.axis).arrays)
    return best


def _memory_bytes(info: WeightInfo) -> int:
    return 2 * max(4 * math.prod(info.shape), info.nbytes if info.kind == "array" else 0)
