"""``paring demo``: compress several ways, write, read back, check, run, time, and print one table."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..formats import read
from .digits_outcome import measure_digits
from .digits_page import print_digits_page
from .file_outcome import choose_layer, measure_file
from .file_page import print_file_page
from .progress import open_progress
from .terminal import open_stdout

__all__ = ["run_digits_demo", "run_file_demo"]


def run_digits_demo(keep: Path | None, as_json: bool) -> None:
    """Demonstrate on the digit classifier inside the package; `keep` is a folder for the files written, or None."""
    with open_progress() as progress, _open_folder(keep) as folder:
        outcome = measure_digits(folder, progress)
    if as_json:
        print(json.dumps(outcome.to_dict(keep), indent=2))
    else:
        print_digits_page(open_stdout(), outcome, keep)


def run_file_demo(file: Path, keep: Path | None, as_json: bool) -> None:
    """Demonstrate on a weight file; ValueError if it holds no float matrix."""
    weights = read(file)
    layer = choose_layer(weights)
    with open_progress() as progress, _open_folder(keep) as folder:
        outcome = measure_file(weights, layer, folder, progress)
    if as_json:
        print(json.dumps(outcome.to_dict(keep), indent=2))
    else:
        print_file_page(open_stdout(), outcome)


@contextmanager
def _open_folder(keep: Path | None) -> Iterator[Path]:
    """Give the folder to keep files in, made if need be, or a temporary one."""
    if keep is not None:
        if keep.exists() and not keep.is_dir():
            raise ValueError(f"--keep: expected a folder, got the file {keep}")
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="paring-demo-") as folder:
        yield Path(folder)
