"""Pictures of schedules: written whole or not at all, the same bytes each time, and of what was asked for."""

import subprocess
import sys
import xml.etree.ElementTree

import pytest

from paring.training import pictures
from paring.training.schedules import Chain, Constant, Cosine, LinearWarmup, Step
from paring.training.schedules import drawing as schedule_plot

SCHEDULE = Chain([(LinearWarmup(0.1, 1.0, 10), None), (Cosine(1.0, 90), None)])


@pytest.fixture
def matplotlib():
    return pytest.importorskip("matplotlib", reason="matplotlib is not installed", exc_type=ImportError)


def line_of(figure):
    return figure.axes[0].lines[0]


def test_the_picture_has_the_rates(matplotlib):
    line = line_of(SCHEDULE.plot())
    assert line.get_xdata().tolist() == list(range(100))
    assert line.get_ydata().tolist() == SCHEDULE.values().tolist()
    assert line.get_drawstyle() == "steps-post"
    axes = line.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("updates done", "learning rate")
    assert axes.get_title(loc="left").replace("\n", " ") == repr(SCHEDULE)
    assert axes.get_ylim()[0] == 0


def test_the_number_of_updates_is_taken(matplotlib):
    assert line_of(Step(0.1, 3).plot(7)).get_ydata().tolist() == Step(0.1, 3).values(7).tolist()
    assert line_of(Step(0.1, 3).plot(1)).get_ydata().tolist() == [0.1]


def test_a_long_schedule_is_drawn_by_some_of_its_steps(matplotlib):
    x = line_of(Cosine(1.0, 10**9).plot()).get_xdata()
    assert len(x) == schedule_plot.MOST_POINTS
    assert (x[0], x[-1]) == (0, 10**9 - 1)


@pytest.mark.parametrize(
    ("name", "start"), [("rates.svg", b"<?xml"), ("rates.PNG", b"\x89PNG\r\n"), ("rates.pdf", b"%PDF")]
)
def test_it_is_written(matplotlib, tmp_path, name, start):
    path = tmp_path / name
    path.write_bytes(b"old")
    SCHEDULE.plot(path=path)
    first = path.read_bytes()
    assert first.startswith(start)
    SCHEDULE.plot(path=str(path))
    assert path.read_bytes() == first
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_the_svg_has_its_words_as_text(matplotlib, tmp_path):
    Constant(0.1).plot(5, tmp_path / "rates.svg")
    tree = xml.etree.ElementTree.parse(tmp_path / "rates.svg")
    words = {"".join(element.itertext()).strip() for element in tree.iter("{http://www.w3.org/2000/svg}text")}
    assert {"updates done", "learning rate", "Constant(initial=0.1)"} <= words


def test_no_global_setting_is_changed(matplotlib, tmp_path):
    before = dict(matplotlib.rcParams)
    SCHEDULE.plot(path=tmp_path / "rates.svg")
    assert dict(matplotlib.rcParams) == before


def test_a_long_chain_leaves_room_for_its_picture(matplotlib):
    title = Chain([(SCHEDULE, None)] * 40).plot().axes[0].get_title(loc="left")
    assert title.count("\n") == 2
    assert title.endswith(" ...")


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"rates\.gif: expected a suffix of \.svg, \.png, \.pdf, got '\.gif'"
    ):
        SCHEDULE.plot(path=tmp_path / "rates.gif")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_said(matplotlib, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder to write into"):
        SCHEDULE.plot(path=tmp_path / "none" / "rates.svg")


def test_an_endless_schedule_needs_a_number():
    with pytest.raises(
        ValueError, match=r"n: expected a number of steps for Constant\(initial=0\.1\), which has no"
    ):
        Constant(0.1).plot()
    with pytest.raises(ValueError, match="n: expected an integer from 1"):
        Constant(0.1).plot(0)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(pictures, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"needs matplotlib: pip install 'paring\[plot\]'"):
        SCHEDULE.plot()


def run_python(code):
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, stdin=subprocess.DEVNULL)


def test_schedules_do_not_load_it():
    run_python(
        "import sys, paring.training.schedules as s, paring.training.losses, paring.training.metrics\n"
        "s.Cosine(1.0, 3).values()\n"
        "assert 'matplotlib' not in sys.modules"
    )


def test_a_picture_opens_no_window_system(matplotlib):
    run_python(
        "import sys, paring.training.schedules as s\n"
        "s.Cosine(1.0, 3).plot()\n"
        "assert 'matplotlib.figure' in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    )
