"""What importing the package costs others: only what it needs, and no thread."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

HEAVY = {
    "compressed_tensors",
    "gguf",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "pytest",
    "rich",
    "safetensors",
    "scipy",
    "tokenizers",
    "torch",
    "transformers",
    "typer",
}


def run_python(code, *options):
    """Run code in a fresh interpreter and return the value it prints as JSON."""
    result = subprocess.run(
        [sys.executable, *options, "-c", code],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def modules_after(code):
    return set(run_python(f"import json, sys\n{code}\nprint(json.dumps(list(sys.modules)))"))


def test_import_loads_nothing_heavy():
    loaded = modules_after("import paring")
    assert {"paring", "paring._core", "numpy"} <= loaded
    assert loaded & HEAVY == set()


def test_a_heavy_module_would_be_seen():
    assert "scipy" in modules_after("import paring, scipy") & HEAVY


def test_import_does_not_load_the_command_line():
    assert {name for name in modules_after("import paring") if name.startswith("paring.cli")} == set()


def test_using_the_package_loads_nothing_heavy():
    code = (
        "import numpy as np, paring\n"
        "layer = paring.PackedLinear(np.eye(8, dtype=np.float32))\n"
        "assert (layer(np.ones((2, 8), np.float32)) == 1).all()"
    )
    assert modules_after(code) & HEAVY == set()


def test_import_runs_without_warnings():
    assert run_python("import paring, json; print(json.dumps(True))", "-W", "error") is True


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads in /proc")
def test_import_starts_no_thread():
    """NumPy's own threads start with NumPy, before the first count."""
    before, after = run_python(
        "import json, os, numpy\n"
        "count = lambda: len(os.listdir('/proc/self/task'))\n"
        "before = count()\n"
        "import paring\n"
        "paring.kernel_info()\n"
        "print(json.dumps([before, count()]))"
    )
    assert after == before


@pytest.mark.parametrize("arguments", [["--help"], ["inspect", "--help"], ["compress", "--help"]])
def test_help_of_the_command_line_loads_only_its_own(arguments):
    assert find_spec("typer") is not None
    loaded = modules_after(
        "import contextlib, io\n"
        f"sys.argv = ['paring', *{arguments!r}]\n"
        "from paring.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):\n"
        "    main()\n"
        "assert shown.getvalue().strip()"
    )
    assert "typer" in loaded
    assert loaded & HEAVY <= {"typer", "rich"}
