"""What the environment decides: PARING_ISA, PARING_NUM_THREADS, and the CPU itself."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from paring import _core

ALL_LEVELS = ("scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "neon", "neondot")
USABLE = _core.levels()


def start(code, **environment):
    """Run code in a fresh interpreter under these variables (None removes one)."""
    names = ("PARING_ISA", "PARING_NUM_THREADS", "OMP_NUM_THREADS")
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    given = {name: value for name, value in environment.items() if value is not None}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=inherited | given,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )


def value_of(code, **environment):
    result = start(f"import json\n{code}", **environment)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def import_error(**environment):
    result = start("import paring", **environment)
    assert result.returncode == 1
    assert result.stdout == ""
    return result.stderr.strip().splitlines()[-1]


INFO = "import paring; print(json.dumps(paring.kernel_info()))"


class TestIsa:
    def test_scalar_is_always_usable(self):
        assert USABLE[0] == "scalar"
        assert set(USABLE) <= set(ALL_LEVELS)

    @pytest.mark.parametrize("value", [None, ""])
    def test_without_a_cap_the_best_level_is_used(self, value):
        assert value_of(INFO, PARING_ISA=value)["level"] == USABLE[-1]

    @pytest.mark.parametrize("name", USABLE)
    def test_a_usable_level_caps_the_choice(self, name):
        info = value_of(INFO, PARING_ISA=name)
        assert info["level"] == name
        assert info["levels"] == USABLE
        needs = features_of(name)
        for kernel in info["kernels"]:
            assert kernel["usable"] == (set(kernel["needs"]) <= needs), kernel["name"]

    @pytest.mark.parametrize("name", USABLE)
    def test_layers_use_the_capped_kernels(self, name):
        code = (
            "import numpy as np, paring\n"
            "print(json.dumps(paring.PackedLinear(np.eye(4, dtype=np.float32)).kernel))"
        )
        kernel = value_of(code, PARING_ISA=name)
        usable = {row["name"]: set(row["needs"]) for row in _core.gemm_kernels()}
        assert usable[kernel] <= features_of(name)

    @pytest.mark.parametrize("name", ["avx3", "AVX2", "avx2 ", "scalar,avx2", "0"])
    def test_an_unknown_name_stops_the_import(self, name):
        usable = ", ".join(USABLE)
        assert import_error(PARING_ISA=name) == (
            f"ImportError: PARING_ISA: unknown name '{name}'; usable here: {usable}"
        )

    def test_a_level_this_cpu_lacks_stops_the_import(self):
        lacking = [name for name in ALL_LEVELS if name not in USABLE]
        if not lacking:
            pytest.skip("this CPU has every level")
        for name in lacking:
            usable = ", ".join(USABLE)
            assert import_error(PARING_ISA=name) == (
                f"ImportError: PARING_ISA: this CPU lacks '{name}'; usable here: {usable}"
            )

    def test_a_level_may_be_named_for_one_call(self):
        matrix = np.ones((1, 32), np.float32)
        for name in USABLE:
            _core.ranges(matrix, 0, isa=name)
        with pytest.raises(ValueError, match="PARING_ISA: unknown name 'mmx'; usable here: scalar"):
            _core.ranges(matrix, 0, isa="mmx")


def features_of(level):
    """The features a level stands for, as the names that kernels list under needs."""
    return {
        "scalar": set(),
        "avx2": {"avx2"},
        "avxvnni": {"avx2", "avxvnni"},
        "avx512": {"avx2", "avx512"},
        "avx512vnni": {"avx2", "avx512", "avx512vnni"},
        "neon": {"neon"},
        "neondot": {"neon", "neondot"},
    }[level]


class TestThreads:
    CODE = "import paring; print(json.dumps(paring.kernel_info()['num_threads']))"

    def test_the_default_is_at_most_the_cpus_of_this_process(self):
        assert 1 <= value_of(self.CODE) <= len(os.sched_getaffinity(0))

    @pytest.mark.parametrize("name", ["PARING_NUM_THREADS", "OMP_NUM_THREADS"])
    def test_a_variable_lowers_the_count(self, name):
        assert value_of(self.CODE, **{name: "1"}) == 1

    @pytest.mark.parametrize("name", ["PARING_NUM_THREADS", "OMP_NUM_THREADS"])
    def test_a_variable_does_not_raise_it_above_the_cpus(self, name):
        assert value_of(self.CODE, **{name: "4096"}) == value_of(self.CODE)

    def test_ours_wins_over_that_of_openmp(self):
        default = value_of(self.CODE)
        assert value_of(self.CODE, PARING_NUM_THREADS="4096", OMP_NUM_THREADS="1") == default
        assert value_of(self.CODE, PARING_NUM_THREADS="1", OMP_NUM_THREADS="4096") == 1

    def test_affinity_lowers_the_count(self):
        cpu = min(os.sched_getaffinity(0))
        assert value_of(f"import os; os.sched_setaffinity(0, {{{cpu}}})\n{self.CODE}") == 1

    @pytest.mark.parametrize("value", ["0", "-3", "two"])
    def test_a_bad_value_of_ours_stops_the_import(self, value):
        assert import_error(PARING_NUM_THREADS=value) == (
            f"ValueError: PARING_NUM_THREADS: expected a positive whole number, got '{value}'"
        )

    def test_a_bad_value_of_openmp_is_not_ours_to_refuse(self):
        assert value_of(self.CODE, OMP_NUM_THREADS="many") == value_of(self.CODE)


def flags_of_the_kernel():
    path = Path("/proc/cpuinfo")
    text = path.read_text() if path.exists() else ""
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    if flags is None:
        pytest.skip("no flags in /proc/cpuinfo")
    return set(flags.group(1).split())


@pytest.mark.parametrize(
    ("feature", "needed"),
    [
        ("avx2", {"avx2", "fma"}),
        ("avxvnni", {"avx2", "fma", "avx_vnni"}),
        ("avx512", {"fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"}),
        ("avx512vnni", {"fma", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni"}),
        ("neon", {"asimd"}),
        ("neondot", {"asimd", "asimddp"}),
    ],
)
def test_detected_features_are_those_the_operating_system_shows(feature, needed):
    """Linux hides what it has not switched on, so its list is an independent answer."""
    assert (feature in _core.features()) == (needed <= flags_of_the_kernel())


def test_every_feature_is_checked_against_the_operating_system():
    assert set(_core.features()) <= {"avx2", "avxvnni", "avx512", "avx512vnni", "neon", "neondot"}
