"""bench/compare.py: the table, the warnings and the status, from each kind of file."""

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "bench"))

import compare


def pytest_benchmark(times, **conditions):
    """A file of pytest-benchmark: microseconds by (case, candidate)."""
    told = {"cpu": "AMD EPYC", "level": "avx512vnni", "threads": 1, "blas": "openblas"} | conditions
    return {
        "benchmarks": [
            {
                "group": case,
                "name": f"test_speed[{case}-{candidate}]",
                "params": {"case": "UNSERIALIZABLE[...]", "candidate": candidate},
                "extra_info": told,
                "stats": {"median": value * 1e-6},
            }
            for (case, candidate), value in times.items()
        ]
    }


def contests(seconds, level="avx2", threads=1):
    """What `paring bench kernels --json` prints."""
    entries = [{"name": name, "seconds": value} for name, value in seconds.items()]
    contest = {"m": 1, "k": 384, "n": 1536, "bits": 4, "group_size": 32, "weights": "hot"}
    return {
        "processor": "AMD EPYC",
        "level": level,
        "contests": [contest | {"threads": threads, "entries": entries}],
    }


@pytest.fixture
def run(tmp_path, capsys):
    def both(before, after, *options):
        paths = [tmp_path / "before.json", tmp_path / "after.json"]
        for path, document in zip(paths, (before, after), strict=True):
            path.write_text(document if isinstance(document, str) else json.dumps(document))
        status = compare.main([*map(str, paths), *options])
        return status, capsys.readouterr()

    return both


BEFORE = {("a", "numpy"): 100, ("a", "int8"): 20, ("b", "numpy"): 1e5, ("b", "int8"): 40}
AFTER = {("a", "numpy"): 200, ("a", "int8"): 40, ("b", "numpy"): 1e5, ("b", "int8"): 20}


def test_the_table(run):
    status, said = run(pytest_benchmark(BEFORE), pytest_benchmark(AFTER))
    assert status == 0
    assert said.out.splitlines() == [
        "                         before         after   ratio",
        "a",
        "  numpy                100.0 us      200.0 us    2.00",
        "  int8                  20.0 us       40.0 us    2.00",
        "b",
        "  numpy                100.0 ms      100.0 ms    1.00",
        "  int8                  40.0 us       20.0 us    0.50",
        "geometric means",
        "  numpy                  2 rows                  1.41",
        "  int8                   2 rows                  1.00",
    ]


def test_beside_a_rival(run):
    """The machine was half as fast for case a: no change."""
    status, said = run(
        pytest_benchmark(BEFORE), pytest_benchmark(AFTER), "--rival", "numpy", "--fail-above", "1.1"
    )
    assert status == 0
    assert [line.split() for line in said.out.splitlines() if "int8" in line] == [
        ["int8", "0.2", "0.2", "1.00"],
        ["int8", "0.0004", "0.0002", "0.50"],
        ["int8", "2", "rows", "0.71"],
    ]


@pytest.mark.parametrize(("after", "status"), [(110, 0), (112, 1), (90, 0)])
def test_status(run, after, status):
    files = pytest_benchmark({("a", "int8"): 100}), pytest_benchmark({("a", "int8"): after})
    got, said = run(*files, "--fail-above", "1.101")
    assert got == status
    assert said.out.splitlines()[-1] == f"{status} of 1 ratios are above 1.10"
    assert run(*files)[0] == 0


def test_other_conditions_are_told(run):
    changed = {"cpu": "Intel", "level": "avx2", "threads": 2}
    _, said = run(pytest_benchmark(BEFORE), pytest_benchmark(BEFORE, **changed))
    assert said.out.splitlines()[:3] == [
        "warning: not the same cpu: AMD EPYC before, Intel after",
        "warning: not the same level: avx512vnni before, avx2 after",
        "warning: not the same threads: 1 before, 2 after",
    ]


def test_rows_of_one_file_only_are_told(run):
    _, said = run(pytest_benchmark(BEFORE), pytest_benchmark({("a", "int8"): 20, ("c", "int8"): 1}))
    assert said.out.splitlines()[:2] == [
        "warning: 3 rows only in the file before",
        "warning: 1 row only in the file after",
    ]


def test_files_of_the_command(run):
    before, after = contests({"paring": 4e-6, "NumPy": 4e-5}), contests({"paring": 5e-6, "NumPy": 4e-5})
    status, said = run(before, after, "--only", "paring", "--fail-above", "1.2")
    assert status == 1
    assert said.out.splitlines()[1:3] == [
        "int4 group 32: M=1 K=384 N=1536, 1 thread, hot",
        "  paring                 4.0 us        5.0 us    1.25",
    ]


def test_files_of_several_processes_give_medians(run):
    kept = {
        "machine": {"cpu": "AMD EPYC", "python": "3.11"},
        "documents": [contests({"paring": value}) for value in (1e-6, 9e-6, 2e-6)],
    }
    _, said = run(contests({"paring": 4e-6}), kept)
    assert "warning: not the same python: not told before, 3.11 after" in said.out
    assert "4.0 us        2.0 us    0.50" in said.out


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "no JSON"),
        ("[]", "expected JSON of pytest-benchmark"),
        ('{"benchmarks": []}', "holds no times"),
    ],
)
def test_other_files_are_refused(run, document, message):
    status, said = run(pytest_benchmark(BEFORE), document)
    assert status == 2
    assert "after.json" in said.err and message in said.err


def test_nothing_in_common(run):
    status, said = run(pytest_benchmark(BEFORE), pytest_benchmark(BEFORE), "--only", "nobody")
    assert (status, said.err) == (2, "no row is in both files\n")
