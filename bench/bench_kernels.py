"""The cases of cases.py under pytest-benchmark: ``pytest bench/bench_kernels.py``, NumPy on every table."""

from __future__ import annotations

import pytest
from threadpoolctl import threadpool_limits

import paring
from cases import all_cases
from machine import describe_machine


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" not in metafunc.fixturenames:
        return
    arguments, names = [], []
    for case in all_cases():
        for candidate in case.candidates:
            arguments.append((case, candidate))
            names.append(f"{case.group}-{case.name}-{candidate}".replace(" ", "_"))
    metafunc.parametrize(("case", "candidate"), arguments, ids=names)


@pytest.mark.parametrize("threads", [1, 2])
def test_speed(benchmark, case, candidate, threads):
    benchmark.group = f"{case.group}: {case.name}, {threads} threads"
    benchmark.extra_info.update(describe_machine(), threads=threads)
    with paring.set_num_threads(threads), threadpool_limits(threads):
        case.check()
        benchmark(case.candidates[candidate])
