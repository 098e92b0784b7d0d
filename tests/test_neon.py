"""The rows for 64-bit ARM: cross-compiled, and run under an emulator on layers whose bytes are known.

On a machine that has ARM's instructions the other kernel tests run these rows; this one is for all others.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import neon_vectors

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "neon"
COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
# What the emulator can be, and what must be found there.
CPUS = {"max": ["neon", "neondot"], "cortex-a53": ["neon"]}


def tool(name):
    """A build tool, from the environment of this Python first."""
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None:
        pytest.skip(f"needs {name}")
    return found


def call(*command, **environment):
    result = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    return result.returncode, result.stdout + result.stderr


@pytest.fixture(scope="module")
def runner():
    if platform.machine() in ("aarch64", "arm64"):
        pytest.skip("this machine is ARM: the other kernel tests run these rows")
    for name, package in ((COMPILER, "g++-aarch64-linux-gnu"), (EMULATOR, "qemu-user")):
        if shutil.which(name) is None:
            pytest.skip(f"needs {name} (Debian: {package})")
    cmake, ninja = tool("cmake"), tool("ninja")
    target = {"SYSTEM_NAME": "Linux", "SYSTEM_PROCESSOR": "aarch64", "CXX_COMPILER": COMPILER}
    options = [f"-DCMAKE_{name}={value}" for name, value in {**target, "MAKE_PROGRAM": ninja}.items()]
    for command in (
        [cmake, "-S", str(ROOT / "tests" / "neon"), "-B", str(BUILD), "-G", "Ninja", *options],
        [cmake, "--build", str(BUILD)],
    ):
        code, output = call(*command)
        assert code == 0, output
    return str(BUILD / "runner")


@pytest.fixture(scope="module")
def vectors(runner, tmp_path_factory):
    code, output = call(EMULATOR, runner)
    assert code == 0, output
    tiles = {tuple(map(int, tile.split())) for tile in parse(output).values()}
    path = tmp_path_factory.mktemp("neon") / "vectors"
    neon_vectors.write(path, [dict(zip(("mr", "nr", "kr"), tile, strict=True)) for tile in sorted(tiles)])
    return str(path)


def parse(output):
    return dict(line.split(": ", 1) for line in output.splitlines() if ": " in line)


@pytest.mark.parametrize("cpu", CPUS)
def test_every_row_gives_the_bytes_of_the_reference(runner, vectors, cpu):
    code, output = call(EMULATOR, "-cpu", cpu, runner, vectors, PARING_ISA="")
    print(f"\n{cpu}\n{output}")
    assert code == 0, output
    said = parse(output)
    assert said.pop("features").split() == CPUS[cpu]
    assert said.pop("level") == CPUS[cpu][-1]
    for level in ("scalar", *CPUS["max"]):
        rows = {name: answer for name, answer in said.items() if level in name.split("_")}
        assert len(rows) >= 3, level
        for name, answer in rows.items():
            if level in ("scalar", *CPUS[cpu]):
                right, wrong = answer.split(", ")
                assert int(right.removesuffix(" right")) > 0 and wrong == "0 wrong", name
            else:
                assert answer == "not on this CPU", name


@pytest.mark.parametrize(
    ("cpu", "level", "message"),
    [
        ("max", "neon", "level: neon"),
        ("max", "scalar", "level: scalar"),
        ("cortex-a53", "neondot", "PARING_ISA: this CPU lacks 'neondot'; usable here: scalar, neon"),
        ("max", "avx2", "PARING_ISA: this CPU lacks 'avx2'; usable here: scalar, neon, neondot"),
    ],
)
def test_levels_are_those_of_the_architecture(runner, cpu, level, message):
    _, output = call(EMULATOR, "-cpu", cpu, runner, os.devnull, PARING_ISA=level)
    assert message in output.splitlines()
