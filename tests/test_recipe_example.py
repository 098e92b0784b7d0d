"""examples/the_whole_recipe.py runs offline, and what it prints is what it says."""

import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "the_whole_recipe.py"


def test_one_page_of_output():
    command = [sys.executable, str(EXAMPLE), "--epochs", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) < 40
    assert max(map(len, lines)) < 100
    assert lines[0] == "handwritten digits: 700 images to train on, 100 to choose by, 200 to judge by"
    header = next(i for i, line in enumerate(lines) if line.startswith("model "))
    rows = [
        re.fullmatch(r"(.*?) +([\d,]+) +([\d.]+)x +([\d.]+)% +([\d.]+) ms", line)
        for line in lines[header + 1 :]
    ]
    assert [row[1].strip() for row in rows if "pruned" not in row[1]] == [
        "LeNet-5",
        "int8",
        "30 hidden units, trained alone",
        "distilled from LeNet-5",
        "distilled, int8",
        "distilled, rounded to 2 bits",
        "distilled, trained in 2 bits",
    ]
    sizes = {row[1].strip(): int(row[2].replace(",", "")) for row in rows}
    assert sizes["int8"] < sizes["LeNet-5"] / 3.5
    assert sizes["distilled, int8"] < sizes["distilled from LeNet-5"] / 3
    for row in rows:
        assert float(row[3]) == round(sizes["LeNet-5"] / int(row[2].replace(",", "")), 1)
    # Three epochs on 700 digits are little, but far from guessing.
    scores = {row[1].strip(): float(row[4]) for row in rows}
    assert scores.pop("distilled, rounded to 2 bits") < scores["distilled, trained in 2 bits"]
    assert all(score > 40 for score in scores.values())
    assert sizes["distilled, trained in 2 bits"] < sizes["distilled, int8"] / 3
