"""The thread count: what sets it, and who wins."""

import math

import pytest

import paring
from paring import _core
from paring.runtime import threads


def test_set_and_restore():
    before = _core.get_num_threads()
    with paring.set_num_threads(3):
        assert paring.kernel_info()["num_threads"] == 3
        with paring.set_num_threads(1):
            assert _core.get_num_threads() == 1
        assert _core.get_num_threads() == 3
    assert _core.get_num_threads() == before


@pytest.mark.parametrize(
    ("n", "error"),
    [(0, ValueError), (-2, ValueError), (2**70, ValueError), (1.5, TypeError), (True, TypeError)],
)
def test_refused_counts(n, error):
    with pytest.raises(error, match="n: expected"):
        paring.set_num_threads(n)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"PARING_NUM_THREADS": "3", "OMP_NUM_THREADS": "2"}, 3),
        ({"OMP_NUM_THREADS": "2"}, 2),
        ({"OMP_NUM_THREADS": "4,2"}, 4),
        ({"OMP_NUM_THREADS": "many"}, None),
        ({"PARING_NUM_THREADS": " "}, None),
    ],
)
def test_requested(environment, expected):
    assert threads.requested_num_threads(environment) == expected


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_a_bad_value_of_ours_is_an_error(value):
    with pytest.raises(
        ValueError, match=f"PARING_NUM_THREADS: expected a positive whole number, got '{value}'"
    ):
        threads.requested_num_threads({"PARING_NUM_THREADS": value})


def tree(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("cgroup", "files", "quota"),
    [
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 100000"}, 0.5),
        ("0::/a/b", {"a/b/cpu.max": "max 100000"}, math.inf),
        ("0::/not/mounted", {"cpu.max": "200000 100000"}, 2.0),
        (
            "4:cpu,cpuacct:/job\n2:memory:/job",
            {"cpu/job/cpu.cfs_quota_us": "300000", "cpu/job/cpu.cfs_period_us": "100000"},
            3.0,
        ),
        ("4:cpu:/job", {"cpu/job/cpu.cfs_quota_us": "-1", "cpu/job/cpu.cfs_period_us": "100000"}, math.inf),
        ("0::/", {"cpu.max": "nonsense"}, math.inf),
        ("garbage", {}, math.inf),
    ],
)
def test_quota_of_control_groups(tmp_path, cgroup, files, quota):
    root = tree(tmp_path / "cgroup", files)
    root.mkdir(exist_ok=True)
    (tmp_path / "self").write_text(cgroup)
    assert threads.cgroup_quota(tmp_path / "self", root) == quota


def test_no_control_groups(tmp_path):
    assert threads.cgroup_quota(tmp_path / "missing", tmp_path) == math.inf


def test_default_is_at_least_one_and_follows_the_environment():
    assert threads.default_num_threads({"PARING_NUM_THREADS": "1"}) == 1
    assert threads.default_num_threads({}) >= 1
