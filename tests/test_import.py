"""What importing the package costs others: only what it needs, and no thread."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

# What is not Python's own: nothing else may be loaded by `import paring`, and by the help of the command line.
FOR_PARING = {"ml_dtypes", "numpy", "paring"}
# Newer versions of typer bring pydantic, older ones click.
FOR_TYPER = {"annotated_doc", "annotated_types", "click", "pydantic", "pydantic_core", "shellingham"}
FOR_HELP = {*FOR_PARING, *FOR_TYPER, "typer", "typing_extensions", "typing_inspection"}
# Of the command line itself, help loads what holds the options: a command is loaded when it runs.
CLI_FOR_HELP = {
    "paring.cli",
    "paring.cli.app",
    "paring.cli.failures",
    "paring.cli.bench_commands",
    "paring.cli.job_commands",
    "paring.cli.options",
}
HEAVY = {
    "compressed_tensors",
    "dask",
    "gguf",
    "jsonschema",
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


def packages_after(code):
    """Top-level packages that are neither Python's nor there before any import, such as an installer's hooks."""
    loaded = {name.partition(".")[0] for name in modules_after(code) - modules_after("")}
    # With an underscore: what Python makes of the platform or of the main program.
    return {name for name in loaded if name not in sys.stdlib_module_names and not name.startswith("_")}


def test_import_loads_nothing_heavy():
    loaded = modules_after("import paring")
    assert {"paring", "paring._core", "numpy"} <= loaded
    assert loaded & HEAVY == set()


def test_import_loads_this_and_nothing_else():
    assert packages_after("import paring") == FOR_PARING


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


@pytest.mark.parametrize(
    "arguments",
    [[], ["--help"], ["inspect", "--help"], ["compress", "--help"], ["plan", "--help"], ["info", "-h"]],
)
def test_help_of_the_command_line_loads_only_its_own(arguments):
    assert find_spec("typer") is not None
    code = (
        "import contextlib, io\n"
        f"sys.argv = ['paring', *{arguments!r}]\n"
        "from paring.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):\n"
        "    main()\n"
        "assert shown.getvalue().strip()"
    )
    assert {"typer", "paring"} <= packages_after(code) <= FOR_HELP
    loaded = modules_after(code)
    assert {name for name in loaded if name.startswith("paring.cli")} == CLI_FOR_HELP
    # Beyond its own options, help costs what `import paring` does.
    assert {name for name in loaded - CLI_FOR_HELP if name.startswith("paring")} == {
        name for name in modules_after("import paring") if name.startswith("paring")
    }
