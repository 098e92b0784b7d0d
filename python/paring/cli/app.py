"""The commands and their options. What they do is imported when one of them runs: help and completion stay quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import job_commands
from .bench_commands import bench
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

__all__ = ["app"]

app = typer.Typer(
    rich_markup_mode=None,  # plain help: the same on a terminal, in a log and under NO_COLOR, and no rich to import
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        print(f"paring {__version__}")
        raise typer.Exit


@app.callback(
    invoke_without_command=True,
    epilog="Exit codes: 0 done, 1 failed or files differ, 2 wrong usage or unreadable file, 130 interrupted.",
)
def paring(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """
    \b
    paring demo                                              see it work, offline
    paring inspect model.safetensors                         what lies in a file
    paring compress model.safetensors -o small.safetensors   make it smaller
    paring compare model.safetensors small.safetensors       what that cost
    \f
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command(short_help="Compress a small real model several ways, run it, and compare.")
def demo(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Your own weight file; a digit classifier inside paring if left out.", show_default=False
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep", metavar="DIR", help="Keep the files written, in this folder.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """
    \b
    paring demo                      a digit classifier and 1,000 digits, offline
    paring demo model.safetensors    your own weights
    paring demo --keep paring-demo   keep the files it writes

    Compresses a model by several recipes, writes each to a file, reads it back, runs it on this CPU, and prints
    what every recipe gives in size, accuracy and time beside NumPy.
    """
    if file is None:
        from .demonstrations import run_digits_demo

        run_digits_demo(keep, as_json)
    else:
        from .demonstrations import run_file_demo

        run_file_demo(file, keep, as_json)


@app.command(short_help="List the weights of a file.")
def inspect(
    file: Annotated[Path, typer.Argument(help="A weight file, *.index.json, or a folder of shards.")],
    no_values: Annotated[
        bool,
        typer.Option("--no-values", help="Read the header only: no range and zeros, instant at any size."),
    ] = False,
    as_json: Json = False,
) -> None:
    """
    \b
    paring inspect model.safetensors
    paring inspect model.safetensors --json | jq '.weights[].name'

    Prints name, shape, form, bytes, share of the file, range and zeros of every weight, compressed ones included.
    A weight that cannot be read is listed with the reason.
    """
    from .inspection import inspect_file

    inspect_file(file, as_json, values=not no_values)


@app.command(short_help="Prune, quantize and sparsify a file into a smaller one.")
def compress(
    source: Source,
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="The file to write, or a folder (no suffix) for shards, index and config.",
        ),
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; say what size and error would come of it.")
    ] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", metavar="N", help="Processes that work on shards, for a folder.")
    ] = 1,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT.")] = False,
    as_json: Json = False,
) -> None:
    """
    \b
    paring compress model.safetensors -o small.safetensors
    paring compress model.npz -o small.npz --bits 4 --group-size 32 --dry-run
    paring compress model.npz -o small.npz --sparsity 0.9 --sparse --skip 'emb*'
    paring compress checkpoint/ -o small --recipe recipe.toml --jobs 4

    Without options: 8 bits, a scale an output channel; for .gguf the preset Q8_0.

    Biases, norms and other small weights stay as they are, and nothing is ever stored in a form that would be
    larger. A file larger than memory is no obstacle. The report, one line a weight with its error, goes to
    stdout, progress to stderr.
    """
    from .compressing import compress_weights
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
    compress_weights(source, output, choices, dry_run=dry_run, jobs=jobs, force=force, as_json=as_json)


@app.command(short_help="Show weight by weight how two files differ.")
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="The original.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="What was made of it, in any format and form.")],
    max_error: Annotated[
        float | None,
        typer.Option(
            "--max-error",
            metavar="X",
            help="No value may be further off than this.",
            show_default=False,
        ),
    ] = None,
    min_sqnr: Annotated[
        float | None,
        typer.Option(
            "--min-sqnr",
            metavar="DB",
            help="Signal over error that every weight must keep.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """
    \b
    paring compare model.safetensors small.safetensors
    paring compare model.safetensors small.safetensors --min-sqnr 20

    Prints the largest and mean error of every weight and its SQNR (weight over error, in dB), and what only one of
    the two has. Exit code 0 if all values are equal, or within the bounds that are given; 1 if not.
    """
    from .comparison import Bounds, compare_files

    if not compare_files(a, b, Bounds(max_error, min_sqnr), as_json):
        raise typer.Exit(1)


app.command("plan", short_help="Cut a compression into jobs for many machines.")(job_commands.plan)
app.command("run", short_help="Run one job of a plan.")(job_commands.run)
app.command("finish", short_help="Write index and config when all jobs are done.")(job_commands.finish)


app.add_typer(
    bench, name="bench", short_help="Time kernels beside other libraries and this machine's limits."
)


@app.command(short_help="Show the processor, the kernels, and which of them are in use.")
def info(as_json: Json = False) -> None:
    """
    \b
    paring info
    PARING_ISA=avx2 paring info      what a lesser machine would use
    """
    from .information import print_information

    print_information(as_json)


@app.command(short_help="Print the JSON schema of what a command gives with --json.")
def schema(
    command: Annotated[
        str, typer.Argument(metavar="COMMAND", help="Such as inspect, compress or 'bench kernels'.")
    ],
) -> None:
    """
    \b
    paring schema compress > compress.schema.json
    """
    from .answers import print_schema

    print_schema(command)
