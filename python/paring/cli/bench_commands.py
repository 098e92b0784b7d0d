"""``paring bench``: measurements that a user can repeat."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json

__all__ = ["bench"]

bench = typer.Typer(
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)


@bench.callback()
def measurements() -> None:
    """
    \b
    paring bench kernels     linear layers beside other libraries and the limits of this machine
    """


@bench.command(short_help="Time linear layers beside other libraries and the limits of this machine.")
def kernels(
    shape: Annotated[
        list[str] | None,
        typer.Option(
            "--shape",
            metavar="M,K,N",
            help="Rows of x, in_features, out_features; may be repeated. [1,768,3072 64,768,3072]",
            show_default=False,
        ),
    ] = None,
    bits: Annotated[
        list[int] | None,
        typer.Option(
            "--bits", metavar="32|8|4", help="Of the weight; may be repeated. [8]", show_default=False
        ),
    ] = None,
    group_size: Annotated[
        int, typer.Option("--group-size", metavar="G", help="Columns that share a scale, of 4-bit weights.")
    ] = 32,
    threads: Annotated[
        list[int] | None,
        typer.Option(
            "--threads", metavar="N", help="For everybody; may be repeated. [1]", show_default=False
        ),
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", metavar="N", help="Turns for everybody.")] = 5,
    cold: Annotated[
        bool, typer.Option("--cold", help="Rotate copies of the weights through more than the caches hold.")
    ] = False,
    alone: Annotated[bool, typer.Option("--alone", help="Only paring and the limits.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw a roofline, .svg or .png.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """
    \b
    paring bench kernels
    paring bench kernels --shape 1,4096,4096 --bits 8 --bits 4 --cold
    paring bench kernels --threads 1 --threads 2 --plot roofline.svg

    Computes y = x W + b, float32 in and out, with paring and every peer that is installed (pip install
    'paring[peers]'), in turn in one process, and says how far each is from the fastest (Relative, 1.00 is best) and
    from what this machine can multiply and read in the same seconds. Answers are checked before they are timed.
    """
    from .kernel_benchmark import run_kernel_benchmark

    run_kernel_benchmark(
        shapes=shape or ["1,768,3072", "64,768,3072"],
        bits=bits or [8],
        group_size=group_size,
        threads=threads or [1],
        rounds=rounds,
        cold=cold,
        alone=alone,
        plot=plot,
        as_json=as_json,
    )
