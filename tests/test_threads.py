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
        ("4:cpuacct,cpu:/", {"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "20000"}, 2.5),
        ("3:cpuset:/job", {"cpuset/job/cpu.cfs_quota_us": "1", "cpu/cpu.cfs_quota_us": "1"}, math.inf),
        # The least of a group and those around it, in both versions.
        ("0::/a/b/c", {"a/b/c/cpu.max": "300000 100000", "a/cpu.max": "25000 100000"}, 0.25),
        ("0::/a/b", {"a/b/cpu.max": "100000 100000", "a/cpu.max": "max 100000", "cpu.max": "max"}, 1.0),
        (
            "4:cpu:/a/b",
            {
                "cpu/a/b/cpu.cfs_quota_us": "-1",
                "cpu/a/b/cpu.cfs_period_us": "100000",
                "cpu/a/cpu.cfs_quota_us": "150000",
                "cpu/a/cpu.cfs_period_us": "100000",
                "cpu/cpu.cfs_quota_us": "400000",
                "cpu/cpu.cfs_period_us": "100000",
            },
            1.5,
        ),
        # In a container the path is that of the host, or leads out of what is mounted.
        (
            "4:cpu:/docker/0123",
            {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"},
            2.0,
        ),
        ("0::/../neighbour", {"cpu.max": "200000 100000"}, 2.0),
        # Both versions at once: the controller is where it is.
        (
            "4:cpu,cpuacct:/job\n0::/job",
            {"cpu/job/cpu.cfs_quota_us": "60000", "cpu/job/cpu.cfs_period_us": "100000", "job/x": ""},
            0.6,
        ),
        # Some systems have no link of the name cpu.
        (
            "4:cpu,cpuacct:/",
            {"cpu,cpuacct/cpu.cfs_quota_us": "200000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
            2.0,
        ),
        ("0::/", {"cpu.max": "nonsense"}, math.inf),
        ("0::/", {"cpu.max": ""}, math.inf),
        ("0::/", {"cpu.max": "100000 0"}, math.inf),
        ("4:cpu:/", {"cpu/cpu.cfs_quota_us": "100000"}, math.inf),
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


@pytest.mark.parametrize(
    ("cpus", "quota", "requested", "expected"),
    [
        (8, math.inf, None, 8),
        (8, 2.0, None, 2),
        (8, 1.5, None, 2),
        (8, 0.25, None, 1),
        (8, 0.0, None, 1),
        (2, 3.5, None, 2),
        (8, 6.0, "3", 3),
        (8, 2.0, "6", 2),
        (1, 2.0, "6", 1),
    ],
)
def test_the_default_is_the_least_of_all_limits(monkeypatch, cpus, quota, requested, expected):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda process: set(range(cpus)), raising=False)
    monkeypatch.setattr(threads, "cgroup_quota", lambda: quota)
    environment = {} if requested is None else {"PARING_NUM_THREADS": requested}
    assert threads.default_num_threads(environment) == expected
