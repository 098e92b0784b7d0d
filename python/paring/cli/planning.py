"""``paring plan``, ``run`` and ``finish``: a compression cut into jobs that other machines may do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from ..compression.report import Report
from ..formats import read
from ..formats.atomic import replacing
from ..formats.strict_json import parse_object
from ..jobs import Job, JobResult
from ..jobs import finish as finish_all
from ..jobs import plan as plan_all
from ..jobs import run as run_one
from ..jobs.staging import Staging
from .answers import print_answer
from .compressing import check_place, count_steps
from .failures import UnfinishedError, naming
from .progress import open_progress
from .recipe_options import Choices, default_choices, make_recipe
from .report_page import print_report, print_summary
from .terminal import Column, file_size, make_table, open_stdout, print_next, print_table, quote

__all__ = ["finish_jobs", "plan_jobs", "run_job"]

SCHEMA_VERSION = 1
SHOWN_JOBS = 20


def plan_jobs(
    source: Path,
    output: Path,
    jobs_file: Path,
    choices: Choices,
    *,
    verify: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write the jobs of a compression to a file and print what each takes.

    Raises
    ------
    ValueError
        If the options contradict each other, a file is no good, or one is there and `force` is not. Nothing is
        written then.
    OSError
        If a file cannot be read or written.
    """
    recipe = make_recipe(default_choices(choices, output))
    check_place(output, force)
    _check_jobs_file(jobs_file, source, output, force)
    with open_progress(announce=True) as progress:
        progress.start(f"planning {source}", 0)
        jobs = plan_all(source, output, recipe, verify=verify)
    document = {"schema_version": SCHEMA_VERSION, "jobs": [job.to_dict() for job in jobs]}
    with replacing(jobs_file) as file:
        file.write(json.dumps(document, allow_nan=False).encode() + b"\n")
    if as_json:
        print_answer(_plan_to_dict(source, output, jobs_file, jobs))
        return
    console = open_stdout()
    _print_plan(console, jobs)
    quoted = quote(jobs_file)
    commands = [(f"paring run {quoted} --job {job.number}", "") for job in jobs[:1]]
    if len(jobs) > 1:
        commands[0] = (commands[0][0], f"and so on to {jobs[-1].number}, in any order, on any machine")
    print_next(console, [*commands, (f"paring finish {quoted}", "when all are done")])


def _check_jobs_file(jobs_file: Path, source: Path, output: Path, force: bool) -> None:
    for place, role in ((source, "the source"), (output, "what is to be written")):
        if jobs_file.resolve() == place.resolve():
            raise ValueError(f"--jobs-file: expected a file of its own, got {jobs_file}, which is {role}")
    if jobs_file.is_dir():
        raise ValueError(f"--jobs-file: expected a file to write, got the folder {jobs_file}")
    if not jobs_file.absolute().parent.is_dir():
        raise ValueError(f"{jobs_file.parent}: no such folder to write into")
    if jobs_file.exists() and not force:
        raise ValueError(f"{jobs_file}: already exists; --force replaces it")


def _plan_to_dict(source: Path, output: Path, jobs_file: Path, jobs: list[Job]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "input_path": str(source),
        "output_path": str(output),
        "jobs_path": str(jobs_file),
        "totals": {
            "jobs": len(jobs),
            "weights": sum(len(job.names) for job in jobs),
            "bytes_before": sum(job.bytes_before for job in jobs),
            "bytes_after": sum(job.bytes_after for job in jobs),
            "memory_bytes": max((job.memory_bytes for job in jobs), default=0),
        },
        "jobs": [
            {
                "number": job.number,
                "output": job.output,
                "weights": len(job.names),
                "bytes_before": job.bytes_before,
                "bytes_after": job.bytes_after,
                "memory_bytes": job.memory_bytes,
                "key": job.key,
            }
            for job in jobs
        ],
    }


def _print_plan(console: Console, jobs: list[Job]) -> None:
    titles = ("weights", "in", "out", "memory")
    table = make_table(
        console, Column("job", "right"), Column("output"), *(Column(title, "right") for title in titles)
    )
    for job in jobs:
        sizes = (job.bytes_before, job.bytes_after, job.memory_bytes)
        table.add_row(
            str(job.number), Text(job.output), f"{len(job.names):,}", *(file_size(size) for size in sizes)
        )
    print_table(console, table)
    before, after = sum(job.bytes_before for job in jobs), sum(job.bytes_after for job in jobs)
    most = max((job.memory_bytes for job in jobs), default=0)
    count = f"{len(jobs):,} job{'s' * (len(jobs) != 1)}"
    console.print(
        f"\n[bold]{count}, {before:,} -> about {after:,} bytes of weights[/], {file_size(most)} of memory at most"
    )


