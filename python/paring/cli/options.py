"""Options that several commands share, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Asymmetric",
    "Bits",
    "Convention",
    "Granularity",
    "GroupSize",
    "Json",
    "MinSize",
    "Preset",
    "RecipeFile",
    "Scope",
    "Skip",
    "Source",
    "Sparse",
    "Sparsity",
    "Structure",
    "Threshold",
    "ThresholdStd",
]

Json = Annotated[
    bool, typer.Option("--json", help="One JSON object on stdout; `paring schema` describes it.")
]

Source = Annotated[Path, typer.Argument(metavar="IN", help="The weight file, or a folder of shards.")]

RecipeFile = Annotated[
    Path | None,
    typer.Option("--recipe", metavar="FILE.toml", help="A whole recipe from a file.", show_default=False),
]
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="A whole recipe by name: int8, int4, W4A16, Q8_0, ...; a wrong name lists them.",
        show_default=False,
    ),
]
Bits = Annotated[
    int | None,
    typer.Option("--bits", help="Quantize to 2 to 8 bits. [8 if nothing is asked for]", show_default=False),
]
Granularity = Annotated[
    str | None,
    typer.Option(
        "--granularity",
        metavar="tensor|channel|group",
        help="What shares a scale. [channel, or group with --group-size]",
        show_default=False,
    ),
]
GroupSize = Annotated[
    int | None,
    typer.Option("--group-size", metavar="N", help="Columns in a group. [32]", show_default=False),
]
Asymmetric = Annotated[
    bool, typer.Option("--asymmetric", help="With zero points, for weights that lie to one side.")
]
Convention = Annotated[
    str | None,
    typer.Option(
        "--convention",
        metavar="NAME",
        help="Whose rounding and range: paring, compressed-tensors, gguf. [paring]",
        show_default=False,
    ),
]
Sparsity = Annotated[
    float | None,
    typer.Option(
        "--sparsity", metavar="SHARE", help="Prune this share of the weights, 0 to 1.", show_default=False
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option("--threshold", metavar="W", help="Prune weights smaller than this.", show_default=False),
]
ThresholdStd = Annotated[
    float | None,
    typer.Option(
        "--threshold-std",
        metavar="S",
        help="Prune weights smaller than this many standard deviations.",
        show_default=False,
    ),
]
Structure = Annotated[
    str | None,
    typer.Option(
        "--structure", metavar="N:M", help="Keep the N largest of M neighbours.", show_default=False
    ),
]
Scope = Annotated[
    str | None,
    typer.Option(
        "--scope",
        metavar="tensor|global",
        help="Take --sparsity of each weight, or of all together. [tensor]",
        show_default=False,
    ),
]
Sparse = Annotated[
    bool, typer.Option("--sparse", help="Store only what is not zero (CSR), where that is smaller.")
]
Skip = Annotated[
    list[str] | None,
    typer.Option(
        "--skip", metavar="GLOB", help="Leave these weights alone; may be repeated.", show_default=False
    ),
]
MinSize = Annotated[
    int | None,
    typer.Option(
        "--min-size",
        metavar="N",
        help="Leave weights of fewer elements alone. [1024]",
        show_default=False,
    ),
]
