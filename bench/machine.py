"""What a number was measured on."""

from __future__ import annotations

import datetime
import platform
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

import paring


def cpu_model() -> str:
    """Return the CPU's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    fields = dict(line.split("\t: ", 1) for line in lines if "\t: " in line)
    fields = {name.strip(): value for name, value in fields.items()}
    name = fields.get("model name", platform.machine())
    return f"{name} (family {fields.get('cpu family')}, model {fields.get('model')})"


def describe_machine() -> dict[str, str]:
    """Return CPU, kernels, versions and date."""
    blas = [f"{info['internal_api']} {info.get('architecture', '')}".strip() for info in threadpool_info()]
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu_model(),
        "level": str(paring.kernel_info()["level"]),
        "paring": paring.__version__,
        "numpy": np.__version__,
        "blas": ", ".join(sorted(set(blas))) or "unknown",
        "python": platform.python_version(),
    }
