"""A checkpoint of more than four gigabytes goes through `compress_file` in the memory of its largest tensor."""

import json
import subprocess
import sys
from textwrap import dedent

import numpy as np
import pytest

from paring.formats.naming import NamedTensor
from paring.formats.safetensors import write_tensors

SHARDS = 4
ROWS, COLUMNS = 16384, 4096  # 268 MB in float32
LARGEST_BYTES = 4 * ROWS * COLUMNS
ALLOWED_BYTES = 2 * LARGEST_BYTES + 150_000_000

# Runs in a process of its own: RssAnon is that of everything Python and NumPy hold, page cache not counted.
MEASURE = dedent(
    """
    import json, sys, threading
    import paring

    peak, stopped = 0, threading.Event()

    def anonymous_bytes():
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("RssAnon"):
                    return 1024 * int(line.split()[1])

    def watch():
        global peak
        while not stopped.wait(0.002):
            peak = max(peak, anonymous_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    source, target, recipe = sys.argv[1:]
    report = paring.compress_file(source, target, paring.Recipe.from_dict(json.loads(recipe)))
    stopped.set()
    watcher.join()
    print(json.dumps({"peak": peak, "bytes_after": report.bytes_after, "weights": len(report.rows)}))
    """
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Four matrices a shard, each some rotation of the same random numbers: quick to write, and no two alike."""
    folder = tmp_path_factory.mktemp("large")
    block = np.random.default_rng(0).standard_normal((ROWS, COLUMNS), np.float32)
    weight_map = {}
    for shard in range(SHARDS):
        name = f"model-{shard + 1:05}-of-{SHARDS:05}.safetensors"
        tensors = [
            NamedTensor(
                f"layers.{4 * shard + i}.weight",
                block.dtype,
                block.shape,
                lambda turn=4 * shard + i: np.roll(block, turn, axis=0),
            )
            for i in range(4)
        ]
        write_tensors(folder / name, tensors, {}, {})
        weight_map |= {tensor.name: name for tensor in tensors}
    index = {"metadata": {"total_size": 16 * LARGEST_BYTES}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert sum(path.stat().st_size for path in folder.iterdir()) > 4_000_000_000
    return folder


@pytest.mark.parametrize(
    "steps",
    [
        [{"kind": "quantize", "bits": 8}],
        [
            {"kind": "prune", "sparsity": 0.9, "scope": "global"},
            {"kind": "quantize", "bits": 8},
            {"kind": "sparsify"},
        ],
    ],
    ids=["int8", "int8 csr of 90 % pruned globally"],
)
def test_memory(checkpoint, tmp_path, steps):
    recipe = json.dumps({"version": 1, "steps": steps})
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(checkpoint), str(tmp_path / "out"), recipe],
        capture_output=True,
        text=True,
        check=True,
    )
    measured = json.loads(done.stdout)
    assert measured["weights"] == 16
    assert measured["peak"] < ALLOWED_BYTES
    written = sum(path.stat().st_size for path in (tmp_path / "out").glob("*.safetensors"))
    assert measured["bytes_after"] <= written < measured["bytes_after"] + 100_000
