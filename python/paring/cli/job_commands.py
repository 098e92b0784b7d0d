"""The commands that cut a compression into jobs, so that any scheduler can run it on many machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import (
    Asymmetric,
    Bits,
    Convention,
    Granularity,
    GroupSize,
    Json,
    MinSize,
    Preset,
    RecipeFile,
    Scope,
    Skip,
    Source,
    Sparse,
    Sparsity,
    Structure,
    Threshold,
    ThresholdStd,
)

__all__ = ["finish", "plan", "run"]

JobsFile = Annotated[Path, typer.Argument(metavar="JOBS.json", help="What `paring plan` wrote.")]


def plan(
    source: Source,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FOLDER", help="The folder to fill; a file is one job."),
    ],
    jobs_file: Annotated[
        Path, typer.Option("--jobs-file", metavar="JOBS.json", help="Where to write the plan.")
    ],
    recipe: RecipeFile = None,
    preset: Preset = None,
    bits: Bits = None,
    granularity: Granularity = None,
    group_size: GroupSize = None,
    asymmetric: Asymmetric = False,
    convention: Convention = None,
    sparsity: Sparsity = None,
    threshold: Threshold = None,
    threshold_std: ThresholdStd = None,
    structure: Structure = None,
    scope: Scope = None,
    sparse: Sparse = False,
    skip: Skip = None,
    min_size: MinSize = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Let jobs check the contents of IN, not only size and time.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace JOBS.json.")] = False,
    as_json: Json = False,
) -> None:
    """
    \b
    paring plan checkpoint/ -o small --jobs-file jobs.json --preset W4A16
    paring run jobs.json --job 0         on any machine that sees both folders
    paring finish jobs.json              when all are done

    Checks everything that can be checked, writes no weight, and prints what each job takes.
    In a Slurm array: paring run jobs.json --job $SLURM_ARRAY_TASK_ID
    """
    from .planning import plan_jobs
    from .recipe_options import Choices

    choices = Choices(
        bits,
        granularity,
        group_size,
        asymmetric,
        convention,
        sparsity,
        threshold,
        threshold_std,
        structure,
        scope,
        sparse,
        recipe,
        preset,
        tuple(skip or ()),
        min_size,
    )
    plan_jobs(source, output, jobs_file, choices, verify=verify, force=force, as_json=as_json)


def run(
    jobs_file: JobsFile,
    job: Annotated[int, typer.Option("--job", metavar="I", help="The number of the job, from 0.")],
    as_json: Json = False,
) -> None:
    """
    \b
    paring run jobs.json --job 0
    paring run jobs.json --job $SLURM_ARRAY_TASK_ID     in a Slurm array

    A job whose output stands already is not run again; an output is whole or not there.
    """
    from .planning import run_job

    run_job(jobs_file, job, as_json)


def finish(jobs_file: JobsFile, as_json: Json = False) -> None:
    """
    \b
    paring finish jobs.json

    Writes index and config, by which the folder becomes a checkpoint, and prints the report. Exit code 1 with a
    list if jobs are missing.
    """
    from .planning import finish_jobs

    finish_jobs(jobs_file, as_json)
