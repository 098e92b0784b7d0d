"""Contests of linear layers: the limits, who takes part, and that a wrong answer is never timed."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

import paring
from paring import _core
from paring.benchmark import LinearProblem, Shape, measure_linear
from paring.benchmark.limits import cache_bytes, compute_limit, read_limit, stream_bytes
from paring.benchmark.peers import Bound, peers_for
from paring.benchmark.peers.own import ParingPeer
from paring.benchmark.peers.peer import explain_missing
from paring.cli import main

PROBLEM = LinearProblem(Shape(3, 64, 20))


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    for name in ("WARM_SECONDS", "CALM_SECONDS", "MEASURED_SECONDS"):
        monkeypatch.setattr(f"paring.benchmark.timing.{name}", 0)
    before = _core.get_num_threads()
    yield
    _core.set_num_threads(before)


@dataclass(frozen=True)
class Rival:
    """NumPy's product, spoiled by `change`."""

    name: str
    change: float = 0.0

    def missing(self):
        return None

    def bind(self, problem, threads, copies):
        if self.change is None:
            raise RuntimeError("no kernel\nfor this")
        y = problem.x @ problem.weight.T + problem.bias + np.float32(self.change)
        return Bound(self.name, "1", [lambda: y] * copies, lambda: y)


@pytest.mark.parametrize("isa", _core.levels())
def test_probes_say_what_they_did(isa):
    for probe in (_core.probe_int8, _core.probe_float):
        measured = probe(100, 1, isa=isa)
        assert (measured is None) == (isa == "scalar")
        if measured is not None:
            operations, seconds = measured
            assert seconds > 0 and operations > 0 and operations == 2 * probe(50, 1, isa=isa)[0]
            assert probe(100, 2, isa=isa)[0] == 2 * operations
    data = np.ones(2048, np.uint8)
    assert _core.probe_read(data, 3, 2, isa=isa)[0] == 3 * 2048


def test_probes_refuse():
    with pytest.raises(ValueError, match="threads: expected at least 1, got 0"):
        _core.probe_int8(1, 0)
    with pytest.raises(ValueError, match=r"data: expected at least 512 bytes a thread, got \(1000\)"):
        _core.probe_read(np.ones(1000, np.uint8), 1, 2)


def test_limits_are_the_work_of_a_call():
    if _core.active_level() != "scalar":
        assert compute_limit(PROBLEM, 1).unit == "operations"
        assert compute_limit(replace(PROBLEM, bits=32), 1).name == "float32 fused multiply-add"
    hot = read_limit(LinearProblem(Shape(1, 1024, 64)), 1, cold=False)
    assert hot.work % 1024 == 0 and hot.work >= 2**23 - 70_000
    assert stream_bytes() >= max(2 * cache_bytes(), 256 << 20)


def test_caches_that_are_not_told(tmp_path):
    assert cache_bytes(tmp_path) == 0
    (tmp_path / "index0").mkdir()
    (tmp_path / "index0" / "size").write_text("48K\n")
    (tmp_path / "index3").mkdir()
    (tmp_path / "index3" / "size").write_text("32768K\n")
    assert cache_bytes(tmp_path) == 32 << 20


@pytest.mark.parametrize("bits", [32, 8, 4])
def test_a_contest(bits):
    problem = replace(PROBLEM, bits=bits)
    turns = []
    peers = [ParingPeer(), Rival("rival"), Rival("wrong", 10.0), Rival("broken", None)]
    outcome = measure_linear(problem, 2, rounds=2, peers=peers, advance=lambda: turns.append(1))
    assert {entry.name for entry in outcome.entries} == {"paring", "rival"}
    assert outcome.entries[0].relative == 1 and outcome.entries[0].seconds <= outcome.entries[1].seconds
    assert all(entry.quiet_seconds <= entry.seconds for entry in outcome.entries)
    assert {absent.name: absent.reason.split()[0] for absent in outcome.absent} == {
        "wrong": "its",
        "broken": "RuntimeError:",
    }
    assert "for this" not in str(outcome.absent)
    assert len(turns) == 2 * (2 + len(outcome.limits))
    own = next(entry for entry in outcome.entries if entry.name == "paring")
    assert set(own.shares) == {limit.name for limit in outcome.limits}
    assert all(share > 0 for share in own.shares.values())


