"""What a measurement ran on: the processor, and NumPy's BLAS with its thread count."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.kernels import kernel_info

__all__ = [
    "Machine",
    "NumpySetting",
    "describe_machine",
    "numpy_name",
    "numpy_settings",
    "openblas_threads",
    "processor_name",
]


MAPS = Path("/proc/self/maps")  # what is loaded into this process


@dataclass(frozen=True)
class NumpySetting:
    """A thread count for NumPy's products, None if it cannot be told, and what sets it."""

    threads: int | None
    apply: Callable[[], object]


@dataclass(frozen=True)
class Machine:
    """What was measured on, and with what.

    Attributes
    ----------
    processor : str
    level : str
        The set of kernels in use (see `paring.kernel_info`).
    threads : int
        Of paring.
    numpy : str
        NumPy's version and its BLAS.
    numpy_threads : tuple of (int or None)
        With how many threads NumPy was fastest: one a batch size; None if that cannot be told.
    """

    processor: str
    level: str
    threads: int
    numpy: str
    numpy_threads: tuple[int | None, ...]

    def lines(self) -> list[str]:
        """Return the lines that stand above a table of times."""
        if None in self.numpy_threads:
            best = "threads as its BLAS chooses"
        else:
            counts = sorted({str(count) for count in self.numpy_threads})
            best = f"at its best with {' and '.join(counts)} of them"
        return [
            f"{self.processor}, {self.threads} thread{'s' * (self.threads > 1)}, {self.level} kernels",
            f"against {self.numpy}, {best}",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON-able values."""
        return {**vars(self), "numpy_threads": list(self.numpy_threads)}


def describe_machine(numpy_threads: Sequence[int | None]) -> Machine:
    """Return what this process runs on; NumPy was fastest with `numpy_threads`."""
    info = kernel_info()
    return Machine(processor_name(), info["level"], info["num_threads"], numpy_name(), tuple(numpy_threads))


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the model of the processor as the system calls it."""
    try:
        for line in cpuinfo.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model") and value.strip():
                return " ".join(value.split())
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown processor"


def numpy_name() -> str:
    """Return NumPy's version with the name of its BLAS."""
    name = f"NumPy {np.__version__}"
    try:
        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return f"{name} ({blas['name'].removeprefix('scipy-')} {blas['version']})".replace(" unknown", "")
    except (KeyError, TypeError):
        return name


@contextmanager
def numpy_settings(threads: int) -> Iterator[list[NumpySetting]]:
    """Give the ways to run NumPy's products that are worth timing, and put the thread count back afterwards.

    With as many threads as paring has, and with one: on small products, or on a machine that has other work, more
    threads can make OpenBLAS many times slower, and a rival is timed at its best. OpenBLAS, which NumPy's wheels carry,
    can be told; others keep what the environment gave them.
    """
    functions = openblas_threads()
    if functions is None:
        yield [NumpySetting(None, lambda: None)]
        return
    get, set_count = functions
    before = get()
    try:
        yield [NumpySetting(count, partial(set_count, count)) for count in sorted({threads, 1}, reverse=True)]
    finally:
        set_count(before)


def openblas_threads() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Return functions that tell and set the thread count of the OpenBLAS that NumPy carries, or None without one."""
    try:
        mapped = {line.split(maxsplit=5)[-1] for line in MAPS.read_text().splitlines()}
    except OSError:
        return None
    for path in sorted(path for path in mapped if "openblas" in Path(path).name):
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        # NumPy's wheels rename the functions so that two copies in a process do not meet.
        for prefix in ("scipy_openblas", "openblas"):
            for suffix in ("64_", "_64", "_", ""):
                get = getattr(library, f"{prefix}_get_num_threads{suffix}", None)
                set_count = getattr(library, f"{prefix}_set_num_threads{suffix}", None)
                if get is not None and set_count is not None:
                    return get, set_count
    return None
