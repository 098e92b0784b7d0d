"""Compress a checkpoint of many files on a Dask cluster: each file is one task, and no worker holds more than a tensor.

    pip install distributed
    python examples/compress_on_a_cluster.py CHECKPOINT SMALL                     # two workers on this machine
    python examples/compress_on_a_cluster.py CHECKPOINT SMALL --scheduler tcp://HOST:8786
    python examples/compress_on_a_cluster.py --demo                               # makes a checkpoint first

All workers must see the same files (a network file system) and have paring installed. A worker that is lost costs the
files it was writing, which Dask gives to another; the command called again does only what is missing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from distributed import Client, LocalCluster

import paring


def compress_on(client: Client, source: Path, target: Path, recipe: str) -> paring.Report:
    """Compress `source` into the folder `target` on the workers of a client."""
    return paring.compress_file(
        source,
        target,
        recipe,
        # Two tries elsewhere for a task whose worker is lost, as Dask counts; the jobs themselves may be repeated.
        executor=client.get_executor(retries=2),
        progress=lambda done, total, name: print(f"{done} of {total} weights: {name}", flush=True),
    )


def make_checkpoint(folder: Path, shards: int = 8) -> Path:
    """Write a checkpoint of random numbers, 17 MB a file."""
    rng = np.random.default_rng(0)
    weight_map = {}
    for shard in range(1, shards + 1):
        name = f"model-{shard:05}-of-{shards:05}.safetensors"
        weights = {
            f"layers.{shard}.{part}.weight": rng.standard_normal((1024, 1024), np.float32) for part in "abcd"
        }
        paring.write(folder / name, weights)
        weight_map |= dict.fromkeys(weights, name)
    index = {"metadata": {"total_size": 4 * shards * 4 * 1024**2}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, nargs="?", help="a folder with an index and its files")
    parser.add_argument("target", type=Path, nargs="?", help="the folder to write")
    parser.add_argument("--recipe", default="int8", help="the name of a preset, or a .toml file [int8]")
    parser.add_argument("--scheduler", help="address of a Dask scheduler; a local cluster if left out")
    parser.add_argument("--workers", type=int, default=2, help="of the local cluster [2]")
    parser.add_argument("--demo", action="store_true", help="compress a checkpoint made for it")
    options = parser.parse_args()
    if not options.demo and (options.source is None or options.target is None):
        parser.error("give SOURCE and TARGET, or --demo")
    with tempfile.TemporaryDirectory() as scratch:
        source = make_checkpoint(Path(scratch)) if options.demo else options.source
        target = Path(scratch) / "small" if options.demo else options.target
        cluster = options.scheduler or LocalCluster(
            n_workers=options.workers, threads_per_worker=1, dashboard_address=None
        )
        with Client(cluster) as client:
            report = compress_on(client, source, target, options.recipe)
        if not options.scheduler:
            cluster.close()
        print(f"\n{report}")


if __name__ == "__main__":
    main()
