"""How fast examples/service.py answers: latency and throughput with one caller and with two.

    python examples/service_load.py model.safetensors [--url http://127.0.0.1:8000] [--batch 1] [--seconds 3]

Random inputs are sent over connections that stay open, each caller one request after the other. First the answers are
compared with the same model's here. Without ``--url`` the service is started for the time of the measurement.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

import paring


def make_request(session: paring.Session, batch: int) -> tuple[dict[str, np.ndarray], bytes]:
    rng = np.random.default_rng(0)
    arrays = {
        value.name: rng.standard_normal([batch, *(n or 16 for n in value.shape[1:])]).astype(value.dtype)
        for value in session.graph.inputs
    }
    body = json.dumps({"inputs": {name: array.tolist() for name, array in arrays.items()}}).encode()
    return arrays, body


def post(connection: http.client.HTTPConnection, body: bytes) -> dict[str, list]:
    connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    document = json.loads(response.read())
    if response.status != 200:
        raise RuntimeError(f"status {response.status}: {document.get('error')}")
    return document["outputs"]


def call(address: str, body: bytes, seconds: float, times: list[float]) -> None:
    connection = http.client.HTTPConnection(address)
    post(connection, body)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.perf_counter()
        post(connection, body)
        times.append(time.perf_counter() - start)
    connection.close()


def measure(address: str, body: bytes, callers: int, seconds: float, batch: int) -> str:
    times: list[list[float]] = [[] for _ in range(callers)]
    threads = [threading.Thread(target=call, args=(address, body, seconds, own)) for own in times]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = sorted(seconds for own in times for seconds in own)
    p50, p99 = statistics.median(every), every[int(len(every) * 0.99)]
    rate = len(every) / seconds
    return f"{callers:>7} {p50 * 1e3:>9.2f} {p99 * 1e3:>9.2f} {rate:>11,.0f} {rate * batch:>11,.0f}"


@contextmanager
def service(model: str, threads: int) -> Iterator[str]:
    """Run the service while the block does, and give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = Path(__file__).with_name("service.py")
    command = [sys.executable, str(script), model, "--port", str(port), "--threads", str(threads)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            wait_for("127.0.0.1", port, process)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


def wait_for(host: str, port: int, process: subprocess.Popen, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the service ended with {process.returncode}")
        try:
            with socket.create_connection((host, port), 1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing answers on port {port} after {seconds:.0f} seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="the file that the service serves")
    parser.add_argument("--url", help="of a service that runs")
    parser.add_argument("--batch", type=int, default=1, help="examples a request")
    parser.add_argument("--threads", type=int, default=1, help="of the kernels of a service that is started")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    options = parser.parse_args()
    if options.url:
        load(urlsplit(options.url).netloc, options)
    else:
        with service(options.model, options.threads) as address:
            load(address, options)


def load(address: str, options: argparse.Namespace) -> None:
    session = paring.Session(options.model)
    arrays, body = make_request(session, options.batch)
    answers = post(http.client.HTTPConnection(address), body)
    for name, expected in session.run(arrays).items():
        if not np.array_equal(np.array(answers[name], expected.dtype), expected):
            raise SystemExit(f"output {name!r}: the service's answer is not that of {options.model}")
    print(f"{options.model}: {len(body):,} bytes a request; answers are those of the model, byte for byte")
    print(f"{'callers':>7} {'p50 ms':>9} {'p99 ms':>9} {'requests/s':>11} {'examples/s':>11}")
    for callers in (1, 2):
        print(measure(address, body, callers, options.seconds, options.batch), flush=True)


if __name__ == "__main__":
    main()
