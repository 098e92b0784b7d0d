"""The commands and their options. What they do is imported when one of them runs: help and completion stay quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(
    rich_markup_mode=None,  # plain help: the same on a terminal, in a log and under NO_COLOR, and no rich to import
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, with its schema_version.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        print(f"paring {__version__}")
        raise typer.Exit


@app.callback(
    invoke_without_command=True,
    epilog="Exit codes: 0 done, 1 a target was not met, 2 wrong usage or unusable file, 130 interrupted.",
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
    file: Annotated[
        Path, typer.Argument(help=".safetensors (also *.index.json, or a folder), .npz or .npy.")
    ],
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
    """
    from .inspection import inspect_file

    inspect_file(file, as_json, values=not no_values)


@app.command(short_help="Prune, quantize and sparsify a file into a smaller one.")
def compress(
    source: Annotated[Path, typer.Argument(metavar="IN", help="The weight file.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="The file to write: .safetensors or .npz.")
    ],
    bits: Annotated[
        int | None,
        typer.Option(
            "--bits", help="Quantize to 2 to 8 bits. [8 if nothing is asked for]", show_default=False
        ),
    ] = None,
    granularity: Annotated[
        str | None,
        typer.Option(
            "--granularity",
            metavar="tensor|channel|group",
            help="What shares a scale. [channel, or group with --group-size]",
            show_default=False,
        ),
    ] = None,
    group_size: Annotated[
        int | None,
        typer.Option("--group-size", metavar="N", help="Columns in a group. [32]", show_default=False),
    ] = None,
    asymmetric: Annotated[
        bool, typer.Option("--asymmetric", help="With zero points, for weights that lie to one side.")
    ] = False,
    sparsity: Annotated[
        float | None,
        typer.Option(
            "--sparsity", metavar="SHARE", help="Prune this share of the weights, 0 to 1.", show_default=False
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", metavar="W", help="Prune weights smaller than this.", show_default=False),
    ] = None,
    structure: Annotated[
        str | None,
        typer.Option(
            "--structure", metavar="N:M", help="Keep the N largest of M neighbours.", show_default=False
        ),
    ] = None,
    scope: Annotated[
        str | None,
        typer.Option(
            "--scope",
            metavar="tensor|global",
            help="Take --sparsity of each weight, or of all together. [tensor]",
            show_default=False,
        ),
    ] = None,
    sparse: Annotated[
        bool, typer.Option("--sparse", help="Store only what is not zero (CSR), where that is smaller.")
    ] = False,
    skip: Annotated[
        list[str] | None,
        typer.Option(
            "--skip", metavar="GLOB", help="Leave these weights alone; may be repeated.", show_default=False
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT; it may be IN itself.")] = False,
    as_json: Json = False,
) -> None:
    """
    \b
    paring compress model.safetensors -o small.safetensors
    paring compress model.npz -o small.npz --bits 4 --group-size 32
    paring compress model.npz -o small.npz --sparsity 0.9 --sparse --skip 'emb*'

    Without options: 8 bits, a scale an output channel.

    Biases, norms and other small weights stay as they are, and nothing is ever stored in a form that would be
    larger. The report, one line a weight with its error, goes to stdout, progress to stderr.
    """
    from .compressing import Choices, compress_file

    choices = Choices(
        bits,
        granularity,
        group_size,
        asymmetric,
        sparsity,
        threshold,
        structure,
        scope,
        sparse,
        tuple(skip or ()),
    )
    compress_file(source, output, choices, force, as_json)


@app.command(short_help="Show the processor, the kernels, and which of them are in use.")
def info(as_json: Json = False) -> None:
    """
    \b
    paring info
    PARING_ISA=avx2 paring info      what a lesser machine would use
    """
    from .information import print_information

    print_information(as_json)
