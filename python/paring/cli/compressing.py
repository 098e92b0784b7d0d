"""``paring compress``: a weight file in, a smaller one out, and the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from ..compression.recipe import Recipe
from ..compression.report import Report
from ..formats import check_suffix, read
from ..jobs import compress_file, predict
from ..jobs.targets import names_folder
from .answers import print_answer
from .failures import naming
from .pools import open_pool
from .progress import Progress, open_progress
from .recipe_options import Choices, default_choices, make_recipe
from .report_page import gentler_choices, loadable_choices, print_remark, print_report, print_summary
from .terminal import open_stdout, print_next, quote

__all__ = ["compress_weights", "count_steps"]


def compress_weights(
    source: Path, output: Path, choices: Choices, *, dry_run: bool, jobs: int, force: bool, as_json: bool
) -> None:
    """Compress a file into another, or into a folder of shards, and print the report, or the same as JSON.

    With `dry_run` nothing is written, and sizes are what they would be.

    Raises
    ------
    ValueError
        If the options contradict each other, `output` is there and `force` is not, or a file is no good. Then
        `output` is as it was.
    OSError
        If a file cannot be read or written.
    """
    choices = default_choices(choices, output)
    recipe = make_recipe(choices)
    # What would stop the writing is said before the work.
    check_place(output, force=force or dry_run)
    if jobs < 1:
        raise ValueError(f"--jobs: expected 1 or more, got {jobs}")
    if jobs > 1 and not names_folder(output):
        raise ValueError(f"--jobs goes with a folder to write, one process a shard, got the file {output}")
    with open_progress(announce=True) as progress:
        weights = read(source)
        before = weights.file_bytes
        progress.start(f"{'trying' if dry_run else 'compressing'} {source}", len(weights))
        if dry_run:
            report, after = _predict(source, output, recipe, progress)
        else:
            report, after = _compress(source, output, recipe, jobs, progress)
    if as_json:
        print_answer(_to_dict(source, output, before, after, report, dry_run))
    else:
        _print_page(open_stdout(), source, output, choices, before, after, report, dry_run)


def check_place(output: Path, force: bool) -> None:
    """Raise ValueError, in words of the command line, if `output` cannot be written or must not be replaced."""
    if not output.absolute().parent.is_dir():
        raise ValueError(f"{output.parent}: no such folder to write into")
    if not names_folder(output):
        check_suffix(output)
        if output.exists() and not force:
            raise ValueError(f"{output}: already exists; --force replaces it")
    elif output.exists() and not output.is_dir():
        raise ValueError(
            f"{output}: a name without the suffix of a format is a folder to fill, and here lies a file; "
            "a file to write ends in .safetensors, .npz, .npy or .gguf"
        )
    elif output.is_dir() and not force:
        # What an interrupted run leaves lies in a folder of its own and is gone on with.
        for pattern in ("*.index.json", "*.safetensors", "config.json"):
            found = next(output.glob(pattern), None)
            if found is not None:
                raise ValueError(f"{output}: already holds {found.name}; --force replaces what is in the way")


def count_steps(progress: Progress) -> Callable[[int, int, str], None]:
    """Return the callback that advances a stage by the weights done since it was called last."""
    last = 0

    def advance(done: int, total: int, name: str) -> None:
        nonlocal last
        progress.advance(done - last)
        last = done

    return advance


def _predict(source: Path, output: Path, recipe: Recipe, progress: Progress) -> tuple[Report, int]:
    prediction = predict(source, output, recipe, progress=count_steps(progress))
    return prediction.report, prediction.bytes_after


def _compress(
    source: Path, output: Path, recipe: Recipe, jobs: int, progress: Progress
) -> tuple[Report, int]:
    with naming(output), open_pool(jobs) as executor:
        report = compress_file(source, output, recipe, executor=executor, progress=count_steps(progress))
    return report, read(output).file_bytes


def _to_dict(
    source: Path, output: Path, before: int, after: int, report: Report, dry_run: bool
) -> dict[str, Any]:
    return {
        **report.to_dict(),
        "dry_run": dry_run,
        "input_path": str(source),
        "output_path": str(output),
        "input_bytes": before,
        "output_bytes": after,
        "ratio": before / after,
    }


def _print_page(
    console: Console,
    source: Path,
    output: Path,
    choices: Choices,
    before: int,
    after: int,
    report: Report,
    dry_run: bool,
) -> None:
    print_report(console, report)
    console.print()
    print_summary(console, output, before, after, written=not dry_run)
    print_remark(console, choices, report)
    command = f"paring compress {quote(source)} -o {quote(output)}"
    gentler = gentler_choices(choices, report)
    commands, mode = [], "--dry-run" if dry_run else "--force"
    if gentler is not None:
        commands.append((f"{command} {gentler.text()} {mode}", "lose less"))
    loadable = loadable_choices(choices, report) if _is_model_folder(source, output) else None
    if loadable is not None:
        console.print(
            "Transformers loads quantized linear layers only: for it, leave embeddings and convolutions as they are."
        )
        commands.append((f"{command} {loadable.text()} {mode}", "for Transformers"))
    if dry_run:
        again = [choices.text(), "--force" if output.exists() else ""]
        commands.append((" ".join([command, *filter(None, again)]), "write it"))
    else:
        commands += [
            (f"paring compare {quote(source)} {quote(output)}", "what that cost, weight by weight"),
            (f"paring inspect {quote(output)}", "look into it"),
        ]
    commands.append((f"paring demo {quote(source)}", "compare other recipes, with times"))
    print_next(console, commands)


def _is_model_folder(source: Path, output: Path) -> bool:
    """Whether a folder is written of one with a config, which the Transformers library could load."""
    folder = source if source.is_dir() else source.parent
    return names_folder(output) and (folder / "config.json").is_file()
