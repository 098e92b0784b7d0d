"""The parts of the command line one by one: progress, timing, what is said of the machine, numbers as text."""

import re

import numpy as np
import pytest

from paring.benchmark import machine
from paring.benchmark.machine import Machine, numpy_settings, processor_name
from paring.benchmark.timing import CALM_SECONDS, Contestant, time_contest
from paring.cli import terminal
from paring.cli.pictures import picture_rows
from paring.cli.progress import LineProgress, open_progress


class TestProgress:
    def test_lines_in_a_log_are_few(self, capsys):
        now = iter([0.0, 1.0, 2.0, 5.0, 11.5, 12.0, 13.0, 30.0, 31.0])
        progress = LineProgress(announce=True, clock=lambda: next(now))
        progress.start("writing", 4)
        for _ in range(4):
            progress.advance(1)
        assert capsys.readouterr().err == "paring: writing\nparing: writing: 75%\n"

    def test_quick_work_goes_unannounced(self, capsys):
        with open_progress() as progress:
            progress.start("reading", 2)
            progress.advance(1)
        assert capsys.readouterr().err == ""

    @pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "1"}])
    def test_a_terminal_that_wants_no_show(self, capsys, monkeypatch, variables):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "80")
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with open_progress(announce=True) as progress:
            progress.start("reading", 2)
            progress.advance(1)
        err = capsys.readouterr().err
        assert not re.search(r"\x1b\[[0-9;]*3[0-8]", err)
        if variables["TERM"] == "dumb":
            assert err == "paring: reading\n"

    def test_a_bar_on_a_terminal(self, capsys, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setenv("TERM", "xterm-256color")
        with open_progress(announce=True) as progress:
            progress.start("reading", 2)
            progress.advance(1)
            progress.start("timing", 0)
            progress.advance(1)
        out, err = capsys.readouterr()
        assert out == ""
        assert "reading" in err
        assert "━" in err
        assert "paring:" not in err


class TestTiming:
    def test_medians_and_ratios(self):
        """With a clock of our own: the rival takes 6, then 4; ours 2 and once 50."""
        now = 0.0
        lengths = {
            "slow rival": [6] * 99,
            "rival": [6, 6, 6, 4, 4, 4, 4, 4, 4],
            "ours": [2, 50, 2, 2, 2, 2, 2, 2, 2],
        }
        prepared = []

        def contestant(name):
            def run():
                nonlocal now
                now += lengths[name].pop(0)

            return Contestant(run, lambda: prepared.append(name), lingers="rival" in name)

        advanced, pauses = [], []
        best, rival, [ours] = time_contest(
            [contestant("slow rival"), contestant("rival")],
            [contestant("ours")],
            rounds=2,
            clock=lambda: now,
            advance=lambda: advanced.append(1),
            pause=lambda seconds: pauses.append((prepared[-1], seconds)),
        )
        assert best == 1
        # Whoever comes after a rival waits until its threads are quiet.
        assert pauses == [("rival", CALM_SECONDS), ("ours", CALM_SECONDS)] * 2
        assert (rival.seconds, rival.times_faster) == (5.0, 1.0)
        assert (ours.seconds, ours.times_faster) == (2.0, 2.5)
        assert prepared == ["slow rival", "rival", "ours"] * 2
        assert len(advanced) == 6


class TestMachine:
    def test_processor_name(self, tmp_path):
        info = tmp_path / "cpuinfo"
        info.write_text("processor : 0\nmodel name\t: Some  CPU @ 2 GHz\n")
        assert processor_name(info) == "Some CPU @ 2 GHz"
        info.write_text("nothing\n")
        assert processor_name(info)
        assert processor_name(tmp_path / "nope")

    def test_settings_are_put_back(self):
        functions = machine.openblas_threads()
        if functions is None:
            pytest.skip("NumPy's BLAS here is not OpenBLAS")
        before = functions[0]()
        with numpy_settings(3) as settings:
            assert [setting.threads for setting in settings] == [3, 1]
            settings[1].apply()
            assert functions[0]() == 1
        assert functions[0]() == before
        with numpy_settings(1) as settings:
            assert len(settings) == 1

    def test_another_blas_keeps_its_threads(self, monkeypatch):
        monkeypatch.setattr(machine, "openblas_threads", lambda: None)
        with numpy_settings(2) as settings:
            assert [setting.threads for setting in settings] == [None]
            settings[0].apply()
        lines = Machine("CPU", "avx2", 2, "NumPy 2", (None,)).lines()
        assert lines[1] == "against NumPy 2, threads as its BLAS chooses"

    @pytest.mark.parametrize("text", ["", "7f0 r-xp 0 0 0 /nowhere/libopenblas.so\n"])
    def test_no_openblas(self, monkeypatch, tmp_path, text):
        maps = tmp_path / "maps"
        maps.write_text(text)
        monkeypatch.setattr(machine, "MAPS", maps)
        assert machine.openblas_threads() is None
        monkeypatch.setattr(machine, "MAPS", tmp_path / "nope")
        assert machine.openblas_threads() is None

    def test_a_numpy_that_does_not_tell_its_blas(self, monkeypatch):
        monkeypatch.setattr(np, "show_config", lambda mode: {})
        assert machine.numpy_name() == f"NumPy {np.__version__}"


class TestNumbers:
    @pytest.mark.parametrize(
        ("function", "value", "text"),
        [
            (terminal.times, 3.84, "3.8x"),
            (terminal.times, 0.304, "0.30x"),
            (terminal.times, 381.2, "381x"),
            (terminal.file_size, 999_600, "1.00 MB"),
            (terminal.duration, 0.0009999, "1.00 ms"),
            (terminal.decibels, float("inf"), "exact"),
            (terminal.decibels, 13.66, "13.7 dB"),
            (terminal.significant, -0.0918, "-0.0918"),
        ],
    )
    def test_as_text(self, function, value, text):
        assert function(value) == text

    @pytest.mark.parametrize(
        ("share", "expected"),
        [(1, "████"), (0.5, "██"), (0.53, "██▏"), (0, "▏"), (1.7, "████"), (0.999, "████")],
    )
    def test_bar(self, share, expected):
        assert terminal.bar(share, 4) == expected

    def test_pictures(self):
        assert picture_rows(np.ones((4, 2))) == ["⣿"]
        assert picture_rows(np.zeros((8, 4))) == ["⠀⠀", "⠀⠀"]
        image = np.zeros((4, 2))
        image[3, 0] = 1
        assert picture_rows(image) == ["⡀"]

    @pytest.mark.parametrize("width", range(3, 50))
    def test_short_names_fit(self, width):
        short = terminal.shorten("encoder.layer.11.attention.output.dense.weight", width)
        assert len(short) <= width
        if width >= 19:
            assert re.fullmatch(r"e\w*\.l\w*\.11\.a\w*\.o\w*\.d\w*\.weight", short)