def run_job(jobs_file: Path, number: int, as_json: bool) -> None:
    """Run one job of a plan, unless its output stands.

    Raises
    ------
    ValueError
        If there is no such job, the file is none of `plan_jobs`, or the source is not what was planned for.
    OSError
        If a file cannot be read or written.
    """
    jobs = _read_jobs(jobs_file)
    by_number = {job.number: job for job in jobs}
    if number not in by_number:
        raise ValueError(f"--job: expected 0 to {len(jobs) - 1}, the jobs of {jobs_file}, got {number}")
    job = by_number[number]
    with naming(Path(job.output)), open_progress(announce=True) as progress:
        progress.start(f"job {number}: {job.output}", len(job.names))
        result = run_one(job, progress=count_steps(progress))
    if as_json:
        print_answer(_result_to_dict(jobs_file, result))
        return
    console = open_stdout()
    print_report(console, Report(result.rows))
    remark = ", which stood already" if result.resumed else ""
    console.print(
        Text(f"\njob {number} of {len(jobs)}: {result.output}, {result.bytes:,} bytes{remark}", "bold")
    )
    quoted = quote(jobs_file)
    left = [other.number for other in jobs if Staging.of(other).result(other) is None]
    commands = [(f"paring run {quoted} --job {left[0]}", "another")] if left else []
    print_next(
        console, [*commands, (f"paring finish {quoted}", "when all are done" if left else "all are done")]
    )


def _result_to_dict(jobs_file: Path, result: JobResult) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "jobs_path": str(jobs_file),
        "number": result.number,
        "output": result.output,
        "output_bytes": result.bytes,
        "resumed": result.resumed,
        "rows": [row.to_dict() for row in result.rows],
    }


def finish_jobs(jobs_file: Path, as_json: bool) -> None:
    """Complete the target of a plan and print the report of all jobs.

    Raises
    ------
    UnfinishedError
        If jobs have not been run.
    ValueError
        If the file is none of `plan_jobs`.
    OSError
        If a file cannot be written.
    """
    jobs = _read_jobs(jobs_file)
    missing = [job for job in jobs if Staging.of(job).result(job) is None]
    if missing:
        shown = ", ".join(str(job.number) for job in missing[:SHOWN_JOBS])
        more = f" and {len(missing) - SHOWN_JOBS} more" if len(missing) > SHOWN_JOBS else ""
        raise UnfinishedError(
            f"{jobs[0].target}: {len(missing)} of {len(jobs)} jobs are not done: {shown}{more}; "
            f"do each by paring run {quote(jobs_file)} --job {missing[0].number}"
        )
    report = finish_all(jobs)
    source, output = Path(jobs[0].source), Path(jobs[0].target)
    before, after = read(source).file_bytes, read(output).file_bytes
    if as_json:
        print_answer(
            {
                **report.to_dict(),
                "jobs_path": str(jobs_file),
                "input_path": str(source),
                "output_path": str(output),
                "input_bytes": before,
                "output_bytes": after,
                "ratio": before / after,
            }
        )
        return
    console = open_stdout()
    print_report(console, report)
    console.print()
    print_summary(console, output, before, after, written=True)
    print_next(
        console,
        [
            (f"paring compare {quote(source)} {quote(output)}", "what that cost, weight by weight"),
            (f"paring inspect {quote(output)}", "look into it"),
        ],
    )


def _read_jobs(jobs_file: Path) -> list[Job]:
    document = parse_object(jobs_file.read_bytes(), str(jobs_file), with_paths=True)
    jobs = document.get("jobs")
    if document.get("schema_version") != SCHEMA_VERSION or not isinstance(jobs, list) or not jobs:
        raise ValueError(f"{jobs_file}: expected what paring plan of this version writes")
    try:
        return [Job.from_dict(job) for job in jobs]
    except ValueError as error:
        raise ValueError(f"{jobs_file}: {error}") from error
