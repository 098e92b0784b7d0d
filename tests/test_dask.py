"""Jobs on a Dask cluster, a worker of which is killed. ``make test-peers``."""

import importlib.util
import os
import signal
import threading
import time
from pathlib import Path

import pytest

import paring
from checkpoints import files_of, random_weights, write_checkpoint

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]
distributed = pytest.importorskip("distributed", reason="Dask's distributed is not installed")

EXAMPLE = Path(__file__).parents[1] / "examples" / "compress_on_a_cluster.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("compress_on_a_cluster", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def client():
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def outputs_of(folder):
    files = files_of(folder)
    assert files.pop("paring-report.json")
    return files


def test_the_example(example, client, tmp_path):
    source = write_checkpoint(tmp_path / "in", random_weights(layers=8), shards=5)
    report = example.compress_on(client, source, tmp_path / "out", "int4")
    assert report == paring.compress_file(source, tmp_path / "expected", "int4")
    assert outputs_of(tmp_path / "out") == outputs_of(tmp_path / "expected")


def test_a_worker_is_killed(example, client, tmp_path):
    source = example.make_checkpoint(tmp_path)
    workers = client.run(os.getpid)
    assert len(workers) == 2
    outcome = []
    thread = threading.Thread(
        target=lambda: outcome.append(example.compress_on(client, source, tmp_path / "out", "int8"))
    )
    thread.start()
    while not list(
        (tmp_path / "out").glob(".paring/*.safetensors")
    ):  # the first file is there, others are on their way
        time.sleep(0.01)
    os.kill(next(iter(workers.values())), signal.SIGKILL)
    thread.join()
    assert len(outcome[0].rows) == 32
    assert set(client.run(os.getpid).values()) != set(workers.values())
    paring.compress_file(source, tmp_path / "expected", "int8")
    assert outputs_of(tmp_path / "out") == outputs_of(tmp_path / "expected")