def test_a_wrong_answer_of_ours_ends_it(monkeypatch):
    monkeypatch.setattr(paring.PackedLinear, "__call__", lambda self, x, out: out.fill(0) or out)
    with pytest.raises(AssertionError, match=r"paring: error 1, expected at most 0\.03"):
        measure_linear(PROBLEM, peers=[ParingPeer()], rounds=1)


def test_cold_weights_are_others_in_every_call(monkeypatch):
    monkeypatch.setattr("paring.benchmark.linear_contest.stream_bytes", lambda: 4 * PROBLEM.weight_bytes)
    monkeypatch.setattr("paring.benchmark.limits.stream_bytes", lambda: 4 * PROBLEM.weight_bytes)
    seen = []

    class Counting(Rival):
        def bind(self, problem, threads, copies):
            y = problem.answer
            return Bound("rival", "1", [lambda i=i: seen.append(i) for i in range(copies)], lambda: y)

    outcome = measure_linear(PROBLEM, peers=[Counting("rival")], rounds=2, cold=True)
    assert outcome.cold and outcome.limits[-1].name == "read, cold"
    assert seen[:7] == [0, 1, 2, 3, 4, 0, 1]


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ({"shape": Shape(0, 4, 4)}, "shape: expected sizes of at least 1, got M=0"),
        ({"bits": 3}, "bits: expected one of 32, 8, 4, got 3"),
        ({"bits": 4, "group_size": 48}, "group_size: expected one that divides K=64, got 48"),
    ],
)
def test_problems_that_are_none(problem, message):
    with pytest.raises(ValueError, match=message):
        replace(PROBLEM, **problem)


def test_who_takes_part():
    assert [peer.name for peer in peers_for(replace(PROBLEM, bits=32))][:2] == ["paring", "NumPy"]
    assert len({peer.name for peer in peers_for(PROBLEM)}) == len(peers_for(PROBLEM)) > 4
    assert explain_missing("no_such_package") == "not installed: pip install 'paring[peers]'"


@pytest.mark.peers
@pytest.mark.parametrize("bits", [32, 8, 4])
def test_installed_peers_give_the_answer(bits):
    problem = LinearProblem(Shape(5, 256, 64), bits)
    present = [peer for peer in peers_for(problem) if peer.missing() is None]
    assert len(present) >= 2
    for peer in present:
        bound = peer.bind(problem, 1, 2)
        bound.prepare()
        assert len(bound.calls) == 2
        assert problem.error_of(bound.answer()) <= problem.tolerance, peer.name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shape", "1,2"], "--shape: expected three numbers M,K,N, got '1,2'"),
        (["--shape", "a,2,3"], "--shape: expected three numbers M,K,N, got 'a,2,3'"),
        (["--bits", "5"], "bits: expected one of 32, 8, 4, got 5"),
        (["--threads", "0"], "--threads: expected at least 1, got 0"),
        (["--rounds", "0"], "--rounds: expected at least 1, got 0"),
        (["--plot", "roof.txt"], "roof.txt: expected a suffix of .svg, .png, .pdf, got '.txt'"),
    ],
)
def test_the_command_refuses(capsys, options, message):
    assert main(["bench", "kernels", *options]) == 2
    assert message in capsys.readouterr().err


def test_the_command_prints_a_table_and_draws(capsys, tmp_path):
    picture = tmp_path / "roof.svg"
    options = ["--shape", "2,64,8", "--rounds", "1", "--alone", "--threads", "1", "--plot", str(picture)]
    assert main(["bench", "kernels", *options]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert "M=2 K=64 N=8, int8, 1 thread, hot weights" in lines
    header = next(line for line in lines if line.startswith("library"))
    assert header.split()[-1] == "Relative"
    assert next(line for line in lines if line.startswith("paring")).split()[-1] == "1.00"
    assert f"wrote {picture}" in err
    assert picture.read_text().startswith("<?xml")
    first = picture.read_bytes()
    assert main(["bench", "kernels", *options]) == 0
    assert b"date" not in first.lower().replace(b"update", b"")
