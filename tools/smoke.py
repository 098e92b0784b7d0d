"""Try an installed paring as a stranger would: the main words of the package, then the command line.

python smoke.py, from a folder outside the checkout, with the Python that has paring installed.
"""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import paring


def try_package(folder: Path) -> None:
    assert paring.__version__ == version("paring")
    for name in ("py.typed", "_core.pyi"):
        assert (Path(paring.__file__).parent / name).exists(), name
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((64, 96)).astype(np.float32)
    x = rng.standard_normal((5, 96)).astype(np.float32)
    exact = x @ weight.T

    pruned = paring.prune(weight, sparsity=0.75)
    forms = {
        "dense": weight,
        "int8": paring.quantize(weight),
        "int4": paring.quantize(weight, bits=4, granularity="group", group_size=32),
        "sparse": paring.sparsify(pruned),
    }
    paring.write(folder / "w.safetensors", forms)
    again = paring.read(folder / "w.safetensors")
    for name, form in forms.items():
        assert np.array_equal(again[name], form) if name == "dense" else again[name] == form, name
    largest = {"dense": 1e-4, "int8": 0.5, "int4": 6.0}
    for name, tolerance in largest.items():
        error = np.abs(paring.PackedLinear(again[name])(x) - exact).max()
        assert error < tolerance, (name, error)
    assert np.allclose(paring.PackedLinear(again["sparse"])(x), x @ pruned.T, atol=1e-4)


def try_command_line(folder: Path) -> None:
    command = str(Path(sys.executable).parent / "paring")
    paring.write(folder / "in.npz", {"layer.weight": np.eye(256, dtype=np.float32)})
    for arguments in (
        ["inspect", "in.npz"],
        ["compress", "in.npz", "-o", "out.safetensors", "--bits", "8"],
        ["inspect", "out.safetensors"],
        ["schema", "inspect"],
        ["demo"],
    ):
        print(f"smoke: paring {' '.join(arguments)}", flush=True)
        subprocess.run([command, *arguments], cwd=folder, stdin=subprocess.DEVNULL, check=True)
    assert (folder / "out.safetensors").stat().st_size < (folder / "in.npz").stat().st_size


if __name__ == "__main__":
    checkout = Path(__file__).resolve().parents[1] / "python"
    assert checkout not in Path(paring.__file__).resolve().parents, "this is the checkout's paring"
    with TemporaryDirectory() as name:
        try_package(Path(name))
        try_command_line(Path(name))
    print(f"smoke: paring {paring.__version__} works on Python {sys.version.split()[0]}")
