"""The service of examples/service.py answers while four threads call it, and says what is wrong with a request."""

import http.client
import importlib.util
import json
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from paring import Session, nn

pytest.importorskip("starlette")
uvicorn = pytest.importorskip("uvicorn")

EXAMPLES = Path(__file__).parents[1] / "examples"


def load_example(name):
    specification = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def small_model():
    layers = nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 3))
    return nn.Model(layers, (None, 6))


@pytest.fixture(scope="module")
def session():
    return Session(small_model().compress("int8"))


@pytest.fixture(scope="module")
def address(session):
    service = load_example("service")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(service.make_app(session), log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            end = time.monotonic() + 20
            while not server.started:
                assert time.monotonic() < end, "the service does not start"
                time.sleep(0.01)
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)


def ask(address, body, path="/predict", method="POST"):
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request(method, path, body)
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


def request_of(x):
    return json.dumps({"inputs": {"input": x.tolist()}})


def test_four_threads_call_at_once(address, session):
    rng = np.random.default_rng(0)
    xs = [rng.standard_normal((batch, 6)).astype(np.float32) for batch in (1, 2, 5, 9)]

    def call(x):
        for _ in range(25):
            status, body = ask(address, request_of(x))
            assert status == 200
            got = np.array(json.loads(body)["outputs"]["output"], np.float32)
            np.testing.assert_array_equal(got, session(x))
        return True

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(call, xs)) == [True] * 4


def test_what_it_says_of_itself(address):
    status, body = ask(address, None, "/", "GET")
    assert status == 200
    assert json.loads(body) == {
        "inputs": [{"name": "input", "shape": [-1, 6], "dtype": "float32"}],
        "outputs": ["output"],
    }
    assert ask(address, None, "/health", "GET") == (200, b"ok\n")


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("{", 400, 'expected JSON such as {"inputs": '),
        ("[]", 400, 'expected JSON such as {"inputs": '),
        ("[" * 100_000, 400, 'expected JSON such as {"inputs": '),
        ("{}", 400, 'expected JSON such as {"inputs": '),
        ('{"inputs": {}}', 400, "expected an input 'input'"),
        (
            '{"inputs": {"input": [[1, 2], [3]]}}',
            400,
            "input 'input': expected nested lists of numbers of one shape",
        ),
        ('{"inputs": {"input": ["a"]}}', 400, "input 'input': expected nested lists of numbers of one shape"),
        ('{"inputs": {"input": [[1, 2]]}}', 400, "input 'input': expected shape (None, 6), got (1, 2)"),
        ('{"inputs": {"input": [[1, 2, 3, 4, 5, 6]], "x": 1}}', 400, "unknown inputs: 'x'"),
        (b"x" * (17 << 20), 413, "expected at most 16,777,216 bytes"),
    ],
    ids=range(10),
)
def test_requests_that_are_refused(address, body, status, message):
    got = ask(address, body)
    assert got[0] == status
    assert message in json.loads(got[1])["error"]
    assert ask(address, None, "/health", "GET")[0] == 200


def test_the_load_script(tmp_path):
    small_model().save(tmp_path / "m.safetensors")
    command = [
        sys.executable,
        str(EXAMPLES / "service_load.py"),
        str(tmp_path / "m.safetensors"),
        "--seconds",
        "0.3",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    first, header, one, two = done.stdout.splitlines()
    assert "answers are those of the model, byte for byte" in first
    assert header.split() == ["callers", "p50", "ms", "p99", "ms", "requests/s", "examples/s"]
    assert [line.split()[0] for line in (one, two)] == ["1", "2"]
    assert all(float(number.replace(",", "")) > 0 for line in (one, two) for number in line.split())
